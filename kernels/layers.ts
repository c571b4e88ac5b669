// layers.ts — the layers of a model whose kernel is chosen by size and device (choose.ts), one call each.

import type { AttentionArguments } from "./attention.ts";
import { attentionDecodeShuffle } from "./attention_decode_shuffle.ts";
import { attentionDecodeTiled } from "./attention_decode_tiled.ts";
import { attentionMerge } from "./attention_merge.ts";
import { attentionPrefillShuffle } from "./attention_prefill_shuffle.ts";
import { attentionPrefillTiled } from "./attention_prefill_tiled.ts";
import { type Choices, choose } from "./choose.ts";
import type { Dispatch, Tensor } from "./dispatch.ts";
import type { Linear, LinearArguments } from "./linear.ts";
import { matmulShuffle } from "./matmul_shuffle.ts";
import { matmulTiled, matmulTiledLow, matmulTiledTall } from "./matmul_tiled.ts";
import { matvec, matvecGated } from "./matvec.ts";
import { matvecRows } from "./matvec_rows.ts";
import { swiglu } from "./swiglu.ts";

/** Arguments of attention in parts: `partials` holds what `attention_merge` joins. */
export type DecodeArguments = AttentionArguments & { readonly partials: Tensor };

const LINEAR: Readonly<Record<Choices["linear"], Linear>> = {
  matvec,
  matvec_rows: matvecRows,
  matmul_shuffle: matmulShuffle,
  matmul_tiled_low: matmulTiledLow,
  matmul_tiled_tall: matmulTiledTall,
  matmul_tiled: matmulTiled,
};
const PREFILL: Readonly<Record<Choices["attention_prefill"], (args: AttentionArguments) => Dispatch>> = {
  attention_prefill_shuffle: attentionPrefillShuffle,
  attention_prefill_tiled: attentionPrefillTiled,
};
const DECODE: Readonly<Record<Choices["attention_decode"], (args: DecodeArguments) => Dispatch>> = {
  attention_decode_shuffle: attentionDecodeShuffle,
  attention_decode_tiled: attentionDecodeTiled,
};

/** A linear layer of at most `rows` rows; see linear.ts for the arguments. */
export function linear(args: LinearArguments & { readonly rows: number }): Dispatch[] {
  const { rows: n, columns: k, format } = args.weight;
  const size = { rows: args.rows, n, k, format: format.name };
  return LINEAR[choose("linear", size, args.device)](args);
}

/**
 * The gated unit of the feed-forward layer, silu(gate) · up: `x` [rows, k] f32, `weight` [2·hidden, k] and `bias` [2·hidden], gate
 * first, then up → `y` [rows, hidden] f32; `gateUp` [rows, 2·hidden] is written where it takes a dispatch of its own.
 */
export function gatedUnit(
  args: Omit<LinearArguments, "add" | "scale"> & { readonly rows: number; readonly gateUp: Tensor },
): Dispatch[] {
  const { gateUp, ...rest } = args;
  const { weight, y, rows, device } = rest;
  const size = { rows, n: weight.rows, k: weight.columns };
  // Of a weight in pieces a gate and its up are in different dispatches.
  if (weight.pieces.length === 1 && choose("swiglu", size, device) === "lib/gated") return matvecGated(rest);
  return [...linear({ ...rest, y: gateUp }), swiglu({ x: gateUp, y, device })];
}

/** Attention of tiles of neighbouring rows; see attention.ts for the arguments. */
export function attentionPrefill(args: AttentionArguments): Dispatch[] {
  return [PREFILL[choose("attention_prefill", sizeOf(args), args.device)](args)];
}

/** Attention of rows that stand alone, in parts of SPLIT keys (`partials`), and their joining. */
export function attentionDecode(args: DecodeArguments): Dispatch[] {
  return [DECODE[choose("attention_decode", sizeOf(args), args.device)](args), attentionMerge(args)];
}

const sizeOf = ({ step, y }: AttentionArguments) => ({
  rows: step.capacity.rows,
  n: y.shape[1],
  k: step.capacity.headDim,
});
