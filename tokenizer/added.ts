// added.ts — tokens found in the text before anything else looks at it: specials, and words added after training.
//   leftmost first, then longest; what lies between them goes on to the normalizer and the model

import { spend } from "./effort.ts";
import type { Normalizer } from "./normalize.ts";
import { original, slice } from "./piece.ts";
import type { Piece } from "./piece.ts";
import { refuse } from "./read.ts";
import type { NewToken } from "./special.ts";
import { Trie } from "./trie.ts";

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
/** Steps that a character of white space beside a token costs: tokens of white space may all look at the same. */
const SPACED = 4;

/** Characters of all added tokens of a file together; published files have up to 100,000. */
const MAX_WORDS = 2 ** 20;

function spaceStart(text: string, end: number): number {
  let start = end;
  while (start > 0 && IS_SPACE.test(text[start - 1])) start--;
  spend(SPACED * (end - start));
  return start;
}

function spaceEnd(text: string, start: number): number {
  let end = start;
  while (end < text.length && IS_SPACE.test(text[end])) end++;
  spend(SPACED * (end - start));
  return end;
}

/** Finds one set of added tokens in a text. */
class Finder {
  readonly #tokens: readonly AddedToken[];
  readonly #trie: Trie;
  /** By UTF-16 unit: 1 where a token begins with it. */
  readonly #begins = new Uint8Array(0x10000);

  constructor(tokens: readonly AddedToken[]) {
    const units = tokens.reduce((sum, { written }) => sum + written.length, 0);
    if (units > MAX_WORDS) refuse(`the added tokens have ${units} characters, needed at most ${MAX_WORDS} in all`);
    this.#tokens = tokens;
    this.#trie = new Trie(units);
    for (const [i, { written }] of tokens.entries()) {
      // of two tokens that read the same the first one counts
      if (this.#trie.longest(written, 0)?.end !== written.length) this.#trie.add(written, i);
      this.#begins[written.charCodeAt(0)] = 1;
    }
  }

  /** The longest token at the first place from `at` on that has one. */
  #next(text: string, at: number): { start: number; end: number; token: AddedToken } | undefined {
    const begins = this.#begins;
    for (let start = at; start < text.length; start++) {
      if (begins[text.charCodeAt(start)] === 0) continue;
      const found = this.#trie.longest(text, start);
      if (found) return { start, end: found.end, token: this.#tokens[found.value] };
    }
    return undefined;
  }

  split(piece: Piece, parseSpecial: boolean): Section[] {
    const { text } = piece;
    if (text === "") return [];
    if (this.#tokens.length === 0) return [{ piece: slice(piece, 0, text.length), token: undefined }];
    const sections: Section[] = [];
    let done = 0;
    for (let found = this.#next(text, 0); found; found = this.#next(text, found.end)) {
      const { token } = found;
      let { start, end } = found;
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
