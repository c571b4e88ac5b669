// turns.ts — frequencies as 64-bit fixed point, in turns per token, and the f64 reference of what the GPU makes of them.
// The phase of position p is p · turns in wrapping integers: range reduction costs nothing and is exact at any position.

import { LlariatError } from "../error.ts";

/** round(2^256 / 2π): enough bits that the rounding of `turns` is exact for every f64 up to 2^128. */
const PER_RADIAN = 0x28be60db9391054a7f09d5f47d4d377036d8a5664f10e4107f9458eaf7aef158n;
const PER_RADIAN_BITS = 256n;

/**
 * ω/2π of every frequency as a fraction of a turn × 2^64, rounded to nearest, as pairs (low word, high word): element
 * 2i is the low word of frequency i. [2 · omega.length], that is headDim. Whole turns per token change nothing and wrap.
 *
 * Error bound of the phase at position p, in turns: p · 2^-65 from this rounding, and p · ω/2π · 2e-15 from ω itself
 * (f64 power for θ ≤ 10^6 and at most three more roundings). At p = 2^20, ω ≤ 1 that is 3.4e-10, below 1e-9.
 * @throws LlariatError("rope") for a frequency that is negative, NaN or infinite.
 */
export function turns(omega: Float64Array): Uint32Array {
  const words = new Uint32Array(2 * omega.length);
  omega.forEach((frequency, i) => {
    if (!(frequency >= 0 && frequency < Infinity))
      throw new LlariatError(
        "rope",
        `frequency ${i}: must be finite and not negative, got ${frequency} radians per token`,
      );
    const { mantissa, exponent } = parts(frequency);
    // mantissa · 2^exponent · (PER_RADIAN / 2^256) · 2^64, rounded half up
    const shift = PER_RADIAN_BITS - 64n - exponent;
    const product = mantissa * PER_RADIAN;
    const fixed = shift > 0n ? (product + (1n << (shift - 1n))) >> shift : product << -shift;
    words[2 * i] = Number(fixed & 0xffff_ffffn);
    words[2 * i + 1] = Number((fixed >> 32n) & 0xffff_ffffn);
  });
  return words;
}

/** value = mantissa · 2^exponent exactly, for a finite value ≥ 0 (IEEE 754 binary64). */
function parts(value: number): { mantissa: bigint; exponent: bigint } {
  const view = new DataView(new ArrayBuffer(8));
  view.setFloat64(0, value);
  const bits = view.getBigUint64(0);
  const [biased, fraction] = [bits >> 52n, bits & ((1n << 52n) - 1n)];
  return biased === 0n
    ? { mantissa: fraction, exponent: -1074n }
    : { mantissa: fraction | (1n << 52n), exponent: biased - 1075n };
}

/** Phase of `position` (whole, ≥ 0) as a fraction of a turn × 2^64: position · turns mod 2^64, what kernels/angles.wgsl computes. */
export const phase = (low: number, high: number, position: number): bigint =>
  BigInt.asUintN(64, ((BigInt(high) << 32n) | BigInt(low)) * BigInt(position));

/**
 * Reference for one row of the angle table: m·cos, m·sin of every frequency at `position`, interleaved
 * [2 · number of frequencies], in f64. `words` as made by `turns`.
 */
export function angleRow(words: Uint32Array, m: number, position: number): Float64Array {
  const row = new Float64Array(words.length);
  for (let i = 0; i < words.length; i += 2) {
    const fraction = Number(BigInt.asIntN(64, phase(words[i], words[i + 1], position))) / 2 ** 64; // in [-1/2, 1/2)
    row[i] = m * Math.cos(2 * Math.PI * fraction);
    row[i + 1] = m * Math.sin(2 * Math.PI * fraction);
  }
  return row;
}
