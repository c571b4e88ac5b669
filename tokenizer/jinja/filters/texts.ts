// jinja/filters/texts.ts — filters of texts.

import { checkLength, spend } from "../budget.ts";
import { iterate, truth } from "../compare.ts";
import { fault } from "../fault.ts";
import { escape, binary } from "../operators.ts";
import { percentFormat } from "../percent.ts";
import { joined, str } from "../print.ts";
import { indexArgument, pointCount, sliceText } from "../slices.ts";
import { SPACE, capitalize, lower, pad, repeat, replaceText, splitLines, splitOn, strip, upper } from "../text.ts";
import { Dict, Markup, Tuple, itemsOf, textOf, typeName } from "../values.ts";
import type { Value } from "../values.ts";
import { define, likewise, needText, soft } from "./define.ts";
import type { Filter } from "./define.ts";
import { wrapText } from "./wrap.ts";

const each = (name: string, change: (text: string) => string) =>
  define(name, ["s"], ([value]) => likewise(value, change(soft(value))));

/** Words begin after white space, a hyphen or an opening bracket. */
const WORD_BEGINNING = new RegExp(String.raw`([-${SPACE}({\[<]+)`);

function titleWords(text: string): string {
  spend(text.length >> 2);
  return text
    .split(WORD_BEGINNING)
    .map((word) => {
      const [first = ""] = word;
      return first.toUpperCase() + word.slice(first.length).toLowerCase();
    })
    .join("");
}

/** What a URL may hold as it is (urllib.parse.quote with safe="/"). */
function urlQuote(value: Value, plus: boolean): string {
  const text = str(value);
  checkLength(3 * text.length);
  spend(2 * text.length);
  const bytes = new TextEncoder().encode(text);
  let out = "";
  for (const byte of bytes) {
    const character = String.fromCharCode(byte);
    if (/[A-Za-z0-9_.~-]/.test(character) || (character === "/" && !plus)) out += character;
    else if (plus && character === " ") out += "+";
    else out += `%${byte.toString(16).toUpperCase().padStart(2, "0")}`;
  }
  return out;
}

function pair(value: Value): readonly [Value, Value] {
  const items = textOf(value) === undefined ? [...iterate(value)] : [...textOf(value)!];
  if (items.length < 2) fault("ValueError", `not enough values to unpack (expected 2, got ${items.length})`);
  if (items.length > 2) fault("ValueError", "too many values to unpack (expected 2)");
  return [items[0], items[1]];
}

const formatFilter: Filter = (_, [value, ...args], keywords) => {
  if (args.length > 0 && keywords.size > 0) {
    fault("FilterArgumentError", "can't handle positional and keyword arguments at the same time");
  }
  const given = keywords.size > 0 ? new Dict(keywords) : new Tuple(args);
  if (value instanceof Markup) return new Markup(percentFormat(value.text, given, (one) => escape(one).text));
  return percentFormat(soft(value), given);
};

/** The filters of this file. */
export const TEXT_FILTERS: [string, Filter][] = [
  each("upper", upper),
  each("lower", lower),
  each("capitalize", capitalize),
  define("title", ["s"], ([value]) => titleWords(soft(value))),
  define("string", ["s"], ([value]) => (value instanceof Markup ? value : str(value)), true),
  define("center", ["value", ["width", 80n]], ([value, width]) =>
    likewise(value, pad(soft(value), indexArgument(width), " ", "center")),
  ),
  define("trim", ["value", ["chars", null]], ([value, chars]) =>
    likewise(value, strip(soft(value), chars === null ? null : needText(chars, "strip arg"), "both")),
  ),
  define("replace", ["s", "old", "new", ["count", null]], ([value, old, by, count], { autoescape }) => {
    const most = count === null ? -1 : indexArgument(count);
    if (!autoescape) return replaceText(str(value), str(old), str(by), most);
    const marked = value instanceof Markup || old instanceof Markup || by instanceof Markup;
    const [s, o, n] = marked ? [value, old, by].map((one) => escape(one).text) : [value, old, by].map(str);
    const text = replaceText(s, o, n, most);
    return marked ? new Markup(text) : text;
  }),
  define("indent", ["s", ["width", 4n], ["first", false], ["blank", false]], ([value, width, first, blank]) => {
    const indention = textOf(width) ?? repeat(" ", indexArgument(width));
    const text = binary("+", value, "\n");
    const lines = splitLines(needText(text, "indent"));
    const shown = lines.map((line, i) => (i > 0 && (truth(blank) || line !== "") ? indention + line : line));
    return likewise(value, (truth(first) ? indention : "") + joined(shown, "\n"));
  }),
  define(
    "truncate",
    ["s", ["length", 255n], ["killwords", false], ["end", "..."], ["leeway", null]],
    ([value, length, killwords, end, leeway]) => {
      const size = indexArgument(length);
      const ending = needText(end, "truncate");
      const slack = leeway === null ? 5 : indexArgument(leeway);
      if (size < pointCount(ending)) {
        fault("AssertionError", `expected length >= ${pointCount(ending)}, got ${size}`);
      }
      if (slack < 0) fault("AssertionError", `expected leeway >= 0, got ${slack}`);
      const text = needText(value, "truncate");
      if (pointCount(text) <= size + slack) return value;
      const cut = sliceText(text, null, BigInt(size - pointCount(ending)), null);
      return likewise(value, (truth(killwords) ? cut : splitOn(cut, " ", 1, true)[0]) + ending);
    },
  ),
  define(
    "wordwrap",
    ["s", ["width", 79n], ["break_long_words", true], ["wrapstring", null], ["break_on_hyphens", true]],
    ([value, width, long, separator, hyphens]) => {
      const by = separator === null ? "\n" : needText(separator, "wordwrap");
      const options = { width: indexArgument(width), long: truth(long), hyphens: truth(hyphens) };
      return joined(
        splitLines(needText(value, "wordwrap")).map((line) => joined(wrapText(line, options), by)),
        by,
      );
    },
  ),
  define("wordcount", ["s"], ([value]) => {
    const text = soft(value);
    spend(text.length);
    return BigInt([...text.matchAll(/[\p{L}\p{N}_]+/gu)].length);
  }),
  ["format", formatFilter],
  define("urlencode", ["value"], ([value]) => {
    const iterable = itemsOf(value) !== undefined || (textOf(value) === undefined && canIterate(value));
    if (!iterable) return urlQuote(value, false);
    const pairs = value instanceof Dict ? value.entries() : Array.from(iterate(value), pair);
    return joined(
      pairs.map(([key, one]) => `${urlQuote(key, true)}=${urlQuote(one, true)}`),
      "&",
    );
  }),
];

function canIterate(value: Value): boolean {
  return value !== null && typeof value === "object" && !["Macro", "Namespace"].includes(typeName(value));
}
