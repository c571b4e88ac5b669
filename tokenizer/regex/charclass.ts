// charclass.ts — sets of characters: Oniguruma's names for them, as the inside of a JavaScript class of flag u or v.
// Source: Oniguruma doc/RE and its Unicode tables; Unicode Technical Standard 18.

import { spend } from "../effort.ts";

/** Unicode's White_Space: what Rust's is_whitespace and \s of both engines take. */
export const SPACE = String.raw`\p{White_Space}`;
/** \w of Oniguruma inside brackets: letters, marks, decimal digits, connectors. */
export const WORD = String.raw`\p{Alphabetic}\p{M}\p{Nd}\p{Pc}`;
/** \w and \b by themselves: Oniguruma asks an older table for Latin-1, which has ², ³, ¹, ¼, ½ and ¾ too. */
export const LONE_WORD = String.raw`${WORD}\u00b2\u00b3\u00b9\u00bc-\u00be`;

/** Class escapes and POSIX brackets as the inside of a JavaScript class. */
export const CLASSES: Readonly<Record<string, string>> = {
  s: SPACE,
  d: String.raw`\p{Nd}`,
  w: WORD,
  h: "0-9a-fA-F",
};
/** POSIX brackets, whose names \p{…} knows, too. */
export const POSIX: Readonly<Record<string, string>> = {
  alnum: String.raw`\p{Alphabetic}\p{Nd}`,
  alpha: String.raw`\p{Alphabetic}`,
  ascii: String.raw`\u0000-\u007f`,
  blank: String.raw`\p{Zs}\t`,
  cntrl: String.raw`\p{Cc}`,
  digit: String.raw`\p{Nd}`,
  lower: String.raw`\p{Lowercase}`,
  punct: String.raw`\p{P}\p{S}`,
  space: SPACE,
  upper: String.raw`\p{Uppercase}`,
  word: WORD,
  xdigit: "0-9a-fA-F",
};
/** A character as it may stand anywhere in a pattern of flag u or v. */
export function unit(char: string): string {
  return /[\p{L}\p{N}]/u.test(char) ? char : `\\u{${char.codePointAt(0)!.toString(16)}}`;
}

/** Steps that V8 takes for an expression of its own, and for one that it holds against all cased characters. */
const COMPILED = 5000;
const FOLDED = 40_000;

/** All characters that some other one differs from only in case, in one string; the last ones today are U+1E943 (Adlam). */
let casedMemo: string | undefined;
function cased(): string {
  const all = () =>
    Array.from({ length: 0x20000 }, (_, code) => (code >> 11 === 0x1b ? "" : String.fromCodePoint(code)));
  casedMemo ??= all()
    .join("")
    .match(/\p{Changes_When_Casemapped}/gu)!
    .join("");
  return casedMemo;
}

/** The inside of a class with everything added that simple case folding makes equal ("s" also takes U+017F). */
export function folded(inside: string): string {
  spend(FOLDED);
  const equal = cased().match(new RegExp(`[${inside}]`, "giu")) ?? [];
  const known = new RegExp(`[${inside}]`, "u");
  return (
    inside +
    equal
      .filter((char) => !known.test(char))
      .map(unit)
      .join("")
  );
}

/** \p{name}: a category, a binary property or a script, as Oniguruma names them. */
export function propertyClass(name: string): string | undefined {
  const plain = name.toLowerCase().replace(/[ _-]/g, "");
  // of this one the two names mean two things
  if (plain === "punct") return String.raw`\p{P}`;
  if (Object.hasOwn(POSIX, plain)) return POSIX[plain];
  if (!/^\w+$/.test(name)) return undefined;
  const title = name[0].toUpperCase() + name.slice(1).toLowerCase();
  for (const candidate of [name, title, `Script=${name}`, `Script=${title}`]) {
    spend(COMPILED);
    try {
      return new RegExp(String.raw`\p{${candidate}}`, "u").source;
    } catch {
      continue;
    }
  }
  return undefined;
}
