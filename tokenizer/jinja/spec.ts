// jinja/spec.ts — numbers and texts by a format specification: what '%5.2f' and '{:>8,}' have in common, and format().

import { spend, spendText } from "./budget.ts";
import { fault, typeError } from "./fault.ts";
import {
  asFloat,
  fixed,
  layout,
  printFloat,
  printInt,
  printRadix,
  scientific,
  significant,
  toFloat,
} from "./numbers.ts";
import { str } from "./print.ts";
import { pointCount, sliceText } from "./slices.ts";
import { pad, repeat } from "./text.ts";
import { Held, textOf, typeName } from "./values.ts";
import type { Value } from "./values.ts";

/** More digits than this no float has, and Python's own limit is far away. */
const MAX_PRECISION = 4096;

/** What the flag # does: a point even where no digit follows it. */
const withPoint = (text: string): string => (text.includes(".") ? text : text.replace(/e|$/, ".$&"));

/**
 * |value| as e, f, g, E, F, G or % with `precision`; `alternate` is the flag #. The type "" is that of a specification
 * without one: g with an exponent earlier, and a decimal where there is none.
 */
export function floatDigits(value: number, type: string, precision: number, alternate: boolean): string {
  if (precision > MAX_PRECISION) fault("Limit", `a float with ${precision} digits, needed at most ${MAX_PRECISION}`);
  const kind = type.toLowerCase();
  const shape = (text: string): string => (type === kind ? text : text.toUpperCase());
  if (!Number.isFinite(value)) return shape(Number.isNaN(value) ? "nan" : "inf") + (kind === "%" ? "%" : "");
  if (kind === "%") return `${floatDigits(value * 100, "f", precision, alternate)}%`;
  const pointed = (text: string) => (alternate ? withPoint(text) : text);
  if (kind === "f") return pointed(fixed(value, precision));
  const count = kind === "e" ? precision + 1 : Math.max(1, precision);
  const { digits, exponent } = significant(value, count);
  if (kind === "e") return shape(pointed(scientific(digits, exponent)));
  const kept = alternate ? digits : digits.replace(/(?<=.)0+$/, "");
  if (kind === "") return asFloat(pointed(layout(kept, exponent, count - 1)));
  return shape(pointed(layout(kept, exponent, count)));
}

const SPEC = /^(?:(.)?([<>=^]))?([-+ ])?(z)?(#)?(0)?(\d+)?([,_])?(?:\.(\d+))?([a-zA-Z%])?$/su;

/** format(value, spec) for str, int, float and bool; anything else takes only an empty one. */
export function formatValue(value: Value, spec: string): string {
  if (spec === "") return str(value);
  const text = textOf(value);
  const number = typeof value === "boolean" && /[^\d<>=^]/.test(spec) ? BigInt(value) : value;
  if (text === undefined && (value === null || value instanceof Held || typeof value === "object")) {
    return typeError(`unsupported format string passed to ${typeName(value)}.__format__`);
  }
  const match = SPEC.exec(spec);
  if (!match) return fault("ValueError", `Invalid format specifier '${spec}' for object of type '${typeName(value)}'`);
  const [, given, align, sign = "-", , alternate, zero, digits, group, places, type] = match;
  const width = digits === undefined ? 0 : Number(digits);
  const precision = places === undefined ? undefined : Number(places);
  const fill = given ?? (zero === undefined ? " " : "0");
  spendText(width);
  const unknown = (): never =>
    fault("ValueError", `Unknown format code '${type ?? ""}' for object of type '${typeName(value)}'`);
  if (text !== undefined) {
    if (type !== undefined && type !== "s") unknown();
    if (match[3] !== undefined) fault("ValueError", "Sign not allowed in string format specifier");
    if (align === "=") fault("ValueError", "'=' alignment not allowed in string format specifier");
    if (group !== undefined) fault("ValueError", `Cannot specify '${group}' with 's'.`);
    const cut = precision === undefined ? text : sliceText(text, null, BigInt(precision), null);
    return pad(cut, width, fill, (align ?? "<") as "<");
  }
  let negative: boolean;
  let body: string;
  let prefix = "";
  let every = 3;
  if (typeof number === "boolean" || (typeof number === "bigint" && /^[bcdoxXn]?$/.test(type ?? ""))) {
    const whole = BigInt(number);
    if (precision !== undefined) fault("ValueError", "Precision not allowed in integer format specifier");
    negative = whole < 0n;
    const size = negative ? -whole : whole;
    const radix = { b: 2, o: 8, x: 16, X: 16 }[type ?? ""];
    if (radix !== undefined) {
      if (group === ",") fault("ValueError", `Cannot specify ',' with '${type}'.`);
      every = 4;
      body = printRadix(size, radix);
      if (type === "X") body = body.toUpperCase();
      if (alternate) prefix = `0${type}`;
    } else if (type === "c") {
      if (size > 0x10ffffn || negative) fault("OverflowError", "%c arg not in range(0x110000)");
      body = String.fromCodePoint(Number(size));
    } else body = printInt(size);
  } else {
    const float = typeof number === "bigint" ? toFloat(number) : (number as number);
    if (type !== undefined && !/[eEfFgGn%]/.test(type)) unknown();
    negative = float < 0 || Object.is(float, -0);
    if (type === undefined && precision === undefined) {
      body = printFloat(Math.abs(float));
      if (alternate !== undefined && Number.isFinite(float)) body = withPoint(body);
    } else body = floatDigits(float, type === "n" ? "g" : (type ?? ""), precision ?? 6, alternate !== undefined);
  }
  const mark = negative ? "-" : sign === "-" ? "" : sign;
  const head = mark + prefix;
  const padded = align === "=" || (align === undefined && zero !== undefined);
  if (group !== undefined) body = grouped(body, group, every, padded && fill === "0" ? width - head.length : 0);
  if (padded) return head + repeat(fill, width - head.length - pointCount(body)) + body;
  return pad(head + body, width, fill, (align ?? ">") as ">");
}

/** Separators between groups of digits of the whole part, after zeros up to `width`. */
function grouped(body: string, separator: string, every: number, width: number): string {
  const [whole] = (every === 4 ? /^[0-9a-fA-F]*/ : /^\d*/).exec(body)!;
  const tail = body.slice(whole.length);
  const cut = (text: string): string => {
    spend(text.length);
    const groups: string[] = [];
    for (let end = text.length % every || every, from = 0; from < text.length; from = end, end += every) {
      groups.push(text.slice(from, end));
    }
    return groups.join(separator);
  };
  // n digits and their separators fill what the width leaves for them
  const room = width - tail.length;
  let n = Math.max(whole.length, Math.floor((room * every) / (every + 1)));
  while (n + Math.floor((n - 1) / every) < room) n++;
  return cut(whole.padStart(n, "0")) + tail;
}
