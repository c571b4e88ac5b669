import { type Dispatch, type Tensor, stride } from "./dispatch.ts";
import type { StepLayout } from "./step.ts";
import type { DeviceFacts } from "./device.ts";
import { span } from "./workgroup.ts";

/**
 * Rotates queries and (unless their sequence caches raw keys) keys in place: `qkv` [rows, (heads + 2·kvHeads)·headDim] f32,
 * `table` [angle rows, rotaryDim] f32 as `angles` writes it. Pairs are (i, i + rotaryDim/2), as Hugging Face checkpoints
 * need; the elements of a head from rotaryDim on stay.
 */
export function rope(args: {
  qkv: Tensor;
  table: Tensor;
  heads: number;
  kvHeads: number;
  step: StepLayout;
  device: DeviceFacts;
}): Dispatch {
  const { qkv, table, heads, kvHeads, step, device } = args;
  const { WG, SPAN } = span(device);
  const half = step.rotaryDim / 2;
  return {
    kernel: "rope",
    parts: ["lib/step"],
    constants: {
      ...step.constants,
      HALF: half,
      HEAD_DIM: step.capacity.headDim,
      HEADS: heads,
      KV_HEADS: kvHeads,
      QKV_STRIDE: stride(qkv.shape[1]),
      TABLE_STRIDE: stride(step.rotaryDim) / 2,
      WG,
      SPAN,
    },
    bind: { table, qkv },
    workgroups: ({ rows }) => [Math.ceil(((heads + kvHeads) * half) / SPAN), rows, 1],
  };
}
