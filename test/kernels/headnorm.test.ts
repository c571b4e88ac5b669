// headnorm.test.ts — query and key heads scaled to unit root mean square in place; values keep theirs.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { headnorm } from "../../kernels/index.ts";
import { Case, openLab, plainRows } from "../tools/harness.ts";
import { normal } from "../tools/random.ts";

const test = suite("headnorm");
const lab = await openLab();
test.after(() => lab.close());

for (const device of lab.differing("rmsnorm")) {
  // More elements than lanes, fewer, and neither a multiple of four.
  for (const [headDim, heads, kvHeads] of [
    [2, 3, 1],
    [22, 4, 2],
    [90, 2, 1],
    [256, 3, 3],
  ]) {
    test(`${heads} heads of ${headDim} and ${kvHeads} of keys, ${lab.name(device)}`, async () => {
      const next = normal(headDim);
      const one = new Case(lab.gpu, headDim, plainRows(3));
      const width = (heads + 2 * kvHeads) * headDim;
      const sizes = (i: number) => 10 ** ((Math.floor(i / headDim) % 5) - 3); // down to where ε counts
      const qkv = one.tensor("qkv", [5, width], (i) => next() * sizes(i)); // two rows beyond the step's three
      const weight = one.tensor("weight", [2 * headDim], next);
      const [{ nmse }] = await one.run([
        headnorm({ qkv, weight, heads, kvHeads, eps: 1e-5, step: one.layout, device }),
      ]);
      one.close();
      assert.ok(nmse < 1e-13); // as rmsnorm
    });
  }
}

test("shapes that do not fit are refused by name", () => {
  const tensor = (name: string, ...shape: number[]) => ({ name, dtype: "f32" as const, shape });
  const { layout: step } = new Case(lab.gpu, 4, plainRows(1));
  const args = { qkv: tensor("qkv", 2, 16), weight: tensor("w", 8), heads: 2, kvHeads: 1, eps: 1e-5, step };
  const device = lab.devices[0];
  assert.is(headnorm({ ...args, device }).kernel, "headnorm");
  assert.throws(() => headnorm({ ...args, device, weight: tensor("w", 4) }), /weight \[4\] do not fit 2 heads/);
  assert.throws(() => headnorm({ ...args, device, kvHeads: 2 }), /qkv \[rows, 16\], .* 2 key\/value heads of 4/);
});

test.run();
