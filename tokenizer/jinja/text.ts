// jinja/text.ts — Python's str: white space, case, kinds of characters, finding, splitting and filling.

import { checkLength, spend, spendReading, spendText } from "./budget.ts";
import { fault } from "./fault.ts";
import { splitAt } from "./search.ts";
import { codePoints, pointCount } from "./slices.ts";

/** The characters of Python's str.isspace, to stand in a character class. */
export const SPACE = String.raw`\t-\r\x1c-\x20\x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000`;
const IS_SPACE = new RegExp(`[${SPACE}]`);
const WORD = new RegExp(`[^${SPACE}]+`, "g");
const ALL_SPACE = new RegExp(`^[${SPACE}]+$`);
/** Where splitlines divides. */
const LINE_END = new RegExp(String.raw`\r\n|[\n\v\f\r\x1c-\x1e\x85\u2028\u2029]`, "g");

/** Whether one UTF-16 unit is white space (all of Python's is below U+10000). */
export const isSpaceUnit = (unit: string): boolean => IS_SPACE.test(unit);

/** str.strip, lstrip, rstrip: white space, or any of the characters in `chars`. */
export function strip(text: string, chars: string | null, ends: "both" | "left" | "right"): string {
  spendReading(text.length);
  const set = chars === null ? undefined : new Set(codePoints(chars));
  const stripped = (character: string) => (set === undefined ? isSpaceUnit(character) : set.has(character));
  let [start, end] = [0, text.length];
  while (ends !== "right" && start < end) {
    const character = String.fromCodePoint(text.codePointAt(start)!);
    if (!stripped(character)) break;
    spend(4);
    start += character.length;
  }
  while (ends !== "left" && end > start) {
    const low = (text.charCodeAt(end - 1) & 0xfc00) === 0xdc00 && (text.charCodeAt(end - 2) & 0xfc00) === 0xd800;
    const character = text.slice(Math.max(start, low ? end - 2 : end - 1), end);
    if (!stripped(character)) break;
    spend(4);
    end -= character.length;
  }
  spend((end - start) >> 3);
  return text.slice(start, end);
}

/** Lines as str.splitlines gives them. */
export function splitLines(text: string, keepEnds = false): string[] {
  spendText(text.length);
  const lines: string[] = [];
  let from = 0;
  for (const match of text.matchAll(LINE_END)) {
    const end = match.index + match[0].length;
    lines.push(text.slice(from, keepEnds ? end : match.index));
    from = end;
  }
  if (from < text.length) lines.push(text.slice(from));
  spend(4 * lines.length);
  return lines;
}

/** str.split without a separator: runs of white space divide, none stands at the ends; at most `most` cuts, -1 for all. */
export function splitSpace(text: string, most: number, fromRight = false): string[] {
  spendText(text.length);
  const spans = [...text.matchAll(WORD)];
  spend(8 * spans.length);
  const words = spans.map(([word]) => word);
  if (most < 0 || spans.length <= most) return words;
  if (!fromRight) return [...words.slice(0, most), text.slice(spans[most].index)];
  const kept = spans.length - most;
  const last = spans[kept - 1];
  return [text.slice(0, last.index + last[0].length), ...words.slice(kept)];
}

/** str.split and str.rsplit with a separator; at most `most` cuts, -1 for all. */
export function splitOn(text: string, separator: string, most: number, fromRight = false): string[] {
  if (separator === "") fault("ValueError", "empty separator");
  spendText(text.length);
  const parts = splitAt(text, separator);
  if (most < 0 || parts.length <= most + 1) return parts;
  if (fromRight) {
    const split = parts.length - most;
    return [parts.slice(0, split).join(separator), ...parts.slice(split)];
  }
  return [...parts.slice(0, most), parts.slice(most).join(separator)];
}

