// jinja/compare.ts — truth, length, iteration, ==, < and in, as Python's types define them.

import { deeper, spend, spendReading } from "./budget.ts";
import { typeError } from "./fault.ts";
import { findFirst } from "./search.ts";
import { codePoints, pointCount } from "./slices.ts";
import { Dict, DictView, Iter, Markup, Range, Special, Tuple, Undefined, itemsOf, textOf, typeName } from "./values.ts";
import type { Value } from "./values.ts";

/** bool(value). */
export function truth(value: Value): boolean {
  if (typeof value === "boolean") return value;
  if (value === null) return false;
  if (typeof value === "bigint") return value !== 0n;
  if (typeof value === "number") return value !== 0;
  if (typeof value === "string") return value !== "";
  if (Array.isArray(value)) return value.length > 0;
  if (value instanceof Undefined) return false;
  if (value instanceof Markup) return value.text !== "";
  if (value instanceof Tuple) return value.items.length > 0;
  if (value instanceof Dict) return value.size > 0;
  if (value instanceof DictView) return value.dict.size > 0;
  if (value instanceof Range) return value.length > 0;
  return true;
}

/** len(value), or JavaScript's undefined for what has none. */
export function lengthOf(value: Value): number | undefined {
  const text = textOf(value);
  if (text !== undefined) return pointCount(text);
  const items = itemsOf(value);
  if (items) return items.length;
  if (value instanceof Undefined) return 0;
  if (value instanceof Dict) return value.size;
  if (value instanceof DictView) return value.dict.size;
  if (value instanceof Range) return value.length;
  if (value instanceof Special) {
    // LoopContext is the only one with a length
    const length = value.type === "LoopContext" ? value.attribute("length") : undefined;
    return length === undefined ? undefined : Number(length);
  }
  return undefined;
}

/** len(value). Throws the Fault "TypeError" for what has none. */
export function len(value: Value): bigint {
  const length = lengthOf(value);
  return length === undefined ? typeError(`object of type '${typeName(value)}' has no len()`) : BigInt(length);
}

function* rangeItems(range: Range): Generator<Value> {
  for (let i = 0; i < range.length; i++) {
    spend(4);
    yield range.at(i);
  }
}

/** The items, or JavaScript's undefined for what cannot be iterated. */
export function items(value: Value): Iterable<Value> | undefined {
  const text = textOf(value);
  if (text !== undefined) return codePoints(text);
  const list = itemsOf(value);
  if (list) return list;
  if (value instanceof Dict) return value.keys();
  if (value instanceof DictView) return value.items();
  if (value instanceof Range) return rangeItems(value);
  if (value instanceof Iter) return value;
  if (value instanceof Special && value.iterate) return value.iterate();
  return value instanceof Undefined ? [] : undefined;
}

/** Whether a value can be iterated; asks without beginning to. */
export const isIterable = (value: Value): boolean =>
  textOf(value) !== undefined ||
  itemsOf(value) !== undefined ||
  value instanceof Dict ||
  value instanceof DictView ||
  value instanceof Range ||
  value instanceof Iter ||
  value instanceof Undefined ||
  (value instanceof Special && value.iterate !== undefined);

/** iter(value). Throws the Fault "TypeError" for what cannot be iterated. */
export function iterate(value: Value): Iterable<Value> {
  return items(value) ?? typeError(`'${typeName(value)}' object is not iterable`);
}

/** list(value), each item paid for. */
export function toList(value: Value): Value[] {
  const out: Value[] = [];
  for (const item of iterate(value)) {
    spend(2);
    out.push(item);
  }
  return out;
}

/** bool, int or float as what JavaScript compares exactly, else undefined. */
export function numeric(value: Value): bigint | number | undefined {
  if (typeof value === "bigint" || typeof value === "number") return value;
  return typeof value === "boolean" ? BigInt(value) : undefined;
}

