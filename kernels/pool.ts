import { LlariatError } from "../src/error.ts";
import type { DeviceFacts } from "./device.ts";
import { type Dispatch, type Tensor, stride } from "./dispatch.ts";
import type { StepLayout } from "./step.ts";
import { span } from "./workgroup.ts";

/**
 * Sums of neighbouring rows: `x` [rows, dim] f32 → `y` [outputs, dim] f32. An output's row is the first of its rows, its k their
 * number. Each column is added up in order, in f32.
 */
export function pool(args: { x: Tensor; y: Tensor; step: StepLayout; device: DeviceFacts }): Dispatch {
  const { x, y, step, device } = args;
  const dim = x.shape[1];
  if (y.shape[1] !== dim) {
    throw new LlariatError("kernel", `pool: x has ${dim} columns, so y needs ${dim}, got ${y.shape[1]}`);
  }
  const { WG, SPAN } = span(device);
  return {
    kernel: "pool",
    parts: ["lib/step"],
    constants: { ...step.constants, DIM: dim, STRIDE: stride(dim), WG, SPAN },
    bind: { x, y },
    ofOutputs: true,
    workgroups: ({ outputs }) => [Math.ceil(dim / SPAN), outputs, 1],
  };
}
