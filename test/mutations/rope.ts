// rope.ts — mutations of RoPE: the rotation, the table, fixed point, frequencies by type, what is asked for, while generating.
import type { Mutation } from "./mutation.ts";

const FREQUENCIES = ["rope/frequencies"];
const TURNS = ["rope/turns"];
const TABLE = ["kernels/angles"];
const ROTATION = ["kernels/rope"];
const ENGINE = ["rope/meanings"];
const REQUEST = ["rope/requests", "rope/meanings"];

/** What must not pass: the rotation, its table, the frequencies of every type, and what a request asks for. */
export const rope: readonly Mutation[] = [
  // the rotation
  {
    name: "pairing: halves swapped",
    file: "kernels/rope.wgsl",
    find: "qkv[at] = a * turn.x - b * turn.y;",
    replace: "qkv[at] = b * turn.x - a * turn.y;",
    tests: ROTATION,
  },
  {
    name: "pairing: turned the other way",
    file: "kernels/rope.wgsl",
    find: "let b = qkv[at + HALF];",
    replace: "let b = -qkv[at + HALF];",
    tests: ROTATION,
  },
  {
    name: "pairing: interleaved (2i, 2i + 1)",
    file: "kernels/rope.wgsl",
    find: `    let at = row * QKV_STRIDE + (pair / HALF) * HEAD_DIM + pair % HALF;
    let turn = table[angle + pair % HALF];
    let a = qkv[at];
    let b = qkv[at + HALF];
    qkv[at] = a * turn.x - b * turn.y;
    qkv[at + HALF] = b * turn.x + a * turn.y;`,
    replace: `    let at = row * QKV_STRIDE + 2u * pair;
    let turn = table[angle + pair % HALF];
    let a = qkv[at];
    let b = qkv[at + 1u];
    qkv[at] = a * turn.x - b * turn.y;
    qkv[at + 1u] = b * turn.x + a * turn.y;`,
    tests: ROTATION,
  },
  {
    name: "keys that stay raw are rotated as well",
    file: "kernels/rope.wgsl",
    find: "select(HEADS + KV_HEADS, HEADS, sequence_raw(row_sequence(row)))",
    replace: "select(HEADS + KV_HEADS, HEADS + KV_HEADS, sequence_raw(row_sequence(row)))",
    tests: ROTATION,
  },
  {
    name: "raw keys are turned the other way where they are read",
    file: "kernels/lib/keys.wgsl",
    find: "return vec2f(pair.x * turn.x - pair.y * turn.y, pair.y * turn.x + pair.x * turn.y);",
    replace: "return vec2f(pair.x * turn.x + pair.y * turn.y, pair.y * turn.x - pair.x * turn.y);",
    tests: ENGINE,
  },
  // the table
  {
    name: "m is dropped",
    file: "kernels/angles.wgsl",
    find: "= scale * cos_sin(phase);",
    replace: "= min(scale, 1.0) * cos_sin(phase);",
    tests: TABLE,
  },
  {
    name: "m is squared",
    file: "kernels/angles.wgsl",
    find: "= scale * cos_sin(phase);",
    replace: "= scale * scale * cos_sin(phase);",
    tests: TABLE,
  },
  {
    name: "position off by one",
    file: "kernels/angles.wgsl",
    find: "let position = plan[fill + 1u] + row;",
    replace: "let position = plan[fill + 1u] + row + 1u;",
    tests: TABLE,
  },
  {
    name: "sign of the quadrant",
    file: "kernels/angles.wgsl",
    find: "if ((quadrant & 2u) == 2u)",
    replace: "if ((quadrant & 1u) == 1u)",
    tests: TABLE,
  },
  {
    name: "multiply_high without the carry",
    file: "kernels/angles.wgsl",
    find: " + (middle >> 16u) + (other >> 16u);",
    replace: " + (middle >> 16u);",
    tests: TABLE,
  },
  {
    name: "a shorter polynomial of the sine",
    file: "kernels/angles.wgsl",
    find: "fma(b, 2.7557319e-6, -1.9841270e-4)",
    replace: "-1.9841270e-4",
    tests: TABLE,
  },
  {
    name: "low words of the frequencies ignored",
    file: "kernels/angles.wgsl",
    find: "position * turns_high + multiply_high(position, turns_low)",
    replace: "position * turns_high + 0u * turns_low",
    tests: TABLE,
  },
  // fixed point
  {
    name: "frequencies rounded to f32",
    file: "src/rope/turns.ts",
    find: "parts(frequency);",
    replace: "parts(Math.fround(frequency));",
    tests: TURNS,
  },
  {
    name: "turns cut instead of rounded",
    file: "src/rope/turns.ts",
    find: "(product + (1n << (shift - 1n))) >> shift",
    replace: "product >> shift",
    tests: TURNS,
  },
  // frequencies by type
  {
    name: "linear: factor ignored",
    file: "src/rope/frequencies.ts",
    find: "omega = omega.map((b) => b / s);",
    replace: "omega = omega.map((b) => b);",
    tests: FREQUENCIES,
  },
  {
    name: "ntk: exponent d / (d - 2) taken for 1",
    file: "src/rope/frequencies.ts",
    find: "theta * Math.pow(alpha, d / (d - 2))",
    replace: "theta * Math.pow(alpha, d / d)",
    tests: FREQUENCIES,
  },
  {
    name: "dynamic: α = s · n / M",
    file: "src/rope/frequencies.ts",
    find: "(s * length) / M - (s - 1)",
    replace: "(s * length) / M",
    tests: FREQUENCIES,
  },
  {
    name: "dynamic: base stays what it is one token beyond M",
    file: "src/rope/frequencies.ts",
    find: "return n > rope.maxPositions ? n : 1;",
    replace: "return n > rope.maxPositions ? rope.maxPositions + 1 : 1;",
    tests: FREQUENCIES,
  },
  {
    name: "yarn: ramp reversed",
    file: "src/rope/frequencies.ts",
    find: "b * (1 - ramp(i)) + (b / s) * ramp(i)",
    replace: "b * ramp(i) + (b / s) * (1 - ramp(i))",
    tests: FREQUENCIES,
  },
  {
    name: "yarn: beta_fast and beta_slow swapped",
    file: "src/rope/frequencies.ts",
    find: "[indexTurning(rope.betaFast), indexTurning(rope.betaSlow)]",
    replace: "[indexTurning(rope.betaSlow), indexTurning(rope.betaFast)]",
    tests: FREQUENCIES,
  },
  {
    name: "yarn: truncate ignored",
    file: "src/rope/frequencies.ts",
    find: "if (rope.truncate)",
    replace: "if (rope.type)",
    tests: FREQUENCIES,
  },
  {
    name: "yarn: m without the logarithm's 0.1",
    file: "src/rope/build.ts",
    find: "0.1 * c * Math.log(s) + 1",
    replace: "c * Math.log(s) + 1",
    tests: FREQUENCIES,
  },
  {
    name: "longrope: long and short swapped",
    file: "src/rope/frequencies.ts",
    find: "length > M0 ? rope.longFactor : rope.shortFactor",
    replace: "length > M0 ? rope.shortFactor : rope.longFactor",
    tests: FREQUENCIES,
  },
  {
    name: "longrope: long one token too early",
    file: "src/rope/frequencies.ts",
    find: "return n > rope.originalMaxPositions ? rope.originalMaxPositions + 1 : 1;",
    replace: "return n >= rope.originalMaxPositions ? rope.originalMaxPositions + 1 : 1;",
    tests: FREQUENCIES,
  },
  {
    name: "llama3: blend swapped",
    file: "src/rope/frequencies.ts",
    find: "return (1 - kept) * (b / s) + kept * b;",
    replace: "return kept * (b / s) + (1 - kept) * b;",
    tests: FREQUENCIES,
  },
  {
    name: "proportional: exponent of the part that turns",
    file: "src/rope/frequencies.ts",
    find: "omega = omega.map((b, i) => (i < turning ? b / s : 0));",
    replace: "omega = omega.map((b, i) => (i < turning ? b ** (d / (2 * turning)) / s : 0));",
    tests: FREQUENCIES,
  },
  {
    name: "settings that differ in m share a key",
    file: "src/rope/frequencies.ts",
    find: "const { ignored: _, ...values } = rope;",
    replace: "const { ignored: _, attentionFactor: __, ...values } = rope;",
    tests: FREQUENCIES,
  },
  // what is asked for
  {
    name: "an unknown key is ignored",
    file: "src/rope/names.ts",
    find: "if (!known.has(key)) refuse(",
    replace: "if (!known.has(key)) continue;\n    if (!own) refuse(",
    tests: ["rope/parse"],
  },
  {
    name: "ropeScaling: null takes the model's own setting",
    file: "src/rope/parse.ts",
    find: "if (setting === undefined) return model;",
    replace: "if (setting === undefined || setting === null) return model;",
    tests: ["rope/parse"],
  },
  {
    name: "the reach of yarn without its factor",
    file: "src/rope/frequencies.ts",
    find: "return Math.floor(rope.originalMaxPositions * rope.factor);",
    replace: "return Math.floor(rope.originalMaxPositions);",
    tests: FREQUENCIES,
  },
  // while generating
  {
    name: "a chunk's length for n",
    file: "src/engine/entry.ts",
    find: "return { sequence, count, n, outputs: list,",
    replace: "return { sequence, count, n: sequence.length + Math.min(count, n), outputs: list,",
    tests: ENGINE,
  },
  {
    name: "planned n without maxNewTokens",
    file: "src/generate/request.ts",
    find: "angleOptions(options, capacity) };",
    replace: "angleOptions(options, ids.length) };",
    tests: ENGINE,
  },
  {
    name: "the longest row's n for the whole batch",
    file: "src/engine/step.ts",
    find: "angles.fill(length + count, n);",
    replace: "angles.fill(length + count, Math.max(...segments.map((each) => each.n)));",
    tests: ENGINE,
  },
  {
    name: "n of the first call kept for later ones",
    file: "src/engine/angles.ts",
    find: "const key = `${this.#key} ${length}`;",
    replace: "const key = `${this.#key} ${Math.min(length, 2)}`;",
    tests: ENGINE,
  },
  {
    name: "raw keys keep the angles of an earlier n",
    file: "src/engine/angles.ts",
    find: "if (this.rawKeys) region.filled = 0;",
    replace: "if (!this.rawKeys) region.filled = 0;",
    tests: ENGINE,
  },
  {
    name: "current: keys cached rotated",
    file: "src/engine/angles.ts",
    find: 'this.rawKeys = meaning === "current" &&',
    replace: 'this.rawKeys = meaning === "planned" &&',
    tests: ENGINE,
  },
  {
    name: "as-inserted: keys cached raw",
    file: "src/engine/angles.ts",
    find: 'this.rawKeys = meaning === "current" &&',
    replace: 'this.rawKeys = meaning !== "planned" &&',
    tests: ENGINE,
  },
  {
    name: "rows of the table of another setting reused",
    file: "src/engine/angles.ts",
    find: "each.shared === shared);",
    replace: "each.shared !== undefined);",
    tests: REQUEST,
  },
  {
    name: "rows of the table given to two settings",
    file: "src/engine/angles.ts",
    find: "|| each.first >= first + region.rows);",
    replace: "|| each.first > first);",
    tests: ["engine/angles"],
  },
  {
    name: "angle rows off by one",
    file: "src/engine/step.ts",
    find: "words.set([tokens[position], position, s, angles.first + position], rowAt",
    replace: "words.set([tokens[position], position, s, angles.first + position + 1], rowAt",
    tests: ENGINE,
  },
  {
    name: "a prefix known under another setting is used",
    file: "src/engine/angles.ts",
    find: "return this.region.shared;",
    replace: 'return this.region.shared && "any";',
    tests: ENGINE,
  },
];
