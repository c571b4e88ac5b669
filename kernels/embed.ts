import { type Dispatch, type Matrix, type Tensor, stride } from "./dispatch.ts";
import type { StepLayout } from "./step.ts";
import { type Target, span } from "./target.ts";

/**
 * The embedding of each row's token: `y[row] = weight[token]`.
 * `weight` [vocab, dim] in any format, possibly in pieces; `y` [rows, dim] f32. One dispatch per piece.
 */
export function embed({
  weight,
  y,
  step,
  target,
}: {
  weight: Matrix;
  y: Tensor;
  step: StepLayout;
  target: Target;
}): Dispatch[] {
  return weight.pieces.map(({ tensor, firstRow }) => ({
    kernel: "embed",
    parts: ["lib/step", `formats/${tensor.dtype as "f32" | "f16" | "bf16"}`],
    constants: {
      ...step.constants,
      DIM4: stride(weight.columns) / 4,
      FIRST: firstRow,
      ROWS: tensor.shape[0],
      WG: span(target).WG,
    },
    bind: { weight: tensor, y },
    workgroups: ({ rows }) => [rows, 1, 1],
  }));
}
