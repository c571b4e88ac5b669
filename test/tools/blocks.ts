// blocks.ts — what the cache formats make of numbers, from their definitions: a 16-bit float; blocks of 32 codes of 8 bits and
// their step as f32.

import { narrowF16, widenF16 } from "../../kernels/formats/floats.ts";

/** The nearest 16-bit float, ties to even; ±65504 for what is beyond. */
export function nearestF16(value: number): number {
  const wide = new Float32Array(1);
  widenF16(Uint16Array.of(narrowF16(Math.max(-65504, Math.min(65504, value)))), wide);
  return wide[0];
}

const [COUNT, BYTES] = [32, 36];

/** Writes values, a multiple of 32, as blocks. */
export function narrowQ8(values: ArrayLike<number>, data: ArrayBuffer): void {
  for (let at = 0; at * COUNT < values.length; at++) {
    const block = Array.from({ length: COUNT }, (_, i) => values[at * COUNT + i]);
    const step = Math.fround(block.reduce((most, value) => Math.max(most, Math.abs(value)), 0) / 127);
    new Int8Array(data, at * BYTES, COUNT).set(block.map((value) => (step === 0 ? 0 : Math.round(value / step))));
    new Float32Array(data, at * BYTES + COUNT, 1)[0] = step;
  }
}

/** The numbers that blocks hold, exactly. */
export function widenQ8(data: ArrayBuffer): Float64Array {
  const values = new Float64Array((data.byteLength / BYTES) * COUNT);
  for (let at = 0; at * BYTES < data.byteLength; at++) {
    const [step] = new Float32Array(data, at * BYTES + COUNT, 1);
    new Int8Array(data, at * BYTES, COUNT).forEach((code, i) => (values[at * COUNT + i] = code * step));
  }
  return values;
}
