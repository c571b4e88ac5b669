// jinja/filters/sequence.ts — filters over lists and what else can be iterated.

import { onlyAttribute } from "../attributes.ts";
import { spend } from "../budget.ts";
import { compare, equal, iterate, len, toList, truth } from "../compare.ts";
import { fault, typeError } from "../fault.ts";
import { binary, sum } from "../operators.ts";
import { joined, str } from "../print.ts";
import { indexArgument } from "../slices.ts";
import { escape } from "../operators.ts";
import { Dict, DictView, Iter, Markup, Range, Undefined, itemsOf, textOf, typeName } from "../values.ts";
import type { Value } from "../values.ts";
import { attributeGetter, define, needText } from "./define.ts";

const lazily = (make: () => Generator<Value>): Iter => new Iter(make());

/** reversed(value), or JavaScript's undefined for what has no reverse. */
function reversed(value: Value): { items: Value[]; type: string } | undefined {
  const type = { list: "list_reverseiterator", dict: "dict_reversekeyiterator", range: "range_iterator" }[
    typeName(value)
  ];
  const fine = itemsOf(value) ?? textOf(value);
  if (
    fine === undefined &&
    !(value instanceof Dict || value instanceof DictView || value instanceof Range || value instanceof Undefined)
  ) {
    return undefined;
  }
  if (value instanceof Undefined) return { items: [], type: "reversed" };
  return { items: toList(value).reverse(), type: type ?? "reversed" };
}

/** The filters of this file. */
export const SEQUENCE_FILTERS = [
  define("length", ["obj"], ([value]) => len(value), true),
  define("count", ["obj"], ([value]) => len(value), true),
  define("list", ["value"], ([value]) => toList(value)),
  define("first", ["seq"], ([seq]) => {
    const next = iterate(seq)[Symbol.iterator]().next();
    return next.done ? new Undefined(() => "No first item, sequence was empty.") : next.value;
  }),
  define("last", ["seq"], ([seq]) => {
    const back = reversed(seq) ?? typeError(`'${typeName(seq)}' object is not reversible`);
    return back.items.length === 0 ? new Undefined(() => "No last item, sequence was empty.") : back.items[0];
  }),
  define("random", ["seq"], ([seq]) => {
    const count = Number(len(seq));
    const items =
      Array.isArray(seq) || textOf(seq) !== undefined || itemsOf(seq) || seq instanceof Range ? toList(seq) : undefined;
    if (count === 0) return new Undefined(() => "No random item, sequence was empty.");
    if (!items) return typeError(`'${typeName(seq)}' object is not subscriptable`);
    return items[Math.floor(Math.random() * count)];
  }),
  define("reverse", ["value"], ([value]) => {
    const text = textOf(value);
    const back = reversed(value);
    if (text !== undefined) {
      const turned = joined(back!.items as string[], "");
      return value instanceof Markup ? new Markup(turned) : turned;
    }
    if (back) return new Iter(back.items, back.type);
    if (!(value instanceof Iter)) return fault("FilterArgumentError", "argument must be iterable");
    return toList(value).reverse();
  }),
  define("join", ["value", ["d", ""], ["attribute", null]], ([value, separator, attribute], { autoescape }) => {
    const get = attributeGetter(attribute);
    const texts: Value[] = [];
    for (const each of iterate(value)) {
      spend(4);
      texts.push(attribute === null ? each : get(each));
    }
    if (!autoescape) return joined(texts.map(str), str(separator));
    const marked = separator instanceof Markup;
    const escapes = marked || texts.some((each) => each instanceof Markup);
    const shown = (each: Value) => (escapes ? escape(each).text : str(each));
    const text = joined(texts.map(shown), shown(separator));
    return escapes ? new Markup(text) : text;
  }),
  define("sum", ["iterable", ["attribute", null], ["start", 0n]], ([iterable, attribute, start]) => {
    const get = attributeGetter(attribute);
    const items = toList(iterable);
    return sum(attribute === null ? items : items.map(get), start);
  }),
  define("batch", ["value", "linecount", ["fill_with", null]], ([value, count, fill]) => {
    return lazily(function* batches() {
      let batch: Value[] = [];
      for (const each of iterate(value)) {
        spend(2);
        if (equal(BigInt(batch.length), count)) {
          spend(16);
          yield batch;
          batch = [];
        }
        batch.push(each);
      }
      if (batch.length === 0) return;
      if (fill !== null && compare("<", BigInt(batch.length), count)) {
        const missing = indexArgument(binary("-", count, BigInt(batch.length)));
        spend(2 * missing);
        batch = [...batch, ...Array.from({ length: missing }, () => fill)];
      }
      yield batch;
    });
  }),
  define("slice", ["value", "slices", ["fill_with", null]], ([value, count, fill]) => {
    return lazily(function* slices() {
      const items = toList(value);
      const number = indexArgument(count);
      if (number === 0) fault("ZeroDivisionError", "integer division or modulo by zero");
      const size = Math.floor(items.length / number);
      const extra = items.length - size * number;
      let offset = 0;
      for (let i = 0; i < number; i++) {
        spend(16 + 2 * size);
        const start = offset + i * size;
        if (i < extra) offset++;
        const part = items.slice(start, offset + (i + 1) * size);
        yield fill !== null && i >= extra ? [...part, fill] : part;
      }
    });
  }),
  define("items", ["value"], ([value]) => {
    return lazily(function* entries() {
      if (value instanceof Undefined) return;
      if (!(value instanceof Dict)) return typeError("Can only get item pairs from a mapping.");
      yield* new DictView("dict_items", value).items();
    });
  }),
  define("attr", ["obj", "name"], ([value, name]) => onlyAttribute(value, needText(name, "attr"))),
  define("default", ["value", ["default_value", ""], ["boolean", false]], defaultValue),
  define("d", ["value", ["default_value", ""], ["boolean", false]], defaultValue),
];

function defaultValue([value, fallback, boolean]: readonly Value[]): Value {
  return value instanceof Undefined || (truth(boolean) && !truth(value)) ? fallback : value;
}
