// jinja/strmethods.ts — the methods of str, but format and format_map, which look up attributes (attributes.ts).

import { equal, iterate } from "./compare.ts";
import { fault, typeError } from "./fault.ts";
import { escape } from "./operators.ts";
import { joined, str } from "./print.ts";
import { findFirst, findLast } from "./search.ts";
import { bind, signature } from "./signature.ts";
import type { Signature } from "./signature.ts";
import { boundArgument, codePoints, indexArgument, offsetOf, pointCount, sliceIndices } from "./slices.ts";
import {
  PREDICATES,
  capitalize,
  caseFold,
  expandTabs,
  lower,
  pad,
  replaceText,
  splitLines,
  splitOn,
  splitSpace,
  strip,
  swapCase,
  title,
  upper,
  zeroFill,
} from "./text.ts";
import { spend, spendReading } from "./budget.ts";
import { truth } from "./compare.ts";
import { Dict, Markup, Tuple, textOf, typeName } from "./values.ts";
import type { Keywords, Value } from "./values.ts";

type Method = (self: string, args: readonly Value[]) => Value;

const text = (value: Value, what: string): string =>
  textOf(value) ?? typeError(`${what} must be str, not ${typeName(value)}`);
const optional = (value: Value, what: string): string | null => (value === null ? null : text(value, what));
const most = (value: Value): number => indexArgument(value);

const EDGES = ["sub", ["start", null], ["end", null]] as const;
const FILL = ["width", ["fillchar", " "]] as const;
const SPLIT = [
  ["sep", null],
  ["maxsplit", -1n],
] as const;

function fill(value: Value): string {
  const character = text(value, "The fill character");
  return pointCount(character) === 1 ? character : typeError("The fill character must be exactly one character long");
}

/** self[start:end] as find, count and startswith take it, and where it begins; undefined where the end is before the start. */
function window(self: string, start: Value, end: Value): { piece: string; first: number } | undefined {
  if (start === null && end === null) return { piece: self, first: 0 };
  const total = pointCount(self);
  const { first, end: last } = sliceIndices(total, start, end, null);
  if ((start !== null && boundArgument(start) > total) || last < first) return undefined;
  const begin = offsetOf(self, first);
  return { piece: self.slice(begin, offsetOf(self, last)), first };
}

/** Where `sub` first stands in self[start:end], in code points; -1 for nowhere. */
function find(self: string, [sub, start, end]: readonly Value[], last: boolean): number {
  const part = text(sub, "argument");
  const inside = window(self, start, end);
  if (!inside) return -1;
  const { piece, first } = inside;
  const at = last ? findLast(piece, part) : findFirst(piece, part);
  return at < 0 ? -1 : first + pointCount(piece.slice(0, at));
}

/** startswith and endswith: one text or a tuple of them. */
function edge(
  self: string,
  [given, start, end]: readonly Value[],
  name: string,
  at: "startsWith" | "endsWith",
): boolean {
  const options = (given instanceof Tuple ? given.items : [given]).map((option) => {
    const part = textOf(option);
    spend(2);
    if (part !== undefined) return part;
    return typeError(
      given instanceof Tuple
        ? `tuple for ${name} must only contain str, not ${typeName(option)}`
        : `${name} first arg must be str or a tuple of str, not ${typeName(option)}`,
    );
  });
  const inside = window(self, start, end);
  if (inside === undefined) return false;
  return options.some((part) => {
    spendReading(part.length);
    return inside.piece[at](part);
  });
}

function partition(self: string, separator: string, last: boolean): Tuple {
  if (separator === "") fault("ValueError", "empty separator");
  const at = last ? findLast(self, separator) : findFirst(self, separator);
  if (at < 0) return new Tuple(last ? ["", "", self] : [self, "", ""]);
  return new Tuple([self.slice(0, at), separator, self.slice(at + separator.length)]);
}

function translate(self: string, table: Value): string {
  if (!(table instanceof Dict)) return typeError("translate() needs a dict here");
  let out = "";
  for (const character of codePoints(self)) {
    const by = table.get(BigInt(character.codePointAt(0)!));
    if (by === undefined) out += character;
    else if (by !== null) out += typeof by === "bigint" ? String.fromCodePoint(Number(by)) : str(by);
  }
  return out;
}

const plain = (parameters: Signature["parameters"], run: Method, keywords = false) => ({ parameters, run, keywords });
const simple = (run: (self: string) => Value) => plain([], run);

