// jinja/values.ts — Python's values in JavaScript.
//
//     None null · bool boolean · int bigint · float number · str string · list Array · everything else a class below
//
// So 1 and 1.0 stay apart, integers have any size, and typeof says which operator is meant. Nothing here is an object of
// the caller: what comes in is copied (convert.ts), so that a template can neither reach nor change it.

import { checkLength, spend, spendReading, spendText } from "./budget.ts";
import { fault } from "./fault.ts";
import type { FaultKind } from "./fault.ts";

/** Any value a template can hold. */
export type Value = null | boolean | bigint | number | string | readonly Value[] | Held;

/** Keyword arguments of a call. */
export type Keywords = ReadonlyMap<string, Value>;

/** What an empty dict, a namespace or a generator costs: some 300 bytes, which a template may make and keep. */
const OBJECT = 32;

/** Values of a class of their own. */
export abstract class Held {
  /** Python's name of the type. */
  abstract readonly type: string;
}

/** A tuple. */
export class Tuple extends Held {
  readonly type = "tuple";
  readonly items: readonly Value[];

  constructor(items: readonly Value[]) {
    super();
    this.items = items;
  }
}

/** What the filter groupby gives: a tuple whose two items have names. */
export class Group extends Tuple {}

/** A str that is marked as safe HTML: whatever is joined to it is escaped. */
export class Markup extends Held {
  readonly type = "Markup";
  readonly text: string;

  constructor(text: string) {
    super();
    this.text = text;
  }
}

/** What a name without a value gives: prints nothing, is empty and false, and fails at everything else. */
export class Undefined extends Held {
  readonly type = "Undefined";
  readonly #message: () => string;
  readonly #kind: FaultKind;

  /** `message` is made only when somebody uses the value. */
  constructor(message: () => string, kind: FaultKind = "UndefinedError") {
    super();
    spend(8);
    this.#message = message;
    this.#kind = kind;
  }

  /** Throws the Fault that using it is. */
  fail(): never {
    return fault(this.#kind, this.#message());
  }
}

/** A key as Map compares it: 1, 1.0 and True are one key, as in Python. */
export type Key = null | string | number | object;

/** Marks texts that stand for other values; a text that begins with it gets it twice. */
const MARK = "\u0000";

/** The key of a value in a dict or set. Throws the Fault "TypeError" for what Python cannot hash. */
export function keyOf(value: Value): Key {
  if (typeof value === "string") {
    spendReading(value.length);
    return value.startsWith(MARK) ? MARK + value : value;
  }
  if (typeof value === "boolean") return Number(value);
  if (typeof value === "bigint") return intKey(value);
  if (typeof value === "number") {
    return Number.isInteger(value) && !Number.isSafeInteger(value) ? intKey(BigInt(value)) : value;
  }
  if (value === null) return null;
  if (value instanceof Markup) return keyOf(value.text);
  if (value instanceof Tuple) return tupleKey(value.items);
  if (value instanceof Range) return rangeKey(value);
  if (value instanceof Undefined) return Undefined;
  if (Array.isArray(value)) return fault("TypeError", "unhashable type: 'list'");
  if (value instanceof Dict || value instanceof DictView) {
    return fault("TypeError", `unhashable type: '${(value as Held).type}'`);
  }
  return value;
}

/** Large ints are texts: a Map of bigints finds them by their last 64 bits alone, which a template can make equal. */
function intKey(value: bigint): string | number {
  if (value >= Number.MIN_SAFE_INTEGER && value <= Number.MAX_SAFE_INTEGER) return Number(value);
  const digits = value.toString(16);
  spend(digits.length >> 2);
  return `${MARK}int ${digits}`;
}

/** Ranges with the same items are one key: a start counts if there are any, a step if there are two. */
function rangeKey({ start, step, length }: Range): string {
  const parts = [BigInt(length), start, step].slice(0, 1 + Math.min(length, 2));
  return `${MARK}range ${parts.map(intKey).join(" ")}`;
}

const numbers = new WeakMap<object, number>();
let last = 0;

/** A key within a tuple's key, so that no two tuples have the same: its length goes before a text. */
function describeKey(key: Key): string {
  if (key === null) return "None";
  if (typeof key === "string") return `${key.length}:${key}`;
  if (typeof key !== "object" && typeof key !== "function") return String(key);
  const number = numbers.get(key) ?? ++last;
  numbers.set(key, number);
  return `#${number}`;
}

function tupleKey(items: readonly Value[]): string {
  let key = `${MARK}(`;
  for (const item of items) {
    spend(8);
    key += `${describeKey(keyOf(item))},`;
    spendText(key.length >> 2);
    checkLength(key.length);
  }
  return key;
}

/** A dict: keeps the order of insertion, and of equal keys the first with the last value. */
export class Dict extends Held {
  readonly type = "dict";
  readonly #entries = new Map<Key, { readonly key: Value; value: Value }>();

