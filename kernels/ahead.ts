// ahead.ts — an RMSNorm in two halves. Who writes a row of the residual stream, piece by piece, can scale each element by the norm's
// weight, but knows the root mean square of none; who sums over the row then can, and a sum is scaled as well afterwards:
//   W · (w ∘ x / r) = (W · (w ∘ x)) / r,  r = √(mean(x²) + ε)

import type { Tensor } from "./dispatch.ts";

/** The first half of a norm, of rows of `dim` elements. */
export interface Ahead {
  /** [2·rows, dim] f32: of each row x two: w ∘ x, and the sums of squares of every `columns` neighbours in x, then zeros. */
  readonly tensor: Tensor;
  readonly columns: 4 | 8;
  /** ε of the norm. */
  readonly eps: number;
}

/** Vec4 that hold a row's sums of squares. */
export const squareSums = ({ tensor, columns }: Ahead): number => Math.ceil(tensor.shape[1] / columns / 4);
