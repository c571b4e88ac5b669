import { LlariatError } from "../src/error.ts";
import { type Ahead, squareSums } from "./ahead.ts";
import { type Dispatch, type Tensor, stride } from "./dispatch.ts";
import type { DeviceFacts } from "./device.ts";
import { reduction } from "./workgroup.ts";

/**
 * RMSNorm (arXiv 1910.07467, eq. 4): `y = weight · x / √(mean(x²) + eps)`.
 * `x`, `y` [rows, dim] f32, not the same tensor; `weight` [dim] f32. `ofOutputs`: one row per output instead of per token.
 */
export function rmsnorm(args: {
  x: Tensor;
  weight: Tensor;
  y: Tensor;
  eps: number;
  ofOutputs?: boolean;
  device: DeviceFacts;
}): Dispatch {
  const { x, weight, y, eps, ofOutputs = false, device } = args;
  const dim = x.shape[1];
  if (x.name === y.name) throw new LlariatError("kernel", `rmsnorm: x and y must differ, got ${x.name} for both`);
  if (weight.shape[0] !== dim || y.shape[1] !== dim) {
    const got = `weight ${weight.shape}, y ${y.shape}`;
    throw new LlariatError("kernel", `rmsnorm: x has ${dim} columns, so weight and y need ${dim}, got ${got}`);
  }
  return record({ x, weight, y, eps, squares: 0, each4: 0, ofOutputs, device });
}

/**
 * The half of RMSNorm that is done ahead of a sum over its columns, `ahead.tensor`: `x` [rows, dim], `weight` [dim] f32. Throws `kernel`
 * where shapes disagree.
 */
export function rmsnormAhead(args: { x: Tensor; weight: Tensor; ahead: Ahead; device: DeviceFacts }): Dispatch {
  const { x, weight, ahead, device } = args;
  const { tensor, columns, eps } = ahead;
  const dim = x.shape[1];
  if (weight.shape[0] !== dim || tensor.shape[1] !== dim) {
    const got = `weight ${weight.shape}, ahead ${tensor.shape}`;
    throw new LlariatError("kernel", `rmsnorm: x has ${dim} columns, so weight and ahead need ${dim}, got ${got}`);
  }
  return record({ x, weight, y: tensor, eps, squares: squareSums(ahead), each4: columns / 4, device });
}

function record(args: {
  x: Tensor;
  weight: Tensor;
  y: Tensor;
  eps: number;
  squares: number;
  each4: number;
  ofOutputs?: boolean;
  device: DeviceFacts;
}): Dispatch {
  const { x, weight, y, eps, squares, each4, ofOutputs = false, device } = args;
  const dim = x.shape[1];
  const { WG, part, enables } = reduction("rmsnorm", 128, device);
  return {
    kernel: "rmsnorm",
    enables,
    parts: [part],
    constants: { DIM: dim, DIM4: stride(dim) / 4, EPS: eps, SQUARES: squares, EACH4: each4, WG },
    bind: { x, weight, y },
    ofOutputs,
    workgroups: ({ rows, outputs }) => [ofOutputs ? outputs : rows, 1, 1],
  };
}
