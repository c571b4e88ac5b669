// pattern.ts — the regular expression of a `pattern` (ECMA-262 with the flag u, as JSON Schema asks), by recursive descent.
//   text → nodes, whose sets are ranges of code points (chars.ts makes a machine of them)
// What no finite machine can do, or is not supported, is refused by name: back references, \b, look-behind, and look-ahead
// anywhere but at the start, where it is one condition more on the whole text.

import { LAST, type Ranges, negated, rangesOf, union } from "./ranges.ts";
import { type Work, refuse } from "./work.ts";

/** A part of a regular expression. `start` and `end` are ^ and $. */
export type Node =
  | { readonly kind: "set"; readonly set: Ranges }
  | { readonly kind: "sequence" | "choice"; readonly parts: readonly Node[] }
  | { readonly kind: "repeat"; readonly body: Node; readonly min: number; readonly max: number }
  | { readonly kind: "start" | "end" };

/** Conditions that a text has to meet all; `not`: has not to meet. Each may be found anywhere in it, unless it has ^ and $. */
export type Conditions = readonly { readonly node: Node; readonly not: boolean }[];

const MAX_LENGTH = 1000;
const MAX_DEPTH = 32;
/** Of a repetition; each turn is a copy. */
const MAX_COUNT = 1000;
/** Looking through all of Unicode. */
const PROPERTY_STEPS = 1_000_000;

const of = (...pairs: [number, number][]): Ranges => rangesOf(pairs);
const char = (code: number): Ranges => [code, code];
const DIGIT = of([0x30, 0x39]);
const WORD = of([0x30, 0x39], [0x41, 0x5a], [0x5f, 0x5f], [0x61, 0x7a]);
/** WhiteSpace and LineTerminator (ECMA-262 12.2, 12.3). */
const SPACE = of(
  [0x09, 0x0d],
  [0x20, 0x20],
  [0xa0, 0xa0],
  [0x1680, 0x1680],
  [0x2000, 0x200a],
  [0x2028, 0x2029],
  [0x202f, 0x202f],
  [0x205f, 0x205f],
  [0x3000, 0x3000],
  [0xfeff, 0xfeff],
);
const DOT = negated(of([0x0a, 0x0a], [0x0d, 0x0d], [0x2028, 0x2029]));
const CLASSES: Readonly<Record<string, Ranges>> = { d: DIGIT, w: WORD, s: SPACE };
const CONTROLS: Readonly<Record<string, number>> = { t: 9, n: 10, v: 11, f: 12, r: 13, "0": 0 };

const sequence = (...parts: Node[]): Node => ({ kind: "sequence", parts });
const set = (ranges: Ranges): Node => ({ kind: "set", set: ranges });

class Parser {
  readonly #text: string;
  readonly #path: string;
  readonly #work: Work;
  readonly #conditions: { node: Node; not: boolean }[] = [];
  #at = 0;
  #depth = 0;

  constructor(text: string, path: string, work: Work) {
    this.#text = text;
    this.#path = path;
    this.#work = work;
  }

