import { type AttentionArguments, SPLIT, attentionConstants } from "./attention.ts";
import { type Dispatch, type Tensor, stride } from "./dispatch.ts";

/**
 * Attention of single rows, through workgroup memory, cut into parts of SPLIT keys: writes `partials` [rows · heads · parts, headDim + 2] f32
 * for `attentionMerge`, parts being those of the step's longest sequence. See attention.ts for the other arguments (`y` is not written).
 */
export function attentionDecodeTiled(args: AttentionArguments & { partials: Tensor }): Dispatch {
  const { qkv, kv, table, partials, heads, kvHeads, step } = args;
  const group = Math.min(heads / kvHeads, 8);
  const groups = Math.ceil(heads / kvHeads / group);
  return {
    kernel: "attention_decode_tiled",
    parts: ["lib/step", kv.format.part, "lib/keys", "lib/window", "lib/heads"],
    constants: {
      ...attentionConstants(args),
      PARTIALS_STRIDE: stride(partials.shape[1]),
      WG: 64,
    },
    lengths: { GROUP: group, HEAD_DIM: step.capacity.headDim, SPLIT },
    bind: { qkv, keys: kv.keys, values: kv.values, table, partials },
    workgroups: ({ singles, splits }) => [singles, kvHeads * groups, splits],
  };
}
