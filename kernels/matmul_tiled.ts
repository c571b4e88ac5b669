import { type Linear, linearPieces } from "./linear.ts";

/** Columns of a tile: 8 lanes with 8 each. */
const TILE_COLUMNS = 64;

/** Of a tile: lanes along its rows, and runs of four rows that each of them has. The kernel says what it needs of them. */
interface Tile {
  readonly lanesY: number;
  readonly quads: 1 | 2;
}

const tiled =
  ({ lanesY, quads }: Tile): Linear =>
  (args) =>
    linearPieces(args, (n) => ({
      kernel: "matmul_tiled",
      parts: ["lib/step"],
      constants: { ...args.step.constants, OF_OUTPUTS: Number(args.ofOutputs ?? false) },
      lengths: { LANES_Y: lanesY, QUADS: quads },
      workgroups: ({ rows, outputs }) => [
        Math.ceil(n / TILE_COLUMNS),
        Math.ceil((args.ofOutputs ? outputs : rows) / (4 * quads * lanesY)),
        1,
      ],
    }));

/** A linear layer for many rows in tiles of 64 × 64 in workgroup memory. See linear.ts for the arguments. */
export const matmulTiled = tiled({ lanesY: 8, quads: 2 });

/** The same in tiles of 32 × 64, for few rows: more workgroups, and fewer rows that are not there. */
export const matmulTiledLow = tiled({ lanesY: 8, quads: 1 });

/** The same in tiles of 128 × 64: a weight is read half as often. */
export const matmulTiledTall = tiled({ lanesY: 16, quads: 2 });
