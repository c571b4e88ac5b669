import { rowClass } from "./choose.ts";
import { lanesOf } from "./device.ts";
import { type Linear, linearPieces } from "./linear.ts";

// 16 × 4 outputs per lane: on lavapipe (Mesa 25, 8 lanes) 16 × 4 reaches 81 GFLOPS, 16 × 3 72, 16 × 2 and 8 × 4 62. More than
// 64 sums (256 bytes) go to memory that is read lane by lane there, and fall to 20. SwiftShader (4 lanes) is twice as fast
// with 8 × 4 as with any other (bench/kernels.ts).
const tileRowsOf = (lanes: number): number => Math.min(16, 2 * lanes);
const TILE_COLUMNS = 4;

/** A linear layer for several rows on devices with subgroups of one size; the tile is no taller than few rows are. See linear.ts for the arguments. */
export const matmulShuffle: Linear = (args) =>
  linearPieces(args, (n) => {
    const WG = lanesOf(args.device);
    const TILE_ROWS = Math.min(tileRowsOf(WG), rowClass(args.rows ?? Infinity) ?? Infinity);
    return {
      kernel: "matmul_shuffle",
      enables: ["subgroups"],
      parts: ["lib/step"],
      constants: { ...args.step.constants, OF_OUTPUTS: Number(args.ofOutputs ?? false), WG },
      lengths: { TILE_ROWS, TILE_COLUMNS, HELD: Math.ceil(TILE_ROWS / WG) },
      workgroups: ({ rows, outputs }) => [
        Math.ceil(n / (WG * TILE_COLUMNS)),
        Math.ceil((args.ofOutputs ? outputs : rows) / TILE_ROWS),
        1,
      ],
    };
  });
