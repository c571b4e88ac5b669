import { type AttentionArguments, attentionConstants, tileRows } from "./attention.ts";
import { type Dispatch, stride } from "./dispatch.ts";

/** Attention of tiles of neighbouring rows on devices with subgroups of one size. See attention.ts for the arguments. */
export function attentionPrefillSubgroup(args: AttentionArguments): Dispatch {
  const { qkv, keys, values, table, y, heads, step, target } = args;
  const { headDim } = step.capacity;
  return {
    kernel: "attention_prefill_subgroup",
    parts: ["lib/step", "lib/keys", "lib/lanes"],
    constants: { ...attentionConstants(args), Y_STRIDE: stride(y.shape[1]), WG: target.subgroup },
    lengths: {
      TILE_ROWS: tileRows(headDim),
      QUERIES: Math.ceil(tileRows(headDim) / target.subgroup),
      HEAD_DIM: headDim,
      CHUNKS: Math.ceil(headDim / target.subgroup),
    },
    bind: { qkv, keys, values, table, y },
    workgroups: ({ tiles }) => [tiles, heads, 1],
  };
}
