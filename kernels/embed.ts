import { type Dispatch, type Tensor, stride } from "./dispatch.ts";
import { type Matrix, rowStride } from "./formats/format.ts";
import type { StepLayout } from "./step.ts";
import type { DeviceFacts } from "./device.ts";
import { span } from "./workgroup.ts";

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
  return weight.pieces.map(({ tensors, rows: held, firstRow }) => ({
    kernel: "embed",
    parts: ["lib/step", weight.format.part],
    constants: {
      ...step.constants,
      DIM4: stride(weight.columns) / 4,
      ROW4: rowStride(weight.format, weight.columns) / 4,
      FIRST: firstRow,
      ROWS: held,
      WG: span(device).WG,
    },
    bind: { ...tensors, y },
    workgroups: ({ rows }) => [rows, 1, 1],
  }));
}
