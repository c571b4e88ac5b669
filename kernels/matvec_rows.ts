import { ROW_CLASSES, rowClass } from "./choose.ts";
import { MAX_WORKGROUPS } from "./dispatch.ts";
import { type Linear, linearPieces } from "./linear.ts";
import { matvecLanes, reduction } from "./workgroup.ts";

/** More rows take another workgroup each, which reads the weight again. */
const MOST = ROW_CLASSES.at(-1)!;

/** Sums that a lane keeps in registers: a GPU has up to 255 of them per lane, and half of the lanes fit with 64 sums. */
const SUMS = 64;

/** A linear layer for 2 to 16 rows: the weight is read once for all of them. See linear.ts for the arguments. */
export const matvecRows: Linear = (args) =>
  linearPieces(args, (n) => {
    const tall = rowClass(args.rows ?? Infinity) ?? MOST;
    const columns = Math.min(8, SUMS / tall);
    const groups = Math.ceil(n / columns);
    const blocks = args.weight.columns / args.weight.format.block;
    const gridX = Math.min(groups, MAX_WORKGROUPS);
    const { WG, part, enables } = reduction("matvec", matvecLanes(groups, blocks), args.device);
    return {
      kernel: "matvec_rows",
      enables,
      parts: ["lib/step", part],
      constants: { ...args.step.constants, OF_OUTPUTS: Number(args.ofOutputs ?? false), GRID_X: gridX, WG },
      lengths: { OUTPUTS: columns, ROWS: tall },
      workgroups: ({ rows, outputs }) => [
        gridX,
        Math.ceil(groups / gridX),
        Math.ceil((args.ofOutputs ? outputs : rows) / tall),
      ],
    };
  });
