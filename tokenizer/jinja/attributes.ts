// jinja/attributes.ts — x.name and x[key], as the sandboxed environment looks them up: an attribute before an item after a
// dot, an item before an attribute in brackets; what is private or would change a value is undefined.

import { spend, spendReading } from "./budget.ts";
import { equal, toList } from "./compare.ts";
import { fault, typeError } from "./fault.ts";
import { formatText } from "./formatter.ts";
import { printRadix } from "./numbers.ts";
import { escape } from "./operators.ts";
import { repr, str } from "./print.ts";
import { bind, signature } from "./signature.ts";
import { asIndex, pointAt, sliceIndices, sliceList, sliceText, toNumber } from "./slices.ts";
import { formatValue } from "./spec.ts";
import { callStrMethod, hasStrMethod, position } from "./strmethods.ts";
import {
  Callable,
  Dict,
  DictView,
  Group,
  Markup,
  Namespace,
  Range,
  Special,
  Tuple,
  Undefined,
  itemsOf,
  typeName,
} from "./values.ts";
import type { Keywords, Value } from "./values.ts";

const MUTATORS: Readonly<Record<string, ReadonlySet<string>>> = {
  list: new Set(["append", "clear", "extend", "insert", "pop", "remove", "reverse", "sort"]),
  dict: new Set(["clear", "pop", "popitem", "setdefault", "update"]),
};
/** Private attributes that every object of Python has; others that begin with an underscore do not exist. */
const PRIVATE = new Set(
  ("class delattr dir doc eq format ge getattribute getstate gt hash init init_subclass le lt ne new reduce reduce_ex repr " +
    "setattr sizeof str subclasshook").split(" ").map((name) => `__${name}__`), // prettier-ignore
);
/** Private ones of everything that has items. */
const PRIVATE_OF_CONTAINERS = new Set(["__len__", "__getitem__", "__contains__", "__iter__"]);

type Run = (args: readonly Value[], keywords: Keywords) => Value;
const method = (name: string, parameters: Parameters<typeof signature>[1], run: (args: Value[]) => Value): Callable => {
  const known = signature(name, parameters, true);
  return new Callable(name, (args, keywords) => run(bind(known, args, keywords)));
};

/** The methods and attributes that a template may use of a value, or JavaScript's undefined. */
function attributeOf(value: Value, name: string): Value | undefined {
  if (typeof value === "string" || value instanceof Markup) return ofText(value, name);
  if (value === null) return undefined;
  if (typeof value === "bigint" || typeof value === "boolean") return ofInt(BigInt(value), name);
  if (typeof value === "number") return ofFloat(value, name);
  if (Array.isArray(value)) return ofList(value as readonly Value[], name, "list");
  if (value instanceof Group && (name === "grouper" || name === "list")) return value.items[name === "list" ? 1 : 0];
  if (value instanceof Tuple) return ofList(value.items, name, "tuple");
  if (value instanceof Dict) return ofDict(value, name);
  if (value instanceof Namespace) return value.attributes.get(name);
  if (value instanceof Special) return value.attribute(name);
  if (value instanceof Range) return ofRange(value, name);
  if (value instanceof DictView && name === "mapping") return value.dict;
  return undefined;
}

function ofText(self: string | Markup, name: string): Value | undefined {
  if (name === "format" || name === "format_map") {
    const text = typeof self === "string" ? self : self.text;
    const print = (value: Value, spec: string) =>
      typeof self === "string"
        ? formatValue(value, spec)
        : escape(value instanceof Markup ? value : formatValue(value, spec)).text;
    const run: Run = (args, keywords) => {
      const named = name === "format" ? undefined : args[0];
      if (name === "format_map" && (args.length !== 1 || keywords.size > 0)) {
        typeError(`format_map() takes exactly one argument (${args.length} given)`);
      }
      const find = (key: string): Value => {
        const found = named === undefined ? keywords.get(key) : subscript(named, key);
        return found === undefined ? fault("KeyError", repr(key)) : found;
      };
      const out = formatText(text, named === undefined ? args : [], find, { attribute, item, print });
      return typeof self === "string" ? out : new Markup(out);
    };
    return new Callable(name, run);
  }
  if (name === "encode")
    return new Callable(name, () => typeError("encode() gives bytes, which this engine does not have"));
  if (!hasStrMethod(name)) return undefined;
  return new Callable(name, (args, keywords) => callStrMethod(self, name, args, keywords));
}

