import { type Linear, linearPieces } from "./linear.ts";

// 16 × 4 outputs per lane: on lavapipe (Mesa 25, 8 lanes) 16 × 4 reaches 81 GFLOPS, 16 × 3 72, 16 × 2 and 8 × 4 62. More than
// 64 sums (256 bytes) go to memory that is read lane by lane there, and fall to 20 (bench/kernels.ts).
const TILE_ROWS = 16;
const TILE_COLUMNS = 4;

/** A linear layer for many rows on devices with subgroups of one size. See linear.ts for the arguments. */
export const matmulSubgroup: Linear = (args) =>
  linearPieces(args, (n) => ({
    kernel: "matmul_subgroup",
    parts: ["lib/step"],
    constants: { ...args.step.constants, OF_OUTPUTS: Number(args.ofOutputs ?? false), WG: args.target.subgroup },
    lengths: { TILE_ROWS, TILE_COLUMNS, HELD: Math.ceil(TILE_ROWS / args.target.subgroup) },
    workgroups: ({ rows, outputs }) => [
      Math.ceil(n / (args.target.subgroup * TILE_COLUMNS)),
      Math.ceil((args.ofOutputs ? outputs : rows) / TILE_ROWS),
      1,
    ],
  }));
