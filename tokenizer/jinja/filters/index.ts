// jinja/filters/index.ts — all filters by name.

import { toJson } from "../json.ts";
import { define, valueNamed } from "./define.ts";
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
  ...selectFilters((name) => valueNamed(FILTERS, "filter", name)),
  define(
    "tojson",
    ["x", ["ensure_ascii", false], ["indent", null], ["separators", null], ["sort_keys", false]],
    ([value, ascii, indent, separators, sort]) => toJson(value, { ascii, indent, separators, sort }),
  ),
]);
