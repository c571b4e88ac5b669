/**
 * Every kernel binding. Each returns plain records (dispatch.ts) and touches no GPU object.
 * @module llariat/kernels
 */

export * from "./dispatch.ts";
export * from "./cache/index.ts";
export * from "./formats/index.ts";
export * from "./step.ts";
export * from "./choose.ts";
export * from "./device.ts";
export { type Binding, type KernelName, type PartName, declarations, kernels, parts } from "./wgsl.ts";
export { type Ahead, squareSums } from "./ahead.ts";
export { angles, FILL_ROWS } from "./angles.ts";
export { append } from "./append.ts";
export { type AttentionArguments, SPLIT, tileRows } from "./attention.ts";
export { attentionDecodeTiled } from "./attention_decode_tiled.ts";
export { attentionDecodeShuffle } from "./attention_decode_shuffle.ts";
export { attentionMerge } from "./attention_merge.ts";
export { attentionPrefillTiled } from "./attention_prefill_tiled.ts";
export { attentionPrefillShuffle } from "./attention_prefill_shuffle.ts";
export { embed } from "./embed.ts";
export { gather } from "./gather.ts";
export { headnorm } from "./headnorm.ts";
export {
  type DecodeArguments,
  type OfRows,
  attentionDecode,
  attentionPrefill,
  gatedUnit,
  linear,
  normColumns,
  queriesKeysValues,
  residual,
} from "./layers.ts";
export type { Linear, LinearArguments } from "./linear.ts";
export { matmulTiled, matmulTiledLow, matmulTiledTall } from "./matmul_tiled.ts";
export { matmulShuffle } from "./matmul_shuffle.ts";
export {
  type MatvecArguments,
  type PlacedArguments,
  canPlace,
  matvec,
  matvecGated,
  matvecPlaced,
  matvecResidual,
} from "./matvec.ts";
export { matvecShuffle, matvecShuffleGated } from "./matvec_shuffle.ts";
export { matvecRows } from "./matvec_rows.ts";
export { pool } from "./pool.ts";
export { quantize } from "./quantize.ts";
export { rmsnorm, rmsnormAhead } from "./rmsnorm.ts";
export { rope } from "./rope.ts";
export { swiglu } from "./swiglu.ts";
export { CANDIDATE_STRIDE, type Candidates, CANDIDATES, readCandidates, topk } from "./topk.ts";
