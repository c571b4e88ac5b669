import { type AttentionArguments, attentionConstants, tileRows } from "./attention.ts";
import { type Dispatch, stride } from "./dispatch.ts";

/** Attention of tiles of neighbouring rows, through workgroup memory. See attention.ts for the arguments. */
export function attentionPrefillTiled(args: AttentionArguments): Dispatch {
  const { qkv, kv, table, y, heads, step } = args;
  const { headDim } = step.capacity;
  return {
    kernel: "attention_prefill_tiled",
    parts: ["lib/step", kv.format.part, "lib/keys", "lib/window"],
    constants: { ...attentionConstants(args), Y_STRIDE: stride(y.shape[1]) },
    lengths: { TILE_ROWS: tileRows(headDim), HEAD_DIM: headDim, CHUNKS: Math.ceil(headDim / 64) },
    bind: { qkv, keys: kv.keys, values: kv.values, table, y },
    workgroups: ({ tiles }) => [tiles, heads, 1],
  };
}