/** a == b. */
export function equal(a: Value, b: Value): boolean {
  spend(4);
  if (typeof a === "string" && typeof b === "string") return equalTexts(a, b);
  if (a === b && typeof a !== "number") return true;
  const [x, y] = [numeric(a), numeric(b)];
  // oxlint-disable-next-line eqeqeq -- the one comparison of bigint and number that is exact
  if (x !== undefined && y !== undefined) return x == y;
  const [s, t] = [textOf(a), textOf(b)];
  if (s !== undefined && t !== undefined) return equalTexts(s, t);
  if (Array.isArray(a) && Array.isArray(b)) return equalLists(a as readonly Value[], b as readonly Value[]);
  if (a instanceof Tuple && b instanceof Tuple) return equalLists(a.items, b.items);
  if (a instanceof Undefined) return b instanceof Undefined;
  if (a instanceof Dict && b instanceof Dict) {
    if (a.size !== b.size) return false;
    return deeper(() =>
      a.entries().every(([key, value]) => {
        const other = b.get(key);
        return other !== undefined && equal(value, other);
      }),
    );
  }
  if (a instanceof Range && b instanceof Range) {
    return a.length === b.length && (a.length === 0 || (a.start === b.start && (a.length === 1 || a.step === b.step)));
  }
  if (a instanceof DictView && b instanceof DictView && a.type !== "dict_values" && b.type !== "dict_values") {
    return a.dict.size === b.dict.size && a.items().every((item) => contains(b, item));
  }
  return false;
}

function equalTexts(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  spendReading(a.length);
  return a === b;
}

function equalLists(a: readonly Value[], b: readonly Value[]): boolean {
  return a.length === b.length && deeper(() => a.every((item, i) => equal(item, b[i])));
}

/** Comparison of texts by code points, which UTF-16 units misorder above the surrogates. */
export function compareText(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  spendReading(length);
  for (let i = 0; i < length; i++) {
    const [x, y] = [a.charCodeAt(i), b.charCodeAt(i)];
    if (x === y) continue;
    spend(i >> 2);
    const high = (unit: number) => (unit >= 0xd800 && unit < 0xe000 ? unit + 0x10000 : unit);
    return high(x) - high(y);
  }
  spend(length >> 2);
  return a.length - b.length;
}

/** The four order operators. */
export type Order = "<" | "<=" | ">" | ">=";

const holds = (order: Order, sign: number): boolean =>
  order === "<" ? sign < 0 : order === "<=" ? sign <= 0 : order === ">" ? sign > 0 : sign >= 0;

/** a < b and its kin. Throws the Fault "TypeError" for types that have no order. */
export function compare(order: Order, a: Value, b: Value): boolean {
  spend(2);
  const [x, y] = [numeric(a), numeric(b)];
  if (x !== undefined && y !== undefined) {
    return order === "<" ? x < y : order === "<=" ? x <= y : order === ">" ? x > y : x >= y;
  }
  const [s, t] = [textOf(a), textOf(b)];
  if (s !== undefined && t !== undefined) return holds(order, compareText(s, t));
  if (a instanceof Undefined) return a.fail();
  if (b instanceof Undefined) return b.fail();
  const [p, q] = [itemsOf(a), itemsOf(b)];
  if (p && q && Array.isArray(a) === Array.isArray(b)) {
    return deeper(() => {
      const length = Math.min(p.length, q.length);
      for (let i = 0; i < length; i++) if (!equal(p[i], q[i])) return compare(order, p[i], q[i]);
      return holds(order, p.length - q.length);
    });
  }
  if (a instanceof DictView && b instanceof DictView && a.type !== "dict_values" && b.type !== "dict_values") {
    const [large, small] = order.startsWith("<") ? [b, a] : [a, b];
    const within = small.items().every((item) => contains(large, item));
    return within && (order.length === 2 || small.dict.size < large.dict.size);
  }
  return typeError(`'${order}' not supported between instances of '${typeName(a)}' and '${typeName(b)}'`);
}

/** item in container. */
export function contains(container: Value, item: Value): boolean {
  const text = textOf(container);
  if (text !== undefined) {
    const part = textOf(item);
    if (part === undefined) typeError(`'in <string>' requires string as left operand, not ${typeName(item)}`);
    return findFirst(text, part) >= 0;
  }
  if (container instanceof Dict) return container.has(item);
  if (container instanceof DictView && container.type === "dict_keys") return container.dict.has(item);
  if (container instanceof DictView && container.type === "dict_items") {
    const pair = item instanceof Tuple && item.items.length === 2 ? item.items : undefined;
    const found = pair && container.dict.get(pair[0]);
    return found !== undefined && equal(found, pair![1]);
  }
  if (container instanceof Range) {
    const number = numeric(item);
    if (number === undefined || (typeof number === "number" && !Number.isInteger(number))) return false;
    const offset = BigInt(number) - container.start;
    const index = offset / container.step;
    return offset % container.step === 0n && index >= 0n && index < BigInt(container.length);
  }
  const all = items(container);
  if (!all) return typeError(`argument of type '${typeName(container)}' is not iterable`);
  for (const each of all) if (equal(each, item)) return true;
  return false;
}