const METHODS: Readonly<Record<string, { parameters: Signature["parameters"]; run: Method; keywords: boolean }>> = {
  capitalize: simple(capitalize),
  casefold: simple(caseFold),
  center: plain(FILL, (self, [width, by]) => pad(self, indexArgument(width), fill(by), "center")),
  count: plain(EDGES, (self, args) => {
    const part = text(args[0], "argument");
    const inside = window(self, args[1], args[2]);
    if (!inside) return 0n;
    return BigInt(part === "" ? pointCount(inside.piece) + 1 : splitOn(inside.piece, part, -1).length - 1);
  }),
  endswith: plain(EDGES, (self, args) => edge(self, args, "endswith", "endsWith")),
  expandtabs: plain([["tabsize", 8n]], (self, [size]) => expandTabs(self, indexArgument(size)), true),
  find: plain(EDGES, (self, args) => BigInt(find(self, args, false))),
  index: plain(EDGES, (self, args) => {
    const at = find(self, args, false);
    return at < 0 ? fault("ValueError", "substring not found") : BigInt(at);
  }),
  join: plain(["iterable"], (self, [iterable]) => {
    const texts: string[] = [];
    for (const item of iterate(iterable)) {
      const part = textOf(item);
      if (part === undefined) {
        typeError(`sequence item ${texts.length}: expected str instance, ${typeName(item)} found`);
      }
      spend(2);
      texts.push(part);
    }
    return joined(texts, self);
  }),
  ljust: plain(FILL, (self, [width, by]) => pad(self, indexArgument(width), fill(by), "<")),
  lower: simple(lower),
  lstrip: plain([["chars", null]], (self, [chars]) => strip(self, optional(chars, "lstrip arg"), "left")),
  partition: plain(["sep"], (self, [separator]) => partition(self, text(separator, "separator"), false)),
  removeprefix: plain(["prefix"], (self, [prefix]) => {
    const part = text(prefix, "removeprefix() argument");
    return self.startsWith(part) ? self.slice(part.length) : self;
  }),
  removesuffix: plain(["suffix"], (self, [suffix]) => {
    const part = text(suffix, "removesuffix() argument");
    return part !== "" && self.endsWith(part) ? self.slice(0, -part.length) : self;
  }),
  replace: plain(
    ["old", "new", ["count", -1n]],
    (self, [old, by, count]) =>
      replaceText(self, text(old, "replace() argument 1"), text(by, "replace() argument 2"), most(count)),
    true,
  ),
  rfind: plain(EDGES, (self, args) => BigInt(find(self, args, true))),
  rindex: plain(EDGES, (self, args) => {
    const at = find(self, args, true);
    return at < 0 ? fault("ValueError", "substring not found") : BigInt(at);
  }),
  rjust: plain(FILL, (self, [width, by]) => pad(self, indexArgument(width), fill(by), ">")),
  rpartition: plain(["sep"], (self, [separator]) => partition(self, text(separator, "separator"), true)),
  rsplit: plain(SPLIT, (self, [sep, cuts]) => divide(self, sep, cuts, true), true),
  rstrip: plain([["chars", null]], (self, [chars]) => strip(self, optional(chars, "rstrip arg"), "right")),
  split: plain(SPLIT, (self, [sep, cuts]) => divide(self, sep, cuts, false), true),
  splitlines: plain([["keepends", false]], (self, [keep]) => splitLines(self, truth(keep)), true),
  startswith: plain(EDGES, (self, args) => edge(self, args, "startswith", "startsWith")),
  strip: plain([["chars", null]], (self, [chars]) => strip(self, optional(chars, "strip arg"), "both")),
  swapcase: simple(swapCase),
  title: simple(title),
  translate: plain(["table"], (self, [table]) => translate(self, table)),
  upper: simple(upper),
  zfill: plain(["width"], (self, [width]) => zeroFill(self, indexArgument(width))),
  ...Object.fromEntries(Object.entries(PREDICATES).map(([name, test]) => [name, simple(test)])),
};

function divide(self: string, sep: Value, cuts: Value, fromRight: boolean): Value[] {
  const count = most(cuts);
  return sep === null ? splitSpace(self, count, fromRight) : splitOn(self, text(sep, "sep"), count, fromRight);
}

/** Whether str has such a method (but format and format_map). */
export const hasStrMethod = (name: string): boolean => Object.hasOwn(METHODS, name);

/** Calls a method of a str. The results of a marked one are marked again, and what is joined to it is escaped. */
export function callStrMethod(self: string | Markup, name: string, args: readonly Value[], keywords: Keywords): Value {
  const { parameters, run, keywords: byName } = METHODS[name];
  const bound = bind(signature(name, parameters, !byName), args, keywords);
  spendReading((typeof self === "string" ? self : self.text).length);
  if (typeof self === "string") return run(self, bound);
  const escaped = bound.map((value) => (textOf(value) === undefined ? value : escape(value)));
  if (name === "join") escaped[0] = Array.from(iterate(bound[0]), escape);
  return marked(run(self.text, escaped));
}

function marked(value: Value): Value {
  if (typeof value === "string") return new Markup(value);
  if (Array.isArray(value)) return value.map(marked);
  return value instanceof Tuple ? new Tuple(value.items.map(marked)) : value;
}

/** index of lists, tuples and ranges. Throws the Fault "ValueError" where `wanted` is not among the items. */
export function position(items: readonly Value[], wanted: Value, start: Value, stop: Value, what: string): bigint {
  const { first, count } = sliceIndices(items.length, start, stop, null);
  for (let i = first; i < first + count; i++) if (equal(items[i], wanted)) return BigInt(i);
  return fault("ValueError", `${what}.index(x): x not in ${what}`);
}
