// bound.ts — section 2.3 of the Position Interpolation paper (arXiv 2306.15595): how much an attention score can grow
// beyond the trained distance, and how little between two trained ones.
//
// A score at distance s is a(s) = Re Σ_j h_j e^{isθ_j} with θ_j = c^(-2j/d), j < d/2. All bounds here are for max |h_j| = 1.

import { unscaled } from "../rope/index.ts";
import { checkNumber, checkWhole } from "../text/options.ts";

/** Heads have 32 to 512 elements; far more would only take time. */
const MOST_ELEMENTS = 2 ** 16;

/** @throws LlariatError("request") for what is no head and no base. */
function check(headDim: number, theta: number): void {
  checkWhole("headDim", headDim, 2, { most: MOST_ELEMENTS });
  checkNumber("theta", theta, 1);
}

/**
 * B(s) = Σ_{k<d/2} |A_{k+1}(s)|, A_k(s) = Σ_{j<k} e^{isθ_j}: by Abel summation |a(s)| ≤ 2 B(s) (Su et al. 2021, section
 * 3.4.3; equations 8 and 9 of the paper). It holds anywhere, so it is all that is known of an extrapolated score.
 */
export function extrapolationSum(distance: number, headDim: number, theta: number): number {
  let [real, imaginary, sum] = [0, 0, 0];
  for (const frequency of unscaled(theta, headDim)) {
    real += Math.cos(distance * frequency);
    imaginary += Math.sin(distance * frequency);
    sum += Math.hypot(real, imaginary);
  }
  return sum;
}

/** Bound of |a(s)| anywhere: 2 B(s). */
export function extrapolationBound(distance: number, headDim: number, theta: number): number {
  checkNumber("distance", distance);
  check(headDim, theta);
  return 2 * extrapolationSum(distance, headDim, theta);
}

/**
 * Theorem 2.1 as printed: between two neighbouring whole distances an interpolated score departs from the straight line
 * between theirs by at most d / (32 ln c): d / 294.73 for c = 10000.
 */
export function statedInterpolationBound(headDim: number, theta: number): number {
  check(headDim, theta);
  return headDim / (32 * Math.log(theta));
}

/**
 * The same with the sum evaluated: |a″| ≤ Σ θ_j², so the departure is at most Σ θ_j² / 8. The paper bounds the sum,
 * (1 - c^-2) / (1 - c^(-4/d)), from above by d / (4 ln c), using c^x ≤ 1 + x ln c for x < 0; the inequality holds the
 * other way round, so the printed bound is somewhat too small: by 15 % for d = 128, c = 10000.
 */
export function interpolationBound(headDim: number, theta: number): number {
  check(headDim, theta);
  let sum = 0;
  for (const frequency of unscaled(theta, headDim)) sum += frequency * frequency;
  return sum / 8;
}
