import { type Dispatch, type Tensor, stride } from "./dispatch.ts";
import type { StepLayout } from "./step.ts";
import type { DeviceFacts } from "./device.ts";
import { span } from "./workgroup.ts";

/** The rows whose logits are wanted: `x` [rows, dim] f32 → `y` [outputs, dim] f32. */
export function gather({
  x,
  y,
  step,
  device,
}: {
  x: Tensor;
  y: Tensor;
  step: StepLayout;
  device: DeviceFacts;
}): Dispatch {
  return {
    kernel: "gather",
    parts: ["lib/step"],
    constants: { ...step.constants, DIM4: stride(x.shape[1]) / 4, WG: span(device).WG },
    bind: { x, y },
    workgroups: ({ outputs }) => [outputs, 1, 1],
  };
}
