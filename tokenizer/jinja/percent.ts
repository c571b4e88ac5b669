// jinja/percent.ts — the operator % of texts: printf-style formatting.

import { checkLength, spend, spendReading } from "./budget.ts";
import { fault, typeError } from "./fault.ts";
import { parseFloatText, parseIntText, printInt, printRadix, toFloat, truncate } from "./numbers.ts";
import { repr, str } from "./print.ts";
import { asIndex, indexArgument, sliceText } from "./slices.ts";
import { floatDigits } from "./spec.ts";
import { asciiOnly, pad, repeat } from "./text.ts";
import { Dict, Range, Tuple, Undefined, textOf, typeName } from "./values.ts";
import type { Value } from "./values.ts";

const DIRECTIVE = /%(?:\(((?:[^()]|\([^()]*\))*)\))?([-+ #0]*)(\*|\d+)?(?:\.(\*|\d+)?)?[hlL]?(.)?/gsu;

/** How %s and %r print: str and repr, or their escaped forms where the format is marked safe. */
export interface Printers {
  readonly str: (value: Value) => string;
  readonly repr: (value: Value) => string;
}

/** What PyMapping_Check takes: whatever has items by key or index, texts and tuples aside. */
const isMapping = (value: Value): boolean =>
  value instanceof Dict || Array.isArray(value) || value instanceof Undefined || value instanceof Range;

/** text % value. */
export function percentFormat(text: string, value: Value, printers: Printers = { str, repr }): string {
  spendReading(text.length);
  // CPython's unicode_format: the arguments left, and how many were given; -1 where the value itself is the one.
  const mapping = isMapping(value) ? value : undefined;
  let given: readonly Value[] = value instanceof Tuple ? value.items : [value];
  let next = 0;
  const take = (): Value => {
    return next < given.length ? given[next++] : typeError("not enough arguments for format string");
  };
  const star = (): number => {
    const width = take();
    return asIndex(width) === undefined ? typeError("* wants int") : indexArgument(width);
  };
  let out = "";
  let from = 0;
  for (const match of text.matchAll(DIRECTIVE)) {
    spend(8);
    out += text.slice(from, match.index);
    from = match.index + match[0].length;
    const [whole, key, flags, widthText, precisionText, type] = match;
    if (whole === "%%") {
      out += "%";
      continue;
    }
    if (whole === "%(") {
      if (mapping === undefined) typeError("format requires a mapping");
      fault("ValueError", "incomplete format key");
    }
    if (key !== undefined) {
      if (mapping === undefined) typeError("format requires a mapping");
      if (!(mapping instanceof Dict)) typeError("indices must be integers or slices, not str");
      const found = mapping.get(key);
      if (found === undefined) fault("KeyError", repr(key));
      [given, next] = [[found], 0];
    }
    const wanted = widthText === "*" ? star() : Number(widthText ?? 0);
    const left = flags.includes("-") || wanted < 0;
    const width = Math.abs(wanted);
    const dotted = whole
      .slice(1 + (key === undefined ? 0 : key.length + 2) + flags.length + (widthText?.length ?? 0))
      .startsWith(".");
    let precision = dotted ? 0 : undefined;
    if (precisionText === "*") precision = Math.max(0, star());
    else if (precisionText !== undefined) precision = Number(precisionText);
    checkLength(Math.max(width, precision ?? 0));
    if (type === undefined) fault("ValueError", "incomplete format");
    const [body, numeric] = convert(take(), type, flags, precision, printers);
    const head = numeric ? /^[-+ ]?(?:0[xXo])?/.exec(body)![0] : "";
    if (left) out += pad(body, width, " ", "<");
    else if (numeric && flags.includes("0")) out += head + repeat("0", width - body.length) + body.slice(head.length);
    else out += pad(body, width, " ", ">");
    checkLength(out.length);
  }
  if (next < given.length && mapping === undefined) {
    typeError("not all arguments converted during string formatting");
  }
  return out + text.slice(from);
}

function convert(
  value: Value,
  type: string,
  flags: string,
  precision: number | undefined,
  printers: Printers,
): [string, boolean] {
  if (type === "s" || type === "r" || type === "a") {
    const text = type === "s" ? printers.str(value) : printers.repr(value);
    const plain = type === "a" ? asciiOnly(text) : text;
    return [precision === undefined ? plain : sliceText(plain, null, BigInt(precision), null), false];
  }
  if (type === "c") {
    const text = textOf(value);
    if (text !== undefined && [...text].length === 1) return [text, false];
    const code = asIndex(value);
    if (code === undefined) typeError(`%c requires an int or a unicode character, not ${typeName(value)}`);
    if (code < 0n || code > 0x10ffffn) fault("OverflowError", "%c arg not in range(0x110000)");
    return [String.fromCodePoint(Number(code)), false];
  }
  const signed = (negative: boolean) => (negative ? "-" : flags.includes("+") ? "+" : flags.includes(" ") ? " " : "");
  if (/[diuoxX]/.test(type)) {
    const whole = toInteger(value, type);
    const size = whole < 0n ? -whole : whole;
    const radix = { o: 8, x: 16, X: 16 }[type];
    let digits = radix === undefined ? printInt(size) : printRadix(size, radix);
    if (type === "X") digits = digits.toUpperCase();
    if (precision !== undefined) digits = repeat("0", precision - digits.length) + digits;
    const prefix = radix !== undefined && flags.includes("#") ? `0${type}` : "";
    return [signed(whole < 0n) + prefix + digits, true];
  }
  if (/[eEfFgG]/.test(type)) {
    const float = toNumber(value);
    const negative = float < 0 || Object.is(float, -0);
    const digits = floatDigits(Math.abs(float), type, precision ?? 6, flags.includes("#"));
    return [signed(negative) + digits, Number.isFinite(float)];
  }
  return fault("ValueError", `unsupported format character '${type}' (0x${type.codePointAt(0)!.toString(16)})`);
}

function toInteger(value: Value, type: string): bigint {
  const index = asIndex(value);
  if (index !== undefined) return index;
  if (value instanceof Undefined) return value.fail();
  if (typeof value === "number" && /[diu]/.test(type)) return truncate(value);
  const needed = /[diu]/.test(type) ? "a real number is required" : "an integer is required";
  return typeError(`%${type} format: ${needed}, not ${typeName(value)}`);
}

function toNumber(value: Value): number {
  if (typeof value === "number") return value;
  const index = asIndex(value);
  if (index !== undefined) return toFloat(index);
  if (value instanceof Undefined) return value.fail();
  return typeError(`must be real number, not ${typeName(value)}`);
}

/** int(value) as the constructor and the filter convert: undefined where Python raises ValueError or TypeError. */
export function toInt(value: Value, base: number): bigint | undefined {
  const text = textOf(value);
  if (text !== undefined) return parseIntText(text, base);
  if (value instanceof Undefined) return value.fail();
  const index = asIndex(value);
  if (index !== undefined) return index;
  return typeof value === "number" ? (Number.isNaN(value) ? undefined : truncate(value)) : undefined;
}

/** float(value) likewise. */
export function toReal(value: Value): number | undefined {
  const text = textOf(value);
  if (text !== undefined) return parseFloatText(text);
  if (value instanceof Undefined) return value.fail();
  const index = asIndex(value);
  if (index !== undefined) return toFloat(index);
  return typeof value === "number" ? value : undefined;
}
