// floats.ts — 16-bit floats on the host (Node 20 has no Float16Array), the formats f32, f16 and bf16 in general, and the
// test for NaN and infinity that every weight passes on its way to the GPU. Typed arrays are little endian on every
// platform with WebGPU, as safetensors is.

import { ELEMENT_BYTES, stride } from "../dispatch.ts";
import type { Format } from "./format.ts";

/** f16 → f32, IEEE 754-2008 binary16, exact: `to[i]` for every `from[i]`. */
export function widenF16(from: Uint16Array, to: Float32Array): void {
  const table = (f16Table ??= makeF16Table());
  for (let i = 0; i < from.length; i++) to[i] = table[from[i]];
}

/** bf16 → f32, exact: the 16 bits are the upper half of the f32. */
export function widenBF16(from: Uint16Array, to: Float32Array): void {
  const bits = new Uint32Array(to.buffer, to.byteOffset, from.length);
  for (let i = 0; i < from.length; i++) bits[i] = from[i] << 16;
}

/** f32 to any of the three, rounded to nearest; `bytes` as for `widen`. */
function narrow(kind: FloatKind, from: Float32Array, bytes: Uint8Array): void {
  if (kind === "f32") return new Float32Array(bytes.buffer, bytes.byteOffset, from.length).set(from);
  const to = new Uint16Array(bytes.buffer, bytes.byteOffset, from.length);
  const one = kind === "f16" ? narrowF16 : narrowBF16;
  for (let i = 0; i < from.length; i++) to[i] = one(from[i]);
}

/** The format of a float type: one tensor `weight` that holds the elements as they are, rows on multiples of four. */
export function floatFormat(name: FloatKind, own: Pick<Format, "part" | "matvecColumns" | "largest">): Format {
  const bytes = ({ weight }: Readonly<Record<string, Uint8Array>>, at: number, row: Float32Array) =>
    weight.subarray(at * row.length * ELEMENT_BYTES[name]);
  return {
    name,
    block: 4,
    ...own,
    tensors: (tensor, rows, columns) => ({ weight: { name: tensor, dtype: name, shape: [rows, columns] } }),
    rowBytes: (columns) => ({ weight: stride(columns) * ELEMENT_BYTES[name] }),
    pack: (row, to, at) => narrow(name, row, bytes(to, at, row)),
    unpack: (from, at, row) => widen(name, bytes(from, at, row), row),
  };
}

/** Any of the three to f32, exact. `bytes` holds `to.length` elements and starts on a multiple of their size. */
export function widen(kind: FloatKind, bytes: Uint8Array, to: Float32Array): void {
  if (kind === "f32") to.set(new Float32Array(bytes.buffer, bytes.byteOffset, to.length));
  else (kind === "f16" ? widenF16 : widenBF16)(new Uint16Array(bytes.buffer, bytes.byteOffset, to.length), to);
}

/** f32 → bf16 bits, to nearest, ties to even; finite values only. */
export function narrowBF16(value: number): number {
  SCRATCH_F32[0] = value;
  const bits = SCRATCH_U32[0];
  return ((bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16) & 0xffff;
}

/** f32 → f16 bits, to nearest, ties to even; finite values within ±65504 only. */
export function narrowF16(value: number): number {
  const sign = value < 0 || Object.is(value, -0) ? 0x8000 : 0;
  const size = Math.abs(value);
  // Below 2⁻¹⁴ the spacing stays 2⁻²⁴ (subnormals); above, there are 10 bits after the leading one.
  const exponent = size < 2 ** -14 ? -14 : Math.floor(Math.log2(size));
  const steps = roundToEven(size / 2 ** (exponent - 10));
  // A carry into the next power of two (steps = 2048) or into the normals (steps = 1024 at -14) carries into the exponent field.
  return sign + (exponent === -14 ? steps : ((exponent + 14) << 10) + steps);
}

/** The 16- and 32-bit float formats a weight may have. */
export type FloatKind = "f32" | "f16" | "bf16";

/**
 * Index of the first NaN or infinity among the first `count` elements of `words`, or -1. `words` holds the elements
 * packed little endian (two per word for 16 bits); an unused upper half at the end must be zero.
 */
export function findNonFinite(kind: FloatKind, words: Uint32Array, count: number): number {
  // NaN and infinity are the values whose exponent bits are all ones. Adding one at the lowest exponent bit then carries
  // into the sign bit's place, and only then: one mask, one addition, two elements at a time.
  const exponent = kind === "f32" ? 0x7f80_0000 : kind === "f16" ? 0x7c00_7c00 : 0x7f80_7f80;
  const lowest = kind === "f32" ? 0x0080_0000 : kind === "f16" ? 0x0400_0400 : 0x0080_0080;
  const carry = kind === "f32" ? 0x8000_0000 : 0x8000_8000;
  const length = kind === "f32" ? count : (count + 1) >> 1;
  for (let start = 0; start < length; start += 4096) {
    const end = Math.min(length, start + 4096);
    let seen = 0;
    for (let i = start; i < end; i++) seen |= (words[i] & exponent) + lowest;
    if ((seen & carry) === 0) continue;
    for (let i = start; i < end; i++) {
      const hit = ((words[i] & exponent) + lowest) & carry;
      if (hit === 0) continue;
      if (kind === "f32") return i;
      return 2 * i + (hit & 0x8000 ? 0 : 1);
    }
  }
  return -1;
}

/** Index of the first of `count` finite elements of `words` whose absolute value is above `largest`, or -1; `words` as for `findNonFinite`. */
export function findBeyond(kind: FloatKind, words: Uint32Array, count: number, largest: number): number {
  SCRATCH_F32[0] = largest;
  const [bits] = SCRATCH_U32;
  // Absolute values are in order of their bits. A bfloat16 is above a number whose upper half its bits are above.
  if (kind === "f32") {
    for (let i = 0; i < count; i++) if ((words[i] & 0x7fff_ffff) > bits) return i;
    return -1;
  }
  const most = kind === "bf16" ? bits >>> 16 : largest >= 65_504 ? 0x7bff : narrowF16(largest);
  const halves = new Uint16Array(words.buffer, words.byteOffset, count);
  if (most >= (kind === "f16" ? 0x7bff : 0x7f7f)) return -1;
  for (let i = 0; i < count; i++) if ((halves[i] & 0x7fff) > most) return i;
  return -1;
}

const SCRATCH_F32 = new Float32Array(1);
const SCRATCH_U32 = new Uint32Array(SCRATCH_F32.buffer);
let f16Table: Float32Array | undefined;

/** All 65,536 values: a look-up is several times faster than taking the bits apart, and 256 KiB stay in the cache. */
function makeF16Table(): Float32Array {
  return Float32Array.from({ length: 65_536 }, (_, bits) => {
    const [sign, exponent, fraction] = [bits & 0x8000 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
    if (exponent === 31) return fraction ? NaN : sign * Infinity;
    return exponent === 0 ? sign * fraction * 2 ** -24 : sign * (1024 + fraction) * 2 ** (exponent - 25);
  });
}

function roundToEven(x: number): number {
  const low = Math.floor(x);
  const rest = x - low;
  return rest > 0.5 || (rest === 0.5 && low % 2 === 1) ? low + 1 : low;
}
