// normalize.ts — the "normalizer" of tokenizer.json: text before it is cut, as a chain of rewrites.

import { spellBytes } from "./bytelevel.ts";
import { cleanText, lowercase, nmt, spaceIdeographs, strip, stripAccents, stripBertAccents } from "./characters.ts";
import { Charsmap } from "./charsmap.ts";
import { spend } from "./effort.ts";
import { checkGrowth, longestFrom } from "./growth.ts";
import { prepend, replace } from "./piece.ts";
import type { Pattern, Piece } from "./piece.ts";
import { precompiled } from "./precompiled.ts";
import { base64, byType, fields, flag, refuse, stepsOf, text } from "./read.ts";
import type { Fields, Reader } from "./read.ts";
import { readRegex } from "./regex/index.ts";
import { normalized } from "./unicode.ts";
import type { Form } from "./unicode.ts";

/** Rewrites a piece of text; with an origin it keeps track of where each character came from. */
export type Normalizer = (piece: Piece) => Piece;

/** {"String": …} is taken literally, {"Regex": …} as a regular expression. */
export function readPattern(json: unknown, where: string): Pattern {
  const pattern = fields(json, where);
  if (pattern["Regex"] !== undefined) {
    return readRegex(text(pattern["Regex"], `${where}.Regex`), where);
  }
  const literal = text(pattern["String"], `${where}.String`);
  if (literal === "") refuse(`${where}.String is empty, needed the text to look for`);
  return literal;
}

/** Steps of work that a character costs in one step of the file, at least. */
const STEP = 4;

/** A step of one: `most` is how long a text may become. */
type Rewrite = (piece: Piece, most: number) => Piece;

const unicode = (form: Form) => (): Rewrite => (piece) => normalized(piece, form);

/** The steps that a BertNormalizer has switched on; strip_accents follows lowercase where the file leaves it open. */
function bert(json: Fields, where: string): Rewrite[] {
  const on = (key: string, absent: boolean) => flag(json[key], `${where}.${key}`, absent);
  const lower = on("lowercase", true);
  const steps: Rewrite[] = [];
  if (on("clean_text", true)) steps.push(cleanText);
  if (on("handle_chinese_chars", true)) steps.push(spaceIdeographs);
  if (on("strip_accents", lower)) steps.push(stripBertAccents);
  if (lower) steps.push(lowercase);
  return steps;
}

const inTurn =
  (steps: readonly Rewrite[], where: string): Rewrite =>
  (piece, most) =>
    steps.reduce((now, step) => {
      spend(STEP * now.text.length);
      const next = step(now, most);
      checkGrowth(where, next.text.length, most);
      return next;
    }, piece);

const READERS: Readonly<Record<string, Reader<Rewrite>>> = {
  Sequence(json, where, depth) {
    const steps = stepsOf(json["normalizers"], `${where}.normalizers`, "normalizers");
    return inTurn(
      steps.map((step, i) => byType(step, `${where}.normalizers[${i}]`, READERS, depth + 1)),
      where,
    );
  },
  Prepend(json, where) {
    const prefix = text(json["prepend"], `${where}.prepend`);
    return (piece) => prepend(piece, prefix);
  },
  Replace(json, where) {
    const pattern = readPattern(json["pattern"], `${where}.pattern`);
    const content = text(json["content"], `${where}.content`);
    return (piece, most) => replace(piece, pattern, content, { where, most });
  },
  Strip(json, where) {
    const left = flag(json["strip_left"], `${where}.strip_left`);
    const right = flag(json["strip_right"], `${where}.strip_right`);
    return (piece) => strip(piece, left, right);
  },
  Precompiled(json, where) {
    const at = `${where}.precompiled_charsmap`;
    return precompiled(new Charsmap(base64(json["precompiled_charsmap"], at), at), where);
  },
  BertNormalizer: (json, where) => inTurn(bert(json, where), where),
  NFC: unicode("NFC"),
  NFD: unicode("NFD"),
  NFKC: unicode("NFKC"),
  NFKD: unicode("NFKD"),
  Lowercase: () => lowercase,
  StripAccents: () => stripAccents,
  Nmt: () => nmt,
  ByteLevel: () => spellBytes,
};

/**
 * Throws LlariatError "tokenizer" naming a normalizer that is not supported; so does the normalizer for a text that it
 * makes far too long (growth.ts).
 */
export function readNormalizer(json: unknown, where: string): Normalizer | undefined {
  if (json === undefined || json === null) return undefined;
  const rewrite = inTurn([byType(json, where, READERS, 0)], where);
  return (piece) => rewrite(piece, longestFrom(piece.text.length));
}
