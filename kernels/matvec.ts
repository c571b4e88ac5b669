import { LlariatError } from "../src/error.ts";
import { type Dispatch, type StepShape, MAX_WORKGROUPS } from "./dispatch.ts";
import { type Linear, type LinearArguments, linearPieces } from "./linear.ts";
import { matvecLanes, reduction } from "./workgroup.ts";

/** A linear layer for one row, or few: every row reads the whole weight once. See linear.ts for the arguments. */
export const matvec: Linear = (args) => linearPieces(args, (n) => matvecKernel(args, n, "lib/columns"));

/**
 * Gate and up projection and their gated unit in one: `y` = silu(gate) · up [rows, hidden] f32 of `x` [rows, k] f32 and `weight`
 * [2·hidden, k], the rows of gate, then of up, in one piece, and `bias` [2·hidden] f32. Throws `kernel` for a weight in several pieces.
 */
export function matvecGated(args: Omit<LinearArguments, "add" | "scale">): Dispatch[] {
  const { name, pieces, rows } = args.weight;
  if (pieces.length !== 1) {
    throw new LlariatError("kernel", `matvec of gate and up, ${name}: got ${pieces.length} pieces, needed one`);
  }
  return linearPieces(args, (n) => matvecKernel(args, n, "lib/gated"), rows / 2);
}

function matvecKernel({ weight, device, ofOutputs }: LinearArguments, n: number, store: "lib/columns" | "lib/gated") {
  // Enough to share the reads of x, few enough to fill the device at small n. A loop with more than about 20 reads leaves
  // lavapipe's instruction caches, so it is the format that says how many.
  const sums = weight.format.matvecColumns;
  const groups = Math.ceil(n / sums);
  const gridX = Math.min(groups, MAX_WORKGROUPS);
  const { WG, part, enables } = reduction("matvec", matvecLanes(groups, weight.columns / weight.format.block), device);
  return {
    kernel: "matvec" as const,
    enables,
    parts: [store, part],
    constants: { GRID_X: gridX, WG },
    lengths: { OUTPUTS: sums },
    workgroups: ({ rows, outputs }: StepShape) =>
      [gridX, Math.ceil(groups / gridX), ofOutputs ? outputs : rows] as const,
  };
}
