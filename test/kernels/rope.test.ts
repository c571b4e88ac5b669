// rope.test.ts — rotation of queries and keys in place.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { angles, rope } from "../../kernels/index.ts";
import { turns } from "../../src/rope/index.ts";
import { goldenEntry, goldenTensors } from "../tools/goldens.ts";
import { Case, type Run, openLab, scrambled } from "../tools/harness.ts";
import { normal } from "../tools/random.ts";

const test = suite("rope");
const lab = await openLab();
test.after(() => lab.close());

test("heads of all sizes, several sequences, keys that stay raw, far positions", async () => {
  const shapes: { headDim: number; heads: number; kvHeads: number; rotaryDim?: number }[] = [
    { headDim: 14, heads: 3, kvHeads: 1 },
    { headDim: 10, heads: 6, kvHeads: 3 },
    { headDim: 64, heads: 9, kvHeads: 3 },
    { headDim: 16, heads: 4, kvHeads: 2, rotaryDim: 12 }, // the last four elements of each head stay
    { headDim: 256, heads: 9, kvHeads: 2 }, // more pairs than one workgroup takes in either variant
  ];
  const next = normal(3);
  for (const [device, shape] of lab
    .differing("elementwise")
    .flatMap((device) => shapes.map((shape) => [device, shape] as const))) {
    const { headDim, heads, kvHeads, rotaryDim = headDim } = shape;
    const runs: Run[] = [
      { start: 0, rows: 5, pages: [3], angle: 2 },
      { start: 7, rows: 1, pages: [1], angle: 40, raw: true },
      { start: 300, rows: 3, pages: scrambled(10, 4), angle: 100 },
    ];
    const one = new Case(lab.gpu, headDim, { runs, rotaryDim });
    const qkv = one.tensor("qkv", [11, (heads + 2 * kvHeads) * headDim], next); // two rows beyond the step's nine
    const table = one.tensor("table", [410, rotaryDim], next);
    const [{ nmse }] = await one.run([rope({ qkv, table, heads, kvHeads, step: one.layout, device })]);
    one.close();
    assert.ok(nmse < 1e-14); // (2^-24)² · 2 is 7e-15: two products and a sum, each rounded
  }
});

for (const name of ["rope-default", "rope-d128", "rope-dynamic", "rope-yarn"]) {
  test(`golden ${name}, through the table`, async () => {
    const path = `ops/${name}.safetensors`;
    const golden = await goldenTensors(path);
    const { tolerance, meta } = goldenEntry(path);
    const headDim = (meta as { head_dim: number }).head_dim;
    const [q, k, positions] = ["q", "k", "positions"].map((part) => golden.get(part)!);
    const [rows, heads, kvHeads] = [positions.length, 4, 2];
    // cos² + sin² is the square of the attention scaling, which the fixture keeps inside cos and sin.
    const scaling = Math.hypot(golden.get("cos")![0], golden.get("sin")![0]);
    const one = new Case(lab.gpu, headDim, {
      // Positions are anywhere, so that every row is a sequence of its own.
      runs: [...positions].map((start) => ({ start, rows: 1, pages: scrambled(Math.ceil((start + 1) / 32), 1) })),
      settings: [{ turns: turns(golden.get("inv_freq")!), scaling }],
      fills: [{ angle: 0, position: 0, count: Math.max(...positions) + 1 }],
    });
    const table = one.tensor("table", [Math.max(...positions) + 1, headDim]);
    const [qWidth, kWidth] = [heads * headDim, kvHeads * headDim];
    const width = qWidth + 2 * kWidth;
    const qkv = one.tensor("qkv", [rows, width], (i) => {
      const [row, column] = [Math.floor(i / width), i % width];
      if (column < qWidth) return q[row * qWidth + column];
      return column < qWidth + kWidth ? k[row * kWidth + column - qWidth] : 1;
    });
    await one.run([
      angles({ table, step: one.layout }),
      rope({ qkv, table, heads, kvHeads, step: one.layout, device: lab.gpu.facts }),
    ]);
    const got = one.values(qkv);
    one.close();
    for (let row = 0; row < rows; row++) {
      for (let i = 0; i < qWidth + kWidth; i++) {
        const [part, at] = i < qWidth ? ["q_out", row * qWidth + i] : ["k_out", row * kWidth + i - qWidth];
        const want = golden.get(part)![at];
        assert.ok(Math.abs(got[row * width + i] - want) <= tolerance!.f32.abs!, `${part} row ${row}, ${i}`);
      }
    }
  });
}

test.run();
