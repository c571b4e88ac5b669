// jinja/json.ts — tojson, as transformers defines it for chat templates: json.dumps of Python without HTML escapes.

import { deeper, spend } from "./budget.ts";
import { compare, truth } from "./compare.ts";
import { fault, typeError } from "./fault.ts";
import { printFloat, printInt } from "./numbers.ts";
import { joined } from "./print.ts";
import { indexArgument } from "./slices.ts";
import { repeat } from "./text.ts";
import { Dict, itemsOf, textOf, typeName } from "./values.ts";
import type { Value } from "./values.ts";

/** What json.dumps is asked for; null where the caller says nothing. */
export interface JsonOptions {
  readonly ascii: Value;
  readonly indent: Value;
  readonly separators: Value;
  readonly sort: Value;
}

const ESCAPES: Readonly<Record<string, string>> = {
  '"': String.raw`\"`,
  "\\": "\\\\",
  "\b": String.raw`\b`,
  "\f": String.raw`\f`,
  "\n": String.raw`\n`,
  "\r": String.raw`\r`,
  "\t": String.raw`\t`,
};
const ESCAPED = new RegExp(String.raw`["\\\x00-\x1f]`, "g");
const ALL_ESCAPED = /["\\]|[^ -~]/g;
const escapeUnit = (unit: string): string => ESCAPES[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`;

function quoted(text: string, ascii: boolean): string {
  spend(text.length >> 1);
  return `"${text.replace(ascii ? ALL_ESCAPED : ESCAPED, escapeUnit)}"`;
}

const float = (value: number): string =>
  Number.isFinite(value) ? printFloat(value) : Number.isNaN(value) ? "NaN" : value > 0 ? "Infinity" : "-Infinity";

/** json.dumps(value). Throws the Fault "TypeError" for what JSON cannot say. */
export function toJson(value: Value, { ascii, indent, separators, sort }: JsonOptions): string {
  let [comma, colon] = [indent === null ? ", " : ",", ": "];
  if (separators !== null) {
    const given = (itemsOf(separators) ?? typeError(`cannot unpack non-iterable ${typeName(separators)} object`)).map(
      textOf,
    );
    if (given.length !== 2) fault("ValueError", "separators must be two texts: between items, after keys");
    if (given[0] === undefined || given[1] === undefined) typeError("separators must be texts");
    [comma, colon] = given as [string, string];
  }
  const whole = textOf(value);
  if (whole !== undefined) return quoted(whole, truth(ascii));
  const unit = indent === null ? undefined : (textOf(indent) ?? repeat(" ", indexArgument(indent)));
  const [plain, sorts] = [truth(ascii), truth(sort)];

  const bracket = (open: string, close: string, parts: readonly string[], depth: number): string => {
    if (parts.length === 0) return open + close;
    if (unit === undefined) return open + joined(parts, comma) + close;
    const line = (level: number) => `\n${repeat(unit, level)}`;
    return open + line(depth + 1) + joined(parts, comma + line(depth + 1)) + line(depth) + close;
  };
  const keyText = (key: Value): string => {
    const text = textOf(key);
    if (text !== undefined) return text;
    if (key === null) return "null";
    if (typeof key === "boolean") return key ? "true" : "false";
    if (typeof key === "bigint") return printInt(key);
    if (typeof key === "number") return float(key);
    return typeError(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
  };
  const write = (each: Value, depth: number): string => {
    spend(4);
    const text = textOf(each);
    if (text !== undefined) return quoted(text, plain);
    if (each === null) return "null";
    if (typeof each === "boolean") return each ? "true" : "false";
    if (typeof each === "bigint") return printInt(each);
    if (typeof each === "number") return float(each);
    const items = itemsOf(each);
    if (items) {
      return deeper(() =>
        bracket(
          "[",
          "]",
          items.map((item) => write(item, depth + 1)),
          depth,
        ),
      );
    }
    if (!(each instanceof Dict)) return typeError(`Object of type ${typeName(each)} is not JSON serializable`);
    const entries = each.entries();
    if (sorts) {
      spend(8 * entries.length);
      entries.sort(([a], [b]) => (compare("<", a, b) ? -1 : compare("<", b, a) ? 1 : 0));
    }
    return deeper(() =>
      bracket(
        "{",
        "}",
        entries.map(([key, one]) => quoted(keyText(key), plain) + colon + write(one, depth + 1)),
        depth,
      ),
    );
  };
  return write(value, 0);
}
