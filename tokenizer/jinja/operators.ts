// jinja/operators.ts — + - * / // % ** and the signs, by Python's types.

import { checkLength, spend } from "./budget.ts";
import { numeric } from "./compare.ts";
import { typeError } from "./fault.ts";
import { divideInt, divmodFloat, divmodInt, multiplyInt, paidInt, powerFloat, powerInt, toFloat } from "./numbers.ts";
import { percentFormat } from "./percent.ts";
import { repr, str } from "./print.ts";
import { asIndex, toNumber } from "./slices.ts";
import { repeat } from "./text.ts";
import { Dict, DictView, Markup, Tuple, Undefined, itemsOf, textOf, typeName } from "./values.ts";
import type { Value } from "./values.ts";

/** The binary operators of arithmetic. */
export type Operator = "+" | "-" | "*" | "/" | "//" | "%" | "**";

const ESCAPES: Readonly<Record<string, string>> = {
  "&": "&amp;",
  "<": "&lt;",
  ">": "&gt;",
  "'": "&#39;",
  '"': "&#34;",
};

/** markupsafe.escape: what is marked safe stays as it is. */
export function escape(value: Value): Markup {
  if (value instanceof Markup) return value;
  const text = str(value);
  spend(2 * text.length);
  const escaped = text.replace(/[&<>'"]/g, (character) => ESCAPES[character]);
  checkLength(escaped.length);
  return new Markup(escaped);
}

/** A marked format: what goes in is escaped. */
export function formatMarkup(format: Markup, value: Value): Markup {
  return new Markup(
    percentFormat(format.text, value, {
      str: (each) => escape(each).text,
      repr: (each) => escape(repr(each)).text,
    }),
  );
}

/** left operator right. */
export function binary(operator: Operator, left: Value, right: Value): Value {
  spend(2);
  if (operator === "+" && typeof left === "string" && typeof right === "string") return concatenate(left, right);
  const [a, b] = [numeric(left), numeric(right)];
  if (a !== undefined && b !== undefined) {
    return typeof a === "bigint" && typeof b === "bigint"
      ? ofInts(operator, a, b)
      : ofFloats(operator, typeof a === "bigint" ? toFloat(a) : a, typeof b === "bigint" ? toFloat(b) : b);
  }
  if (operator === "%") {
    if (typeof left === "string") return percentFormat(left, right);
    if (left instanceof Markup) return formatMarkup(left, right);
  }
  if (left instanceof Undefined) return left.fail();
  if (right instanceof Undefined) return right.fail();
  if (operator === "+") return add(left, right);
  if (operator === "*") {
    const product = times(left, right) ?? times(right, left);
    if (product !== undefined) return product;
  }
  if (operator === "-" && isSet(left) && isSet(right)) {
    typeError("a difference of dict views is a set, which this engine does not have; use reject");
  }
  return typeError(
    `unsupported operand type(s) for ${spelling(operator)}: '${typeName(left)}' and '${typeName(right)}'`,
  );
}

const spelling = (operator: Operator): string => (operator === "**" ? "** or pow()" : operator);
const isSet = (value: Value): boolean => value instanceof DictView && value.type !== "dict_values";

function concatenate(a: string, b: string): string {
  checkLength(a.length + b.length);
  return a + b;
}

function add(left: Value, right: Value): Value {
  const [s, t] = [textOf(left), textOf(right)];
  if (s !== undefined && t !== undefined) return new Markup(concatenate(escape(left).text, escape(right).text));
  if (Array.isArray(left) && Array.isArray(right))
    return joinLists(left as readonly Value[], right as readonly Value[]);
  if (left instanceof Tuple && right instanceof Tuple) return new Tuple(joinLists(left.items, right.items));
  if (typeof left === "string" || Array.isArray(left) || left instanceof Tuple) {
    const type = typeName(left);
    typeError(`can only concatenate ${type} (not "${typeName(right)}") to ${type}`);
  }
  return typeError(`unsupported operand type(s) for +: '${typeName(left)}' and '${typeName(right)}'`);
}

function joinLists(a: readonly Value[], b: readonly Value[]): Value[] {
  spend(2 * (a.length + b.length));
  return [...a, ...b];
}

/** sequence * count, or undefined where these are not a sequence and an int. */
function times(sequence: Value, by: Value): Value | undefined {
  const index = asIndex(by);
  if (index === undefined) {
    if (textOf(sequence) === undefined && itemsOf(sequence) === undefined) return undefined;
    if (itemsOf(by) ?? textOf(by)) return typeError(`can't multiply sequence by non-int of type '${typeName(by)}'`);
    return by === null || typeof by === "number" || by instanceof Dict
      ? typeError(`can't multiply sequence by non-int of type '${typeName(by)}'`)
      : undefined;
  }
  const count = toNumber(index);
  const text = textOf(sequence);
  if (text !== undefined) {
    const product = repeat(text, count);
    return sequence instanceof Markup ? new Markup(product) : product;
  }
  const items = itemsOf(sequence);
  if (!items) return undefined;
  spend(2 * items.length * Math.max(0, count));
  const product = count > 0 && items.length > 0 ? Array.from({ length: count }, () => items).flat(1) : [];
  return Array.isArray(sequence) ? product : new Tuple(product);
}

function ofInts(operator: Operator, a: bigint, b: bigint): Value {
  switch (operator) {
    case "+":
      return paidInt(a + b);
    case "-":
      return paidInt(a - b);
    case "*":
      return multiplyInt(a, b);
    case "/":
      return divideInt(a, b);
    case "//":
      return divmodInt(a, b, "integer division or modulo by zero")[0];
    case "%":
      return divmodInt(a, b, "integer modulo by zero")[1];
    case "**":
      return powerInt(a, b);
  }
}

function ofFloats(operator: Operator, a: number, b: number): Value {
  switch (operator) {
    case "+":
      return a + b;
    case "-":
      return a - b;
    case "*":
      return a * b;
    case "/":
      return b === 0 ? divmodFloat(a, b, "float division by zero")[0] : a / b;
    case "//":
      return divmodFloat(a, b, "float floor division by zero")[0];
    case "%":
      return divmodFloat(a, b, "float modulo by zero")[1];
    case "**":
      return powerFloat(a, b);
  }
}

/** -value and +value. */
export function sign(operator: "+" | "-", value: Value): Value {
  const number = numeric(value);
  if (typeof number === "bigint") return operator === "-" ? paidInt(-number) : number;
  if (number !== undefined) return operator === "-" ? -number : number;
  if (value instanceof Undefined) return value.fail();
  return typeError(`bad operand type for unary ${operator}: '${typeName(value)}'`);
}

/** Sum of items after `start`, as the builtin sum adds them; it refuses to join texts. */
export function sum(items: Iterable<Value>, start: Value): Value {
  if (textOf(start) !== undefined) typeError("sum() can't sum strings [use ''.join(seq) instead]");
  let total = start;
  // Once the total is a float, floats are added with Neumaier's compensation, as Python does since 3.12.
  let phase: "int" | "float" | "any" = typeof start === "bigint" ? "int" : typeof start === "number" ? "float" : "any";
  let lost = 0;
  const settle = (): void => {
    if (lost !== 0 && Number.isFinite(lost)) total = (total as number) + lost;
    lost = 0;
  };
  for (const item of items) {
    spend(2);
    const number = numeric(item);
    if (phase === "float" && number !== undefined) {
      const before = total as number;
      const x = typeof number === "bigint" ? toFloat(number) : number;
      const after = before + x;
      if (typeof number === "number") lost += Math.abs(before) >= Math.abs(x) ? before - after + x : x - after + before;
      total = after;
      continue;
    }
    if (phase === "float") {
      settle();
      phase = "any";
    }
    total = binary("+", total, item);
    if (phase === "int" && typeof total !== "bigint") phase = typeof total === "number" ? "float" : "any";
  }
  settle();
  return total;
}
