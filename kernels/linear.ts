// linear.ts — what the kernels of a linear layer (matvec, matvec_shuffle, matvec_rows, matmul_tiled, matmul_shuffle) have in common.

import { LlariatError } from "../src/error.ts";
import { type Dispatch, type Tensor, stride } from "./dispatch.ts";
import { type Matrix, rowStride } from "./formats/format.ts";
import type { StepLayout } from "./step.ts";
import type { DeviceFacts } from "./device.ts";
import type { PartName } from "./wgsl.ts";

/**
 * `y = scale · (x · weightᵀ (+ bias)) (+ y if add)`, scale 1 unless given: `x` [rows, k] f32, `weight` [n, k] in any format and number of pieces,
 * `bias` [n] f32, `y` [rows, n] f32. `ofOutputs`: one row per output of the step instead of per token row.
 * `rows`: how many rows a step has at most, default many; kernels that hold several rows at a time hold no more than these.
 */
export interface LinearArguments {
  readonly x: Tensor;
  readonly weight: Matrix;
  readonly bias?: Tensor;
  readonly y: Tensor;
  readonly add?: boolean;
  readonly scale?: number;
  readonly ofOutputs?: boolean;
  readonly rows?: number;
  readonly step: StepLayout;
  readonly device: DeviceFacts;
}

/** A linear layer's dispatches, one per piece of the weight. */
export type Linear = (args: LinearArguments) => Dispatch[];

/**
 * Checks shapes and makes one dispatch per piece; `kernel` adds what is its own. `made`: columns of the result, default one per row
 * of the weight; of others all rows are needed in one piece. Throws `kernel` where shapes disagree.
 */
export function linearPieces(
  args: LinearArguments,
  kernel: (
    n: number,
  ) => Pick<Dispatch, "kernel" | "enables" | "constants" | "lengths" | "workgroups"> &
    Partial<Pick<Dispatch, "bind">> & { parts: PartName[] },
  made = args.weight.rows,
): Dispatch[] {
  const { x, weight, bias, y, add = false, scale = 1, ofOutputs = false } = args;
  const need = (what: string, got: number, needed: number) => {
    if (got === needed) return;
    throw new LlariatError("kernel", `linear ${weight.name}: ${what} must be ${needed}, got ${got}`);
  };
  need("columns of x", x.shape[1], weight.columns);
  need("columns of y", y.shape[1], made);
  if (made !== weight.rows) need("pieces of the weight", weight.pieces.length, 1);
  if (bias) need("length of bias", bias.shape[0], weight.rows);
  return weight.pieces.map(({ tensors, rows, firstRow }): Dispatch => {
    const own = kernel(rows);
    return {
      kernel: own.kernel,
      enables: own.enables,
      parts: [weight.format.part, bias ? "lib/bias" : "lib/no_bias", ...own.parts],
      constants: {
        N: rows,
        K4: stride(weight.columns) / 4,
        ROW4: rowStride(weight.format, weight.columns) / 4,
        Y_STRIDE: stride(made),
        COLUMN: firstRow,
        ADD: Number(add),
        SCALE: scale,
        ...own.constants,
      },
      lengths: own.lengths,
      bind: { x, ...tensors, ...(bias && { bias }), y, ...own.bind },
      ofOutputs,
      workgroups: own.workgroups,
    };
  });
}
