import { type Dispatch, type Tensor, stride } from "./dispatch.ts";
import { type Matrix, rowStride } from "./formats/format.ts";
import type { StepLayout } from "./step.ts";
import type { DeviceFacts } from "./device.ts";
import { span } from "./workgroup.ts";

/**
 * The embedding of each row's token: `y[row] = scale · weight[token]`, scale 1 unless given.
 * `weight` [vocab, dim] in any format, possibly in pieces; `y` [rows, dim] f32. One dispatch per piece.
 */
export function embed({
  weight,
  y,
  scale = 1,
  step,
  device,
}: {
  weight: Matrix;
  y: Tensor;
  scale?: number;
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
      SCALE: scale,
      WG: span(device).WG,
    },
    bind: { ...tensors, y },
    workgroups: ({ rows }) => [rows, 1, 1],
  }));
}
