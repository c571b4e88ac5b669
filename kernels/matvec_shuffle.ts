import { lanesOf } from "./device.ts";
import { type Dispatch, type StepShape, MAX_WORKGROUPS } from "./dispatch.ts";
import { type Linear, type LinearArguments, linearPieces } from "./linear.ts";

/** vec4 of x that a block of any format of whole numbers is multiplied with: BLOCK4 of their WGSL halves. */
const BLOCK4 = 8;

/**
 * A linear layer for one row, or few that each read the whole weight, on devices with subgroups of one size; the weight is in a format of
 * whole numbers. See linear.ts for the arguments.
 */
export const matvecShuffle: Linear = (args) => linearPieces(args, (n) => matvecShuffleKernel(args, n, false));

/** The same of gate and up projection, and their gated unit; see `matvecGated` for the arguments. Throws `kernel` as that does. */
export function matvecShuffleGated(args: Omit<LinearArguments, "add" | "scale">): Dispatch[] {
  return linearPieces(args, (n) => matvecShuffleKernel(args, n, true), args.weight.rows / 2);
}

function matvecShuffleKernel({ device, step, ofOutputs }: LinearArguments, n: number, gated: boolean) {
  const WG = lanesOf(device);
  const groups = Math.ceil(n / (2 * WG));
  const gridX = Math.min(groups, MAX_WORKGROUPS);
  return {
    kernel: "matvec_shuffle" as const,
    enables: ["subgroups"] as const,
    parts: ["lib/step" as const],
    constants: { ...step.constants, GRID_X: gridX, GATED: Number(gated), WG },
    lengths: { HELD: Math.ceil(BLOCK4 / WG) },
    workgroups: ({ rows, outputs }: StepShape) =>
      [gridX, Math.ceil(groups / gridX), ofOutputs ? outputs : rows] as const,
  };
}
