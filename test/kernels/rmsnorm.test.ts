// rmsnorm.test.ts — rows scaled to unit root mean square.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { rmsnorm } from "../../kernels/index.ts";
import { goldenEntry, goldenTensors, within } from "../tools/goldens.ts";
import { Case, openLab, plainRows } from "../tools/harness.ts";
import { normal } from "../tools/random.ts";

const test = suite("rmsnorm");
const lab = await openLab();
test.after(() => lab.close());

const devices = lab.differing("rmsnorm");

for (const device of devices) {
  for (const dim of [1, 45, 301, 4096]) {
    test(`rows of ${dim}, ${lab.name(device)}`, async () => {
      const next = normal(dim);
      for (const ofOutputs of [false, true]) {
        const one = new Case(lab.gpu, 2, { ...plainRows(ofOutputs ? 1 : 3), outputs: [{ row: 0 }, { row: 0 }] });
        const x = one.tensor("x", [5, dim], (i) => next() * 10 ** (Math.floor(i / dim) - 2)); // rows beyond must keep theirs
        const y = one.tensor("y", [5, dim]);
        const weight = one.tensor("weight", [dim], next);
        const dispatch = rmsnorm({ x, weight, y, eps: 1e-5, ofOutputs, device });
        assert.is(dispatch.ofOutputs, ofOutputs); // by which the reference goes
        const [{ nmse }] = await one.run([dispatch]);
        one.close();
        assert.ok(nmse < 1e-13); // three products and a root of 2 ulp: (4 · 2^-24)² is 6e-14
      }
    });
  }

  test(`goldens, ${lab.name(device)}`, async () => {
    for (const name of ["a", "b", "c", "tiny", "tiny-eps6", "huge", "row"]) {
      const path = `ops/rmsnorm-${name}.safetensors`;
      const [tensors, { tolerance, meta }] = [await goldenTensors(path), goldenEntry(path)];
      const [values, weights] = [tensors.get("x")!, tensors.get("weight")!];
      const rows = values.length / weights.length;
      const one = new Case(lab.gpu, 2, plainRows(rows));
      const shape = [rows, weights.length];
      const y = one.tensor("y", shape);
      const { eps } = meta as { eps: number };
      const weight = one.tensor("weight", [weights.length], weights);
      await one.run([rmsnorm({ x: one.tensor("x", shape, values), weight, y, eps, device })]);
      within(one.values(y), tensors.get("out_f64")!, tolerance!.f32, name);
      one.close();
    }
  });
}

test("shapes that do not fit, and a result in place, are refused by name", () => {
  const tensor = (name: string, ...shape: number[]) => ({ name, dtype: "f32" as const, shape });
  const args = { x: tensor("x", 2, 8), weight: tensor("w", 8), y: tensor("y", 2, 8), eps: 1e-5, device: devices[0] };
  assert.throws(() => rmsnorm({ ...args, y: args.x }), /x and y must differ, got x for both/);
  assert.throws(() => rmsnorm({ ...args, weight: tensor("w", 9) }), /weight and y need 8, got weight 9, y 2,8/);
  assert.throws(() => rmsnorm({ ...args, y: tensor("y", 2, 4) }), /got weight 8, y 2,4/);
});

test.run();
