// gather.test.ts — the rows whose logits are wanted.
import { suite } from "uvu";
import { gather } from "../../kernels/index.ts";
import { Case, openLab, plainRows } from "../tools/harness.ts";
import { normal } from "../tools/random.ts";

const test = suite("gather");
const lab = await openLab();
test.after(() => lab.close());

test("rows in any order and twice, odd and wide", async () => {
  for (const [device, dim] of lab
    .differing("elementwise")
    .flatMap((device) => [45, 576].map((n) => [device, n] as const))) {
    const outputs = [8, 0, 3, 3].map((row) => ({ row }));
    const one = new Case(lab.gpu, 2, { ...plainRows(9), outputs });
    const x = one.tensor("x", [9, dim], normal(dim));
    await one.run([gather({ x, y: one.tensor("y", [6, dim]), step: one.layout, device })]); // a copy: equal
    one.close();
  }
});

test.run();
