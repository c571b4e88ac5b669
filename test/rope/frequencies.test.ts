// Frequencies of every RoPE type against transformers 5.12.1 (fixtures/goldens/rope) and against the formulas.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Rope } from "../../src/rope/index.ts";
import {
  angleRow,
  dependsOnLength,
  describeRope,
  effectiveLength,
  frequencies,
  maxContext,
  parseRope,
  parseRopeScaling,
  ropeKey,
  turns,
  wavelengths,
} from "../../src/rope/index.ts";
import { goldenEntry, goldenJson, goldenTensors } from "../tools/goldens.ts";

const test = suite("rope");

interface Table {
  id: string;
  rope_parameters: Record<string, unknown>;
  head_dim: number;
  max_position_embeddings: number;
  seq_len: number | null;
  inv_freq: number[];
  attention_scaling: number;
}
const tables = (goldenJson("rope/tables.json") as { cases: Table[] }).cases;
const ropeOf = ({ rope_parameters, head_dim, max_position_embeddings }: Omit<Table, "id">): Rope =>
  parseRope({ rope_parameters, head_dim, max_position_embeddings });

/** Largest relative difference; a frequency of 0 must be 0. */
function relative(got: ArrayLike<number>, want: ArrayLike<number>): number {
  assert.is(got.length, want.length);
  return Math.max(...Array.from(want, (w, i) => (w === 0 ? (got[i] === 0 ? 0 : Infinity) : Math.abs(got[i] / w - 1))));
}

test("236 tables of transformers", () => {
  // The manifest's 4e-6: torch computes in float32, its llama3 blend and dynamic base lose up to 1.9e-6.
  const tolerance = goldenEntry("rope/tables.json").tolerance!.f32.rel!;
  assert.is(tables.length, 236);
  for (const table of tables) {
    const { omega, attentionScaling } = frequencies(ropeOf(table), table.seq_len ?? 1);
    assert.ok(relative(omega, table.inv_freq) < tolerance, `${table.id}: ${relative(omega, table.inv_freq)}`);
    // Python computes m in f64 like we do; a last-bit difference of log is allowed.
    assert.ok(Math.abs(attentionScaling / table.attention_scaling - 1) < 1e-15, `${table.id}: m ${attentionScaling}`);
  }
});

test("a request's setting on an unscaled model gives the tables that the same setting in a config gives", () => {
  const tolerance = goldenEntry("rope/tables.json").tolerance!.f32.rel!;
  let tried = 0;
  for (const table of tables) {
    const { rope_type, rope_theta, original_max_position_embeddings: M0, ...rest } = table.rope_parameters;
    const trained = (M0 as number | undefined) ?? table.max_position_embeddings;
    const base = { head_dim: table.head_dim, max_position_embeddings: trained, rope_theta };
    const name = /^static-ntk(\d+)/.exec(table.id);
    let model = parseRope(base);
    let setting: Record<string, unknown> = { rope_type, ...rest };
    if (name) {
      // The golden is `default` with the larger base; ours asks for it by factor.
      const [alpha, d] = [Number(name[1]), table.head_dim];
      model = parseRope({ ...base, rope_theta: (rope_theta as number) / alpha ** (d / (d - 2)) });
      setting = { type: "ntk", factor: alpha };
    }
    // Without a factor only the config's M says how far longrope reaches; a request states it.
    if (rope_type === "longrope" && rest.factor === undefined)
      setting.max_position_embeddings = table.max_position_embeddings;
    const rope = parseRopeScaling(setting, model);
    const { omega, attentionScaling } = frequencies(rope, table.seq_len ?? 1);
    assert.ok(relative(omega, table.inv_freq) < tolerance, `${table.id}: ${relative(omega, table.inv_freq)}`);
    assert.ok(Math.abs(attentionScaling / table.attention_scaling - 1) < 1e-15, table.id);
    tried++;
  }
  assert.is(tried, 236);
});

