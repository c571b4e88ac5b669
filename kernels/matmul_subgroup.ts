import { type Linear, linearPieces } from "./linear.ts";

// 8 × 2 outputs per lane: on lavapipe (Mesa 25, 8 lanes) 22 GFLOPS and 0.23 s to compile; 16 × 2 22 and 0.35 s, 16 × 1 20, 8 × 4 22,
// 16 × 4 23 and 0.57 s, 32 × 1 10.
const TILE_ROWS = 8;
const TILE_COLUMNS = 2;

/** A linear layer for many rows on devices with subgroups of one size. See linear.ts for the arguments. */
export const matmulSubgroup: Linear = (args) =>
  linearPieces(args, (n) => ({
    kernel: "matmul_subgroup",
    parts: ["lib/step"],
    constants: { ...args.step.constants, OF_OUTPUTS: Number(args.ofOutputs ?? false), WG: args.target.subgroup },
    lengths: { TILE_ROWS, TILE_COLUMNS },
    workgroups: ({ rows, outputs }) => [
      Math.ceil(n / (args.target.subgroup * TILE_COLUMNS)),
      Math.ceil((args.ofOutputs ? outputs : rows) / TILE_ROWS),
      1,
    ],
  }));
