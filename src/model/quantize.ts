// quantize.ts — in which format the matrices of a model are held on the device, where that is not the one they are stored in.

import { LlariatError } from "../error.ts";
import { checkOptions } from "../text/options.ts";
import { isObject } from "../text/json.ts";
import { display } from "../text/wording.ts";

/** What a matrix can be held as: as the file stores it, or made anew while loading, from f32, f16 or bf16. */
const HELD: readonly HeldAs[] = ["none", "f16", "q8_0", "q4_0"];

/** How a matrix is held: as it is stored ("none"), or in this format. */
export type HeldAs = "none" | "f16" | "q8_0" | "q4_0";

/** How matrices are held, by what they are for. Norms and biases are f32 anyway. */
export interface QuantizeOptions {
  /** The matrices of the blocks. Default: "none". */
  readonly weights?: HeldAs;
  /** The table of embeddings. Default: as `weights`. */
  readonly embedding?: HeldAs;
  /** The output matrix. Default: as `weights`. In a tied model that holds its embedding otherwise the matrix is there twice. */
  readonly output?: HeldAs;
}

/** How matrices are held: all of them, or each kind apart. */
export type Quantize = HeldAs | QuantizeOptions;

/**
 * The option, checked and complete.
 * @throws LlariatError("request") naming what is no format or no kind of matrix.
 */
export function readQuantize(option: unknown): Required<QuantizeOptions> {
  if (option !== undefined && !isObject(option) && !HELD.includes(option as HeldAs)) {
    const problem = `must be one of ${HELD.join(", ")}, or an object of weights, embedding and output, got ${display(option)}`;
    throw new LlariatError("request", problem, { subject: "quantize" });
  }
  const given = isObject(option)
    ? checkOptions<QuantizeOptions>(option, { weights: HELD, embedding: HELD, output: HELD }, "quantize")
    : { weights: option as HeldAs | undefined };
  const { weights = "none", embedding = weights, output = weights } = given;
  return { weights, embedding, output };
}
