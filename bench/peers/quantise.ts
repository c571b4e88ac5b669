// quantise.ts — weights as peers store them: halves, and ggml's blocks of 32 in ggml's own layout.
// The numbers are those of ggml's quantize_row_q4_0_ref and quantize_row_q8_0_ref, as kernels/formats has them.

import { narrowF16 } from "../../kernels/formats/floats.ts";

const BLOCK = 32;

/** f32 to f16, rounded to nearest. */
export function halves(values: Float32Array): Uint16Array<ArrayBuffer> {
  const out = new Uint16Array(values.length); // `Uint16Array.from` with a function takes ten times as long
  for (let i = 0; i < values.length; i++) out[i] = narrowF16(values[i]);
  return out;
}

/** The element of largest absolute value in a block, the first of equals. */
function largest(values: Float32Array, first: number): number {
  let found = 0;
  for (let i = first; i < first + BLOCK; i++) if (Math.abs(values[i]) > Math.abs(found)) found = values[i];
  return found;
}

const inverse = (d: number): number => (d === 0 ? 0 : Math.fround(1 / d));
const four = (value: number, by: number): number =>
  Math.min(15, Math.trunc(Math.fround(Math.fround(value * by) + 8.5)));

/** Blocks of 18 bytes: the scale, then 16 bytes of which the low halves are the first 16 elements. */
export function q4_0(values: Float32Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array((values.length / BLOCK) * 18);
  const view = new DataView(out.buffer);
  for (let first = 0, at = 0; first < values.length; first += BLOCK, at += 18) {
    const d = Math.fround(largest(values, first) / -8);
    view.setUint16(at, narrowF16(d), true);
    const by = inverse(d);
    for (let i = 0; i < 16; i++) {
      out[at + 2 + i] = four(values[first + i], by) | (four(values[first + 16 + i], by) << 4);
    }
  }
  return out;
}

/** Blocks of 34 bytes: the scale, then 32 signed bytes. */
export function q8_0(values: Float32Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array((values.length / BLOCK) * 34);
  const view = new DataView(out.buffer);
  for (let first = 0, at = 0; first < values.length; first += BLOCK, at += 34) {
    const d = Math.fround(Math.abs(largest(values, first)) / 127);
    view.setUint16(at, narrowF16(d), true);
    const by = inverse(d);
    for (let i = 0; i < BLOCK; i++) {
      const value = Math.fround(values[first + i] * by);
      out[at + 2 + i] = Math.sign(value) * Math.round(Math.abs(value)); // C's roundf: halves away from zero
    }
  }
  return out;
}

/** For MatMulNBits: codes [n, k / 32, 16] with neighbours in one byte, around 8, and one scale a block. */
export function nibbles(values: Float32Array): { codes: Uint8Array<ArrayBuffer>; scales: Float32Array } {
  const codes = new Uint8Array(values.length / 2);
  const scales = new Float32Array(values.length / BLOCK);
  for (let block = 0; block < scales.length; block++) {
    const first = block * BLOCK;
    scales[block] = largest(values, first) / -8;
    const by = inverse(scales[block]);
    for (let i = 0; i < BLOCK; i += 2) {
      codes[(first + i) / 2] = four(values[first + i], by) | (four(values[first + i + 1], by) << 4);
    }
  }
  return { codes, scales };
}
