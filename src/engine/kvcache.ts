// kvcache.ts — keys and values in a pool of pages shared by all sequences. A sequence is a list of page numbers.

import {
  type CacheFormat,
  type CacheName,
  type KvLayer,
  PAGE,
  caches,
  kvLayer,
  tensorBytes,
} from "../../kernels/index.ts";
import type { Gpu } from "../device/gpu.ts";

/** The pool's size is a multiple of this many pages: every other size would be a copy more of what is in it. */
export const GROW_PAGES = 8;

/** Pages that `tokens` tokens take. */
export const pagesFor = (tokens: number): number => Math.ceil(tokens / PAGE);

/** How keys and values are held unless asked otherwise. */
export const defaultCache: CacheName = "f32";

/** The layers of a model, as far as its cache depends on them. */
export interface KvShape {
  readonly layers: number;
  readonly kvHeads: number;
  readonly headDim: number;
}

/** Most keys that any layer attends to; undefined unless every layer has a window. */
export function windowOf({ windows = [null] }: { readonly windows?: readonly (number | null)[] }): number | undefined {
  const all = windows.filter((each) => each !== null);
  return all.length === windows.length ? Math.max(...all) : undefined;
}

/** Bytes of keys and values that `tokens` tokens take in all layers. */
export function kvBytes({ layers, kvHeads, headDim }: KvShape, tokens: number, format: CacheFormat): number {
  const { keys, values } = kvLayer(format, 0, tokens, kvHeads * headDim);
  return layers * (tensorBytes(keys) + tensorBytes(values));
}

/** The pool. It starts empty; whoever resizes it on the GPU tells it with `adopt`. */
export class KvCache {
  readonly #shape: KvShape;
  readonly #format: CacheFormat;
  /** Descending, so that the lowest page is taken first and the pool can shrink from its end. */
  #free: number[] = [];
  #pages = 0;
  /** Per layer; the tensors are replaced when the pool is resized. */
  layers: readonly KvLayer[];
  /** Most pages that one binding per layer can hold. */
  readonly maxPages: number;

  /** `format`: how a token's keys and values lie. */
  constructor(
    gpu: Pick<Gpu, "create" | "maxBindingBytes">,
    shape: KvShape,
    format: CacheFormat = caches[defaultCache],
  ) {
    this.#shape = shape;
    this.#format = format;
    this.maxPages = Math.floor(gpu.maxBindingBytes / tensorBytes(this.#layer(0, 1).keys));
    this.layers = Array.from({ length: shape.layers }, (_, i) => this.#layer(i, 0));
    for (const { keys, values } of this.layers) for (const tensor of [keys, values]) gpu.create(tensor, "kv");
  }

  /** Bytes of one page in all layers. */
  get pageBytes(): number {
    return kvBytes(this.#shape, PAGE, this.#format);
  }

  /** Pages that hold nothing. */
  get freePages(): number {
    return this.#free.length;
  }

  /** Pages in the pool. */
  get pages(): number {
    return this.#pages;
  }

  /** Pages up to the last one in use: the pool cannot be smaller. */
  get usedEnd(): number {
    const free = new Set(this.#free);
    let end = this.#pages;
    while (end > 0 && free.has(end - 1)) end--;
    return end;
  }

  /** The layers of a pool of `pages` pages. The caller has the GPU resize to them, then calls `adopt`. */
  sized(pages: number): KvLayer[] {
    return this.layers.map((_, i) => this.#layer(i, pages));
  }

  /** The pool has these layers now. */
  adopt(layers: readonly KvLayer[]): void {
    const pages = layers[0].slots / PAGE;
    for (let page = this.#pages; page < pages; page++) this.#free.push(page);
    this.#free = this.#free.filter((page) => page < pages).sort((a, b) => b - a);
    this.layers = layers;
    this.#pages = pages;
  }

  /** Takes `count` pages, which are there. */
  take(count: number): number[] {
    return count <= 0 ? [] : this.#free.splice(-count).reverse();
  }

  /** Gives pages back. Steps already submitted may still read them: later ones that write run after those. */
  release(pages: readonly number[]): void {
    if (pages.length === 0) return;
    this.#free.push(...pages);
    this.#free.sort((a, b) => b - a);
  }

  #layer(i: number, pages: number): KvLayer {
    const { kvHeads, headDim } = this.#shape;
    return kvLayer(this.#format, i, pages * PAGE, kvHeads * headDim);
  }
}
