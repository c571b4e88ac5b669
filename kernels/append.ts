import { type KvLayer, kvStride } from "./cache/cache.ts";
import { type Dispatch, type Tensor, stride } from "./dispatch.ts";
import type { StepLayout } from "./step.ts";
import type { DeviceFacts } from "./device.ts";
import { span } from "./workgroup.ts";

/**
 * Copies each row's keys and values to its slot of the paged cache.
 * `qkv` [rows, (heads + 2·kvHeads)·headDim] f32; `kv`: the layer's cache.
 */
export function append(args: { qkv: Tensor; kv: KvLayer; step: StepLayout; device: DeviceFacts }): Dispatch {
  const { qkv, kv, step, device } = args;
  const { WG, SPAN } = span(device);
  const { format, kvDim, keys, values } = kv;
  return {
    kernel: "append",
    parts: ["lib/step", format.part],
    constants: {
      ...step.constants,
      K_AT: qkv.shape[1] - 2 * kvDim,
      KV_DIM: kvDim,
      KV_STRIDE: kvStride(format, kvDim),
      QKV_STRIDE: stride(qkv.shape[1]),
      WG,
      SPAN,
    },
    bind: { qkv, keys, values },
    workgroups: ({ rows }) => [Math.ceil(kvDim / format.block / SPAN), rows, 1],
  };
}
