// The pool of pages, without a GPU: what is taken, given back, evicted, and how far the pool grows.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { PAGE, type Tensor } from "../../kernels/index.ts";
import { tensorBytes } from "../../kernels/index.ts";
import { KvCache } from "../../src/engine/kvcache.ts";

const tests = suite("kvcache");
const SHAPE = { layers: 3, kvHeads: 2, headDim: 6 };
const PAGE_BYTES = PAGE * 12 * 4;

function pool(maxPages = 1000, evict?: () => number | undefined) {
  const created: Tensor[] = [];
  const gpu = { create: (tensor: Tensor) => void created.push(tensor), maxBindingBytes: maxPages * PAGE_BYTES + 5 };
  return { created, kv: new KvCache(gpu, SHAPE, evict) };
}

/** Takes pages as the engine does, with a GPU that always grows. */
function take(kv: KvCache, tokens: number): number[] {
  const layers = kv.lacking(tokens);
  if (layers) kv.adopt(layers);
  return kv.take(tokens);
}

const ascending = (pages: number[]): number[] => pages.toSorted((a, b) => a - b);

tests("it starts with an empty tensor per layer for keys and one for values", () => {
  const { created, kv } = pool();
  assert.equal(
    created.map(({ name }) => name),
    [0, 1, 2].flatMap((i) => [`keys.${i}`, `values.${i}`]),
  );
  assert.equal([...new Set(created.map(tensorBytes))], [0]);
  assert.equal([kv.pages, kv.freePages, kv.maxPages], [0, 0, 1000]);
  assert.is(kv.bytes(1), 2 * 3 * PAGE_BYTES);
  assert.is(kv.bytes(PAGE + 1), 2 * kv.bytes(PAGE));
});

tests("pages are distinct, come back, and are used again before the pool grows", () => {
  const { kv } = pool();
  const [a, b] = [take(kv, 3 * PAGE), take(kv, 4 * PAGE + 1)];
  assert.equal([a.length, b.length], [3, 5]);
  assert.is(new Set([...a, ...b]).size, 8);
  assert.equal([kv.pages, kv.freePages], [8, 0]);
  kv.release(a);
  assert.is(kv.lacking(3 * PAGE), undefined);
  assert.equal(ascending(take(kv, 3 * PAGE)), ascending(a));
  const c = take(kv, 1);
  assert.equal([kv.pages, kv.freePages], [16, 7]);
  assert.ok(![...a, ...b].includes(c[0]) && c[0] < 16);
});

tests("asking for a larger pool changes nothing until it is there", () => {
  const { kv } = pool();
  take(kv, PAGE);
  const layers = kv.lacking(20 * PAGE)!;
  assert.equal([kv.pages, kv.freePages], [8, 7]);
  assert.equal(
    layers.map(({ keys, values }) => [keys.name, values.name, keys.shape, values.shape]),
    [0, 1, 2].map((i) => [`keys.${i}`, `values.${i}`, [24 * PAGE, 12], [24 * PAGE, 12]]),
  );
  assert.equal(kv.lacking(20 * PAGE), layers, "asked again, the same");
  kv.adopt(layers);
  assert.equal([kv.pages, kv.freePages], [24, 23]);
  assert.is(kv.layers, layers);
});

tests("kept pages are given up before the pool grows, and only as many as it takes", () => {
  const kept: number[] = [];
  const { kv } = pool(1000, () => kept.shift());
  const all = take(kv, 8 * PAGE);
  kept.push(7, 6, 5);
  kv.release(all.filter((page) => page < 4));
  assert.equal(ascending(take(kv, 6 * PAGE)), [0, 1, 2, 3, 6, 7]);
  assert.equal(kept, [5]);
  assert.is(kv.pages, 8);
  take(kv, 3 * PAGE);
  assert.equal(kept, []);
  assert.is(kv.pages, 16, "the one kept page did not suffice");
});

tests("the last growth takes what a binding still holds; beyond it the sizes say what is too much", () => {
  const { kv } = pool(21);
  take(kv, 16 * PAGE);
  assert.is(kv.lacking(2 * PAGE)![0].keys.shape[0], 21 * PAGE, "24 pages would not fit a binding");
  assert.is(kv.lacking(5 * PAGE)![0].keys.shape[0], 21 * PAGE);
  const beyond = kv.lacking(6 * PAGE)![0].keys;
  assert.is(beyond.shape[0], 22 * PAGE);
  assert.ok(tensorBytes(beyond) > 21 * PAGE_BYTES + 5, "the GPU refuses it");
});

tests.run();
