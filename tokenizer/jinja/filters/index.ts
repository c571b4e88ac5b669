// jinja/filters/index.ts — all filters by name.

import { fault } from "../fault.ts";
import { toJson } from "../json.ts";
import { repr } from "../print.ts";
import type { Value } from "../values.ts";
import { define } from "./define.ts";
import type { Filter } from "./define.ts";
import { HTML_FILTERS } from "./html.ts";
import { NUMERIC_FILTERS } from "./numeric.ts";
import { ORDER_FILTERS } from "./order.ts";
import { PPRINT_FILTERS } from "./pprint.ts";
import { selectFilters } from "./select.ts";
import { SEQUENCE_FILTERS } from "./sequence.ts";
import { TEXT_FILTERS } from "./texts.ts";

/** All filters by name. */
export const FILTERS: ReadonlyMap<string, Filter> = new Map<string, Filter>([
  ...TEXT_FILTERS,
  ...NUMERIC_FILTERS,
  ...SEQUENCE_FILTERS,
  ...ORDER_FILTERS,
  ...HTML_FILTERS,
  ...PPRINT_FILTERS,
  ...selectFilters(filterOf),
  define(
    "tojson",
    ["x", ["ensure_ascii", false], ["indent", null], ["separators", null], ["sort_keys", false]],
    ([value, ascii, indent, separators, sort]) => toJson(value, { ascii, indent, separators, sort }),
  ),
]);

/** The filter of a name; where there is none, one that fails when it is asked. */
export function filterNamed(name: string): Filter {
  return FILTERS.get(name) ?? (() => fault("TemplateRuntimeError", `No filter named '${name}' found.`));
}

/** The filter that a value names. Throws the Fault "TemplateRuntimeError" for a value that names none. */
function filterOf(name: Value): Filter {
  const filter = typeof name === "string" ? FILTERS.get(name) : undefined;
  return filter ?? fault("TemplateRuntimeError", `No filter named ${repr(name)}.`);
}
