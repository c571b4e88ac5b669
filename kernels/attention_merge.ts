import { SPLIT } from "./attention_decode.ts";
import { type Dispatch, type Tensor, stride } from "./dispatch.ts";
import type { StepLayout } from "./step.ts";
import { type Target, span } from "./target.ts";

/** Joins the parts of `attentionDecode`: `partial` [rows · heads · parts, headDim + 2] f32 → `y` [rows, heads·headDim] f32. */
export function attentionMerge(args: {
  partial: Tensor;
  y: Tensor;
  heads: number;
  step: StepLayout;
  target: Target;
}): Dispatch {
  const { partial, y, heads, step, target } = args;
  const { headDim } = step.capacity;
  return {
    kernel: "attention_merge",
    parts: ["lib/step"],
    constants: {
      ...step.constants,
      HEAD_DIM: headDim,
      HEADS: heads,
      PARTIAL_STRIDE: stride(partial.shape[1]),
      Y_STRIDE: stride(y.shape[1]),
      SPLIT,
      WG: span(target).WG,
    },
    bind: { partials: partial, y },
    workgroups: ({ rows }) => [rows, heads, 1],
  };
}
