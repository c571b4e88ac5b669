// parse.ts — a regular expression as tokenizer.json writes it (Oniguruma, Ruby syntax), by recursive descent.
//   text → nodes, whose sets of characters are JavaScript's classes of flag u or v
// \s takes U+0085 and not U+FEFF, \d and \w know all of Unicode, ^ and $ are about lines, (?i:…) stands in the middle, ++
// and (?>…) never give back. What is not supported is refused by name.
// Source: Oniguruma doc/RE (github.com/kkos/oniguruma), ECMA-262 22.2.

import { CLASSES, folded, LONE_WORD, POSIX, propertyClass, unit, WORD } from "./charclass.ts";
import { spend } from "../effort.ts";
import { refuse } from "../read.ts";
import { ahead, behind, choice, repeat, sequence, set } from "./nodes.ts";
import type { Node } from "./nodes.ts";

type Names = Readonly<Record<string, string>>;
const CONTROLS: Names = { a: "\x07", e: "\x1b", f: "\f", n: "\n", r: "\r", t: "\t", v: "\v" };
/** Any character; not [^], of which V8 11 takes only one at a time under v. */
const ANY = String.raw`\p{Any}`;
const any = set(ANY);
const newline = set(String.raw`[\n]`);
const lineEnd = set(String.raw`[\n-\r\u0085\u2028\u2029]`);
const loneWord = set(`[${LONE_WORD}]`);
/** Between a word and no word, on either side of it, or with `same` between two of a kind. */
const boundary = (same: boolean): Node =>
  choice(sequence(behind(loneWord), ahead(loneWord, !same)), sequence(behind(loneWord, true), ahead(loneWord, same)));
const ANCHORS: Readonly<Record<string, Node>> = {
  A: behind(any, true),
  z: ahead(any, true),
  Z: ahead(sequence(repeat(newline, 0, 1), ahead(any, true))),
  b: boundary(false),
  B: boundary(true),
};
const LINE_START = choice(behind(any, true), sequence(behind(newline), ahead(any)));
const LINE_END = ahead(set(String.raw`[^\n]`), true);
const NEWLINE = choice(sequence(set(String.raw`[\r]`), newline), lineEnd);
/** Published patterns have up to 1,700 characters; the bounds keep compile time and recursion small. */
const MAX_LENGTH = 20_000;
const MAX_DEPTH = 64;
/** Steps that an atom costs. */
const PARSED = 300;

interface Flags {
  readonly ignoreCase: boolean;
  readonly dotAll: boolean;
}

class Parser {
  readonly #pattern: string;
  readonly #where: string;
  #at = 0;
  #depth = 0;
  /** True once a class holds another: then the flag has to be v, otherwise u will do. */
  nested = false;

  constructor(pattern: string, where: string) {
    this.#pattern = pattern;
    this.#where = where;
  }

  parse(): Node {
    const out = this.#alternatives({ ignoreCase: false, dotAll: false });
    if (this.#at < this.#pattern.length) this.#fail("an unmatched )");
    return out;
  }

  #fail(what: string): never {
    return refuse(
      `${this.#where}: the regular expression has ${what} at character ${this.#at}, which is not supported`,
    );
  }

