// append.test.ts — keys and values into the slots of the paged cache, and nowhere else.
import { suite } from "uvu";
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

test.run();
