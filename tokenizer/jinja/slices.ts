// jinja/slices.ts — indices and slices as Python counts them, over lists and over the code points of texts.

import { spend, spendReading } from "./budget.ts";
import { fault, typeError } from "./fault.ts";
import { typeName } from "./values.ts";
import type { Value } from "./values.ts";

const SURROGATE = /[\ud800-\udfff]/;

/** The characters of a text as Python sees them: code points. */
export function codePoints(text: string): string[] {
  spend(4 * text.length);
  return SURROGATE.test(text) ? [...text] : text.split("");
}

/** Number of code points. */
export function pointCount(text: string): number {
  spendReading(text.length);
  if (!SURROGATE.test(text)) return text.length;
  spend(text.length >> 2);
  let count = text.length;
  for (let i = 1; i < text.length; i++) {
    if ((text.charCodeAt(i) & 0xfc00) === 0xdc00 && (text.charCodeAt(i - 1) & 0xfc00) === 0xd800) count--;
  }
  return count;
}

/** Code point at `index` (negative from the end), or JavaScript's undefined. */
export function pointAt(text: string, index: number): string | undefined {
  spendReading(text.length);
  if (!SURROGATE.test(text)) return text[index < 0 ? text.length + index : index];
  const points = codePoints(text);
  return points[index < 0 ? points.length + index : index];
}

/** UTF-16 offset of the code point `index`, 0 ≤ index ≤ count. */
export function offsetOf(text: string, index: number): number {
  spendReading(text.length);
  if (!SURROGATE.test(text)) return index;
  spend(index >> 2);
  let offset = 0;
  for (let i = 0; i < index; i++) offset += text.codePointAt(offset)! > 0xffff ? 2 : 1;
  return offset;
}

/** An int as a JavaScript number; what does not fit becomes the nearest that does, which is far outside of every list. */
export function toNumber(value: bigint): number {
  const limit = Number.MAX_SAFE_INTEGER;
  return value > limit ? limit : value < -limit ? -limit : Number(value);
}

/** A value that Python takes as an index (int or bool), or JavaScript's undefined. */
export function asIndex(value: Value): bigint | undefined {
  if (typeof value === "bigint") return value;
  return typeof value === "boolean" ? BigInt(value) : undefined;
}

/** An int argument as a JavaScript number. Throws the Faults of Python for another type and beyond 64 bits. */
export function indexArgument(value: Value): number {
  const index = asIndex(value);
  if (index === undefined) return typeError(`'${typeName(value)}' object cannot be interpreted as an integer`);
  if (BigInt.asIntN(64, index) !== index) fault("OverflowError", "Python int too large to convert to C ssize_t");
  return toNumber(index);
}

/** An int argument that only bounds something: what is too large for an index is as good as the largest. */
export function boundArgument(value: Value): number {
  const index = asIndex(value);
  return index === undefined ? indexArgument(value) : toNumber(index);
}

/** The indices that `start:stop:step` means in a sequence of `length`: from first to before end, `count` in all. */
export function sliceIndices(length: number, start: Value, stop: Value, step: Value) {
  const bound = (value: Value): number | undefined => {
    if (value === null) return undefined;
    const index = asIndex(value);
    if (index === undefined) typeError("slice indices must be integers or None or have an __index__ method");
    return toNumber(index);
  };
  const stride = bound(step) ?? 1;
  if (stride === 0) fault("ValueError", "slice step cannot be zero");
  const [low, high] = stride > 0 ? [0, length] : [-1, length - 1];
  const clamp = (value: number | undefined, absent: number): number =>
    value === undefined ? absent : Math.min(high, Math.max(low, value < 0 ? value + length : value));
  const first = clamp(bound(start), stride > 0 ? low : high);
  const end = clamp(bound(stop), stride > 0 ? high : low);
  const count = Math.max(0, Math.ceil((end - first) / stride));
  return { first, end, count, stride };
}

/** The part of a text, by code points. */
export function sliceText(text: string, start: Value, stop: Value, step: Value): string {
  const { first, count, stride } = sliceIndices(pointCount(text), start, stop, step);
  spend(count >> 4);
  if (stride === 1) return text.slice(offsetOf(text, first), offsetOf(text, first + count));
  return pick(codePoints(text), first, count, stride).join("");
}

/** The part of a list. */
export function sliceList<T>(items: readonly T[], start: Value, stop: Value, step: Value): T[] {
  const { first, count, stride } = sliceIndices(items.length, start, stop, step);
  return pick(items, first, count, stride);
}

function pick<T>(items: readonly T[], first: number, count: number, stride: number): T[] {
  spend(2 * count);
  if (stride === 1) return items.slice(first, first + count);
  return Array.from({ length: count }, (_, i) => items[first + i * stride]);
}
