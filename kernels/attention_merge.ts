import { SPLIT } from "./attention.ts";
import { type Dispatch, type Tensor, stride } from "./dispatch.ts";
import type { StepLayout } from "./step.ts";
import type { DeviceFacts } from "./device.ts";
import { span } from "./workgroup.ts";

/** Joins the parts of decode attention: `partials` [rows · heads · parts, headDim + 2] f32 → `y` [rows, heads·headDim] f32. */
export function attentionMerge(args: {
  partials: Tensor;
  y: Tensor;
  heads: number;
  window?: number;
  step: StepLayout;
  device: DeviceFacts;
}): Dispatch {
  const { partials, y, heads, window = 0, step, device } = args;
  const { headDim } = step.capacity;
  return {
    kernel: "attention_merge",
    parts: ["lib/step", "lib/window"],
    constants: {
      ...step.constants,
      HEAD_DIM: headDim,
      HEADS: heads,
      PARTIALS_STRIDE: stride(partials.shape[1]),
      Y_STRIDE: stride(y.shape[1]),
      SPLIT,
      WINDOW: window,
      WG: span(device).WG,
    },
    bind: { partials, y },
    workgroups: ({ singles }) => [singles, heads, 1],
  };
}
