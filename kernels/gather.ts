import { type Dispatch, type Tensor, stride } from "./dispatch.ts";
import type { StepLayout } from "./step.ts";
import { type Target, span } from "./target.ts";

/** The rows whose logits are wanted: `x` [rows, dim] f32 → `y` [outputs, dim] f32. */
export function gather({ x, y, step, target }: { x: Tensor; y: Tensor; step: StepLayout; target: Target }): Dispatch {
  return {
    kernel: "gather",
    parts: ["lib/step"],
    constants: { ...step.constants, DIM4: stride(x.shape[1]) / 4, WG: span(target).WG },
    bind: { x, y },
    workgroups: ({ outputs }) => [outputs, 1, 1],
  };
}
