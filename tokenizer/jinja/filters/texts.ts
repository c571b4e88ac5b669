// jinja/filters/texts.ts — filters of texts.

import { checkLength, spend } from "../budget.ts";
import { compare, isIterable, iterate, len, truth } from "../compare.ts";
import { fault } from "../fault.ts";
import { binary, escape, formatMarkup } from "../operators.ts";
import { percentFormat } from "../percent.ts";
import { joined, repr, str } from "../print.ts";
import { boundArgument, indexArgument, sliceText } from "../slices.ts";
import { SPACE, capitalize, lower, pad, repeat, replaceText, splitLines, splitOn, strip, upper } from "../text.ts";
import { Dict, Markup, Tuple, textOf } from "../values.ts";
import type { Value } from "../values.ts";
import { define, likewise, needText, withMethod } from "./define.ts";
import type { Filter } from "./define.ts";
import { wrapText } from "./wrap.ts";

const each = (name: string, change: (text: string) => string) =>
  define(name, ["s"], ([value]) => likewise(value, change(str(value))));

/** Words begin after white space, a hyphen or an opening bracket. */
const WORD_BEGINNING = new RegExp(String.raw`([-${SPACE}({\[<]+)`);

function titleWords(text: string): string {
  spend(4 * text.length);
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
  spend(16 * text.length);
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
  if (value instanceof Markup) return formatMarkup(value, given);
  return percentFormat(str(value), given);
};

/** The filters of this file. */
export const TEXT_FILTERS: [string, Filter][] = [
  each("upper", upper),
  each("lower", lower),
  each("capitalize", capitalize),
  define("title", ["s"], ([value]) => titleWords(str(value))),
  define("string", ["s"], ([value]) => (value instanceof Markup ? value : str(value)), true),
  define("center", ["value", ["width", 80n]], ([value, width]) =>
    likewise(value, pad(str(value), indexArgument(width), " ", "center")),
  ),
  define("trim", ["value", ["chars", null]], ([value, chars]) =>
    likewise(value, strip(str(value), chars === null ? null : needText(chars, "strip arg"), "both")),
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
    // `s += "\n"` of Python takes a list, too, and fails after it.
    const text = Array.isArray(value) ? value : binary("+", value, "\n");
    const lines = splitLines(withMethod(text, "splitlines"));
    const shown = lines.map((line, i) => (i > 0 && (truth(blank) || line !== "") ? indention + line : line));
    return likewise(value, (truth(first) ? indention : "") + joined(shown, "\n"));
  }),
  define(
    "truncate",
    ["s", ["length", 255n], ["killwords", false], ["end", "..."], ["leeway", null]],
    ([value, length, killwords, end, leeway]) => {
      const [size, slack] = [length, leeway === null ? 5n : leeway];
      if (!compare(">=", size, len(end))) fault("AssertionError", `expected length >= ${len(end)}, got ${str(size)}`);
      if (!compare(">=", slack, 0n)) fault("AssertionError", `expected leeway >= 0, got ${str(slack)}`);
      if (compare("<=", len(value), binary("+", size, slack))) return value;
      const text = needText(value, "truncate");
      const ending = needText(end, "truncate");
      const cut = sliceText(text, null, binary("-", size, len(end)), null);
      return likewise(value, (truth(killwords) ? cut : splitOn(cut, " ", 1, true)[0]) + ending);
    },
  ),
  define(
    "wordwrap",
    ["s", ["width", 79n], ["break_long_words", true], ["wrapstring", null], ["break_on_hyphens", true]],
    ([value, width, long, separator, hyphens]) => {
      const by = separator === null ? "\n" : withMethod(separator, "join");
      const wrapped = (line: string): string => {
        if (compare("<=", width, 0n)) fault("ValueError", `invalid width ${repr(width)} (must be > 0)`);
        return joined(wrapText(line, { width: boundArgument(width), long: truth(long), hyphens: truth(hyphens) }), by);
      };
      return joined(splitLines(withMethod(value, "splitlines")).map(wrapped), by);
    },
  ),
  define("wordcount", ["s"], ([value]) => {
    const text = str(value);
    spend(text.length);
    return BigInt([...text.matchAll(/[\p{L}\p{N}_]+/gu)].length);
  }),
  ["format", formatFilter],
  define("urlencode", ["value"], ([value]) => {
    if (textOf(value) !== undefined || !isIterable(value)) return urlQuote(value, false);
    const pairs = value instanceof Dict ? value.entries() : Array.from(iterate(value), pair);
    return joined(
      pairs.map(([key, one]) => `${urlQuote(key, true)}=${urlQuote(one, true)}`),
      "&",
    );
  }),
];