  #peek(text: string): boolean {
    return this.#pattern.startsWith(text, this.#at);
  }

  #take(text: string): boolean {
    const found = this.#peek(text);
    if (found) this.#at += text.length;
    return found;
  }

  #match(regex: RegExp): RegExpExecArray | null {
    regex.lastIndex = this.#at;
    const found = regex.exec(this.#pattern);
    if (found) this.#at = regex.lastIndex;
    return found;
  }

  /** One character (code point), whatever it is. */
  #next(): string {
    const code = this.#pattern.codePointAt(this.#at);
    if (code === undefined) this.#fail("an unfinished part");
    const char = String.fromCodePoint(code);
    this.#at += char.length;
    return char;
  }

  #alternatives(outer: Flags): Node {
    if (++this.#depth > MAX_DEPTH) this.#fail(`more than ${MAX_DEPTH} levels`);
    let flags = outer;
    const branches: Node[] = [];
    let parts: Node[] = [];
    let run = "";
    while (this.#at < this.#pattern.length && !this.#peek(")")) {
      if (this.#take("|")) {
        branches.push(sequence(...parts));
        parts = [];
        run = "";
        continue;
      }
      if (this.#match(/\(\?#[^)]*\)/y)) continue;
      const switched = this.#match(/\(\?([im]*)(?:-([im]+))?\)/y);
      if (switched) {
        // Ruby: (?i) reaches to the end of the group, over later alternatives too
        flags = withFlags(flags, switched[1], switched[2]);
        parts.push(this.#alternatives(flags));
        break;
      }
      const start = this.#at;
      const atom = this.#atom(flags);
      const letter = flags.ignoreCase ? this.#pattern.slice(start, this.#at) : "";
      const repeated = this.#quantifiers(atom);
      run = repeated === atom && /^\p{L}$/u.test(letter) ? run + letter : "";
      // full case folding: U+00DF for ss, the ligatures U+FB00 and so on for the others
      if (/(?:ss|ff|fi|fl|st)$/i.test(run)) this.#fail(`"${run}" without case, which one character may also stand for`);
      parts.push(repeated);
    }
    this.#depth--;
    return choice(...branches, sequence(...parts));
  }

  #quantifiers(atom: Node): Node {
    let out = atom;
    // each quantifier on a quantifier is a level of nodes
    for (let levels = 0; ; levels++) {
      const found = this.#match(/([*+?])([?+]?)|\{(\d*)(,?)(\d*)\}(\??)/y);
      if (!found) return out;
      if (levels === MAX_DEPTH) this.#fail(`more than ${MAX_DEPTH} levels`);
      const [, sign, mode, least = "", comma, most = "", lazy] = found;
      if (sign) {
        out = repeat(out, sign === "+" ? 1 : 0, sign === "?" ? 1 : Infinity, mode === "?");
        if (mode === "+") out = { kind: "atomic", body: out };
      } else if (least === "" && most === "") {
        this.#at -= found[0].length;
        return out; // "{}" and "{,}" are the characters themselves; #atom takes them
      } else {
        const [min, max] = [Number(least || 0), most === "" ? (comma ? Infinity : Number(least)) : Number(most)];
        if (min > 100_000 || (max > 100_000 && max < Infinity)) this.#fail("a repetition above 100000");
        if (min > max) this.#fail(`the empty range ${found[0]}`);
        // Ruby: {n}? is not lazy but optional
        out = repeat(out, min, max, Boolean(lazy && comma));
        if (lazy && !comma) out = repeat(out, 0, 1);
      }
    }
  }

  #atom(flags: Flags): Node {
    spend(PARSED);
    if (this.#peek("(")) return this.#group(flags);
    if (this.#peek("[")) return set(this.#class(flags));
    if (this.#peek("\\")) return this.#escape(flags);
    if (this.#take(".")) return flags.dotAll ? any : set(String.raw`[^\n]`);
    if (this.#take("^")) return LINE_START;
    if (this.#take("$")) return LINE_END;
    if (this.#match(/[*+?]/y)) this.#fail("nothing to repeat");
    return set(this.#literal(this.#next(), flags));
  }

  #literal(char: string, flags: Flags): string {
    if (!flags.ignoreCase) return `[${unit(char)}]`;
    if ([...char.toUpperCase()].length > 1)
      this.#fail(`${char} without case, which several characters may also stand for`);
    return `[${folded(unit(char))}]`;
  }

  #group(flags: Flags): Node {
    const open = this.#match(/\((?:\?(?:[:>=!]|<[=!]|<[A-Za-z_]\w*>|([im]*)(?:-([im]+))?:))?/y)!;
    const kind = open[0];
    if (kind === "(" && this.#peek("?")) this.#fail(`the group ${this.#pattern.slice(this.#at - 1, this.#at + 3)}`);
    if (kind === "(" && this.#peek("*")) this.#fail("a callout");
    const body = this.#alternatives(withFlags(flags, open[1] ?? "", open[2]));
    if (!this.#take(")")) this.#fail("a group that does not end");
    const look = /^\(\?(<?)([=!])$/.exec(kind);
    if (look) return { kind: "look", body, behind: look[1] === "<", not: look[2] === "!" };
    // a capture becomes a plain group: nothing can refer to it
    return kind === "(?>" ? { kind: "atomic", body } : body;
  }

  #escape(flags: Flags): Node {
    const start = this.#at;
    this.#at++;
    const letter = this.#next();
    if (letter === "R") return NEWLINE;
    if (letter === "N") return set(String.raw`[^\n]`);
    if (letter === "O") return any;
    if (Object.hasOwn(ANCHORS, letter)) return ANCHORS[letter];
    this.#at = start;
    const found = this.#classEscape(flags);
    if (!found) return set(this.#literal(this.#escapedCharacter(), flags));
    return set(`[${found.not ? "^" : ""}${found.inside === WORD ? LONE_WORD : found.inside}]`);
  }

  /** \s \D \p{…} and so on as the inside of a class, or undefined where the escape is a single character. */
  #classEscape(flags: Flags): { not: boolean; inside: string } | undefined {
    const short = this.#match(/\\([sdwhSDWH])/y);
    if (short) return { not: short[1] < "a", inside: CLASSES[short[1].toLowerCase()] };
    const property = this.#match(/\\([pP])\{(\^?)([^}]*)\}/y);
    if (!property) return undefined;
    const inside = propertyClass(property[3]);
    if (inside === undefined) return this.#fail(`the property ${property[0]}`);
    if (flags.ignoreCase && folded(inside) !== inside) this.#fail(`${property[0]} without case`);
    return { not: (property[1] === "P") !== (property[2] === "^"), inside };
  }

  #escapedCharacter(): string {
    const hex = this.#match(/\\(?:x\{([0-9a-fA-F]{1,8})\}|x([0-9a-fA-F]{1,2})|u([0-9a-fA-F]{4}))/y);
    if (hex) {
      const code = Number.parseInt(hex[1] ?? hex[2] ?? hex[3], 16);
      if (code > 0x10ffff || (code >= 0xd800 && code < 0xe000)) this.#fail(`no character ${hex[0]}`);
      if (hex[2] !== undefined && code > 0x7f) this.#fail(`the byte ${hex[0]}`);
      return String.fromCodePoint(code);
    }
    const octal = this.#match(/\\0([0-7]{0,2})/y);
    if (octal) return String.fromCodePoint(Number.parseInt(octal[1] || "0", 8));
    this.#at++;
    const char = this.#next();
    if (Object.hasOwn(CONTROLS, char)) return CONTROLS[char];
    if (/[A-Za-z0-9]/.test(char)) this.#fail(`the escape \\${char}`);
    return char;
  }

  /** [...] with ranges, nested classes, && and POSIX brackets. */
  #class(flags: Flags): string {
    if (++this.#depth > MAX_DEPTH) this.#fail(`more than ${MAX_DEPTH} levels`);
    this.#at++;
    const negated = this.#take("^");
    const sides: string[] = [];
    let inside = "";
    for (let first = true; first || !this.#take("]"); first = false) {
      if (this.#at >= this.#pattern.length) this.#fail("a class that does not end");
      if (this.#take("&&")) {
        sides.push(inside);
        inside = "";
      } else {
        inside += this.#member(flags);
      }
    }
    this.#depth--;
    if (sides.length > 0) inside = [...sides, inside].map((side) => this.#nest(`[${side}]`)).join("&&");
    return negated ? `[^${inside}]` : `[${inside}]`;
  }

  #nest(set: string): string {
    this.nested = true;
    return set;
  }

  /** One character, range, class escape or class inside [...]. */
  #member(flags: Flags): string {
    const posix = this.#match(/\[:(\^?)([a-z]+):\]/y);
    if (posix) {
      if (!Object.hasOwn(POSIX, posix[2])) this.#fail(`the class ${posix[0]}`);
      return posix[1] ? this.#nest(`[^${POSIX[posix[2]]}]`) : POSIX[posix[2]];
    }
    if (this.#peek("[")) return this.#nest(this.#class(flags));
    const set = this.#classEscape(flags);
    if (set) return set.not ? this.#nest(`[^${set.inside}]`) : set.inside;
    const low = this.#character();
    let inside = unit(low);
    // before a class escape and at the end the hyphen is a character
    if (this.#match(/-(?!\]|\[|&&|\\[sdwhSDWHpP])/y)) {
      const high = this.#character();
      if (high.codePointAt(0)! < low.codePointAt(0)!) this.#fail(`the empty range ${low}-${high}`);
      inside += `-${unit(high)}`;
    }
    return flags.ignoreCase ? folded(inside) : inside;
  }

  #character(): string {
    return this.#peek("\\") ? this.#escapedCharacter() : this.#next();
  }
}

function withFlags(flags: Flags, on: string, off = ""): Flags {
  const pick = (letter: string, now: boolean) => (off.includes(letter) ? false : on.includes(letter) || now);
  return { ignoreCase: pick("i", flags.ignoreCase), dotAll: pick("m", flags.dotAll) };
}

/** A regular expression as nodes, and whether its classes hold classes (then they need the flag v). */
export interface Parsed {
  readonly node: Node;
  readonly nested: boolean;
}

/** Parses an Oniguruma pattern. Throws LlariatError "tokenizer" naming what is not supported; it begins with `where`. */
export function parseRegex(pattern: string, where: string): Parsed {
  if (pattern.length > MAX_LENGTH) {
    refuse(`${where}: the regular expression has ${pattern.length} characters, needed at most ${MAX_LENGTH}`);
  }
  const parser = new Parser(pattern, where);
  const node = parser.parse();
  return { node, nested: parser.nested };
}
