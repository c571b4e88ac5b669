// quantise.ts — weights as peers store them: halves, and ggml's blocks of 32 in ggml's own layout.
// The numbers are those of kernels/formats, which are ggml's.

import { BLOCK } from "../../kernels/formats/blocks.ts";
import { narrowF16 } from "../../kernels/formats/floats.ts";
import { formats } from "../../kernels/index.ts";

/** f32 to f16, rounded to nearest. */
export function halves(values: Float32Array): Uint16Array<ArrayBuffer> {
  const out = new Uint16Array(values.length); // `Uint16Array.from` with a function takes ten times as long
  for (let i = 0; i < values.length; i++) out[i] = narrowF16(values[i]);
  return out;
}

/** What `put` makes of the whole numbers and the scale of each block. */
function blockwise(
  kind: "q4_0" | "q8_0",
  values: Float32Array,
  put: (numbers: Int8Array, d: number, block: number) => void,
): void {
  const numbers = new Int8Array(BLOCK);
  for (let first = 0; first < values.length; first += BLOCK) {
    const d = formats[kind].wholeNumbers(values, first, numbers);
    put(numbers, d, first / BLOCK);
  }
}

/** Two whole numbers around 8 in a byte. */
const pair = (low: number, high: number): number => (low + 8) | ((high + 8) << 4);

/** Blocks of 18 bytes: the scale, then 16 bytes of which the low halves are the first 16 elements. */
export function q4_0(values: Float32Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array((values.length / BLOCK) * 18);
  const view = new DataView(out.buffer);
  blockwise("q4_0", values, (numbers, d, block) => {
    view.setUint16(18 * block, narrowF16(d), true);
    for (let i = 0; i < 16; i++) out[18 * block + 2 + i] = pair(numbers[i], numbers[16 + i]);
  });
  return out;
}

/** Blocks of 34 bytes: the scale, then 32 signed bytes. */
export function q8_0(values: Float32Array): Uint8Array<ArrayBuffer> {
  const out = new Uint8Array((values.length / BLOCK) * 34);
  const view = new DataView(out.buffer);
  blockwise("q8_0", values, (numbers, d, block) => {
    view.setUint16(34 * block, narrowF16(d), true);
    out.set(numbers, 34 * block + 2); // modulo 256
  });
  return out;
}

/** For MatMulNBits: codes [n, k / 32, 16] with neighbours in one byte, around 8, and one scale a block. */
export function nibbles(values: Float32Array): { codes: Uint8Array<ArrayBuffer>; scales: Float32Array } {
  const codes = new Uint8Array(values.length / 2);
  const scales = new Float32Array(values.length / BLOCK);
  blockwise("q4_0", values, (numbers, d, block) => {
    scales[block] = d;
    for (let i = 0; i < 16; i++) codes[16 * block + i] = pair(numbers[2 * i], numbers[2 * i + 1]);
  });
  return { codes, scales };
}