  parse(): Conditions {
    const anchored = /^\^\(\?[=!]/.test(this.#text);
    if (anchored) this.#at++;
    while (anchored && this.#match(/\(\?[=!]/y)) {
      const not = this.#text[this.#at - 1] === "!";
      const body = this.#choice();
      if (!this.#take(")")) this.#fail("a group that does not end");
      this.#conditions.push({ node: sequence({ kind: "start" }, body), not });
    }
    const rest = this.#choice();
    if (this.#at < this.#text.length) this.#fail("an unmatched )");
    // The ^ before a look-ahead was its own and that of what follows.
    if (anchored && rest.kind === "choice") this.#fail("alternatives beside a look-ahead");
    this.#conditions.push({ node: anchored ? sequence({ kind: "start" }, rest) : rest, not: false });
    return this.#conditions;
  }

  #fail(what: string): never {
    refuse(this.#path, `the regular expression has ${what} at character ${this.#at}, which is not supported`);
  }

  #take(text: string): boolean {
    const found = this.#text.startsWith(text, this.#at);
    if (found) this.#at += text.length;
    return found;
  }

  #match(regex: RegExp): RegExpExecArray | null {
    regex.lastIndex = this.#at;
    const found = regex.exec(this.#text);
    if (found) this.#at = regex.lastIndex;
    return found;
  }

  #next(): number {
    const code = this.#text.codePointAt(this.#at);
    if (code === undefined) this.#fail("an unfinished part");
    this.#at += code > 0xffff ? 2 : 1;
    return code;
  }

  #choice(): Node {
    if (++this.#depth > MAX_DEPTH) this.#fail(`more than ${MAX_DEPTH} levels`);
    const parts = [this.#sequence()];
    while (this.#take("|")) parts.push(this.#sequence());
    this.#depth--;
    return parts.length === 1 ? parts[0] : { kind: "choice", parts };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    while (this.#at < this.#text.length && !"|)".includes(this.#text[this.#at])) parts.push(this.#repeated());
    return parts.length === 1 ? parts[0] : { kind: "sequence", parts };
  }

  #repeated(): Node {
    const body = this.#atom();
    const found = this.#match(/(?:([*+?])|\{(\d{1,9})(,?)(\d{0,9})\})\??/y);
    if (!found) return body;
    const [, sign, least, comma, most] = found;
    const min = sign ? (sign === "+" ? 1 : 0) : Number(least);
    const max = sign ? (sign === "?" ? 1 : Infinity) : most ? Number(most) : comma ? Infinity : min;
    if (min > MAX_COUNT || (max !== Infinity && max > MAX_COUNT)) this.#fail(`a repetition above ${MAX_COUNT}`);
    if (max < min) this.#fail("a repetition whose least is above its most");
    if (body.kind === "start" || body.kind === "end") this.#fail("a repeated anchor");
    return { kind: "repeat", body, min, max };
  }

  #atom(): Node {
    if (this.#take("^")) return { kind: "start" };
    if (this.#take("$")) return { kind: "end" };
    if (this.#take(".")) return set(DOT);
    if (this.#take("[")) return set(this.#class());
    if (this.#take("(")) {
      const group = this.#match(/\?(?::|<[A-Za-z_$][\w$]*>)/y);
      if (!group && this.#text[this.#at] === "?") this.#fail(`(${this.#text.slice(this.#at, this.#at + 3)}`);
      const body = this.#choice();
      if (!this.#take(")")) this.#fail("a group that does not end");
      return body;
    }
    if ("*+?{}])".includes(this.#text[this.#at])) this.#fail(`a lone ${this.#text[this.#at]}`);
    if (this.#take("\\")) return set(this.#escape(false));
    return set(char(this.#next()));
  }

  /** What follows a backslash. */
  #escape(inClass: boolean): Ranges {
    const found = this.#match(/[dwsDWS]/y);
    if (found) {
      const ranges = CLASSES[found[0].toLowerCase()];
      return found[0] === found[0].toLowerCase() ? ranges : negated(ranges);
    }
    const property = this.#match(/([pP])\{([\w=]{1,60})\}/y);
    if (property) {
      const ranges = this.#property(property[2]);
      return property[1] === "p" ? ranges : negated(ranges);
    }
    const hex = this.#match(/x([\da-fA-F]{2})|u\{([\da-fA-F]{1,6})\}|u([\da-fA-F]{4})/y);
    if (hex) {
      const code = Number.parseInt(hex[1] ?? hex[2] ?? hex[3], 16);
      if (code > LAST) this.#fail("no character");
      const low = code >> 10 === 0x36 ? this.#match(/\\u(d[c-f][\da-f]{2})/iy) : null;
      return char(low ? 0x10000 + ((code & 0x3ff) << 10) + (Number.parseInt(low[1], 16) & 0x3ff) : code);
    }
    const control = this.#match(/[tnvfr]|0(?!\d)|c[A-Za-z]/y);
    if (control) return char(CONTROLS[control[0]] ?? control[0].charCodeAt(1) & 31);
    if (inClass && this.#take("b")) return char(8);
    if (/[A-Za-z0-9]/.test(this.#text[this.#at] ?? "a")) this.#fail(`\\${this.#text[this.#at] ?? ""}`);
    return char(this.#next());
  }

  #class(): Ranges {
    const not = this.#take("^");
    const parts: Ranges[] = [];
    while (!this.#take("]")) {
      if (this.#at >= this.#text.length) this.#fail("a class that does not end");
      const low = this.#take("\\") ? this.#escape(true) : char(this.#next());
      const range =
        this.#text[this.#at] === "-" && this.#at + 1 < this.#text.length && this.#text[this.#at + 1] !== "]";
      if (range && low.length === 2 && low[0] === low[1]) {
        this.#at++;
        const high = this.#take("\\") ? this.#escape(true) : char(this.#next());
        if (high.length !== 2 || high[0] !== high[1] || high[0] < low[0]) this.#fail("a range that is none");
        parts.push([low[0], high[0]]);
      } else parts.push(low);
    }
    return not ? negated(union(...parts)) : union(...parts);
  }

  /** \p{…}: every code point is asked of the machine's own Unicode. */
  #property(name: string): Ranges {
    const known = properties.get(name);
    if (known !== undefined) return known;
    this.#work.spend(PROPERTY_STEPS, this.#path);
    let regex: RegExp;
    try {
      regex = new RegExp(`\\p{${name}}`, "u");
    } catch {
      return this.#fail(`the property ${name}`);
    }
    const pairs: [number, number][] = [];
    for (let code = 0; code <= LAST; code++) {
      if (code >> 11 === 0x1b || !regex.test(String.fromCodePoint(code))) continue;
      const last = pairs.at(-1);
      if (last?.[1] === code - 1) last[1] = code;
      else pairs.push([code, code]);
    }
    const ranges = rangesOf(pairs);
    properties.set(name, ranges);
    return ranges;
  }
}

/** Properties of Unicode that were asked for; there are some hundreds at most. */
const properties = new Map<string, Ranges>();

/** Reads a pattern. Throws LlariatError "request" at `path` naming what is not supported. */
export function parsePattern(pattern: string, path: string, work: Work): Conditions {
  if (pattern.length > MAX_LENGTH) refuse(path, `has ${pattern.length} characters, needed at most ${MAX_LENGTH}`);
  try {
    void new RegExp(pattern, "u"); // what is no regular expression at all is refused in the words that everybody knows
  } catch (error) {
    refuse(path, `is no regular expression: ${(error as Error).message}`);
  }
  return new Parser(pattern, path, work).parse();
}
