// matvec_shuffle.test.ts — one row through lanes that own columns: formats of whole numbers, biases, sums into y, pieces, odd sizes,
// and gate, up and their unit in one.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { candidates, formats, gatedUnit, linear, matvecShuffle, matvecShuffleGated } from "../../kernels/index.ts";
import { Case, openLab, plainRows } from "../tools/harness.ts";
import { normal } from "../tools/random.ts";

const test = suite("matvec_shuffle");
const lab = await openLab();
test.after(() => lab.close());

const blocks = [formats.q8_0, formats.q4_0];
const able = lab.devices.find((each) =>
  candidates("blocks", { rows: 1, n: 1, k: 1, format: "q8_0" }, each).includes("matvec_shuffle"),
);

if (able) {
  const device = { ...able, choices: new Map([["blocks", "matvec_shuffle"]]) }; // of four lanes it is not chosen
  for (const format of blocks) {
    for (const shape of [
      { n: 1, k: 1 },
      { n: 45, k: 107, cut: 6, bias: true, add: true, scale: 0.5 }, // the last block is partly padding
      { n: 70, k: 288, ofOutputs: true },
      { n: 33, k: 2050, bias: true },
    ]) {
      test(`${format.name} ${JSON.stringify(shape)}`, async () => {
        const { n, k, cut, add, scale, ofOutputs = false } = shape;
        for (const rows of [1, 3]) {
          const next = normal(rows + n + k);
          const outputs = Array.from({ length: ofOutputs ? rows : 2 }, () => ({ row: 0 }));
          const one = new Case(lab.gpu, 2, { ...plainRows(ofOutputs ? 2 : rows), outputs });
          const x = one.tensor("x", [rows + 2, k], next); // rows beyond the step's must keep what they hold
          const bias = shape.bias ? one.tensor("bias", [n], next) : undefined;
          const y = one.tensor("y", [rows + 2, n], next);
          const weight = one.matrix("weight", [n, k], next, format, cut ? [cut] : []);
          const args = { x, weight, bias, y, add, scale, ofOutputs, step: one.layout, device };
          assert.is(linear({ ...args, rows: 1 })[0].kernel, "matvec_shuffle"); // what a step of one row takes
          const found = await one.run(matvecShuffle(args));
          one.close();
          for (const { nmse } of found) assert.ok(nmse < 4e-15 * k, `${rows} rows: ${nmse}`); // as in linear.test.ts
        }
      });
    }

    test(`${format.name}: gate, up and their unit`, async () => {
      // The last workgroup is ragged; gates beyond where e^-v is infinite.
      for (const [hidden, biased] of [[21, false], [37, true]] as const) {
        const k = 107;
        const next = normal(hidden);
        const one = new Case(lab.gpu, 2, plainRows(2));
        const x = one.tensor("x", [4, k], next);
        const weight = one.matrix("weight", [2 * hidden, k], next, format);
        const steep = (i: number) => next() + (i === 1 ? -120 : i === 2 ? 120 : 0);
        const bias = biased ? one.tensor("bias", [2 * hidden], steep) : undefined;
        const y = one.tensor("y", [4, hidden], next);
        const args = { x, weight, bias, y, step: one.layout, device };
        assert.equal(
          gatedUnit({ ...args, rows: 1, gateUp: y }).map(({ kernel, constants }) => [kernel, constants.GATED]),
          [["matvec_shuffle", 1]],
        );
        const [{ nmse }] = await one.run(matvecShuffleGated(args));
        one.close();
        assert.ok(nmse < 4e-15 * k, `${nmse}`);
      } // prettier-ignore
    });
  }

  test("gate and up in pieces are refused by name", () => {
    const one = new Case(lab.gpu, 2, plainRows(1));
    const next = normal(1);
    const weight = one.matrix("gateUp", [6, 4], next, formats.q8_0, [4]);
    const [x, y] = [one.tensor("x", [1, 4], next), one.tensor("y", [1, 3])];
    assert.throws(
      () => matvecShuffleGated({ x, weight, y, step: one.layout, device }),
      /gateUp: pieces of the weight must be 1, got 2/,
    );
    one.close();
  });
}

test.run();
