// asked.ts — variants that somebody asks for instead of those that are known or measured to be faster.

import { type Choices, type Variants, variantsByKernel } from "../../kernels/index.ts";
import { LlariatError } from "../error.ts";
import { isObject } from "../text/json.ts";
import { reading } from "../text/options.ts";
import { display, nearest } from "../text/wording.ts";

/** A way of sharing values for all kernels, or a variant by kernel. */
export type AskedVariants = Variants | Partial<Choices>;

/**
 * The variants that a value asks for: "shuffle", "tiled", or an object of variants by kernel.
 * @throws LlariatError("request") naming `subject`, for anything else, and for kernels and variants that there are not.
 */
export function readVariants(value: unknown, subject = "variants"): AskedVariants | undefined {
  if (value === undefined || value === "shuffle" || value === "tiled") return value;
  if (!isObject(value)) {
    const problem = `must be shuffle, tiled or variants by kernel, got ${display(value)}`;
    throw new LlariatError("request", problem, { subject });
  }
  return reading(subject, () =>
    Object.fromEntries(
      Object.entries(value).map(([kernel, variant]) => {
        if (!Object.hasOwn(variantsByKernel, kernel)) {
          throw unknown(subject, "kernel", kernel, Object.keys(variantsByKernel));
        }
        const known: readonly string[] = variantsByKernel[kernel as keyof Choices];
        if (!known.includes(variant as string)) throw unknown(`${subject}.${kernel}`, "variant", variant, known);
        return [kernel, variant];
      }),
    ),
  );
}

/** The same of a text: `shuffle`, `tiled`, or `linear=matmul_tiled,topk=lib/reduce_workgroup`. Empty: nothing is asked for. */
export function readVariantList(text: string, subject: string): AskedVariants | undefined {
  if (text.trim() === "") return undefined;
  if (!text.includes("=")) return readVariants(text.trim(), subject);
  return readVariants(Object.fromEntries(text.split(",").map((each) => pair(each))), subject);
}

const pair = (text: string): [string, string] => {
  const [kernel, ...variant] = text.split("=");
  return [kernel.trim(), variant.join("=").trim()];
};

function unknown(subject: string, what: string, got: unknown, known: readonly string[]): LlariatError {
  const near = nearest(String(got), known);
  const advice = near === undefined ? `known are ${known.join(", ")}` : `did you mean ${near}?`;
  return new LlariatError("request", `there is no ${what} ${display(got)}`, { subject, advice });
}