function ofList(items: readonly Value[], name: string, type: string): Value | undefined {
  if (name === "index") {
    return method(name, ["value", ["start", 0n], ["stop", null]], ([wanted, start, stop]) =>
      position(items, wanted, start, stop, type),
    );
  }
  if (name === "count") {
    return method(name, ["value"], ([wanted]) => BigInt(items.filter((item) => equal(item, wanted)).length));
  }
  if (name === "copy" && type === "list") return method(name, [], () => sliceList(items, null, null, null));
  return undefined;
}

function ofDict(dict: Dict, name: string): Value | undefined {
  switch (name) {
    case "get":
      return method(name, ["key", ["default", null]], ([key, fallback]) => {
        const found = dict.get(key);
        return found === undefined ? fallback : found;
      });
    case "keys":
    case "values":
    case "items":
      return method(name, [], () => new DictView(`dict_${name}`, dict));
    case "copy":
      return method(name, [], () => {
        spend(8 * dict.size);
        return new Dict(dict.entries());
      });
    case "fromkeys":
      return method(name, ["iterable", ["value", null]], ([keys, value]) => {
        const names = toList(keys);
        spend(8 * names.length);
        return new Dict(names.map((key) => [key, value] as const));
      });
  }
  return undefined;
}

function ofInt(value: bigint, name: string): Value | undefined {
  const size = value < 0n ? -value : value;
  switch (name) {
    case "real":
    case "numerator":
      return value;
    case "imag":
      return 0n;
    case "denominator":
      return 1n;
    case "bit_length":
      return method(name, [], () => (value === 0n ? 0n : BigInt(printRadix(size, 2).length)));
    case "bit_count":
      return method(name, [], () => BigInt(printRadix(size, 2).replaceAll("0", "").length));
    case "conjugate":
      return method(name, [], () => value);
    case "is_integer":
      return method(name, [], () => true);
    case "as_integer_ratio":
      return method(name, [], () => new Tuple([value, 1n]));
  }
  return undefined;
}

function ofFloat(value: number, name: string): Value | undefined {
  if (name === "real") return value;
  if (name === "imag") return 0;
  if (name === "conjugate") return method(name, [], () => value);
  return name === "is_integer" ? method(name, [], () => Number.isInteger(value)) : undefined;
}

function ofRange(range: Range, name: string): Value | undefined {
  if (name === "start" || name === "stop" || name === "step") return range[name];
  return name === "index" || name === "count" ? ofList(toList(range), name, "range") : undefined;
}

const isPrivate = (value: Value, name: string): boolean =>
  PRIVATE.has(name) ||
  (PRIVATE_OF_CONTAINERS.has(name) &&
    (itemsOf(value) !== undefined || value instanceof Dict || typeof value === "string"));

const missing = (value: Value, key: Value): Undefined =>
  new Undefined(() => {
    if (value === null)
      return typeof key === "string" ? `'None' has no attribute ${repr(key)}` : `None has no element ${repr(key)}`;
    const owner = `${typeName(value)} object`;
    return typeof key === "string"
      ? `'${owner}' has no attribute ${repr(key)}`
      : `${owner} has no element ${repr(key)}`;
  });

