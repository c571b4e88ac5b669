// added.ts — tokens found in the text before anything else looks at it: specials, and words added after training.
//   leftmost first, then longest; what lies between them goes on to the normalizer and the model

import type { Normalizer } from "./normalize.ts";
import { original, slice } from "./piece.ts";
import type { Piece } from "./piece.ts";
import { refuse } from "./read.ts";
import type { NewToken } from "./special.ts";

/** An added token with its id. */
export interface AddedToken extends NewToken {
  readonly id: number;
  /** What it reads in normalized text, where it is searched there; else `content`. */
  readonly written: string;
}

/** A piece of text, or the added token that takes its place. */
export interface Section {
  readonly piece: Piece;
  readonly token: AddedToken | undefined;
}

// \w and \s of Rust's regex crate (Unicode Technical Standard 18, Annex C); \s is all in the first 65,536 characters
const ENDS_WITH_WORD = /[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]$/u;
const STARTS_WITH_WORD = /^[\p{Alphabetic}\p{M}\p{Nd}\p{Pc}\p{Join_Control}]/u;
const IS_SPACE = /^\p{White_Space}$/u;

/** Published files have up to 100,000; every place of a text is compared with those that begin as it does. */
const MAX_WORDS = 2 ** 20;

function spaceStart(text: string, end: number): number {
  while (end > 0 && IS_SPACE.test(text[end - 1])) end--;
  return end;
}

function spaceEnd(text: string, start: number): number {
  while (start < text.length && IS_SPACE.test(text[start])) start++;
  return start;
}

/** Finds one set of added tokens in a text. */
class Finder {
  readonly #pattern: RegExp | undefined;
  readonly #tokens: ReadonlyMap<string, AddedToken>;

  constructor(tokens: readonly AddedToken[]) {
    // of two tokens that read the same the first one counts: a Map keeps the last
    this.#tokens = new Map([...tokens].reverse().map((token) => [token.written, token]));
    // of the alternatives of a regular expression the first one that matches counts: longest first
    const words = [...this.#tokens.keys()].sort((a, b) => b.length - a.length);
    const escaped = words.map((word) => word.replace(/[\\^$.*+?()[\]{}|/]/g, String.raw`\$&`));
    const source = escaped.join("|");
    if (source.length > MAX_WORDS) {
      refuse(`the added tokens have ${source.length} characters, needed at most ${MAX_WORDS} in all`);
    }
    this.#pattern = words.length > 0 ? new RegExp(source, "g") : undefined;
  }

  split(piece: Piece, parseSpecial: boolean): Section[] {
    const { text } = piece;
    if (text === "") return [];
    if (this.#pattern === undefined || text.search(this.#pattern) < 0) {
      return [{ piece: slice(piece, 0, text.length), token: undefined }];
    }
    const sections: Section[] = [];
    let done = 0;
    for (const found of text.matchAll(this.#pattern)) {
      const token = this.#tokens.get(found[0])!;
      let start = found.index;
      let end = start + found[0].length;
      // a match that is not taken still hides shorter ones inside it, as in the library
      if (token.special && !parseSpecial) continue;
      if (token.singleWord && (wordBefore(text, start) || wordAfter(text, end))) continue;
      if (token.lstrip) start = Math.max(spaceStart(text, start), done);
      if (token.rstrip) end = spaceEnd(text, end);
      if (done < start) sections.push({ piece: slice(piece, done, start), token: undefined });
      sections.push({ piece: slice(piece, start, end), token });
      done = end;
    }
    if (done < text.length) sections.push({ piece: slice(piece, done, text.length), token: undefined });
    return sections;
  }
}

// two units are enough for the neighbouring character, and keep the regular expression from walking the text
const wordBefore = (text: string, at: number) => ENDS_WITH_WORD.test(text.slice(Math.max(0, at - 2), at));
const wordAfter = (text: string, at: number) => STARTS_WITH_WORD.test(text.slice(at, at + 2));

/** All added tokens of a file, and the search for them. */
export class AddedTokens {
  readonly tokens: readonly AddedToken[];
  readonly #plain: Finder;
  readonly #normalized: Finder;
  readonly #normalize: Normalizer | undefined;

  constructor(tokens: readonly AddedToken[], normalize: Normalizer | undefined) {
    this.tokens = tokens;
    this.#normalize = normalize;
    this.#plain = new Finder(tokens.filter((token) => !token.normalized));
    this.#normalized = new Finder(tokens.filter((token) => token.normalized));
  }

  /**
   * Cuts `text` at the added tokens and normalizes what lies between them. Without `parseSpecial` special tokens in the
   * text are text. `traced`: the pieces keep their origin.
   */
  *sections(text: string, parseSpecial: boolean, traced: boolean): Generator<Section> {
    for (const section of this.#plain.split(original(text, 0, text.length, traced), parseSpecial)) {
      if (section.token) yield section;
      else yield* this.#normalized.split(this.#normalize?.(section.piece) ?? section.piece, parseSpecial);
    }
  }
}
