// llariat/kernels — every kernel binding. Each returns plain records (dispatch.ts) and touches no GPU object.

export * from "./dispatch.ts";
export * from "./step.ts";
export * from "./target.ts";
export { type KernelName, type PartName, kernels, parts } from "./wgsl.ts";
export { angles, FILL_ROWS } from "./angles.ts";
export { append } from "./append.ts";
export { type AttentionArguments, tileRows } from "./attention.ts";
export { attentionDecode, SPLIT } from "./attention_decode.ts";
export { attentionDecodeSubgroup } from "./attention_decode_subgroup.ts";
export { attentionMerge } from "./attention_merge.ts";
export { attentionPrefill } from "./attention_prefill.ts";
export { attentionPrefillSubgroup } from "./attention_prefill_subgroup.ts";
export { embed } from "./embed.ts";
export { gather } from "./gather.ts";
export type { Linear, LinearArguments } from "./linear.ts";
export { matmul } from "./matmul.ts";
export { matmulSubgroup } from "./matmul_subgroup.ts";
export { matvec } from "./matvec.ts";
export { rmsnorm } from "./rmsnorm.ts";
export { rope } from "./rope.ts";
export { swiglu } from "./swiglu.ts";
export { CANDIDATE_STRIDE, CANDIDATES, topk } from "./topk.ts";
