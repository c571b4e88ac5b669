import { blockFormat } from "./blocks.ts";

/**
 * ggml's Q4_0: whole numbers from -8 to 7, d = the element of largest absolute value / -8, which so becomes -8 itself. Four bits
 * each, in two's complement, so that a shift to the left and one back to the right take one out with its sign. Byte i of word
 * w holds elements 8·w + i (low half) and 8·w + 4 + i, so that four neighbours are the same half of a word's four bytes.
 */
export const q4_0 = blockFormat("q4_0", {
  part: "formats/q4_0",
  packing: "lib/pack_q4_0",
  bits: 4,
  reach: 8,
  scale: (largest) => largest / -8,
  matvecColumns: 8,
  round: (quotient) => Math.min(15, Math.trunc(Math.fround(quotient + 8.5))) - 8,
  pack(from, to) {
    for (let i = 0; i < to.length; i++) {
      const first = 2 * i - (i % 4); // 8 · (i / 4) + i % 4
      to[i] = (from[first] & 15) | (from[first + 4] << 4);
    }
  },
  unpack(from, to) {
    for (let i = 0; i < from.length; i++) {
      const first = 2 * i - (i % 4);
      to[first] = (from[i] << 28) >> 28;
      to[first + 4] = (from[i] << 24) >> 28;
    }
  },
});
