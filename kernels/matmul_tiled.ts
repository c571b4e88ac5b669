import { type Linear, linearPieces } from "./linear.ts";

// 8 × 8 lanes, each with 4 × 8 outputs: 12 reads of workgroup memory per 32 multiply-adds. The kernel says what it needs of them.
const TILE_ROWS = 32;
const TILE_COLUMNS = 64;

/** A linear layer for many rows, tiled through workgroup memory. See linear.ts for the arguments. */
export const matmulTiled: Linear = (args) =>
  linearPieces(args, (n) => ({
    kernel: "matmul_tiled",
    parts: ["lib/step"],
    constants: { ...args.step.constants, OF_OUTPUTS: Number(args.ofOutputs ?? false) },
    lengths: { TILE_ROWS, TILE_COLUMNS },
    workgroups: ({ rows, outputs }) => [
      Math.ceil(n / TILE_COLUMNS),
      Math.ceil((args.ofOutputs ? outputs : rows) / TILE_ROWS),
      1,
    ],
  }));
