// swiglu.test.ts — silu(gate) · up.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { swiglu } from "../../kernels/index.ts";
import { goldenEntry, goldenTensors, within } from "../tools/goldens.ts";
import { Case, openLab, plainRows } from "../tools/harness.ts";
import { normal } from "../tools/random.ts";

const test = suite("swiglu");
const lab = await openLab();
test.after(() => lab.close());

test("odd sizes, and gates from far below zero to far above", async () => {
  for (const [device, hidden] of lab
    .differing("elementwise")
    .flatMap((device) => [1, 75, 130, 1100].map((n) => [device, n] as const))) {
    const next = normal(hidden);
    const one = new Case(lab.gpu, 2, plainRows(3));
    const x = one.tensor("x", [5, 2 * hidden], (i) => next() * [1, 30, 200][Math.floor(i / (2 * hidden)) % 3]);
    const [{ nmse }] = await one.run([swiglu({ x, y: one.tensor("y", [5, hidden]), device })]);
    one.close();
    assert.ok(nmse < 1e-12); // exp of a gate of -1 … 1 has 5 ulp (WGSL), the rest 4 more: (9 · 2^-23)² is 1.2e-12
  }
});

for (const name of ["normal", "extreme"]) {
  test(`golden ${name}`, async () => {
    const path = `ops/swiglu-${name}.safetensors`;
    const [tensors, { tolerance }] = [await goldenTensors(path), goldenEntry(path)];
    const [gate, up] = [tensors.get("gate")!, tensors.get("up")!];
    const [rows, hidden] = [5, 75];
    const one = new Case(lab.gpu, 2, plainRows(rows));
    const x = one.tensor("x", [rows, 2 * hidden], (i) => {
      const [row, column] = [Math.floor(i / (2 * hidden)), i % (2 * hidden)];
      return column < hidden ? gate[row * hidden + column] : up[row * hidden + column - hidden];
    });
    const y = one.tensor("y", [rows, hidden]);
    await one.run([swiglu({ x, y, device: lab.gpu.facts })]);
    within(one.values(y), tensors.get("out_f64")!, tolerance!.f32, "y");
    one.close();
  });
}

test.run();
