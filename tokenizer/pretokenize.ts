// pretokenize.ts — the "pre_tokenizer" of tokenizer.json: cuts a piece of text into the words no merge may cross.

import { BYTE_CHARS } from "./bytechars.ts";
import { readPattern } from "./normalize.ts";
import { concat, matches, prepend, replace, slice } from "./piece.ts";
import type { Piece } from "./piece.ts";
import { byType, character, choice, fields, flag, list, MAX_NESTING, refuse } from "./read.ts";
import type { Fields, Reader } from "./read.ts";
import { toRegExp } from "./regex.ts";

/** Cuts a piece into words, in order; what a pattern removes is in none of them. */
export type PreTokenizer = (piece: Piece) => Piece[];

/** The pre-tokenizer of a file. */
export interface Splitting {
  readonly split: PreTokenizer;
  /** True where the words are cut from plain text, and the model is to spell them in bytes (ByteLevel comes last). */
  readonly bytes: boolean;
}

const BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"] as const;
type Behavior = (typeof BEHAVIORS)[number];

/** One stretch of a piece, inside or outside the pattern; reaches to the start of the next. */
interface Stretch {
  start: number;
  end: number;
  readonly matched: boolean;
}

/** Cuts at the matches of `pattern`; what becomes of them `behavior` says, in the words of the library. */
function split(piece: Piece, pattern: string | RegExp, behavior: Behavior, invert: boolean): Piece[] {
  const { text } = piece;
  if (behavior === "Isolated" && piece.origin === undefined && typeof pattern !== "string") {
    const words = text.match(pattern);
    // usual patterns leave nothing between their matches: then the words alone say where they are
    if (words && words.reduce((sum, word) => sum + word.length, 0) === text.length) return pieces(piece, words);
  }
  const stretches: Stretch[] = [];
  let done = 0;
  for (const [start, end] of matches(text, pattern)) {
    if (done < start) stretches.push({ start: done, end: start, matched: invert });
    stretches.push({ start, end, matched: !invert });
    done = end;
  }
  if (done < text.length) stretches.push({ start: done, end: text.length, matched: invert });
  return arrange(stretches, behavior)
    .filter(({ start, end }) => start < end)
    .map(({ start, end }) => slice(piece, start, end));
}

function pieces(piece: Piece, words: readonly string[]): Piece[] {
  let { start } = piece;
  const out = [];
  for (const text of words) {
    if (text !== "") out.push({ text, start, origin: undefined });
    start += text.length;
  }
  return out;
}

function arrange(stretches: Stretch[], behavior: Behavior): Stretch[] {
  switch (behavior) {
    case "Isolated":
      return stretches;
    case "Removed":
      return stretches.filter((stretch) => !stretch.matched);
    case "Contiguous":
      return joined(stretches, (stretch, previous) => stretch.matched === previous.matched);
    case "MergedWithPrevious":
      return joined(stretches, (stretch, previous) => stretch.matched && !previous.matched);
    case "MergedWithNext":
      return joined(stretches.reverse(), (stretch, previous) => stretch.matched && !previous.matched).reverse();
  }
}

/** Joins each stretch to the one before it where `joins` says so; `joins` sees the stretches as they were cut. */
function joined(stretches: Stretch[], joins: (stretch: Stretch, previous: Stretch) => boolean): Stretch[] {
  const out: Stretch[] = [];
  let previous: Stretch | undefined;
  for (const stretch of stretches) {
    const last = out.at(-1);
    if (last && previous && joins(stretch, previous)) {
      last.start = Math.min(last.start, stretch.start);
      last.end = Math.max(last.end, stretch.end);
      previous = stretch;
    } else {
      out.push({ ...stretch });
      previous = stretch;
    }
  }
  return out;
}

/** GPT-2's pattern, built into ByteLevel. */
const BYTE_LEVEL_WORDS = toRegExp(
  String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
  "ByteLevel",
);
const DIGIT = toRegExp(String.raw`\p{N}`, "Digits");
const PUNCTUATION = toRegExp("[[:punct:]]", "Punctuation");

/** Spells a piece in the 256 characters that stand for bytes; each stands for the whole character it is a byte of. */
function spellBytes(piece: Piece): Piece {
  const encoder = new TextEncoder();
  const parts: Piece[] = [];
  let text = "";
  let at = 0;
  for (const char of piece.text) {
    const part = slice(piece, at, at + char.length);
    const spelt = Array.from(encoder.encode(char), (byte) => BYTE_CHARS[byte]).join("");
    if (piece.origin === undefined) text += spelt;
    else parts.push(replace(part, char, spelt));
    at += char.length;
  }
  return piece.origin === undefined ? { ...piece, text } : concat(piece, parts);
}

/** What ByteLevel does before it spells bytes; undefined where that is nothing. */
function byteLevelCut(json: Fields, where: string): PreTokenizer | undefined {
  const prefix = flag(json["add_prefix_space"], `${where}.add_prefix_space`, true);
  const regex = flag(json["use_regex"], `${where}.use_regex`, true);
  if (!prefix && !regex) return undefined;
  return (piece) => {
    const whole = prefix && !piece.text.startsWith(" ") ? prepend(piece, " ") : piece;
    return regex ? split(whole, BYTE_LEVEL_WORDS, "Isolated", false) : [whole];
  };
}

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
  ByteLevel(json, where) {
    const cut = byteLevelCut(json, where);
    return (piece) => (cut?.(piece) ?? [piece]).map(spellBytes);
  },
};

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
  const inner = list(step["pretokenizers"], `${where}.pretokenizers`);
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
  return { split: (piece) => steps.reduce(through, [piece]), bytes };
}

function through(pieces: Piece[], step: PreTokenizer): Piece[] {
  if (pieces.length === 1) return step(pieces[0]);
  const out: Piece[] = [];
  for (const piece of pieces) for (const part of step(piece)) out.push(part);
  return out;
}
