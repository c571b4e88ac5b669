import { MAX_WORKGROUPS } from "./dispatch.ts";
import { type Linear, linearPieces } from "./linear.ts";

/** Columns that one workgroup makes: enough to share the reads of x, few enough to fill the device at small n. */
const OUTPUTS = 8;

/** A linear layer for few rows: every row reads the whole weight once. See linear.ts for the arguments. */
export const matvec: Linear = (args) =>
  linearPieces(args, (n) => {
    const groups = Math.ceil(n / OUTPUTS);
    const gridX = Math.min(groups, MAX_WORKGROUPS);
    const { subgroup } = args.target;
    return {
      kernel: "matvec",
      parts: [subgroup ? "lib/reduce_subgroup" : "lib/reduce_workgroup"],
      constants: { GRID_X: gridX, WG: subgroup || 64 },
      lengths: { OUTPUTS },
      workgroups: ({ rows, outputs }) => [gridX, Math.ceil(groups / gridX), args.ofOutputs ? outputs : rows],
    };
  });
