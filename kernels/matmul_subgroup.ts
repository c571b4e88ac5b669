import { type Linear, linearPieces } from "./linear.ts";

// 16 × 2 outputs per lane: on lavapipe (Mesa 25, 8 lanes) 22 GFLOPS; 16 × 1 20, 8 × 2 22, 8 × 4 22, 16 × 4 23 with twice
// the compile time, 32 × 1 10 (bench/kernels.ts).
const TILE_ROWS = 16;
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
