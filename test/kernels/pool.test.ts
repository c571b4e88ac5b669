// pool.test.ts — sums of neighbouring rows.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { pool } from "../../kernels/index.ts";
import { Case, openLab, plainRows } from "../tools/harness.ts";
import { normal } from "../tools/random.ts";

const test = suite("pool");
const lab = await openLab();
test.after(() => lab.close());

test("one row, all rows, runs that overlap; odd and wide", async () => {
  for (const [device, dim] of lab
    .differing("elementwise")
    .flatMap((device) => [45, 576, 1100].map((n) => [device, n] as const))) {
    const outputs = [
      [8, 1],
      [0, 9],
      [3, 2],
      [2, 6],
    ].map(([row, k]) => ({ row, k }));
    const one = new Case(lab.gpu, 2, { ...plainRows(9), outputs });
    const x = one.tensor("x", [9, dim], normal(dim));
    await one.run([pool({ x, y: one.tensor("y", [6, dim]), step: one.layout, device })]);
    one.close();
  }
});

test("columns that differ are refused", () => {
  const tensor = (name: string, columns: number) => ({ name, dtype: "f32" as const, shape: [4, columns] });
  const { layout: step } = new Case(lab.gpu, 2, plainRows(4));
  assert.throws(
    () => pool({ x: tensor("x", 8), y: tensor("y", 9), step, device: lab.gpu.facts }),
    /pool: x has 8 columns, so y needs 8, got 9/,
  );
});

test.run();
