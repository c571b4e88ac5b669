import { blockFormat } from "./blocks.ts";

/** ggml's Q8_0: whole numbers from -127 to 127, d = largest / 127. A byte each, in order. */
export const q8_0 = blockFormat("q8_0", {
  part: "formats/q8_0",
  packing: "lib/pack_q8_0",
  bits: 8,
  reach: 127,
  scale: (largest) => Math.abs(largest) / 127,
  matvecColumns: 8,
  round: (quotient) => Math.sign(quotient) * Math.floor(Math.abs(quotient) + 0.5), // roundf: halves away from zero
  pack: (from, to) => to.set(from),
  unpack: (from, to) => to.set(from),
});
