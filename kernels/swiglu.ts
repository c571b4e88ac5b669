import { type Dispatch, type Tensor, stride } from "./dispatch.ts";

/** SwiGLU (arXiv 2002.05202): `x` [rows, 2·hidden] f32, gate then up → `y` [rows, hidden] f32, silu(gate) · up. */
export function swiglu({ x, y }: { x: Tensor; y: Tensor }): Dispatch {
  const hidden = y.shape[1];
  return {
    kernel: "swiglu",
    parts: [],
    constants: { HIDDEN: hidden, X_STRIDE: stride(x.shape[1]), Y_STRIDE: stride(hidden), WG: 64 },
    bind: { x, y },
    workgroups: ({ rows }) => [Math.ceil(hidden / 64), rows, 1],
  };
}
