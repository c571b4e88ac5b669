import { LlariatError } from "../src/error.ts";
import { type Dispatch, type Tensor, stride } from "./dispatch.ts";
import type { StepLayout } from "./step.ts";
import type { DeviceFacts } from "./device.ts";
import { reduction } from "./workgroup.ts";

/**
 * RMSNorm of each query and key head in place, before they are rotated: `qkv` [rows, (heads + 2·kvHeads)·headDim] f32,
 * `weight` [2·headDim] f32, of queries, then of keys. Throws `kernel` where shapes disagree.
 */
export function headnorm(args: {
  qkv: Tensor;
  weight: Tensor;
  heads: number;
  kvHeads: number;
  eps: number;
  step: StepLayout;
  device: DeviceFacts;
}): Dispatch {
  const { qkv, weight, heads, kvHeads, eps, step, device } = args;
  const { headDim } = step.capacity;
  if (qkv.shape[1] !== (heads + 2 * kvHeads) * headDim || weight.shape[0] !== 2 * headDim) {
    const shapes = `qkv [rows, ${qkv.shape[1]}], weight [${weight.shape[0]}]`;
    const model = `${heads} heads, ${kvHeads} key/value heads of ${headDim}`;
    throw new LlariatError("kernel", `headnorm: ${shapes} do not fit ${model}`);
  }
  // It adds up as rmsnorm does, with as many lanes, so that the trial of rmsnorm on a device is its own too.
  const { WG, part, enables } = reduction("rmsnorm", 128, device);
  return {
    kernel: "headnorm",
    enables,
    parts: [part],
    constants: { HEAD_DIM: headDim, HEADS: heads, QKV_STRIDE: stride(qkv.shape[1]), EPS: eps, WG },
    bind: { qkv, weight },
    workgroups: ({ rows }) => [heads + kvHeads, rows, 1],
  };
}
