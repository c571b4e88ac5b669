/**
 * The entry `llariat/kernels`: index.ts, whose functions any caller may call with anything. What arguments make one throw, and constants,
 * lengths, shapes and grids that are no finite numbers, are LlariatError "kernel" with the function's name; shapes that disagree it refuses itself.
 * The engine takes index.ts, which trusts it.
 */

import { LlariatError } from "../src/error.ts";
import * as all from "./index.ts";

export * from "./index.ts";

type Functions = {
  [K in keyof typeof all as (typeof all)[K] extends (...args: never[]) => unknown ? K : never]: (typeof all)[K];
};

const functions = Object.fromEntries(
  Object.entries(all).flatMap(([name, value]) => (typeof value === "function" ? [[name, checked(name, value)]] : [])),
) as Functions;

/** Those of index.ts; a local name goes before one of `export *`. */
export const {
  angles,
  append,
  attentionDecode,
  attentionDecodeShuffle,
  attentionDecodeTiled,
  attentionMerge,
  attentionPrefill,
  attentionPrefillShuffle,
  attentionPrefillTiled,
  canPlace,
  candidates,
  choiceKey,
  choose,
  embed,
  gatedUnit,
  gather,
  headnorm,
  isOfBlocks,
  kvLayer,
  kvStride,
  lanesOf,
  linear,
  matmulShuffle,
  matmulTiled,
  matmulTiledLow,
  matmulTiledTall,
  matrixOf,
  matvec,
  matvecGated,
  matvecPlaced,
  matvecResidual,
  matvecRows,
  matvecShuffle,
  matvecShuffleGated,
  normColumns,
  plainVariant,
  pool,
  quantize,
  queriesKeysValues,
  readCandidates,
  reason,
  residual,
  rmsnorm,
  rmsnormAhead,
  rope,
  rowClass,
  rowStride,
  squareSums,
  stepLayout,
  stepRows,
  stride,
  swiglu,
  tensorBytes,
  tileRows,
  topk,
  variantName,
} = functions;

function checked(name: string, make: (...args: never[]) => unknown): typeof make {
  return (...args) => {
    try {
      checkPieces(name, args[0]);
      const made = make(...args);
      checkNumbers(name, made);
      return made;
    } catch (cause) {
      if (cause instanceof LlariatError) throw cause;
      const why = cause instanceof Error ? cause.message : "they cannot be read";
      throw new LlariatError("kernel", `${name}: got arguments that are none of its kind: ${why}`, { cause });
    }
  };
}

/** A list of pieces that are not there may be of any length, and take for ever. */
function checkPieces(
  name: string,
  args: { readonly weight?: { readonly pieces?: readonly unknown[] } } | undefined,
): void {
  const pieces = args?.weight?.pieces;
  if (!Array.isArray(pieces) || pieces.length === 0 || 0 in pieces) return;
  throw new LlariatError("kernel", `${name}: needs a weight in pieces, got a list of ${pieces.length} holes`);
}

/** A step of one of each, for grids. */
const ONE = { rows: 1, outputs: 1, singles: 1, tiles: 1, splits: 1, fills: 1, fillRows: 1 };

/** What of a dispatch, or of a step's layout, holds numbers. */
interface Numbers {
  readonly constants: Readonly<Record<string, unknown>>;
  readonly lengths?: Readonly<Record<string, unknown>>;
  readonly bind?: Readonly<Record<string, { readonly shape: readonly unknown[] }>>;
  readonly workgroups?: (step: typeof ONE) => readonly unknown[];
}

function checkNumbers(name: string, made: unknown): void {
  if (typeof made === "number") return checkFinite(name, "what it gives", made);
  if (Array.isArray(made)) {
    for (const each of made) if (typeof each === "object") checkNumbers(name, each);
    return;
  }
  if (typeof made !== "object" || made === null || !("constants" in made)) return;
  const { constants, lengths, bind = {}, workgroups } = made as Numbers;
  for (const [constant, value] of Object.entries({ ...constants, ...lengths })) checkFinite(name, constant, value);
  for (const [variable, { shape }] of Object.entries(bind)) {
    for (const size of shape) checkFinite(name, `a size of ${variable}`, size);
  }
  for (const count of workgroups?.(ONE) ?? []) checkFinite(name, "a number of workgroups", count);
}

function checkFinite(name: string, what: string, value: unknown): void {
  if (typeof value === "number" && Number.isFinite(value)) return;
  const got = typeof value === "number" ? String(value) : `a ${typeof value}`;
  throw new LlariatError("kernel", `${name}: needs arguments that make ${what} a finite number, got ${got}`);
}
