// rows.ts — rows of logits for the tests of drawing.
import type { Random } from "../../src/generate/random.ts";

/** Normal numbers (Box & Muller 1958). */
export function normals(random: Random, count: number, deviation: number): Float32Array {
  return Float32Array.from({ length: count }, () => deviation * Math.sqrt(-2 * Math.log(1 - random.float())) * Math.cos(2 * Math.PI * random.float())); // prettier-ignore
}
