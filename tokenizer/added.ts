// added.ts — tokens found in the text before anything else looks at it: specials, and words added after training.
//   leftmost first, then longest; what lies between them goes on to the normalizer and the model

import type { Normalizer } from "./normalize.ts";
import { original, slice } from "./piece.ts";
import type { Piece } from "./piece.ts";
import { count, fields, flag, list, MAX_VOCABULARY, refuse, text } from "./read.ts";

/** An entry of "added_tokens". */
export interface AddedToken {
  readonly id: number;
  readonly content: string;
  /** Left out of decoded text when specials are skipped; taken as plain text when specials are not parsed. */
  readonly special: boolean;
  /** Found only where no word character touches it. */
  readonly singleWord: boolean;
  /** Takes the white space before (after) it along. */
  readonly lstrip: boolean;
  readonly rstrip: boolean;
  /** Searched in normalized text, and itself normalized first. */
  readonly normalized: boolean;
  /** What it reads in that text; equal to `content` for the others. */
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
    this.#pattern = words.length > 0 ? new RegExp(escaped.join("|"), "g") : undefined;
  }

  split(piece: Piece, parseSpecial: boolean): Section[] {
    const { text } = piece;
    if (text === "") return [];
    if (this.#pattern === undefined || text.search(this.#pattern) < 0) return [{ piece, token: undefined }];
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

/**
 * Reads "added_tokens". `idOf` is the model's vocabulary: a token whose content is a piece must have that piece's id, and
 * a new one must not take an id that is in use.
 */
export function readAddedTokens(
  json: unknown,
  vocabulary: ReadonlyMap<string, number>,
  pieces: readonly (string | undefined)[],
  normalize: Normalizer | undefined,
): AddedTokens {
  const seen = new Map<string, AddedToken>();
  const ids = new Map<number, string>();
  for (const [i, entry] of list(json ?? [], "added_tokens").entries()) {
    const where = `added_tokens[${i}]`;
    const token = fields(entry, where);
    const content = text(token["content"], `${where}.content`);
    const id = count(token["id"], `${where}.id`, MAX_VOCABULARY);
    if (content === "") continue;
    const owner = ids.get(id) ?? pieces[id];
    if (owner !== undefined && owner !== content) {
      refuse(`${where} ("${content}") has the id ${id}, which "${owner}" has already; needed an id of its own`);
    }
    const known = vocabulary.get(content) ?? seen.get(content)?.id;
    if (known !== undefined && known !== id) {
      refuse(`${where} ("${content}") has the id ${id}, but the vocabulary gives it ${known}; needed one id`);
    }
    const special = flag(token["special"], `${where}.special`, false);
    const normalized = flag(token["normalized"], `${where}.normalized`, !special);
    const written = normalized ? (normalize?.(original(content, 0, content.length, false)).text ?? content) : content;
    if (written === "") refuse(`${where} ("${content}") is empty after the normalizer, needed something to look for`);
    ids.set(id, content);
    seen.set(content, {
      id,
      content,
      special,
      singleWord: flag(token["single_word"], `${where}.single_word`, false),
      lstrip: flag(token["lstrip"], `${where}.lstrip`, false),
      rstrip: flag(token["rstrip"], `${where}.rstrip`, false),
      normalized,
      written,
    });
  }
  return new AddedTokens([...seen.values()], normalize);
}
