// jinja/print.ts — str() and repr().

import { checkLength, deeper, spend } from "./budget.ts";
import { printFloat, printInt } from "./numbers.ts";
import { quote } from "./text.ts";
import { Callable, Dict, DictView, Held, Markup, Namespace, Range, Special, Tuple, Undefined } from "./values.ts";
import type { Value } from "./values.ts";

/** str(value). */
export function str(value: Value): string {
  if (typeof value === "string") return value;
  if (value instanceof Markup) return value.text;
  if (value instanceof Undefined) return "";
  return repr(value);
}

/** How repr goes through a dict. */
type Entries = (dict: Dict) => readonly (readonly [Value, Value])[];
const inOrder: Entries = (dict) => dict.entries();

/**
 * repr(value). What Python prints with an address in memory is printed without one. `entries` gives the entries of dicts,
 * alone and in lists and tuples; pprint sorts them.
 */
export function repr(value: Value, entries: Entries = inOrder): string {
  spend(4);
  if (value === null) return "None";
  if (typeof value === "boolean") return value ? "True" : "False";
  if (typeof value === "bigint") return printInt(value);
  if (typeof value === "number") return printFloat(value);
  if (typeof value === "string") return quote(value);
  return deeper(() => reprOf(value, entries));
}

function reprOf(value: readonly Value[] | Held, entries: Entries): string {
  if (!(value instanceof Held)) return `[${list(value, entries)}]`;
  if (value instanceof Tuple) return `(${list(value.items, entries)}${value.items.length === 1 ? "," : ""})`;
  if (value instanceof Dict) return dict(entries(value), entries);
  if (value instanceof DictView) return `${value.type}([${list(value.items(), inOrder)}])`;
  if (value instanceof Markup) return `Markup(${quote(value.text)})`;
  if (value instanceof Undefined) return "Undefined";
  if (value instanceof Range) {
    return `range(${value.start}, ${value.stop}${value.step === 1n ? "" : `, ${value.step}`})`;
  }
  if (value instanceof Namespace) return `<Namespace ${dict([...value.attributes], inOrder)}>`;
  if (value instanceof Special) return value.print();
  if (value instanceof Callable) return value.type === "type" ? `<class '${value.name}'>` : `<function ${value.name}>`;
  return `<${value.type} object>`;
}

function list(items: readonly Value[], entries: Entries): string {
  return joined(
    items.map((item) => repr(item, entries)),
    ", ",
  );
}

function dict(pairs: readonly (readonly [Value, Value])[], entries: Entries): string {
  return `{${joined(
    pairs.map(([key, value]) => `${repr(key, entries)}: ${repr(value, entries)}`),
    ", ",
  )}}`;
}

/** Texts with `separator` between them, within the limits of budget.ts. */
export function joined(texts: readonly string[], separator: string): string {
  let length = separator.length * Math.max(0, texts.length - 1);
  for (const text of texts) length += text.length;
  checkLength(length);
  spend(texts.length + (length >> 1));
  return texts.join(separator);
}
