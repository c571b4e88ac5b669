// jinja/filters/select.ts — filters that take the name of a test or filter: map, select, reject, selectattr, rejectattr.

import { spend } from "../budget.ts";
import { iterate, truth } from "../compare.ts";
import { fault } from "../fault.ts";
import { repr } from "../print.ts";
import type { State } from "../runtime.ts";
import { TESTS } from "../tests.ts";
import { Iter } from "../values.ts";
import type { Keywords, Value } from "../values.ts";
import { attributeGetter, valueNamed } from "./define.ts";
import type { Filter } from "./define.ts";

/** What decides over an item: a test by name, or its truth. */
function decider(
  state: State,
  args: readonly Value[],
  keywords: Keywords,
  byAttribute: boolean,
): (item: Value) => boolean {
  if (byAttribute && args.length === 0) fault("FilterArgumentError", "Missing parameter for attribute name");
  const get = byAttribute ? attributeGetter(args[0]) : (item: Value) => item;
  const [name, ...rest] = byAttribute ? args.slice(1) : args;
  if (args.length === (byAttribute ? 1 : 0)) return (item) => truth(get(item));
  return (item) => truth(valueNamed(TESTS, "test", name)(state, [get(item), ...rest], keywords));
}

const choose = (name: string, wanted: boolean, byAttribute: boolean): [string, Filter] => [
  name,
  (state, [value, ...args], keywords) => {
    function* chosen(): Generator<Value> {
      if (!truth(value)) return;
      const fits = decider(state, args, keywords, byAttribute);
      for (const item of iterate(value)) {
        spend(4);
        if (fits(item) === wanted) yield item;
      }
    }
    return new Iter(chosen());
  },
];

/** The filters of this file; `filterOf` finds the filter that map is to use. */
export const selectFilters = (filterOf: (name: Value) => Filter): [string, Filter][] => [
  choose("select", true, false),
  choose("reject", false, false),
  choose("selectattr", true, true),
  choose("rejectattr", false, true),
  [
    "map",
    (state, [value, ...args], keywords) => {
      function* mapped(): Generator<Value> {
        if (!truth(value)) return;
        let change: (item: Value) => Value;
        const attribute = keywords.get("attribute");
        if (args.length === 0 && attribute !== undefined) {
          const unknown = [...keywords.keys()].find((key) => key !== "attribute" && key !== "default");
          if (unknown !== undefined) fault("FilterArgumentError", `Unexpected keyword argument ${repr(unknown)}`);
          const fallback = keywords.get("default");
          change = attributeGetter(attribute, fallback === undefined ? null : fallback);
        } else {
          if (args.length === 0) fault("FilterArgumentError", "map requires a filter argument");
          const [name, ...rest] = args;
          change = (item) => filterOf(name)(state, [item, ...rest], keywords);
        }
        for (const item of iterate(value)) {
          spend(4);
          yield change(item);
        }
      }
      return new Iter(mapped());
    },
  ],
];