  constructor(entries: Iterable<readonly [Value, Value]> = []) {
    super();
    spend(OBJECT);
    for (const [key, value] of entries) this.set(key, value);
  }

  get size(): number {
    return this.#entries.size;
  }

  /** The value of a key, or JavaScript's undefined. Throws for a key that cannot be hashed. */
  get(key: Value): Value | undefined {
    return this.#entries.get(keyOf(key))?.value;
  }

  has(key: Value): boolean {
    return this.#entries.has(keyOf(key));
  }

  /** Only for who makes the dict, or assigns to an attribute of it. */
  set(key: Value, value: Value): void {
    const id = keyOf(key);
    const entry = this.#entries.get(id);
    if (entry) entry.value = value;
    else this.#entries.set(id, { key, value });
  }

  keys(): Value[] {
    spend(2 * this.size);
    return Array.from(this.#entries.values(), ({ key }) => key);
  }

  values(): Value[] {
    spend(2 * this.size);
    return Array.from(this.#entries.values(), ({ value }) => value);
  }

  entries(): [Value, Value][] {
    spend(4 * this.size);
    return Array.from(this.#entries.values(), ({ key, value }) => [key, value]);
  }
}

/** What keys(), values() and items() of a dict give. */
export class DictView extends Held {
  readonly type: "dict_keys" | "dict_values" | "dict_items";
  readonly dict: Dict;

  constructor(type: DictView["type"], dict: Dict) {
    super();
    this.type = type;
    this.dict = dict;
  }

  /** Its items now. */
  items(): Value[] {
    if (this.type === "dict_keys") return this.dict.keys();
    if (this.type === "dict_values") return this.dict.values();
    spend(4 * this.dict.size);
    return this.dict.entries().map((entry) => new Tuple(entry));
  }
}

/** range(start, stop, step). */
export class Range extends Held {
  readonly type = "range";
  readonly start: bigint;
  readonly stop: bigint;
  readonly step: bigint;
  readonly length: number;

  constructor(start: bigint, stop: bigint, step: bigint) {
    super();
    if (step === 0n) fault("ValueError", "range() arg 3 must not be zero");
    [this.start, this.stop, this.step] = [start, stop, step];
    const span = step > 0n ? stop - start : start - stop;
    const stride = step > 0n ? step : -step;
    this.length = span <= 0n ? 0 : Number((span + stride - 1n) / stride);
  }

  /** The item at `index`, 0 ≤ index < length. */
  at(index: number): bigint {
    return this.start + BigInt(index) * this.step;
  }
}

/** A generator or another thing that gives its items once. */
export class Iter extends Held {
  readonly type: string;
  readonly #iterator: Iterator<Value>;

  constructor(items: Iterable<Value>, type = "generator") {
    super();
    spend(OBJECT);
    this.type = type;
    this.#iterator = items[Symbol.iterator]();
  }

  /** Without `return`, so that a loop that breaks leaves the rest for the next one, as in Python. */
  [Symbol.iterator](): Iterator<Value> & Iterable<Value> {
    const next = () => this.#iterator.next();
    return { next, [Symbol.iterator]: () => this[Symbol.iterator]() };
  }
}

/** namespace(…): the one value whose attributes a template may set. */
export class Namespace extends Held {
  readonly type = "Namespace";
  readonly attributes = new Map<string, Value>();

  constructor() {
    super();
    spend(OBJECT);
  }
}

/** An object of Jinja's with attributes that are computed when asked for (loop, macros, cycler). */
export abstract class Special extends Held {
  /** The attribute, or JavaScript's undefined. */
  abstract attribute(name: string): Value | undefined;
  /** What str() and repr() print. */
  abstract print(): string;
  /** Calls it, where it can be called. */
  invoke?(args: readonly Value[], keywords: Keywords): Value;
  /** Its items, where it can be iterated. */
  iterate?(): Iterable<Value>;
}

/** Something a template can call. */
export class Callable extends Held {
  readonly type: string;
  readonly name: string;
  readonly invoke: (args: readonly Value[], keywords: Keywords) => Value;

  constructor(name: string, invoke: Callable["invoke"], type = "builtin_function_or_method") {
    super();
    spend(12);
    this.name = name;
    this.invoke = invoke;
    this.type = type;
  }
}

/** Python's name of a value's type. */
export function typeName(value: Value): string {
  if (value === null) return "NoneType";
  if (typeof value === "boolean") return "bool";
  if (typeof value === "bigint") return "int";
  if (typeof value === "number") return "float";
  if (typeof value === "string") return "str";
  return Array.isArray(value) ? "list" : (value as Held).type;
}

/** The text of a str (marked or not), else JavaScript's undefined. */
export function textOf(value: Value): string | undefined {
  return typeof value === "string" ? value : value instanceof Markup ? value.text : undefined;
}

/** Items of a list or tuple, else JavaScript's undefined. */
export function itemsOf(value: Value): readonly Value[] | undefined {
  return Array.isArray(value) ? value : value instanceof Tuple ? value.items : undefined;
}
