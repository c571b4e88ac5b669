// jinja/tests.ts — what may stand after `is`, and be named in select and its kin.

import { compare, contains, equal, isIterable, lengthOf, numeric } from "./compare.ts";
import { define } from "./filters/define.ts";
import type { Filter } from "./filters/define.ts";
import { FILTER_NAMES } from "./filters/names.ts";
import { binary } from "./operators.ts";
import { str } from "./print.ts";
import { isCallable } from "./runtime.ts";
import { PREDICATES } from "./text.ts";
import { Dict, DictView, Markup, Undefined, keyOf, textOf } from "./values.ts";
import type { Value } from "./values.ts";

const one = (name: string, test: (value: Value) => boolean) => define(name, ["value"], ([value]) => test(value));
const two = (names: readonly string[], test: (a: Value, b: Value) => boolean) =>
  names.map((name) => define(name, ["a", "b"], ([a, b]) => test(a, b), true));
const remainder = (value: Value, by: Value): Value => binary("%", value, by);
const isInt = (value: Value): boolean => typeof value === "bigint";

/** Whether a name is one of a table's; asking with what cannot be a key fails, as in Python. */
const named = (names: { has(name: string): boolean }) => (value: Value) => {
  keyOf(value);
  const name = textOf(value);
  return name !== undefined && names.has(name);
};

/** All tests by name. */
export const TESTS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  one("odd", (value) => equal(remainder(value, 2n), 1n)),
  one("even", (value) => equal(remainder(value, 2n), 0n)),
  define("divisibleby", ["value", "num"], ([value, by]) => equal(remainder(value, by), 0n)),
  one("defined", (value) => !(value instanceof Undefined)),
  one("undefined", (value) => value instanceof Undefined),
  one("filter", named(FILTER_NAMES)),
  one("test", named({ has: (name) => TESTS.has(name) })),
  one("none", (value) => value === null),
  one("boolean", (value) => typeof value === "boolean"),
  one("false", (value) => value === false),
  one("true", (value) => value === true),
  one("integer", isInt),
  one("float", (value) => typeof value === "number"),
  one("lower", (value) => PREDICATES["islower"](str(value))),
  one("upper", (value) => PREDICATES["isupper"](str(value))),
  one("string", (value) => textOf(value) !== undefined),
  one("mapping", (value) => value instanceof Dict),
  one("number", (value) => numeric(value) !== undefined),
  one("sequence", (value) => lengthOf(value) !== undefined && !(value instanceof DictView)),
  one("iterable", isIterable),
  one("callable", isCallable),
  define("sameas", ["value", "other"], ([value, other]) => value === other),
  one("escaped", (value) => value instanceof Markup),
  define("in", ["value", "seq"], ([value, seq]) => contains(seq, value)),
  ...two(["==", "eq", "equalto"], equal),
  ...two(["!=", "ne"], (a, b) => !equal(a, b)),
  ...two([">", "gt", "greaterthan"], (a, b) => compare(">", a, b)),
  ...two(["ge", ">="], (a, b) => compare(">=", a, b)),
  ...two(["<", "lt", "lessthan"], (a, b) => compare("<", a, b)),
  ...two(["<=", "le"], (a, b) => compare("<=", a, b)),
]);