/** The attribute as the sandbox gives it out, or JavaScript's undefined where the value has none of that name. */
function safeAttribute(value: Value, name: string): Value | undefined {
  spendReading(name.length);
  const forbidden = (): Value =>
    new Undefined(() => `access to attribute ${repr(name)} of '${typeName(value)}' object is unsafe.`, "SecurityError");
  const type = Array.isArray(value) ? "list" : value instanceof Dict ? "dict" : undefined;
  if (type !== undefined && MUTATORS[type].has(name)) return forbidden();
  if (name.startsWith("_")) {
    if (isPrivate(value, name) || (value instanceof Namespace && value.attributes.has(name))) return forbidden();
    return undefined;
  }
  return attributeOf(value, name);
}

/** value.name: the attribute, else the item of that name, else undefined. Throws the Fault of an undefined value. */
export function attribute(value: Value, name: string): Value {
  spend(2);
  if (value instanceof Undefined) return value.fail();
  const own = safeAttribute(value, name);
  if (own !== undefined) return own;
  const found = subscript(value, name);
  return found === undefined ? missing(value, name) : found;
}

/** value[key]: the item, else the attribute of that name, else undefined. Throws the Fault of an undefined value. */
export function item(value: Value, key: Value): Value {
  spend(2);
  if (value instanceof Undefined) return value.fail();
  const found = subscript(value, key);
  if (found !== undefined) return found;
  const name = typeof key === "string" ? key : key instanceof Markup ? key.text : undefined;
  const own = name === undefined ? undefined : safeAttribute(value, name);
  return own === undefined ? missing(value, key) : own;
}

/** The attribute alone, as the filter attr takes it: undefined where there is none, even if there is such an item. */
export function onlyAttribute(value: Value, name: string): Value {
  if (value instanceof Undefined) return value.fail();
  const own = safeAttribute(value, name);
  return own === undefined ? missing(value, name) : own;
}

/** The item of a key or index, or JavaScript's undefined where Python raises LookupError or TypeError. */
function subscript(value: Value, key: Value): Value | undefined {
  if (value instanceof Dict) {
    const hashable = !(Array.isArray(key) || key instanceof Dict || key instanceof DictView);
    return hashable ? value.get(key) : undefined;
  }
  const index = asIndex(key);
  if (index === undefined) return undefined;
  const at = toNumber(index);
  if (typeof value === "string") return pointAt(value, at);
  if (value instanceof Markup) {
    const point = pointAt(value.text, at);
    return point === undefined ? undefined : new Markup(point);
  }
  const items = itemsOf(value);
  if (items) return items[at < 0 ? items.length + at : at];
  if (!(value instanceof Range)) return undefined;
  const place = at < 0 ? value.length + at : at;
  return place >= 0 && place < value.length ? value.at(place) : undefined;
}

/** value[start:stop:step], undefined for what cannot be sliced. */
export function sliceOrUndefined(value: Value, start: Value, stop: Value, step: Value): Value {
  const fine = typeof value === "string" || value instanceof Markup || itemsOf(value) || value instanceof Range;
  if (fine || value instanceof Undefined) return slice(value, start, stop, step);
  return missing(value, `slice(${str(start)}, ${str(stop)}, ${str(step)})`);
}

/** value[start:stop:step]. Throws the Fault "TypeError" for what cannot be sliced. */
export function slice(value: Value, start: Value, stop: Value, step: Value): Value {
  if (typeof value === "string") return sliceText(value, start, stop, step);
  if (value instanceof Markup) return new Markup(sliceText(value.text, start, stop, step));
  if (Array.isArray(value)) return sliceList(value as readonly Value[], start, stop, step);
  if (value instanceof Tuple) return new Tuple(sliceList(value.items, start, stop, step));
  if (value instanceof Range) {
    const { first, end, stride } = sliceIndices(value.length, start, stop, step);
    return new Range(value.at(first), value.at(end), value.step * BigInt(stride));
  }
  if (value instanceof Undefined) return value.fail();
  if (value instanceof Dict) return fault("KeyError", `slice(${str(start)}, ${str(stop)}, ${str(step)})`);
  return typeError(`'${typeName(value)}' object is not subscriptable`);
}