/** str.replace; at most `most` times, -1 for all. An empty `old` stands between all code points. */
export function replaceText(text: string, old: string, by: string, most: number): string {
  if (most === 0) return text;
  if (old === "") {
    const points = codePoints(text);
    const times = most < 0 ? points.length + 1 : Math.min(most, points.length + 1);
    spendText(text.length + times * by.length);
    return points.map((point, i) => (i < times ? by + point : point)).join("") + (times > points.length ? by : "");
  }
  const parts = splitOn(text, old, most);
  spendText(text.length + (parts.length - 1) * (by.length - old.length));
  return parts.join(by);
}

/** str * count. */
export function repeat(text: string, count: number): string {
  if (count <= 0) return "";
  checkLength(text.length * count);
  spendText(text.length * count);
  return text.repeat(count);
}

/** Spaces (or `fill`) around a text up to `width` code points. */
export function pad(text: string, width: number, fill: string, align: "<" | ">" | "^" | "center"): string {
  const missing = width - pointCount(text);
  if (missing <= 0) return text;
  checkLength(missing * fill.length + text.length);
  // str.center gives the odd one to the left where the width is odd, a format spec always to the right.
  const odd = align === "center" ? missing & width & 1 : 0;
  const left = align === "<" ? 0 : align === ">" ? missing : Math.floor(missing / 2) + odd;
  return repeat(fill, left) + text + repeat(fill, missing - left);
}

/** str.zfill. */
export function zeroFill(text: string, width: number): string {
  const sign = /^[+-]/.test(text) ? text[0] : "";
  const missing = width - pointCount(text);
  return missing <= 0 ? text : sign + repeat("0", missing) + text.slice(sign.length);
}

/** str.expandtabs. */
export function expandTabs(text: string, size: number): string {
  let column = 0;
  let out = "";
  for (const character of codePoints(text)) {
    if (character === "\t") {
      const spaces = size > 0 ? size - (column % size) : 0;
      out += repeat(" ", spaces);
      column += spaces;
    } else {
      out += character;
      column = character === "\n" || character === "\r" ? 0 : column + 1;
    }
  }
  checkLength(out.length);
  return out;
}

// ---- case and kinds

const CASED = /\p{Cased}/u;
/** Letters whose title case is a letter of its own, not their upper case: Ǆ Ǉ Ǌ Ǳ and their kin. */
const DIGRAPHS = ["\u01c4\u01c5\u01c6", "\u01c7\u01c8\u01c9", "\u01ca\u01cb\u01cc", "\u01f1\u01f2\u01f3"];

/** str.upper. */
export function upper(text: string): string {
  spendText(text.length);
  return text.toUpperCase();
}

/** str.lower. */
export function lower(text: string): string {
  spendText(text.length);
  return text.toLowerCase();
}

function titleCase(character: string): string {
  const digraph = DIGRAPHS.find((three) => three.includes(character));
  if (digraph !== undefined) return digraph[1];
  const [first = "", ...rest] = character.toUpperCase();
  return first + rest.join("").toLowerCase();
}

/** str.capitalize. */
export function capitalize(text: string): string {
  spendText(text.length);
  if (text === "") return "";
  const first = String.fromCodePoint(text.codePointAt(0)!);
  // Lowered as a whole, for a final sigma depends on what stands before it.
  return titleCase(first) + text.toLowerCase().slice(first.toLowerCase().length);
}

/** str.title: the first of cased letters in a row is upper case, the others lower case. */
export function title(text: string): string {
  const lowered = text.toLowerCase();
  // A lower case of another length (İ) moves the letters; then each stands for itself.
  const whole = lowered.length === text.length;
  let inside = false;
  let out = "";
  let at = 0;
  for (const character of codePoints(text)) {
    out += !inside ? titleCase(character) : whole ? lowered.slice(at, at + character.length) : character.toLowerCase();
    inside = CASED.test(character);
    at += character.length;
  }
  return out;
}

/** str.swapcase. */
export function swapCase(text: string): string {
  const lowered = text.toLowerCase();
  const whole = lowered.length === text.length;
  let out = "";
  let at = 0;
  for (const character of codePoints(text)) {
    const down = whole ? lowered.slice(at, at + character.length) : character.toLowerCase();
    out += /\p{Uppercase}/u.test(character) ? down : character.toUpperCase();
    at += character.length;
  }
  return out;
}

