// layers.ts — the layers of a model whose kernel is chosen by size and device (choose.ts), one call each.

import type { Ahead } from "./ahead.ts";
import { append } from "./append.ts";
import type { AttentionArguments } from "./attention.ts";
import { attentionDecodeShuffle } from "./attention_decode_shuffle.ts";
import { attentionDecodeTiled } from "./attention_decode_tiled.ts";
import { attentionMerge } from "./attention_merge.ts";
import { attentionPrefillShuffle } from "./attention_prefill_shuffle.ts";
import { attentionPrefillTiled } from "./attention_prefill_tiled.ts";
import { type Choices, choose } from "./choose.ts";
import type { DeviceFacts } from "./device.ts";
import type { Dispatch, Tensor } from "./dispatch.ts";
import type { Matrix } from "./formats/format.ts";
import { headnorm } from "./headnorm.ts";
import type { Linear, LinearArguments } from "./linear.ts";
import { matmulShuffle } from "./matmul_shuffle.ts";
import { matmulTiled, matmulTiledLow, matmulTiledTall } from "./matmul_tiled.ts";
import { type PlacedArguments, canPlace, matvec, matvecGated, matvecPlaced, matvecResidual } from "./matvec.ts";
import { matvecShuffle, matvecShuffleGated } from "./matvec_shuffle.ts";
import { matvecRows } from "./matvec_rows.ts";
import { rope } from "./rope.ts";
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

/** Rows that a layer has at most, and the norm that is still to be done of its `x`: of one row only, see `normColumns`. */
export interface OfRows {
  readonly rows: number;
  readonly norm?: Ahead;
}

/** A linear layer of at most `rows` rows; see linear.ts for the arguments. */
export function linear(args: LinearArguments & OfRows): Dispatch[] {
  const { rows: n, columns: k, format } = args.weight;
  const size = { rows: args.rows, n, k, format: format.name };
  if (args.norm) return matvec(args);
  const chosen = choose("linear", size, args.device);
  if (chosen === "matvec" && choose("blocks", size, args.device) === "matvec_shuffle") return matvecShuffle(args);
  return LINEAR[chosen](args);
}

/**
 * Whether those who add to the residual stream, `weights`, leave half of the next norm done with it: of how many columns each leaves
 * the sum of squares, or undefined where norms take dispatches of their own.
 */
export function normColumns(weights: readonly Matrix[], rows: number, device: DeviceFacts): 4 | 8 | undefined {
  const [{ columns: k, rows: n, format }] = weights;
  const { matvecColumns } = format;
  const alike = weights.every((each) => {
    const size = { rows, n: each.rows, k: each.columns, format: each.format.name };
    const joinable = each.pieces.length === 1 && choose("blocks", size, device) === "matvec";
    return joinable && each.format.matvecColumns === matvecColumns;
  });
  const one = choose("linear", { rows, n, k, format: format.name }, device) === "matvec";
  return alike && one && choose("norm", { rows, n, k }, device) === "lib/residual" ? matvecColumns : undefined;
}

/** A linear layer that is added to the residual stream `y`, and with `next` the half of the norm that follows it. */
export function residual(
  args: LinearArguments & { readonly rows: number; readonly next?: { readonly weight: Tensor; readonly ahead: Ahead } },
): Dispatch[] {
  const { next, ...rest } = args;
  return next ? matvecResidual({ ...rest, next }) : linear({ ...rest, add: true });
}

/**
 * Queries, keys and values of rows: `y` [rows, (heads + 2·kvHeads)·headDim] f32 = x · weightᵀ (+ bias), of which heads of queries and keys are
 * normed by `headNorm` [2·headDim] f32 and, if `turned`, turned by `table`; keys and values go to their slots of `kv`, and need not be left in y.
 */
export function queriesKeysValues(
  args: PlacedArguments & OfRows & { readonly headNorm?: Tensor; readonly eps: number },
): Dispatch[] {
  const { headNorm, eps, ...rest } = args;
  const { weight, y: qkv, rows, norm, heads, kvHeads, table, kv, turned, step, device } = rest;
  const size = { rows, n: weight.rows, k: weight.columns, format: weight.format.name };
  const joined = choose("rope", size, device) === "lib/placed" && choose("blocks", size, device) === "matvec";
  if (!headNorm && canPlace(rest) && joined) return matvecPlaced(rest);
  const { x, bias } = rest;
  return [
    ...linear({ x, weight, bias, y: qkv, rows, norm, step, device }),
    ...(headNorm ? [headnorm({ qkv, weight: headNorm, heads, kvHeads, eps, step, device })] : []),
    ...(turned ? [rope({ qkv, table, heads, kvHeads, step, device })] : []),
    append({ qkv, kv, step, device }),
  ];
}

/**
 * The gated unit of the feed-forward layer, silu(gate) · up: `x` [rows, k] f32, `weight` [2·hidden, k] and `bias` [2·hidden], gate
 * first, then up → `y` [rows, hidden] f32; `gateUp` [rows, 2·hidden] is written where it takes a dispatch of its own.
 */
export function gatedUnit(
  args: Omit<LinearArguments, "add" | "scale"> & OfRows & { readonly gateUp: Tensor },
): Dispatch[] {
  const { gateUp, ...rest } = args;
  const { weight, y, rows, device } = rest;
  const size = { rows, n: weight.rows, k: weight.columns, format: weight.format.name };
  // Of a weight in pieces a gate and its up are in different dispatches.
  if (weight.pieces.length === 1 && choose("swiglu", size, device) === "lib/gated") {
    const shuffled = !rest.norm && choose("blocks", size, device) === "matvec_shuffle";
    return shuffled ? matvecShuffleGated(rest) : matvecGated(rest);
  }
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
