import { MAX_WORKGROUPS } from "./dispatch.ts";
import { type Linear, linearPieces } from "./linear.ts";
import { reduction } from "./workgroup.ts";

/** A linear layer for few rows: every row reads the whole weight once. See linear.ts for the arguments. */
export const matvec: Linear = (args) =>
  linearPieces(args, (n) => {
    // Enough to share the reads of x, few enough to fill the device at small n. A loop with more than about 20 reads leaves
    // lavapipe's instruction caches, so it is the format that says how many.
    const columns = args.weight.format.matvecColumns;
    const groups = Math.ceil(n / columns);
    const gridX = Math.min(groups, MAX_WORKGROUPS);
    const { WG, part, enables } = reduction("matvec", 64, args.device);
    return {
      kernel: "matvec",
      enables,
      parts: [part],
      constants: { GRID_X: gridX, WG },
      lengths: { OUTPUTS: columns },
      workgroups: ({ rows, outputs }) => [gridX, Math.ceil(groups / gridX), args.ofOutputs ? outputs : rows],
    };
  });
