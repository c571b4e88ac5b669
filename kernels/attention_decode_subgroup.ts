import { type AttentionArguments, attentionConstants } from "./attention.ts";
import { SPLIT } from "./attention_decode.ts";
import { type Dispatch, type Tensor, stride } from "./dispatch.ts";

/** Sums that a lane keeps: more than 256 bytes go to slow memory on lavapipe, fewer read keys and values again for other heads. */
const SUMS = 64;

/** Query heads that share the reads: a lane reads the query of one of them, so not more than there are lanes. */
const HEADS = 8;

/** As `attentionDecode`, on devices with subgroups of one size. */
export function attentionDecodeSubgroup(args: AttentionArguments & { partial: Tensor }): Dispatch {
  const { qkv, keys, values, table, partial, heads, kvHeads, step, target } = args;
  const { headDim } = step.capacity;
  const chunks = Math.ceil(headDim / target.subgroup);
  const most = Math.min(HEADS, target.subgroup, Math.max(1, Math.floor(SUMS / chunks)));
  const groups = Math.ceil(heads / kvHeads / most);
  const group = Math.ceil(heads / kvHeads / groups);
  return {
    kernel: "attention_decode_subgroup",
    parts: ["lib/step", "lib/keys", "lib/lanes"],
    constants: { ...attentionConstants(args), PARTIAL_STRIDE: stride(partial.shape[1]), SPLIT, WG: target.subgroup },
    lengths: { GROUP: group, HEAD_DIM: headDim, CHUNKS: chunks },
    bind: { qkv, keys, values, table, partials: partial },
    workgroups: ({ rows, splits }) => [splits, kvHeads * groups, rows],
  };
}
