import { type Linear, linearPieces } from "./linear.ts";

const TILE_ROWS = 32;
const TILE_COLUMNS = 64;

/** A linear layer for many rows, tiled through workgroup memory. See linear.ts for the arguments. */
export const matmulTiled: Linear = (args) =>
  linearPieces(args, (n) => ({
    kernel: "matmul_tiled",
    parts: ["lib/step"],
    constants: { ...args.step.constants, OF_OUTPUTS: Number(args.ofOutputs ?? false) },
    workgroups: ({ rows, outputs }) => [
      Math.ceil(n / TILE_COLUMNS),
      Math.ceil((args.ofOutputs ? outputs : rows) / TILE_ROWS),
      1,
    ],
  }));
