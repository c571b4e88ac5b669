// The pool of pages, without a GPU: what is taken, given back, and how its size follows.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { PAGE, type Tensor, tensorBytes } from "../../kernels/index.ts";
import { KvCache, pagesFor } from "../../src/engine/kvcache.ts";

const tests = suite("kvcache");
const SHAPE = { layers: 3, kvHeads: 2, headDim: 6 };
const PAGE_BYTES = PAGE * 12 * 4;

function pool(maxPages = 1000) {
  const created: Tensor[] = [];
  const gpu = { create: (tensor: Tensor) => void created.push(tensor), maxBindingBytes: maxPages * PAGE_BYTES + 5 };
  return { created, kv: new KvCache(gpu, SHAPE) };
}

/** Resizes as the engine does, with a GPU that always can. */
const resize = (kv: KvCache, pages: number): void => kv.adopt(kv.sized(pages));

tests("it starts with an empty tensor per layer for keys and one for values", () => {
  const { created, kv } = pool();
  assert.equal(
    created.map(({ name }) => name),
    [0, 1, 2].flatMap((i) => [`keys.${i}`, `values.${i}`]),
  );
  assert.equal([...new Set(created.map(tensorBytes))], [0]);
  assert.equal([kv.pages, kv.freePages, kv.usedEnd, kv.maxPages], [0, 0, 0, 1000]);
  assert.is(kv.pageBytes, 2 * 3 * PAGE_BYTES);
  assert.equal([0, 1, PAGE, PAGE + 1].map(pagesFor), [0, 1, 1, 2]);
});

tests("pages are distinct, the lowest first, and come back", () => {
  const { kv } = pool();
  resize(kv, 10);
  const [a, b] = [kv.take(3), kv.take(5)];
  assert.equal(
    [a, b],
    [
      [0, 1, 2],
      [3, 4, 5, 6, 7],
    ],
  );
  assert.equal([kv.pages, kv.freePages, kv.usedEnd], [10, 2, 8]);
  kv.release(a);
  assert.equal(kv.take(2), [0, 1]);
  assert.equal(kv.take(0), []);
  assert.equal(kv.take(-1), []);
  kv.release(b);
  assert.equal([kv.freePages, kv.usedEnd], [8, 2]);
});

tests("asking for another size changes nothing until it is there", () => {
  const { kv } = pool();
  resize(kv, 8);
  kv.take(1);
  const layers = kv.sized(24);
  assert.equal([kv.pages, kv.freePages], [8, 7]);
  assert.equal(
    layers.map(({ keys, values }) => [keys.name, values.name, keys.shape, values.shape]),
    [0, 1, 2].map((i) => [`keys.${i}`, `values.${i}`, [24 * PAGE, 12], [24 * PAGE, 12]]),
  );
  kv.adopt(layers);
  assert.equal([kv.pages, kv.freePages], [24, 23]);
  assert.is(kv.layers, layers);
  assert.equal(kv.take(8), [1, 2, 3, 4, 5, 6, 7, 8]);
});

tests("it shrinks to the last page in use, and the pages before it stay free", () => {
  const { kv } = pool();
  resize(kv, 20);
  const [a] = [kv.take(4), kv.take(2)];
  kv.release(a);
  assert.is(kv.usedEnd, 6);
  resize(kv, kv.usedEnd);
  assert.equal([kv.pages, kv.freePages], [6, 4]);
  assert.equal(kv.take(4), [0, 1, 2, 3]);
  kv.release([0, 1, 2, 3, 4, 5]);
  assert.is(kv.usedEnd, 0);
  resize(kv, 0);
  assert.equal([kv.pages, kv.freePages], [0, 0]);
});

tests.run();
