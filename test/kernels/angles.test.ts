// angles.test.ts — the rotary table against float64, near and far.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { angles } from "../../kernels/index.ts";
import { frequencies, parseRope } from "../../src/rope/index.ts";
import { turns } from "../../src/rope/turns.ts";
import { goldenEntry, goldenTensors } from "../tools/goldens.ts";
import { Case, type StepPlan, openLab } from "../tools/harness.ts";
import { normal } from "../tools/random.ts";

const test = suite("angles");
const lab = await openLab();
test.after(() => lab.close());

const unscaled = (headDim: number, theta = 10_000): Float64Array =>
  Float64Array.from({ length: headDim / 2 }, (_, i) => theta ** ((-2 * i) / headDim));

/** Makes the fills and returns the largest distance to cos and sin of position · ω in f64. */
async function worstError(omega: Float64Array, fills: NonNullable<StepPlan["fills"]>, scaling = 1): Promise<number> {
  const headDim = 2 * omega.length;
  const rows = Math.max(...fills.map(({ angle, count }) => angle + count));
  const one = new Case(lab.gpu, headDim, { fills, settings: [{ turns: turns(omega), scaling }] });
  const table = one.tensor("table", [rows + 3, headDim]); // the rows beyond must keep what they hold
  await one.run([angles({ table, step: one.layout })]);
  const values = one.values(table);
  one.close();
  let worst = 0;
  for (const { angle, position, count } of fills) {
    for (let i = 0; i < count; i++) {
      omega.forEach((frequency, j) => {
        const at = (angle + i) * headDim + 2 * j;
        const phase = (position + i) * frequency;
        const error = Math.max(
          Math.abs(values[at] - scaling * Math.cos(phase)),
          Math.abs(values[at + 1] - scaling * Math.sin(phase)),
        );
        if (!(error <= worst)) worst = error;
      });
    }
  }
  return worst;
}

// The polynomials are made for 1e-7; 2e-7 leaves room for the rounding of the angle and of the result (2^-24 each).
const TOLERANCE = 2e-7;

test("every position up to 2^20 in samples, all dimensions of a head of 256", async () => {
  const next = normal(1);
  const fills = Array.from({ length: 40 }, (_, i) => ({
    angle: 24 * i,
    position: Math.floor((i + Math.abs(next()) / 8) * 2 ** 15),
    count: i % 3 === 0 ? 17 : 24,
  }));
  fills.push({ angle: 24 * 40, position: 2 ** 20 - 9, count: 9 }, { angle: 24 * 41, position: 0, count: 3 });
  assert.ok((await worstError(unscaled(256), fills)) < TOLERANCE);
});

test("sizes that fill no row of lanes, a scaling, and more than one setting", async () => {
  for (const headDim of [2, 10, 14]) {
    const error = await worstError(unscaled(headDim, 500_000), [{ angle: 1, position: 5, count: 19 }], 1.25);
    assert.ok(error < 1.25 * TOLERANCE, `head of ${headDim}: ${error}`);
  }
  const settings = [unscaled(10), unscaled(10, 100).map((w) => w / 7)].map((omega, i) => ({
    turns: turns(omega),
    scaling: 1 + i,
  }));
  const one = new Case(lab.gpu, 10, {
    settings,
    fills: [
      { angle: 0, position: 0, count: 9, setting: 1 },
      { angle: 9, position: 70_000, count: 1, setting: 0 },
      { angle: 20, position: 3, count: 8, setting: 1 },
    ],
  });
  await one.run([angles({ table: one.tensor("table", [30, 10]), step: one.layout })]);
  one.close();
});

test("positions around 2^31 and at the end of u32", async () => {
  // The f64 phase itself is off by 2^32 · 2^-53 = 4.8e-7 there, and ω by one more such rounding.
  const fills = [2 ** 31 - 4, 2 ** 32 - 8].map((position, i) => ({ angle: 8 * i, position, count: 8 }));
  assert.ok((await worstError(unscaled(64), fills)) < TOLERANCE + 1e-6);
});

test("frequencies above one turn, of zero, and multiples of an eighth of a turn", async () => {
  const eighths = [0, 1, 2, 3, 4, 5, 6, 7, 8].map((n) => (n * Math.PI) / 4);
  const omega = Float64Array.from([...eighths, 7, 2 ** -40, Math.PI / 4 + 1e-9]);
  assert.ok((await worstError(omega, [{ angle: 0, position: 0, count: 40 }])) < TOLERANCE);
});

test("the tables that transformers makes, to within its own rounding of the angle", async () => {
  const path = "rope/cos_sin.safetensors";
  const tensors = await goldenTensors(path);
  const meta = goldenEntry(path).meta as Record<string, { head_dim: number; seq_len: number }>;
  const positions = tensors.get("positions")!;
  for (const [name, config] of Object.entries(meta)) {
    const { omega, attentionScaling } = frequencies(
      parseRope({ hidden_size: config.head_dim, num_attention_heads: 1, ...config }),
      config.seq_len,
    );
    const one = new Case(lab.gpu, config.head_dim, {
      settings: [{ turns: turns(omega), scaling: attentionScaling }],
      fills: [...positions].map((position, i) => ({ angle: i, position, count: 1 })),
    });
    const table = one.tensor("table", [positions.length, config.head_dim]);
    await one.run([angles({ table, step: one.layout })]);
    for (const [part, at] of [
      ["cos", 0],
      ["sin", 1],
    ] as const) {
      tensors.get(`${name}.${part}`)!.forEach((want, i) => {
        const [row, j] = [Math.floor(i / config.head_dim), i % (config.head_dim / 2)];
        const got = one.values(table)[row * config.head_dim + 2 * j + at];
        // manifest.json: 2e-6, and the float32 product position · ω there; transformers' llama3 blend is 2.6e-7 off too
        const allowed = 2e-6 + positions[row] * omega[j] * (name === "llama3" ? 5e-7 : 2.4e-7);
        assert.ok(Math.abs(got - want) <= allowed, `${name} ${part} position ${positions[row]}: ${got}, ${want}`);
      });
    }
    one.close();
  }
});

test.run();
