import { type Dispatch, type Matrix, type Tensor, stride } from "./dispatch.ts";
import type { StepLayout } from "./step.ts";
import { type DeviceFacts, span } from "./device.ts";

/**
 * The embedding of each row's token: `y[row] = weight[token]`.
 * `weight` [vocab, dim] in any format, possibly in pieces; `y` [rows, dim] f32. One dispatch per piece.
 */
export function embed({
  weight,
  y,
  step,
  device,
}: {
  weight: Matrix;
  y: Tensor;
  step: StepLayout;
  device: DeviceFacts;
}): Dispatch[] {
  return weight.pieces.map(({ tensor, firstRow }) => ({
    kernel: "embed",
    parts: ["lib/step", `formats/${tensor.dtype as "f32" | "f16" | "bf16"}`],
    constants: {
      ...step.constants,
      DIM4: stride(weight.columns) / 4,
      FIRST: firstRow,
      ROWS: tensor.shape[0],
      WG: span(device).WG,
    },
    bind: { weight: tensor, y },
    workgroups: ({ rows }) => [rows, 1, 1],
  }));
}
