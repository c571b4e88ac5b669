import { type AttentionArguments, SPLIT, attentionConstants } from "./attention.ts";
import { PAGE } from "./step.ts";
import { lanesOf } from "./device.ts";
import { type Dispatch, type Tensor, stride } from "./dispatch.ts";

/** Sums that a lane keeps: more than 256 bytes go to slow memory on lavapipe, fewer read keys and values again for other heads. */
const SUMS = 64;

/** Query heads that share the reads: more are more code, and few models have them. */
const HEADS = 8;

/** As `attentionDecodeTiled`, on devices with subgroups of one size. */
export function attentionDecodeShuffle(args: AttentionArguments & { partials: Tensor }): Dispatch {
  const { qkv, kv, table, partials, heads, kvHeads, step, device } = args;
  const { headDim } = step.capacity;
  const lanes = lanesOf(device);
  const valueChunks = Math.ceil(headDim / 4 / lanes);
  const most = Math.min(HEADS, Math.max(1, Math.floor(SUMS / (4 * valueChunks))));
  const groups = Math.ceil(heads / kvHeads / most);
  const group = Math.ceil(heads / kvHeads / groups);
  return {
    kernel: "attention_decode_shuffle",
    enables: ["subgroups"],
    parts: ["lib/step", kv.format.part, "lib/keys", "lib/window", "lib/heads", "lib/reduce_shuffle"],
    constants: { ...attentionConstants(args), PARTIALS_STRIDE: stride(partials.shape[1]), SPLIT, WG: lanes },
    lengths: {
      GROUP: group,
      HEAD_DIM: headDim,
      CHUNKS: Math.ceil(headDim / 8 / lanes),
      VALUE_CHUNKS: valueChunks,
      KEYS: Math.ceil(PAGE / lanes),
    },
    bind: { qkv, keys: kv.keys, values: kv.values, table, partials },
    workgroups: ({ singles, splits }) => [splits, kvHeads * groups, singles],
  };
}
