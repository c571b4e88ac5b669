// kvcache.ts — keys and values in a pool of pages shared by all sequences. A sequence is a list of page numbers.

import { PAGE, type Tensor } from "../../kernels/index.ts";
import type { Gpu } from "../device/gpu.ts";
import { tensorBytes } from "../../kernels/index.ts";
import type { KvLayer } from "../model/forward.ts";

/** Pages are added in groups, so that requests of similar length do not each copy the pool. */
const GROW_PAGES = 8;

/**
 * The pool. It starts empty and grows to what the open sequences need; it never shrinks, so that the next request of the
 * same size allocates nothing.
 */
export class KvCache {
  readonly #kvDim: number;
  readonly #free: number[] = [];
  readonly #evict: () => number | undefined;
  #pages = 0;
  /** Per layer; the tensors are replaced when the pool grows. */
  layers: readonly KvLayer[];
  /** Most pages that one binding per layer can hold. */
  readonly maxPages: number;

  /** `evict` gives up a page that is kept only in case it is wanted again. */
  constructor(
    gpu: Pick<Gpu, "create" | "maxBindingBytes">,
    shape: { layers: number; kvHeads: number; headDim: number },
    evict: () => number | undefined = () => undefined,
  ) {
    this.#evict = evict;
    this.#kvDim = shape.kvHeads * shape.headDim;
    this.maxPages = Math.floor(gpu.maxBindingBytes / tensorBytes(this.#layer(0, 1).keys));
    this.layers = Array.from({ length: shape.layers }, (_, i) => this.#layer(i, 0));
    for (const { keys, values } of this.layers) for (const tensor of [keys, values]) gpu.create(tensor, "kv");
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

  /**
   * Makes room for `tokens` tokens by evicting; where that does not suffice, the layers of the larger pool that does. The
   * caller has the GPU grow to them, then calls `adopt`.
   */
  lacking(tokens: number): KvLayer[] | undefined {
    const count = Math.ceil(tokens / PAGE);
    while (this.#free.length < count) {
      const page = this.#evict();
      if (page === undefined) break;
      this.#free.push(page);
    }
    const missing = count - this.#free.length;
    if (missing <= 0) return undefined;
    const rounded = this.#pages + Math.ceil(missing / GROW_PAGES) * GROW_PAGES;
    const pages = Math.max(Math.min(rounded, this.maxPages), this.#pages + missing);
    return this.layers.map((_, i) => this.#layer(i, pages));
  }

  /** The pool has grown to these layers. */
  adopt(layers: readonly KvLayer[]): void {
    const pages = layers[0].keys.shape[0] / PAGE;
    for (let page = this.#pages; page < pages; page++) this.#free.push(page);
    this.layers = layers;
    this.#pages = pages;
  }

  /** Takes pages for `tokens` tokens, for which there is room. */
  take(tokens: number): number[] {
    return this.#free.splice(0, Math.ceil(tokens / PAGE));
  }

  /** Gives pages back. Steps already submitted may still read them: later ones that write run after those. */
  release(pages: readonly number[]): void {
    this.#free.push(...pages);
  }

  #layer(i: number, pages: number): KvLayer {
    const tensor = (name: string): Tensor => ({ name, dtype: "f32", shape: [pages * PAGE, this.#kvDim] });
    return { keys: tensor(`keys.${i}`), values: tensor(`values.${i}`) };
  }
}
