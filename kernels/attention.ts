// attention.ts — what the attention kernels have in common.

import { LlariatError } from "../src/error.ts";
import { type KvLayer, kvStride } from "./cache/cache.ts";
import { type Tensor, stride } from "./dispatch.ts";
import type { StepLayout } from "./step.ts";
import type { DeviceFacts } from "./device.ts";

/**
 * Causal attention over the paged cache. `qkv` [rows, (heads + 2·kvHeads)·headDim] f32 with rotated queries;
 * `kv`: the layer's cache; `table` [angle rows, rotaryDim] f32, read where a sequence caches raw keys
 * (`rawKeys` compiles that in); `y` [rows, heads·headDim] f32. Query head h reads key/value head ⌊h·kvHeads/heads⌋.
 * Scores are scaled by `scale`, default headDim^-1/2.
 * With `window` a row attends to its last `window` keys, its own among them, instead of to all.
 */
export interface AttentionArguments {
  readonly qkv: Tensor;
  readonly kv: KvLayer;
  readonly table: Tensor;
  readonly y: Tensor;
  readonly heads: number;
  readonly kvHeads: number;
  readonly rawKeys: boolean;
  readonly scale?: number;
  readonly window?: number;
  readonly step: StepLayout;
  readonly device: DeviceFacts;
}

/**
 * Keys per part of decode attention: the unit in which it is spread over workgroups. One key per lane of a workgroup; smaller
 * ones balance better over two cores, and cost more to join (bench/kernels.ts).
 */
export const SPLIT = 64;

/** Override constants shared by the kernels that read queries, keys and values. Throws `kernel` where shapes disagree. */
export function attentionConstants(args: AttentionArguments): Record<string, number> {
  const { qkv, kv, y, heads, kvHeads, rawKeys, step } = args;
  const { headDim } = step.capacity;
  if (
    heads % kvHeads !== 0 ||
    kv.kvDim !== kvHeads * headDim ||
    qkv.shape[1] !== (heads + 2 * kvHeads) * headDim ||
    y.shape[1] !== heads * headDim
  ) {
    const shapes = `qkv [rows, ${qkv.shape[1]}], y [rows, ${y.shape[1]}], kv [slots, ${kv.kvDim}]`;
    const model = `${heads} heads, ${kvHeads} key/value heads of ${headDim}`;
    throw new LlariatError("kernel", `attention: ${shapes} do not fit ${model}`);
  }
  return {
    ...step.constants,
    HALF: headDim / 2,
    HEADS: heads,
    KV_HEADS: kvHeads,
    QKV_STRIDE: stride(qkv.shape[1]),
    KV_STRIDE: kvStride(kv.format, kv.kvDim),
    TABLE_STRIDE: stride(step.rotaryDim) / 2,
    TURNING: step.rotaryDim / 2,
    SCALE: args.scale ?? headDim ** -0.5,
    RAW_KEYS: Number(rawKeys),
    WINDOW: args.window ?? 0,
  };
}

/**
 * Rows per prefill tile: keys and values are read once for all of them. A lane keeps rows × headDim / lanes sums, so the tile
 * shrinks where heads are large; on lavapipe 16 rows beat 8 by a third up to headDim 128 (bench/kernels.ts).
 */
export const tileRows = (headDim: number): number => (headDim <= 128 ? 16 : 8);
