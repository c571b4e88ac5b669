// jinja/convert.ts — a caller's values to Python's, by copying: an object is a dict of its own keys, a whole number an int.

import { spend } from "./budget.ts";
import { fault } from "./fault.ts";
import { toNumber } from "./slices.ts";
import { Callable, Dict, Held, Tuple, Undefined, itemsOf, textOf } from "./values.ts";
import type { Value } from "./values.ts";

/** Messages and tools nest about ten deep; a value that holds itself nests for ever. */
const MAX_DEPTH = 100;

/**
 * The Value of a JavaScript value. Objects give their own enumerable keys and Maps their entries, undefined ones left out
 * as JSON leaves them out; bigints and what JavaScript writes as a whole number are int, other numbers float; functions can
 * be called.
 */
export function fromJs(value: unknown, depth = 0): Value {
  spend(2);
  if (depth > MAX_DEPTH) fault("Limit", `the values given nest deeper than ${MAX_DEPTH} levels`);
  switch (typeof value) {
    case "string":
    case "boolean":
    case "bigint":
      return value;
    case "number":
      // An int where JavaScript writes one: not -0, and no exponent.
      return Number.isInteger(value) && !Object.is(value, -0) && Math.abs(value) < 1e21 ? BigInt(value) : value;
    case "undefined":
      return null;
    case "function": {
      const given = value as (...args: unknown[]) => unknown;
      return new Callable(given.name, (args, keywords) => {
        const named =
          keywords.size > 0 ? [Object.fromEntries([...keywords].map(([key, each]) => [key, toJs(each)]))] : [];
        return fromJs(given(...args.map((each) => toJs(each)), ...named));
      });
    }
    case "object":
      break;
    default:
      return fault("TypeError", `a template cannot hold a ${typeof value}`);
  }
  if (value === null) return null;
  if (Array.isArray(value)) return Array.from(value, (each) => fromJs(each, depth + 1));
  const entries = value instanceof Map ? [...(value as Map<unknown, unknown>)] : Object.entries(value);
  const dict = new Dict();
  for (const [key, each] of entries) {
    if (each !== undefined) dict.set(fromJs(key, depth + 1), fromJs(each, depth + 1));
  }
  return dict;
}

/** A Value for a function of the caller's: dicts become objects without a prototype, ints numbers where they fit. */
function toJs(value: Value): unknown {
  spend(2);
  const text = textOf(value);
  if (text !== undefined) return text;
  if (typeof value === "bigint") return Number.isSafeInteger(toNumber(value)) ? toNumber(value) : value;
  const items = itemsOf(value);
  if (items) return items.map(toJs);
  if (value instanceof Dict) {
    const object = Object.create(null) as Record<string, unknown>;
    for (const [key, each] of value.entries()) object[textOf(key) ?? String(toJs(key))] = toJs(each);
    return object;
  }
  if (value instanceof Undefined) return undefined;
  return value instanceof Held && !(value instanceof Tuple)
    ? fault("TypeError", `a ${value.type} cannot leave the template`)
    : value;
}
