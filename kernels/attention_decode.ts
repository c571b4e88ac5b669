import { type AttentionArguments, attentionConstants } from "./attention.ts";
import { type Dispatch, type Tensor, stride } from "./dispatch.ts";

/** Keys per part: the unit in which decode attention is spread over workgroups. `const SPLIT` of the kernel. */
export const SPLIT = 128;

/**
 * Attention of single rows, cut into parts of SPLIT keys: writes `partial` [rows · heads · parts, headDim + 2] f32
 * for `attentionMerge`, parts being those of the step's longest sequence. See attention.ts for the other arguments (`y` is not written).
 */
export function attentionDecode(args: AttentionArguments & { partial: Tensor }): Dispatch {
  const { qkv, keys, values, table, partial, heads, kvHeads, step, target } = args;
  const group = Math.min(heads / kvHeads, 8);
  const groups = Math.ceil(heads / kvHeads / group);
  return {
    kernel: "attention_decode",
    parts: ["lib/step", "lib/keys"],
    constants: {
      ...attentionConstants(args),
      PARTIAL_STRIDE: stride(partial.shape[1]),
      WG: target.style === "subgroup" ? Math.max(8, target.subgroup) : 64,
    },
    lengths: { GROUP: group, HEAD_DIM: step.capacity.headDim },
    bind: { qkv, keys, values, table, partials: partial },
    workgroups: ({ rows, splits }) => [rows, kvHeads * groups, splits],
  };
}