test("cos and sin of transformers at positions to 131071, through turns and phases", async () => {
  const tensors = await goldenTensors("rope/cos_sin.safetensors");
  const { meta, tolerance } = goldenEntry("rope/cos_sin.safetensors");
  const positions = tensors.get("positions")!;
  assert.is(Math.max(...positions), 131071);
  for (const [name, setting] of Object.entries(meta as Record<string, Omit<Table, "id"> & { seq_len: number }>)) {
    const { omega, attentionScaling } = frequencies(ropeOf(setting), setting.seq_len);
    const words = turns(omega);
    const half = setting.head_dim / 2;
    // The manifest's share of the angle for float32. transformers' llama3 blend is itself 2.6e-7 off at frequency 16 (its
    // table says so), which the manifest, made with float32 rounding in the right direction, does not count.
    const rounding = name === "llama3" ? 2.4e-7 + 2.6e-7 : 2.4e-7;
    for (const [row, position] of positions.entries()) {
      const got = angleRow(words, attentionScaling, position);
      for (let i = 0; i < 2 * half; i++) {
        const frequency = i % half; // both halves of the head are stored
        const allowed = position * omega[frequency] * rounding + tolerance!.f32.abs!;
        for (const [part, at] of [
          ["cos", 2 * frequency],
          ["sin", 2 * frequency + 1],
        ] as const) {
          const difference = Math.abs(got[at] - tensors.get(`${name}.${part}`)![row * 2 * half + i]);
          assert.ok(difference <= allowed, `${name}.${part} at ${position}, frequency ${frequency}: ${difference}`);
        }
      }
    }
  }
});

test("given transformers' own float32 frequencies, cos and sin differ by the rounding of position · ω alone", async () => {
  const tensors = await goldenTensors("rope/cos_sin.safetensors");
  const positions = tensors.get("positions")!;
  const sources = {
    default: "default/d64/theta10000",
    "default-theta2": "default/d64/theta500000",
    linear4: "linear4/d64/theta10000",
    yarn4: "yarn4/d64/theta10000",
    llama3: "llama3-8-8192/d64/theta500000",
  };
  for (const [name, id] of Object.entries(sources)) {
    const { inv_freq, attention_scaling } = tables.find((table) => table.id === id)!;
    const words = turns(Float64Array.from(inv_freq));
    for (const [row, position] of positions.entries()) {
      const got = angleRow(words, attention_scaling, position);
      inv_freq.forEach((frequency, i) => {
        // float32 multiplication: half an ulp, 2^-24 of the product; then cos, sin and m in float32: under 1e-6 together
        const allowed = (position * frequency * 2 ** -24 + 1e-6) * attention_scaling;
        const at = row * 2 * inv_freq.length + i;
        for (const [k, part] of ["cos", "sin"].entries()) {
          const difference = Math.abs(got[2 * i + k] - tensors.get(`${name}.${part}`)![at]);
          assert.ok(
            difference <= allowed,
            `${name}.${part} at ${position}, frequency ${i}: ${difference} > ${allowed}`,
          );
        }
      });
    }
  }
});

test("nothing survives a call: any order of lengths gives what a fresh model gives", () => {
  interface Call {
    length: number;
    inv_freq: number[];
    max_abs_diff_to_fresh_model: number;
  }
  const { cases } = goldenJson("rope_sweep/history.json") as { cases: { variant: string; calls: Call[] }[] };
  let afterLong = 0;
  for (const { variant, calls } of cases) {
    const rope = parseRope(goldenJson(`rope_sweep/${variant}/config.json`) as Record<string, unknown>);
    const short = calls.find(({ length }) => length === 32)!.inv_freq;
    for (const { length, inv_freq, max_abs_diff_to_fresh_model } of calls) {
      // Where transformers 5.12.1 differs from its own fresh model it used the base of an earlier, longer call.
      const fresh = max_abs_diff_to_fresh_model === 0 ? inv_freq : short;
      if (max_abs_diff_to_fresh_model > 0) afterLong++;
      assert.ok(relative(frequencies(rope, length).omega, fresh) < 4e-6, `${variant} at ${length}`);
    }
    const lengths = [200, 32, 65, 100, 64, 63, 200, 1, 66, 32];
    const first = new Map(lengths.map((length) => [length, frequencies(rope, length)]));
    for (const length of lengths.toReversed()) assert.equal(frequencies(rope, length), first.get(length));
  }
  assert.ok(afterLong >= 6, "the golden no longer shows transformers' state");
});

test("the caller owns the arrays: changing a result changes no later one", () => {
  for (const rope_scaling of [{ type: "yarn", factor: 4 }, { type: "dynamic", factor: 2 }, null]) {
    const rope = parseRope({ head_dim: 16, rope_scaling });
    const before = frequencies(rope, 5000).omega.slice();
    frequencies(rope, 5000).omega.fill(7);
    assert.equal(frequencies(rope, 5000).omega, before);
  }
});

