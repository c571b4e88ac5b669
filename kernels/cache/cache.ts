// cache.ts — how keys and values lie in the paged cache. The host half of a way is kernels/cache/C.ts, its WGSL half C.wgsl:
//   alias KvWord = …; const KV_BLOCK = …u; const KV_WORDS = …u;     elements that are encoded together, words they take
//   fn kv_encode(block: array<f32, KV_BLOCK>) -> array<KvWord, KV_WORDS>
//   fn key_at(i: u32) -> f32, fn value_at(i: u32) -> f32            element i = slot · KV_STRIDE + its place in the slot
//   fn key4(i: u32) -> vec4f, fn value4(i: u32) -> vec4f            elements i … i + 3, i a multiple of four
// Kernels declare `keys` and `values` as array<KvWord>, whatever their access mode; KV_STRIDE is a multiple of KV_BLOCK.

import type { DType, Tensor } from "../dispatch.ts";
import type { PartName } from "../wgsl.ts";

/** A way to hold keys and values. */
export interface CacheFormat {
  /** Its key in the table (index.ts) and the name of its two files. */
  readonly name: string;
  /** Its WGSL half. */
  readonly part: PartName;
  /** KV_BLOCK: elements that are encoded together, a multiple of four. */
  readonly block: number;
  /** What its tensors hold; of elements in blocks the type says how many bytes a block takes (dispatch.ts). */
  readonly dtype: DType;
}

/** Keys and values of one layer: room for `slots` tokens of kvHeads · headDim = `kvDim` elements each. */
export interface KvLayer {
  readonly format: CacheFormat;
  readonly slots: number;
  readonly kvDim: number;
  readonly keys: Tensor;
  readonly values: Tensor;
}

/** Elements from one slot to the next: whole blocks, the last one filled up with zeros. */
export const kvStride = ({ block }: CacheFormat, kvDim: number): number => Math.ceil(kvDim / block) * block;

/** A layer's keys and values, [slots, kvStride] each; their tensors are called `keys.NAME` and `values.NAME`. */
export function kvLayer(format: CacheFormat, name: string | number, slots: number, kvDim: number): KvLayer {
  const shape = [slots, kvStride(format, kvDim)];
  const tensor = (of: string): Tensor => ({ name: `${of}.${name}`, dtype: format.dtype, shape });
  return { format, slots, kvDim, keys: tensor("keys"), values: tensor("values") };
}
