// blocks.ts — formats of whole numbers: 32 neighbours along k share a scale d in f16, and a weight is q · d. The numbers are
// those of ggml's quantize_row_q8_0_ref and quantize_row_q4_0_ref (ggml/src/ggml-quants.c), each operation rounded to f32 as
// C says, without fused multiply-add; how they lie in memory is ours. Two blocks share a word of scales, so that rows are padded
// to 64 elements; zeros past the end of a row change no scale.

import { narrowF16, widenF16 } from "./floats.ts";
import type { Format } from "./format.ts";

/** Elements that share a scale. */
export const BLOCK = 32;

/** Elements along k that are packed together: the two blocks whose scales share a word. */
const PACKED = 2 * BLOCK;

/** What a format of whole numbers is made by. */
export interface Blocks extends Pick<Format, "part" | "packing" | "matvecColumns"> {
  /** Bits of a weight. */
  readonly bits: 4 | 8;
  /** Largest absolute value of a whole number. */
  readonly reach: 8 | 127;
  /** The scale, given the element of largest absolute value, the first of equals; rounded to f32 afterwards. */
  readonly scale: (largest: number) => number;
  /** The whole number for x / d, given in f32. */
  readonly round: (quotient: number) => number;
  /** Puts the whole numbers of a block into its bytes. */
  readonly pack: (from: Int8Array, to: Uint8Array) => void;
  /** The reverse. */
  readonly unpack: (from: Uint8Array, to: Int8Array) => void;
}

/** A format of whole numbers. */
export interface BlockFormat extends Format {
  /** The whole numbers of a block, the 32 elements of `row` from `first` on; answers its scale d in f32. */
  wholeNumbers(row: Float32Array, first: number, numbers: Int8Array): number;
}

/** The format: tensors `weight` (words of whole numbers, row after row) and `scale` (f16, two to a word). */
export function blockFormat(name: string, blocks: Blocks): BlockFormat {
  const { bits, reach, scale: scaleOf, round, pack, unpack, ...own } = blocks;
  const paired = (columns: number): number => Math.ceil(columns / PACKED);
  const blockBytes = (BLOCK * bits) / 8;
  const numbers = new Int8Array(BLOCK);
  const one = new Float32Array(1);
  const wholeNumbers: BlockFormat["wholeNumbers"] = (row, first, into) => {
    const d = Math.fround(scaleOf(largestOf(row, first)));
    // Where f16 has no scale so small every weight is zero, whatever its whole number.
    const inverse = (narrowF16(d) & 0x7fff) === 0 ? 0 : Math.fround(1 / d);
    for (let i = 0; i < BLOCK; i++) into[i] = inverse && round(Math.fround(row[first + i] * inverse));
    return d;
  };
  return {
    name,
    block: PACKED,
    ...own,
    largest: 65_504 * reach, // so that the scale stays within f16
    tensors: (tensor, rows, columns) => ({
      weight: { name: tensor, dtype: "u32", shape: [rows, (paired(columns) * PACKED * bits) / 32] },
      scale: { name: `${tensor}.scale`, dtype: "f16", shape: [rows * paired(columns) * 2] },
    }),
    rowBytes: (columns) => ({ weight: paired(columns) * 2 * blockBytes, scale: paired(columns) * 4 }),
    pack(row, { weight, scale }, at) {
      const scales = halves(scale);
      for (let first = 0; first < row.length; first += BLOCK) {
        const block = (at * row.length + first) / BLOCK;
        scales[block] = narrowF16(wholeNumbers(row, first, numbers));
        pack(numbers, weight.subarray(block * blockBytes, (block + 1) * blockBytes));
      }
    },
    wholeNumbers,
    unpack({ weight, scale }, at, row) {
      const scales = halves(scale);
      for (let first = 0; first < row.length; first += BLOCK) {
        const block = (at * row.length + first) / BLOCK;
        widenF16(scales.subarray(block, block + 1), one);
        unpack(weight.subarray(block * blockBytes, (block + 1) * blockBytes), numbers);
        for (let i = 0; i < BLOCK; i++) row[first + i] = numbers[i] * one[0];
      }
    },
  };
}

const halves = ({ buffer, byteOffset, byteLength }: Uint8Array): Uint16Array =>
  new Uint16Array(buffer, byteOffset, byteLength / 2);

/** The element of largest absolute value in a block, the first of equals. */
function largestOf(row: Float32Array, first: number): number {
  let largest = 0;
  for (let i = first; i < first + BLOCK; i++) if (Math.abs(row[i]) > Math.abs(largest)) largest = row[i];
  return largest;
}