const plain = { head_dim: 8, max_position_embeddings: 100 };
const lists = { short_factor: [1, 1.25, 1.5, 2], long_factor: [1, 2, 4, 8] };
const scaled = (rope_scaling: Record<string, unknown>, more = {}): Rope =>
  parseRope({ ...plain, ...more, rope_scaling });

test("dynamic starts right after M, and factor 1 is not a no-op there", () => {
  for (const factor of [1, 2, 2.5]) {
    const rope = scaled({ type: "dynamic", factor });
    const base = frequencies(parseRope(plain), 1).omega;
    assert.equal(frequencies(rope, 100).omega, base);
    for (const n of [101, 150, 1000]) {
      const alpha = (factor * n) / 100 - (factor - 1);
      const { omega } = frequencies(rope, n);
      assert.is(omega[0], 1);
      // NTK-aware scaling divides the last frequency by exactly α; 1e-14 is a few roundings of f64.
      assert.ok(Math.abs((omega[3] * alpha) / base[3] - 1) < 1e-14, `n ${n}`);
      assert.ok(omega[1] < base[1] && omega[2] < base[2]);
    }
  }
});

test("longrope is short at M0 and long from M0 + 1, with one m", () => {
  const rope = scaled({ type: "longrope", ...lists, original_max_position_embeddings: 25 });
  const base = frequencies(parseRope(plain), 1).omega;
  assert.equal(frequencies(rope, 25).omega, base.map((b, i) => b / lists.short_factor[i])); // prettier-ignore
  assert.equal(frequencies(rope, 26).omega, base.map((b, i) => b / lists.long_factor[i])); // prettier-ignore
  const m = Math.sqrt(1 + Math.log(4) / Math.log(25));
  for (const n of [1, 25, 26]) assert.is(frequencies(rope, n).attentionScaling, m);
});

test("yarn at the ends of its ramp", () => {
  // Numbers by the goldens' numpy reference (fixtures/verify_goldens.py), for corners that no golden reaches.
  const near = (rope: Rope, want: number[]) => assert.ok(relative(frequencies(rope, 1).omega, want) < 1e-14); // f64
  // both ends at index 0: the guard against division by zero leaves index 0 alone and scales the others
  near(scaled({ type: "yarn", factor: 4, original_max_position_embeddings: 6 }), [1, 0.025, 0.0025, 0.00025]);
  // the upper end beyond d - 1: bounded there
  near(
    scaled({ type: "yarn", factor: 4, rope_theta: 10, original_max_position_embeddings: 1000 }),
    [1, 0.5623413251903491, 0.31622776601683794, 0.15115374985330846],
  );
});

test("a base below 1 is computed as it stands", () => {
  const { omega } = frequencies(scaled({ type: "linear", factor: 4 }, { rope_theta: 0.5 }), 1);
  assert.ok(relative(omega, [0.25, 0.29730177875068026, 0.3535533905932738, 0.42044820762685725]) < 1e-14); // f64
});

test("proportional turns the first pairs with the whole head's exponent", () => {
  const rope = scaled({ type: "proportional", partial_rotary_factor: 0.7, factor: 2 });
  const base = frequencies(parseRope(plain), 1).omega;
  assert.equal(frequencies(rope, 1).omega, Float64Array.of(base[0] / 2, base[1] / 2, 0, 0)); // floor(0.7 · 4) = 2
  assert.equal(wavelengths(rope, 1), Float64Array.of((2 * Math.PI) / (base[0] / 2), (2 * Math.PI) / (base[1] / 2), Infinity, Infinity)); // prettier-ignore
});

