// RoPE far from position 0, where a wrong scaling shows: the rotary table at every position to 2^20, and logits of short
// sequences that stand beyond 60,000 or reach there across a gap, for every type and every meaning of ropeAngles.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { angles, rope } from "../../kernels/index.ts";
import { Gpu } from "../../src/device/gpu.ts";
import { Llama } from "../../src/node/index.ts";
import {
  type RopeAngles,
  type Rope,
  type RopeScaling,
  dependsOnLength,
  frequencies,
  parseRope,
  parseRopeScaling,
  ropeTypes,
  turns,
} from "../../src/rope/index.ts";
import { type Checkpoint64, Llama64 } from "../tools/float64.ts";
import { goldenEntry } from "../tools/goldens.ts";
import { Case, planStep, scrambled } from "../tools/harness.ts";
import { farthest, folder, near, openDevice, readCheckpoint } from "../tools/models.ts";

const test = suite("rope-depth");
const handle = await openDevice();
const gpu = new Gpu(handle.device, { subgroupMin: 0, subgroupMax: 0, variants: "tiled" });
test.after(() => {
  gpu.close();
  handle.release();
});

const FAR = 60_000;
const END = 2 ** 20;

const list = (length: number, value: (i: number) => number): number[] => Array.from({ length }, (_, i) => value(i));

/** One or more settings of every type, for heads of this size. */
function settings(headDim: number): RopeScaling[] {
  const half = headDim / 2;
  return [
    { rope_type: "default" },
    { rope_type: "linear", factor: 4 },
    { rope_type: "ntk", factor: 4 },
    { rope_type: "dynamic", factor: 4 },
    { rope_type: "yarn", factor: 4 },
    { rope_type: "yarn", factor: 16, beta_fast: 8, beta_slow: 2, attention_factor: 1.3 },
    {
      rope_type: "longrope",
      factor: 8,
      short_factor: list(half, (i) => 1 + i / (4 * half)),
      long_factor: list(half, (i) => 1 + (7 * i) / half),
    },
    { rope_type: "llama3", factor: 8, low_freq_factor: 1, high_freq_factor: 4 },
    { rope_type: "proportional", partial_rotary_factor: 0.5 },
  ];
}

test("every type is tried", () =>
  assert.equal(new Set(settings(8).map(({ rope_type }) => rope_type)), new Set(ropeTypes)));

// The promise of README and ARCHITECTURE: cos and sin within 2e-6 of float64 (times m, which multiplies them).
const TABLE = 2e-6;

test("the table at every position from 0 to 2^20, all 32 frequencies of a head of 64", async () => {
  const { omega } = frequencies(parseRope({ head_dim: 64, rope_theta: 10_000 }), 1);
  const rows = 2 ** 17; // 32 MiB of table at a time
  const table = { name: "table", dtype: "f32", shape: [rows, 64] } as const;
  gpu.create(table, "activations");
  let [worst, tried] = [0, 0];
  for (let first = 0; first <= END; first += rows) {
    const count = Math.min(rows, END + 1 - first);
    const { layout, shape, data } = planStep(64, {
      fills: [{ angle: 0, position: first, count }],
      settings: [{ turns: turns(omega) }],
    });
    gpu.createStep(data.byteLength);
    await gpu.run(await gpu.record([angles({ table, step: layout })]), shape, data);
    const values = new Float32Array(await gpu.read(table, 0, 4 * 64 * count));
    for (let row = 0; row < count; row++) {
      for (let i = 0; i < 32; i++) {
        const phase = (first + row) * omega[i];
        const error = Math.max(
          Math.abs(values[64 * row + 2 * i] - Math.cos(phase)),
          Math.abs(values[64 * row + 2 * i + 1] - Math.sin(phase)),
        );
        if (!(error <= worst)) worst = error;
      }
      tried++;
    }
  }
  gpu.destroy(table);
  assert.is(tried, END + 1);
  assert.ok(worst < TABLE && worst > 0, `${worst}`);
  console.log(`note: largest error of cos and sin at all positions to 2^20: ${worst.toExponential(1)}`);
});

