// jinja/filters/order.ts — filters that compare: sort, dictsort, groupby, unique, min, max.

import { spend } from "../budget.ts";
import { compare, iterate, toList, truth } from "../compare.ts";
import { fault } from "../fault.ts";
import { Dict, Group, Iter, Tuple, Undefined, keyOf, typeName } from "../values.ts";
import type { Key, Value } from "../values.ts";
import { equal } from "../compare.ts";
import { attributeGetter, define, ignoreCase } from "./define.ts";

/** Python's sorted: stable, by < alone; reversed it keeps equal items in their order, too. */
function sorted<T>(items: readonly T[], key: (item: T) => Value, reverse: boolean): T[] {
  const keyed = items.map((item) => ({ item, key: key(item) }));
  spend(8 * items.length);
  // A sort that asks only "is b < a" of neighbours in merges, as Python's does.
  const merge = (from: typeof keyed): typeof keyed => {
    if (from.length < 2) return from;
    const half = from.length >> 1;
    const [left, right] = [merge(from.slice(0, half)), merge(from.slice(half))];
    const out: typeof keyed = [];
    let [i, j] = [0, 0];
    while (i < left.length && j < right.length) {
      spend(4);
      const second = reverse ? compare("<", left[i].key, right[j].key) : compare("<", right[j].key, left[i].key);
      out.push(second ? right[j++] : left[i++]);
    }
    return [...out, ...left.slice(i), ...right.slice(j)];
  };
  return merge(keyed).map(({ item }) => item);
}

const CASE = ["case_sensitive", false] as const;
const BY = ["attribute", null] as const;

/** The key of one attribute, in lower case unless case matters. */
function keyGetter(attribute: Value, sensitive: Value, fallback: Value = null): (value: Value) => Value {
  const get = attributeGetter(attribute, fallback);
  return truth(sensitive) ? get : (value) => ignoreCase(get(value));
}

function extreme(name: "min" | "max") {
  const order = name === "min" ? "<" : ">";
  return define(name, ["value", CASE, BY], ([value, sensitive, attribute]) => {
    const key = keyGetter(attribute, sensitive);
    let best: { item: Value; key: Value } | undefined;
    for (const item of iterate(value)) {
      spend(4);
      const next = { item, key: key(item) };
      if (best === undefined || compare(order, next.key, best.key)) best = next;
    }
    return best === undefined ? new Undefined(() => "No aggregated item, sequence was empty.") : best.item;
  });
}

/** The filters of this file. */
export const ORDER_FILTERS = [
  define("sort", ["value", ["reverse", false], CASE, BY], ([value, reverse, sensitive, attribute]) => {
    if (typeof attribute === "string") spend(16 * attribute.length);
    const attributes = typeof attribute === "string" ? attribute.split(",") : [attribute];
    const getters = attributes.map((each) => keyGetter(each, sensitive));
    return sorted(toList(value), (item) => getters.map((get) => get(item)), truth(reverse));
  }),
  define("dictsort", ["value", CASE, ["by", "key"], ["reverse", false]], ([value, sensitive, by, reverse]) => {
    if (by !== "key" && by !== "value") {
      return fault("FilterArgumentError", 'You can only sort by either "key" or "value"');
    }
    if (value instanceof Undefined) return value.fail();
    if (!(value instanceof Dict))
      return fault("AttributeError", `'${typeName(value)}' object has no attribute 'items'`);
    const key = ([name, each]: [Value, Value]): Value => {
      const chosen = by === "key" ? name : each;
      return truth(sensitive) ? chosen : ignoreCase(chosen);
    };
    return sorted(value.entries(), key, truth(reverse)).map((entry) => new Tuple(entry));
  }),
  define("groupby", ["value", "attribute", ["default", null], CASE], ([value, attribute, fallback, sensitive]) => {
    const key = keyGetter(attribute, sensitive, fallback);
    const name = attributeGetter(attribute, fallback);
    const groups: { key: Value; items: Value[] }[] = [];
    for (const item of sorted(toList(value), key, false)) {
      const own = key(item);
      const last = groups.at(-1);
      if (last && equal(last.key, own)) last.items.push(item);
      else groups.push({ key: own, items: [item] });
    }
    return groups.map(({ key: own, items }) => new Group([truth(sensitive) ? own : name(items[0]), items]));
  }),
  define("unique", ["value", CASE, BY], ([value, sensitive, attribute]) => {
    function* unique(): Generator<Value> {
      const key = keyGetter(attribute, sensitive);
      const seen = new Set<Key>();
      for (const item of iterate(value)) {
        spend(4);
        const own = keyOf(key(item));
        if (seen.has(own)) continue;
        seen.add(own);
        yield item;
      }
    }
    return new Iter(unique());
  }),
  extreme("min"),
  extreme("max"),
];
