import { type DType, MAX_WORKGROUPS } from "./dispatch.ts";
import { type Linear, linearPieces } from "./linear.ts";

/**
 * Columns that one workgroup makes: enough to share the reads of x, few enough to fill the device at small n. A loop with more
 * than about 20 reads leaves lavapipe's instruction caches: of f32 weights 4 columns are half as fast again as 8, of 16-bit
 * ones 8 are a tenth faster than 4 (bench/kernels.ts).
 */
const columnsOf = (dtype: DType): number => (dtype === "f32" ? 4 : 8);

/** A linear layer for few rows: every row reads the whole weight once. See linear.ts for the arguments. */
export const matvec: Linear = (args) =>
  linearPieces(args, (n) => {
    const columns = columnsOf(args.weight.pieces[0].tensor.dtype);
    const groups = Math.ceil(n / columns);
    const gridX = Math.min(groups, MAX_WORKGROUPS);
    const { subgroup } = args.device;
    return {
      kernel: "matvec",
      enables: subgroup ? ["subgroups"] : undefined,
      parts: [subgroup ? "lib/reduce_shuffle" : "lib/reduce_workgroup"],
      constants: { GRID_X: gridX, WG: subgroup || 64 },
      lengths: { OUTPUTS: columns },
      workgroups: ({ rows, outputs }) => [gridX, Math.ceil(groups / gridX), args.ofOutputs ? outputs : rows],
    };
  });
