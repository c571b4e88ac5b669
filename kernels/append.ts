import { type Dispatch, type Tensor, stride } from "./dispatch.ts";
import type { StepLayout } from "./step.ts";
import { type DeviceFacts, span } from "./device.ts";

/**
 * Copies each row's keys and values to its slot of the paged cache.
 * `qkv` [rows, (heads + 2·kvHeads)·headDim] f32; `keys`, `values` [slots, kvHeads·headDim] f32.
 */
export function append(args: {
  qkv: Tensor;
  keys: Tensor;
  values: Tensor;
  step: StepLayout;
  device: DeviceFacts;
}): Dispatch {
  const { qkv, keys, values, step, device } = args;
  const { WG, SPAN } = span(device);
  const kvDim = keys.shape[1];
  return {
    kernel: "append",
    parts: ["lib/step"],
    constants: {
      ...step.constants,
      K_AT: qkv.shape[1] - 2 * kvDim,
      KV_DIM: kvDim,
      KV_STRIDE: stride(kvDim),
      QKV_STRIDE: stride(qkv.shape[1]),
      WG,
      SPAN,
    },
    bind: { qkv, keys, values },
    workgroups: ({ rows }) => [Math.ceil(kvDim / SPAN), rows, 1],
  };
}
