// kvcache.ts — keys and values in a pool of pages shared by all sequences. A sequence is a list of page numbers.

import { PAGE, type Tensor } from "../kernels/index.ts";
import type { Gpu } from "./gpu.ts";
import { tensorBytes } from "./gpu.ts";
import type { KvLayer } from "./llama.ts";

/** Pages are added in groups, so that requests of similar length do not each copy the pool. */
const GROW_PAGES = 8;

/**
 * The pool. It starts empty and grows to what the open sequences need; it never shrinks, so that the next request of the
 * same size allocates nothing. Growing makes recordings that bind the pool invalid.
 */
export class KvCache {
  readonly #gpu: Gpu;
  readonly #kvDim: number;
  readonly #free: number[] = [];
  readonly #evict: () => number | undefined;
  #pages = 0;
  /** Per layer; the tensors are replaced when the pool grows. */
  layers: KvLayer[];

  /** `evict` gives up a page that is kept only in case it is wanted again. */
  constructor(
    gpu: Gpu,
    shape: { layers: number; kvHeads: number; headDim: number },
    evict: () => number | undefined = () => undefined,
  ) {
    this.#gpu = gpu;
    this.#evict = evict;
    this.#kvDim = shape.kvHeads * shape.headDim;
    this.layers = Array.from({ length: shape.layers }, (_, i) => this.#layer(i, 0));
  }

  /** Bytes that `tokens` more tokens take in all layers, in whole pages. */
  bytes(tokens: number): number {
    return Math.ceil(tokens / PAGE) * 2 * this.layers.length * tensorBytes(this.#layer(0, 1).keys);
  }

  /** Pages that hold nothing. */
  get freePages(): number {
    return this.#free.length;
  }

  /** Pages in the pool. */
  get pages(): number {
    return this.#pages;
  }

  /** Takes pages for `tokens` tokens, evicting, then growing if it must; `grown` says that recordings are invalid. */
  take(tokens: number): { pages: number[]; grown: boolean } {
    const count = Math.ceil(tokens / PAGE);
    while (this.#free.length < count) {
      const page = this.#evict();
      if (page === undefined) break;
      this.#free.push(page);
    }
    const missing = count - this.#free.length;
    if (missing > 0) this.#grow(this.#pages + Math.ceil(missing / GROW_PAGES) * GROW_PAGES);
    return { pages: this.#free.splice(0, count), grown: missing > 0 };
  }

  /** Gives pages back. Steps already submitted may still read them: later ones that write run after those. */
  release(pages: readonly number[]): void {
    this.#free.push(...pages);
  }

  #layer(i: number, pages: number): KvLayer {
    const tensor = (name: string): Tensor => ({ name, dtype: "f32", shape: [pages * PAGE, this.#kvDim] });
    return { keys: tensor(`keys.${i}`), values: tensor(`values.${i}`) };
  }

  #grow(pages: number): void {
    const first = this.#pages === 0;
    const layers = this.layers.map((_, i) => this.#layer(i, pages));
    for (const layer of layers) {
      for (const tensor of [layer.keys, layer.values]) {
        if (first) this.#gpu.create(tensor, "kv");
        else this.#gpu.grow(tensor);
      }
    }
    this.layers = layers;
    for (let page = this.#pages; page < pages; page++) this.#free.push(page);
    this.#pages = pages;
  }
}
