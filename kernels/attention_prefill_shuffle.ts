import { type AttentionArguments, attentionConstants, tileRows } from "./attention.ts";
import { lanesOf } from "./device.ts";
import { type Dispatch, stride } from "./dispatch.ts";

/** Attention of tiles of neighbouring rows on devices with subgroups of one size. See attention.ts for the arguments. */
export function attentionPrefillShuffle(args: AttentionArguments): Dispatch {
  const { qkv, kv, table, y, heads, step, device } = args;
  const { headDim } = step.capacity;
  const lanes = lanesOf(device);
  return {
    kernel: "attention_prefill_shuffle",
    enables: ["subgroups"],
    parts: ["lib/step", kv.format.part, "lib/keys", "lib/window", "lib/reduce_shuffle"],
    constants: { ...attentionConstants(args), Y_STRIDE: stride(y.shape[1]), WG: lanes },
    lengths: {
      TILE_ROWS: tileRows(headDim),
      QUERIES: Math.ceil(tileRows(headDim) / lanes),
      HEAD_DIM: headDim,
      CHUNKS: Math.ceil(headDim / lanes),
    },
    bind: { qkv, keys: kv.keys, values: kv.values, table, y },
    workgroups: ({ tiles }) => [tiles, heads, 1],
  };
}