test("table and rotation of every type at positions up to 2^20", async () => {
  const [headDim, count] = [16, 5];
  const starts = [0, 1000, FAR, 131_069, 500_000, END - count + 1];
  for (const setting of settings(headDim)) {
    const own = parseRopeScaling(setting, parseRope({ head_dim: headDim, max_position_embeddings: 64 }));
    const { omega, attentionScaling: m } = frequencies(own, END + 1);
    const one = new Case(gpu, headDim, {
      // Pages repeat: nothing is read from them. Position 0 would be in a row before the table's first, which wraps.
      runs: starts.map((start, i) => ({
        start,
        rows: count,
        pages: scrambled(Math.ceil((start + count) / 32), 3),
        angle: count * i - start,
      })),
      fills: starts.map((position, i) => ({ angle: count * i, position, count })),
      settings: [{ turns: turns(omega), scaling: m }],
    });
    const rows = count * starts.length;
    const table = one.tensor("table", [rows, headDim]);
    // One query head with 1 in its first half and 0 in the other, one key head the other way round, values.
    const qkv = one.tensor("qkv", [rows, 3 * headDim], (i) => Number(i % (3 * headDim) < 8 || i % (3 * headDim) >= 24));
    await one.run([
      angles({ table, step: one.layout }),
      rope({ qkv, table, heads: 1, kvHeads: 1, step: one.layout, device: gpu.facts }),
    ]);
    const got = one.values(qkv);
    one.close();
    starts.forEach((start, run) => {
      for (let row = 0; row < count; row++) {
        omega.forEach((frequency, i) => {
          const phase = (start + row) * frequency;
          const [cos, sin] = [m * Math.cos(phase), m * Math.sin(phase)];
          const at = (count * run + row) * 3 * headDim + i;
          [cos, sin, -sin, cos].forEach((want, part) => {
            const value = got[at + part * (headDim / 2)];
            const where = `${own.type}, position ${start + row}, frequency ${i}`;
            assert.ok(Math.abs(value - want) < TABLE * m, `${where}: ${value}, needed ${want}`);
          });
        });
      }
    });
  }
});

interface Subject {
  readonly llama: Llama;
  readonly checkpoint: Checkpoint64;
  readonly ids: readonly number[];
  /** Largest difference of a logit that float32 may make. */
  readonly allowed: number;
}

/** The tiny golden model with its manifest's tolerance; and a trained one, whose logits are six times as large. */
async function subject(name: "rope_sweep" | "kv-llama", count: number): Promise<Subject> {
  const path = folder(name === "rope_sweep" ? "goldens/rope_sweep" : "/models/kv-llama");
  const llama = await Llama.load(path, { device: handle.device });
  const tolerance = goldenEntry("rope_sweep/default/expected.safetensors").tolerance!.f32.abs!;
  return {
    llama,
    checkpoint: await readCheckpoint(path),
    ids: list(count, (i) => (37 * i + 11) % llama.config.vocab),
    allowed: name === "rope_sweep" ? tolerance : 6 * tolerance,
  };
}

