// normalize.ts — what SentencePiece does to a text before the model sees it:
//   characters replaced by the map, longest first · white space at both ends and in rows removed · a space in front ·
//   spaces written as ▁
// User-defined symbols pass as they are. Offsets are SentencePiece's: a character made of nothing stands for nothing.
// Source: sentencepiece src/normalizer.cc, Normalizer::Normalize.

import { checkGrowth, longestFrom } from "../growth.ts";
import { Charsmap } from "../charsmap.ts";
import type { Piece } from "../piece.ts";
import { refuse } from "../read.ts";
import type { Trie } from "../trie.ts";
import type { ModelProto } from "./proto.ts";

/** The character that stands for a space. */
export const SPACE = "▁";

/** What the rules ask for; `addDummyPrefix` may be switched off for one text. */
type Rules = Pick<
  ModelProto,
  "charsmap" | "addDummyPrefix" | "removeExtraWhitespaces" | "escapeWhitespaces" | "whitespaceAsSuffix"
>;

/** Normalizes texts by the rules of one file. */
export class Normalization {
  readonly #rules: Rules;
  readonly #map: Charsmap | undefined;
  readonly #userDefined: Trie | undefined;

  /** `userDefined`: the symbols that pass as they are, where there are any. Throws LlariatError "tokenizer" for a damaged map. */
  constructor(rules: Rules, userDefined: Trie | undefined, file: string) {
    this.#rules = rules;
    this.#map = rules.charsmap.length > 0 ? new Charsmap(rules.charsmap, `${file}: precompiled_charsmap`) : undefined;
    this.#userDefined = userDefined;
  }

  /** `prefix`: whether this text gets the dummy space, if the rules have one. */
  run(piece: Piece, prefix: boolean): Piece {
    const { addDummyPrefix, removeExtraWhitespaces, escapeWhitespaces, whitespaceAsSuffix } = this.#rules;
    const dummy = prefix && addDummyPrefix;
    const space = escapeWhitespaces ? SPACE : " ";
    const { text } = piece;
    if (text === "") return piece;
    if (!this.#map && !this.#userDefined && !removeExtraWhitespaces && !whitespaceAsSuffix && !piece.origin) {
      const spaced = escapeWhitespaces ? text.replaceAll(" ", SPACE) : text;
      return { ...piece, text: dummy ? space + spaced : spaced };
    }
    const out = new Output(longestFrom(text.length));
    const read = this.#reader(text);
    let at = 0;
    if (removeExtraWhitespaces) {
      for (let part; at < text.length && (part = read(at)).text === " "; at = part.end);
      if (at === text.length) return { text: "", start: piece.start, origin: piece.origin?.subarray(0, 0) };
    }
    if (dummy && !whitespaceAsSuffix) out.put(space, at);
    let afterSpace = removeExtraWhitespaces;
    while (at < text.length) {
      const part = read(at);
      let from = 0;
      while (afterSpace && part.text[from] === " ") from++;
      if (from < part.text.length) {
        const kept = part.text.slice(from);
        out.put(escapeWhitespaces ? kept.replaceAll(" ", SPACE) : kept, at);
        afterSpace = removeExtraWhitespaces && kept.endsWith(" ");
      }
      at = part.end;
    }
    if (removeExtraWhitespaces) at = out.trim(space, at);
    if (dummy && whitespaceAsSuffix) out.put(space, at);
    return out.piece(piece, at);
  }

  /** Reads what stands at a place of `text`, as it is to be, and where it ends. Places must rise. */
  #reader(text: string): (at: number) => { text: string; end: number } {
    const [map, userDefined] = [this.#map, this.#userDefined];
    const bytes = map && new TextEncoder().encode(text);
    let [unit, byte] = [0, 0];
    return (at) => {
      const symbol = userDefined?.longest(text, at);
      if (symbol) return { text: text.slice(at, symbol.end), end: symbol.end };
      if (map && bytes) {
        for (; unit < at; unit += lengthAt(text, unit)) byte += bytesAt(text, unit);
        const found = map.find(bytes, byte, bytes.length);
        if (found) return { text: found.text, end: unitsIn(text, at, found.length) };
      }
      const end = at + lengthAt(text, at);
      return { text: text.slice(at, end), end };
    };
  }
}

const lengthAt = (text: string, at: number): number => (text.codePointAt(at)! > 0xffff ? 2 : 1);

function bytesAt(text: string, at: number): number {
  const code = text.codePointAt(at)!;
  return code < 0x80 ? 1 : code < 0x800 ? 2 : code < 0x10000 ? 3 : 4;
}

/** The end of the characters that have `bytes` bytes from `at` on. */
function unitsIn(text: string, at: number, bytes: number): number {
  let end = at;
  for (let left = bytes; left > 0; end += lengthAt(text, end)) {
    left -= bytesAt(text, end);
    if (left < 0) refuse("precompiled_charsmap is damaged: one of its keys ends inside a character");
  }
  return end;
}

/** Text as it grows, with the place each of its UTF-16 units comes from. */
class Output {
  readonly #parts: string[] = [];
  readonly #places: number[] = [];
  readonly #most: number;

  constructor(most: number) {
    this.#most = most;
  }

  put(text: string, place: number): void {
    checkGrowth("precompiled_charsmap", this.#places.length + text.length, this.#most);
    this.#parts.push(text);
    for (let i = 0; i < text.length; i++) this.#places.push(place);
  }

  /** Takes every `space` off the end; where the text then ends in the original, `end` if there was none. */
  trim(space: string, end: number): number {
    let text = this.#parts.join("");
    let place = end;
    while (text.endsWith(space)) {
      text = text.slice(0, -1);
      place = this.#places.pop()!;
    }
    this.#parts.splice(0, Infinity, text);
    return place;
  }

  /** The text as a piece in place of `piece`; `end`: where it ends in the original. */
  piece(piece: Piece, end: number): Piece {
    const text = this.#parts.join("");
    if (!piece.origin) return { ...piece, text };
    const origin = new Int32Array(2 * text.length);
    for (let i = 0; i < text.length; i++) {
      origin[2 * i] = piece.start + this.#places[i];
      origin[2 * i + 1] = piece.start + (this.#places[i + 1] ?? end);
    }
    return { text, start: piece.start, origin };
  }
}
