import { type Dispatch, type Tensor, stride } from "./dispatch.ts";
import type { DeviceFacts } from "./device.ts";
import { span } from "./workgroup.ts";

/** SwiGLU (arXiv 2002.05202): `x` [rows, 2·hidden] f32, gate then up → `y` [rows, hidden] f32, silu(gate) · up. */
export function swiglu({ x, y, device }: { x: Tensor; y: Tensor; device: DeviceFacts }): Dispatch {
  const hidden = y.shape[1];
  const { WG, SPAN } = span(device);
  return {
    kernel: "swiglu",
    parts: [],
    constants: { HIDDEN: hidden, X_STRIDE: stride(x.shape[1]), Y_STRIDE: stride(hidden), WG, SPAN },
    bind: { x, y },
    workgroups: ({ rows }) => [Math.ceil(hidden / SPAN), rows, 1],
  };
}
