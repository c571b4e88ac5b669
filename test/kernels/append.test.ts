// append.test.ts — keys and values into the slots of the paged cache, and nowhere else.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { append, caches } from "../../kernels/index.ts";
import { Case, openLab, scrambled } from "../tools/harness.ts";
import { normal } from "../tools/random.ts";

const test = suite("append");
const lab = await openLab();
test.after(() => lab.close());

const shapes = [
  { heads: 3, kvHeads: 1, headDim: 14 },
  { heads: 4, kvHeads: 2, headDim: 48 },
  { heads: 5, kvHeads: 5, headDim: 256 }, // more elements than one workgroup takes in either variant
];
const cases = lab
  .differing("elementwise")
  .flatMap((device) => shapes.flatMap((shape) => Object.values(caches).map((cache) => ({ device, cache, ...shape }))));
for (const { device, cache, heads, kvHeads, headDim } of cases) {
  const about = `cache in ${cache.name}, head of ${headDim}, ${lab.name(device)}`;
  test(`rows of three sequences, scrambled pages, ${about}`, async () => {
    const pages = scrambled(8, 8);
    const one = new Case(lab.gpu, headDim, {
      runs: [
        { start: 0, rows: 3, pages: pages.slice(0, 1) },
        { start: 30, rows: 35, pages: pages.slice(1, 4) }, // ends with one row on its third page
        { start: 95, rows: 1, pages: pages.slice(4, 7) },
      ],
    });
    const next = normal(1);
    const qkv = one.tensor("qkv", [41, (heads + 2 * kvHeads) * headDim], next);
    const kv = one.kv([8 * 32, kvHeads * headDim], next, next, cache);
    await one.run([append({ qkv, kv, step: one.layout, device })]); // copies: exact, and every other slot unchanged
    one.close();
  });
}

// Numbers that a format cannot hold as they are: beyond its range, below its least, halfway between two, zeros of either sign.
const HARD = [
  65504, -65504, 65519.99, 65520, -65536, 1e5, -1e30, 3.4e38, 2 ** -14, 2 ** -14 * (1 - 2 ** -11), 2 ** -24, 2 ** -25,
  1.5 * 2 ** -24, 2.5 * 2 ** -24, -3e-8, 1e-20, 1e-38, 0, -0, 1 + 2 ** -11, 1 + 3 * 2 ** -11, -(1 + 2 ** -11 + 2 ** -20),
  2047.5, 2048.5, 2049, 0.1, -1 / 3,
]; // prettier-ignore
for (const cache of Object.values(caches)) {
  test(`numbers that are hard to hold, cache in ${cache.name}`, async () => {
    const [headDim, rows] = [14, 2 * HARD.length];
    const one = new Case(lab.gpu, headDim, { runs: [{ start: 0, rows, pages: [0, 1] }] });
    // Row by row each is the largest of its slot, among ordinary ones and among others of its size.
    const value = (i: number) => {
      const [row, column] = [Math.floor(i / 42), i % 42];
      return HARD[row % HARD.length] * (row < HARD.length ? 1 - column / 64 : column % 5 === 0 ? 1 : 2 ** -9);
    };
    const qkv = one.tensor("qkv", [rows, 3 * headDim], value);
    const kv = one.kv([2 * 32, headDim], () => 1, () => 1, cache); // prettier-ignore
    await one.run([append({ qkv, kv, step: one.layout, device: lab.devices[0] })]);
    assert.ok(one.values(kv.keys).every(Number.isFinite), "no infinity, no NaN");
    one.close();
  });
}

test.run();