for (const name of ["rope_sweep", "kv-llama"] as const) {
  test(`${name}: with a static type a sequence does not notice where it stands`, async () => {
    const { llama, ids, allowed } = await subject(name, 40);
    for (const ropeScaling of settings(llama.config.headDim)) {
      if (dependsOnLength(parseRopeScaling(ropeScaling, llama.rope))) continue;
      const here = await llama.logits(ids, { ropeScaling });
      for (const first of [FAR, END - ids.length]) {
        const there = await llama.logits(ids, { ropeScaling, positions: ids.map((_, i) => first + i) });
        // Each side is off by what is allowed against the exact result.
        near(`${ropeScaling.rope_type} at ${first}`, there, here, 2 * allowed);
      }
    }
    llama.close();
  });

  test(`${name}: every type across a gap, against float64; a setting 1 % off would be seen`, async () => {
    const tiny = name === "rope_sweep";
    const { llama, checkpoint, ids, allowed } = await subject(name, tiny ? 30 : 14);
    for (const setting of settings(llama.config.headDim)) {
      const layouts = [
        [0, FAR],
        [8, FAR],
        [20, END - ids.length],
      ];
      for (const [from, gap] of tiny ? layouts : layouts.slice(1, 2)) {
        const positions = ids.map((_, i) => (i < from ? i : gap + i));
        const n = positions.at(-1)! + 1;
        const exact = (own: Rope) => new Llama64(checkpoint).step(ids, positions, frequencies(own, n));
        const what = `${setting.rope_type}, the first ${from} before ${gap}`;
        const got = await llama.logits(ids, { ropeScaling: setting, positions });
        near(what, got, exact(parseRopeScaling(setting, llama.rope)), allowed);
        if (from !== 8) continue;
        for (const wrong of neighbours(setting, llama.rope.theta)) {
          const { error } = farthest(got, exact(parseRopeScaling(wrong, llama.rope)));
          assert.ok(error > 5 * allowed, `${what}: ${JSON.stringify(wrong)} would differ by only ${error}`);
        }
      }
    }
    llama.close();
  });
}

/** The setting with one of its numbers 1 % off, or the nearest that can be off. */
function neighbours(setting: RopeScaling, theta: number): RopeScaling[] {
  const { factor, long_factor, partial_rotary_factor } = setting;
  return [
    { ...setting, rope_theta: 1.01 * theta },
    ...(typeof factor === "number" ? [{ ...setting, factor: 1.01 * factor }] : []),
    ...(long_factor ? [{ ...setting, long_factor: long_factor.map((value) => 1.01 * value) }] : []),
    ...(partial_rotary_factor ? [{ ...setting, partial_rotary_factor: 0.9 * partial_rotary_factor }] : []),
  ];
}

for (const meaning of ["planned", "current", "as-inserted"] as const satisfies readonly RopeAngles[]) {
  test(`steps that change the frequencies beyond 60,000 while a cache lives: ${meaning}`, async () => {
    const { llama, checkpoint, ids, allowed } = await subject("rope_sweep", 30);
    const half = llama.config.headDim / 2;
    const longrope = settings(2 * half).find(({ rope_type }) => rope_type === "longrope")!;
    for (const setting of [
      { rope_type: "dynamic", factor: 2 },
      { ...longrope, original_max_position_embeddings: FAR + 20 }, // crossed by the step from 18 to 21
    ] as const satisfies RopeScaling[]) {
      const own = parseRopeScaling(setting, llama.rope);
      const planned = FAR + ids.length;
      const sequence = llama.scheduler.open({ capacity: ids.length, rope: own, meaning, planned, gaps: true });
      const reference = new Llama64(checkpoint, meaning === "current");
      let from = 0;
      for (const count of [10, 1, 7, 3, 1, 1, 5, 1, 1]) {
        const n = FAR + from + count;
        const fed = ids.slice(from, from + count);
        sequence.at(FAR + from);
        const found = await sequence.feed(fed, { rows: "all" });
        const want = reference.step(
          fed,
          list(count, (row) => FAR + from + row),
          frequencies(own, meaning === "planned" ? planned : n),
        );
        const { vocab } = llama.config;
        for (const [row, got] of found.entries()) {
          const needed = want.subarray(row * vocab, (row + 1) * vocab);
          near(`${own.type}, id ${from + row}`, got as Float32Array, needed, allowed);
        }
        from += count;
      }
      assert.is(from, ids.length);
      sequence.close();
    }
    llama.close();
  });
}

test.run();