/** str.casefold. */
export function caseFold(text: string): string {
  return codePoints(text)
    .map((character) => {
      const up = character.toUpperCase();
      const special = { ς: "σ", ſ: "s", µ: "μ", ẞ: "ss" }[character];
      return special ?? (up.length > character.length ? up.toLowerCase() : character.toLowerCase());
    })
    .join("");
}

/** pattern.test(text), paid for. */
const has = (text: string, pattern: RegExp): boolean => {
  spendReading(text.length);
  return pattern.test(text);
};
const every = (pattern: RegExp) => (text: string) => text !== "" && has(text, pattern);
const cased = (text: string, wrong: RegExp, right: RegExp) => !has(text, wrong) && has(text, right);
/** Numeric ideographs that Python's isnumeric counts although they are letters. */
const HAN_NUMERALS = "〇一二三四五六七八九十百千万億兆零壹貳贰叁參肆伍陸陆柒捌玖拾佰仟";

/** The tests of characters that str has, by name; all false for an empty text but isascii and isprintable. */
export const PREDICATES: Readonly<Record<string, (text: string) => boolean>> = {
  isalpha: every(/^\p{L}+$/u),
  isalnum: every(new RegExp(`^[\\p{L}\\p{N}${HAN_NUMERALS}]+$`, "u")),
  isascii: (text) => !has(text, /[\u0080-\uffff]/),
  isdecimal: every(/^\p{Nd}+$/u),
  isdigit: every(/^[\p{Nd}²³¹⁰⁴-⁹₀-₉①-⑨⑴-⑼⒈-⒐⓪⓵-⓽⓿❶-❾➀-➈➊-➒]+$/u),
  isidentifier: every(/^[\p{XID_Start}_]\p{XID_Continue}*$/u),
  islower: (text) => cased(text, /[\p{Uppercase}\p{Lt}]/u, /\p{Lowercase}/u),
  isnumeric: every(new RegExp(`^[\\p{N}${HAN_NUMERALS}]+$`, "u")),
  isprintable: (text) => !has(text, UNPRINTABLE),
  isspace: every(ALL_SPACE),
  istitle(text) {
    let [inside, any] = [false, false];
    for (const character of codePoints(text)) {
      const large = /[\p{Uppercase}\p{Lt}]/u.test(character);
      const small = /\p{Lowercase}/u.test(character);
      if ((large && inside) || (small && !inside)) return false;
      inside = large || small;
      any ||= inside;
    }
    return any;
  },
  isupper: (text) => cased(text, /[\p{Lowercase}\p{Lt}]/u, /\p{Uppercase}/u),
};

/** What repr escapes: separators other than the space, and everything that is no character. */
const UNPRINTABLE = /[\p{C}\p{Zl}\p{Zp}]|(?! )\p{Zs}/u;
const UNPRINTABLES = new RegExp(UNPRINTABLE, "gu");

/** A character as Python escapes it by its code: \x, \u or \U. */
export function escapeCharacter(character: string): string {
  spend(16);
  const code = character.codePointAt(0)!;
  const hex = (digits: number) => code.toString(16).padStart(digits, "0");
  return code < 0x100 ? `\\x${hex(2)}` : code < 0x10000 ? `\\u${hex(4)}` : `\\U${hex(8)}`;
}

/** ascii of what repr gives: everything that is not ASCII escaped. */
export function asciiOnly(text: string): string {
  spendReading(text.length);
  const escaped = text.replace(/[\u0080-\u{10ffff}]/gu, escapeCharacter);
  checkLength(escaped.length);
  return escaped;
}

/** repr of a str. */
export function quote(text: string): string {
  spendText(text.length);
  const mark = text.includes("'") && !text.includes('"') ? '"' : "'";
  const escaped = text
    .replace(/[\\\n\r\t]/g, (c) => ({ "\\": "\\\\", "\n": "\\n", "\r": "\\r", "\t": "\\t" })[c]!)
    .replace(UNPRINTABLES, escapeCharacter);
  return mark + (mark === "'" ? escaped.replaceAll("'", "\\'") : escaped) + mark;
}
