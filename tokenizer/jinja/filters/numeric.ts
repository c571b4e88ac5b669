// jinja/filters/numeric.ts — filters of numbers: abs, int, float, round, filesizeformat.

import { numeric } from "../compare.ts";
import { Fault, fault, typeError } from "../fault.ts";
import type { FaultKind } from "../fault.ts";
import { fixed, paidInt, roundFloat, roundInt, toFloat, truncate } from "../numbers.ts";
import { binary } from "../operators.ts";
import { toInt, toReal } from "../percent.ts";
import { truth } from "../compare.ts";
import { boundArgument } from "../slices.ts";
import { textOf, typeName } from "../values.ts";
import type { Value } from "../values.ts";
import { define } from "./define.ts";

/** Runs a conversion; undefined where Python raises one of these. */
function unless(kinds: readonly FaultKind[], convert: () => bigint | undefined): bigint | undefined {
  try {
    return convert();
  } catch (error) {
    if (error instanceof Fault && kinds.includes(error.kind)) return undefined;
    throw error;
  }
}

function round(value: Value, precision: Value): Value {
  const number = numeric(value);
  if (number === undefined) return typeError(`type ${typeName(value)} doesn't define __round__ method`);
  if (precision === null) return typeof number === "bigint" ? number : truncate(roundFloat(number, 0));
  const places = boundArgument(precision);
  return typeof number === "bigint" ? roundInt(number, places) : roundFloat(number, places);
}

/** math.ceil or math.floor of a value. */
function whole(value: Value, method: "ceil" | "floor"): bigint {
  const number = numeric(value);
  if (number === undefined) return typeError(`must be real number, not ${typeName(value)}`);
  return typeof number === "bigint" ? number : truncate(Math[method](number));
}

/** The filters of this file. */
export const NUMERIC_FILTERS = [
  define(
    "abs",
    ["x"],
    ([value]) => {
      const number = numeric(value);
      if (number === undefined) return typeError(`bad operand type for abs(): '${typeName(value)}'`);
      return typeof number === "bigint" ? (number < 0n ? paidInt(-number) : number) : Math.abs(number);
    },
    true,
  ),
  define("int", ["value", ["default", 0n], ["base", 10n]], ([value, fallback, base]) => {
    const number = unless(["TypeError", "ValueError"], () =>
      textOf(value) === undefined ? toInt(value, 10) : toInt(value, boundArgument(base)),
    );
    if (number !== undefined) return number;
    const real = toReal(value);
    const converted = unless(["OverflowError"], () => (real === undefined ? undefined : toInt(real, 10)));
    return converted === undefined ? fallback : converted;
  }),
  define("float", ["value", ["default", 0]], ([value, fallback]) => {
    const real = toReal(value);
    return real === undefined ? fallback : real;
  }),
  define("round", ["value", ["precision", 0n], ["method", "common"]], ([value, precision, method]) => {
    if (method !== "common" && method !== "ceil" && method !== "floor") {
      return fault("FilterArgumentError", "method must be common, ceil or floor");
    }
    if (method === "common") return round(value, precision);
    const scale = binary("**", 10n, precision);
    return binary("/", whole(binary("*", value, scale), method), scale);
  }),
  define("filesizeformat", ["value", ["binary", false]], ([value, binaryPrefixes]) => {
    const text = textOf(value);
    const bytes = toReal(value);
    if (bytes === undefined) {
      return text === undefined
        ? typeError(`float() argument must be a string or a real number, not '${typeName(value)}'`)
        : fault("ValueError", `could not convert string to float: '${text}'`);
    }
    const base = truth(binaryPrefixes) ? 1024 : 1000;
    if (bytes === 1) return "1 Byte";
    if (bytes < base) return `${truncate(bytes)} Bytes`;
    const prefixes = truth(binaryPrefixes)
      ? ["KiB", "MiB", "GiB", "TiB", "PiB", "EiB", "ZiB", "YiB"]
      : ["kB", "MB", "GB", "TB", "PB", "EB", "ZB", "YB"];
    let unit = BigInt(base);
    let chosen = prefixes[0];
    for (const prefix of prefixes) {
      unit *= BigInt(base);
      chosen = prefix;
      if (bytes < unit) break;
    }
    const scaled = (base * bytes) / toFloat(unit);
    return `${Number.isFinite(scaled) ? fixed(scaled, 1) : String(scaled).replace("Infinity", "inf").replace("NaN", "nan")} ${chosen}`;
  }),
];
