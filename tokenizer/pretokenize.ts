// pretokenize.ts — the "pre_tokenizer" of tokenizer.json: cuts a piece of text into the words no merge may cross.

import { byteLevelCut, spellBytes } from "./bytelevel.ts";
import { spend } from "./effort.ts";
import { checkGrowth, longestFrom } from "./growth.ts";
import { readPattern } from "./normalize.ts";
import { prepend, replace } from "./piece.ts";
import type { Piece } from "./piece.ts";
import { byType, character, choice, count, fields, flag, MAX_NESTING, refuse, stepsOf } from "./read.ts";
import type { Fields, Reader } from "./read.ts";
import { readRegex } from "./regex/index.ts";
import { splitScripts } from "./scripts.ts";
import { BEHAVIORS, split } from "./split.ts";

/** Cuts a piece into words, in order; what a pattern removes is in none of them. */
export type PreTokenizer = (piece: Piece) => Piece[];

/** The pre-tokenizer of a file. */
export interface Splitting {
  readonly split: PreTokenizer;
  /** True where the words are cut from plain text, and the model is to spell them in bytes (ByteLevel comes last). */
  readonly bytes: boolean;
  /** A step asks whether a piece begins the text: undefined for none, else how many steps come before the last such one. */
  readonly asksStart: number | undefined;
}

const DIGIT = readRegex(String.raw`\p{N}`, "Digits");
/** ASCII's punctuation and symbols, and Unicode's punctuation. */
const PUNCTUATION = /[!-/:-@[-`{-~\p{P}]/gu;
const SPACE = /\p{White_Space}/gu;
/** \w+|[^\w\s]+ of Rust's regex crate (Unicode Technical Standard 18, Annex C). */
const WORDS =
  /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]+|[^\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}\p{White_Space}]+/gu;

const READERS: Readonly<Record<string, Reader<PreTokenizer>>> = {
  Metaspace(json, where) {
    const replacement = character(json["replacement"], `${where}.replacement`);
    const cut = flag(json["split"], `${where}.split`, true);
    const scheme = prependScheme(json, where);
    return (piece) => {
      let now = replace(piece, " ", replacement);
      const wanted = scheme === "always" || (scheme === "first" && now.start === 0);
      if (wanted && !now.text.startsWith(replacement)) now = prepend(now, replacement);
      return cut ? split(now, replacement, "MergedWithNext", false) : [now];
    };
  },
  Split(json, where) {
    const pattern = readPattern(json["pattern"], `${where}.pattern`);
    const behavior = choice(json["behavior"], `${where}.behavior`, BEHAVIORS);
    const invert = flag(json["invert"], `${where}.invert`, false);
    return (piece) => split(piece, pattern, behavior, invert);
  },
  Digits(json, where) {
    const each = flag(json["individual_digits"], `${where}.individual_digits`, false);
    return (piece) => split(piece, DIGIT, each ? "Isolated" : "Contiguous", false);
  },
  Punctuation(json, where) {
    const behavior = choice(json["behavior"] ?? "Isolated", `${where}.behavior`, BEHAVIORS);
    return (piece) => split(piece, PUNCTUATION, behavior, false);
  },
  Whitespace: () => (piece) => split(piece, WORDS, "Removed", true),
  WhitespaceSplit: () => (piece) => split(piece, SPACE, "Removed", false),
  BertPreTokenizer: () => (piece) =>
    split(piece, SPACE, "Removed", false).flatMap((word) => split(word, PUNCTUATION, "Isolated", false)),
  CharDelimiterSplit(json, where) {
    const delimiter = character(json["delimiter"], `${where}.delimiter`);
    return (piece) => split(piece, delimiter, "Removed", false);
  },
  FixedLength(json, where) {
    const length = count(json["length"] ?? 5, `${where}.length`, 2 ** 31);
    if (length === 0) refuse(`${where}.length is 0, needed at least 1`);
    return (piece) => split(piece, characters(length), "Isolated", false);
  },
  UnicodeScripts: () => splitScripts,
  ByteLevel(json, where) {
    const cut = byteLevelCut(json, where);
    return (piece) => (cut?.(piece) ?? [piece]).map(spellBytes);
  },
};

/** As many characters as a piece of FixedLength has; the last one has the rest. */
const characters = (length: number) => new RegExp(`[^]{1,${length}}`, "gu");

const SCHEMES = ["first", "always", "never"] as const;
/** At the start of the text, of every section between added tokens, or nowhere. */
export type PrependScheme = (typeof SCHEMES)[number];

/** When Metaspace puts its character in front; files before 2024 say add_prefix_space instead. */
export function prependScheme(json: Fields, where: string): PrependScheme {
  const old = flag(json["add_prefix_space"], `${where}.add_prefix_space`, true);
  const scheme = choice(json["prepend_scheme"] ?? (old ? "always" : "never"), `${where}.prepend_scheme`, SCHEMES);
  if (!old && scheme !== "never") {
    refuse(`${where}: add_prefix_space is false but prepend_scheme is ${scheme}, needed one answer`);
  }
  return scheme;
}

interface Part {
  readonly json: Fields;
  readonly where: string;
}

/** The steps of a Sequence of Sequences in one row. */
function flatten(json: unknown, where: string, depth = 0): Part[] {
  const step = fields(json, where);
  if (step["type"] !== "Sequence") return [{ json: step, where }];
  if (depth > MAX_NESTING) refuse(`${where} is nested ${depth} deep, needed at most ${MAX_NESTING}`);
  const inner = stepsOf(step["pretokenizers"], `${where}.pretokenizers`, "pretokenizers");
  return inner.flatMap((step, i) => flatten(step, `${where}.pretokenizers[${i}]`, depth + 1));
}

/**
 * Reads the pre-tokenizer. Where ByteLevel comes last and `canSpell` says that the model knows all 256 bytes, the words
 * stay plain text and the model spells them: that saves making every word a string twice.
 * Throws LlariatError "tokenizer" naming a pre-tokenizer that is not supported.
 */
export function readPreTokenizer(json: unknown, where: string, canSpell: boolean): Splitting {
  const parts = json === undefined || json === null ? [] : flatten(json, where);
  const last = parts.at(-1);
  const bytes = canSpell && last?.json["type"] === "ByteLevel";
  const steps = (bytes ? parts.slice(0, -1) : parts).map((part) => byType(part.json, part.where, READERS, 0));
  const cut = bytes ? byteLevelCut(last.json, last.where) : undefined;
  if (cut) steps.push(cut);
  const asks = parts.findLastIndex((part) => part.json["prepend_scheme"] === "first");
  const inTurn = (piece: Piece): Piece[] => {
    const most = longestFrom(piece.text.length);
    return steps.reduce(
      (pieces, step) => {
        const next = through(pieces, step);
        checkGrowth(
          where,
          next.reduce((sum, { text }) => sum + text.length, 0),
          most,
        );
        return next;
      },
      [piece],
    );
  };
  // one step alone makes a text no longer than three times itself
  return {
    split: steps.length > 1 ? inTurn : (piece) => steps.reduce(through, [piece]),
    bytes,
    asksStart: asks < 0 ? undefined : asks,
  };
}

/** Steps of work that a piece costs in one step of the file, at least. */
const EACH_PIECE = 40;

function through(pieces: Piece[], step: PreTokenizer): Piece[] {
  spend(EACH_PIECE * pieces.length);
  if (pieces.length === 1) return step(pieces[0]);
  const out: Piece[] = [];
  for (const piece of pieces) for (const part of step(piece)) out.push(part);
  return out;
}