test("dependsOnLength and effectiveLength say when n matters", () => {
  const every: [Rope, boolean][] = [
    [parseRope(plain), false],
    [scaled({ type: "linear", factor: 2 }), false],
    [scaled({ type: "yarn", factor: 2 }), false],
    [scaled({ type: "llama3", factor: 2, low_freq_factor: 1, high_freq_factor: 4 }), false],
    [scaled({ type: "proportional" }), false],
    [parseRopeScaling({ type: "ntk", factor: 2 }, parseRope(plain)), false],
    [scaled({ type: "dynamic", factor: 2 }), true],
    [scaled({ type: "longrope", ...lists, original_max_position_embeddings: 25 }), true],
  ];
  for (const [rope, depends] of every) {
    assert.is(dependsOnLength(rope), depends, rope.type);
    const seen = new Set<number>();
    for (const n of [1, 24, 25, 26, 27, 99, 100, 101, 102, 5000]) {
      const same = effectiveLength(rope, n);
      seen.add(same);
      assert.ok(same <= n);
      assert.equal(frequencies(rope, same), frequencies(rope, n), `${rope.type} ${n}`);
    }
    assert.is(seen.size > 1, depends);
  }
  for (const n of [0, -1, 1.5, NaN, Infinity])
    assert.throws(() => frequencies(every[0][0], n), /length n: must be a whole number of tokens ≥ 1/);
});

test("maxContext", () => {
  const context = (setting: Record<string, unknown>, more = {}) => maxContext(scaled(setting, more));
  assert.is(maxContext(parseRope(plain)), 100);
  assert.is(context({ type: "linear", factor: 4 }), 400);
  assert.is(context({ type: "dynamic", factor: 2.5 }), 250);
  assert.is(context({ type: "dynamic", factor: 2, original_max_position_embeddings: 50 }), 200);
  assert.is(context({ type: "yarn", factor: 4, original_max_position_embeddings: 25 }), 100);
  assert.is(context({ type: "yarn", factor: 4 }), 400);
  assert.is(context({ type: "yarn", factor: null, original_max_position_embeddings: 25 }), 100);
  assert.is(context({ type: "longrope", ...lists, original_max_position_embeddings: 25 }), 100);
  assert.is(context({ type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4, original_max_position_embeddings: 10 }), 100); // prettier-ignore
  assert.is(context({ type: "proportional", factor: 2 }), 100);
  assert.is(maxContext(parseRopeScaling({ type: "ntk", factor: 2.5 }, parseRope(plain))), 250);
});

test("describeRope echoes every effective value as JSON data", () => {
  assert.equal(describeRope(scaled({ type: "yarn", factor: 4 })), {
    type: "yarn",
    theta: 10000,
    headDim: 8,
    factor: 4,
    attentionFactor: 0.1 * Math.log(4) + 1,
    maxPositions: 100,
    originalMaxPositions: 100,
    betaFast: 32,
    betaSlow: 1,
    truncate: true,
    ignored: [],
    maxContext: 400,
  });
  const rope = describeRope(scaled({ type: "longrope", ...lists, original_max_position_embeddings: 25 }));
  assert.equal(JSON.parse(JSON.stringify(rope)), rope);
});

test("ropeKey is equal for the same setting however it was spelt, and differs with every value", () => {
  const model = parseRope(plain);
  const same = [
    parseRopeScaling({ rope_type: "yarn", factor: 4 }, model),
    parseRopeScaling({ beta_fast: 32, factor: 4, type: "yarn", mscale: 0.7 }, model),
    parseRopeScaling({ type: "yarn", factor: 4, original_max_position_embeddings: 100, truncate: true }, model),
  ];
  assert.is(new Set(same.map(ropeKey)).size, 1);
  const noted = parseRope({ ...plain, max_position_embeddings: 400, rope_scaling: { type: "yarn", factor: 4, finetuned: true, original_max_position_embeddings: 100 } }); // prettier-ignore
  assert.equal(noted.ignored, ["finetuned"]);
  assert.is(ropeKey(noted), ropeKey(same[0]));
  const different = [
    same[0],
    model,
    parseRopeScaling({ type: "linear", factor: 4 }, model),
    parseRopeScaling({ type: "ntk", factor: 4 }, model),
    parseRopeScaling({ type: "dynamic", factor: 4 }, model),
    parseRopeScaling({ type: "yarn", factor: 4, beta_fast: 16 }, model),
    parseRopeScaling({ type: "yarn", factor: 4, attention_factor: 1 }, model),
    parseRopeScaling({ type: "yarn", factor: 4, rope_theta: 20000 }, model),
    parseRopeScaling({ type: "longrope", factor: 4, ...lists }, model),
    parseRopeScaling({ type: "longrope", factor: 4, short_factor: lists.long_factor, long_factor: lists.short_factor }, model), // prettier-ignore
  ];
  assert.is(new Set(different.map(ropeKey)).size, different.length);
});

test.run();
