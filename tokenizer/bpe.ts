// bpe.ts — the byte-pair model: a word becomes a row of symbols, merge.ts merges it, what is left are the ids.
//   characters: pieces of the vocabulary, else their UTF-8 bytes as byte tokens, else the unknown token
//   bytes (byte-level vocabularies): the pieces that name the bytes of the word in UTF-8

import { BYTE_CHARS, bytesOf, wholeText } from "./bytechars.ts";
import { Merger } from "./merge.ts";
import type { Merge } from "./merge.ts";
import type { Encoder } from "./encoder.ts";
import { refuseCharacter } from "./read.ts";
import type { Tokens } from "./tokens.ts";

/** Working arrays up to this length are kept for the next text. */
const KEEP = 1 << 16;

/** The tables of a byte-pair model, as model.ts checked them. */
export interface BpeModel {
  /** Piece → id. */
  readonly vocabulary: ReadonlyMap<string, number>;
  /** Id → piece. */
  readonly pieces: readonly (string | undefined)[];
  /** In order of rank: ids of left, right and result, three numbers each. */
  readonly merges: Int32Array;
  /** A word that is a piece is that piece, whether or not merges lead there. */
  readonly ignoreMerges: boolean;
  /** For characters without a piece: the 256 byte tokens, or undefined where there is no byte fallback. */
  readonly byteTokens: Int32Array | undefined;
  readonly unknown: number | undefined;
  /** Neighbouring unknown characters become one unknown token. */
  readonly fuseUnknown: boolean;
}

/** The byte-pair model of tokenizer.json. */
export class Bpe implements Encoder {
  readonly canSpell: boolean;
  readonly #model: BpeModel;
  readonly #merger: Merger;
  /** UTF-16 unit → id, -1 for characters without a piece; those above U+FFFF are looked up in the vocabulary. */
  readonly #units = new Int32Array(0x10000).fill(-1);
  /** Byte → id, for words that are spelt in bytes. */
  readonly #bytes: Int32Array;
  /** Words that are pieces, for ignoreMerges with words spelt in bytes; made when first needed. */
  #words: ReadonlyMap<string, number> | undefined;

  /** The row of symbols of the word at hand. */
  #ids = new Int32Array(0);
  /** Where the last unknown character ended; an unknown one that starts there may join it. */
  #unknownEnd = -1;
  /** UTF-16 range of the character each symbol belongs to, only while offsets are wanted. */
  #from = new Int32Array(0);
  #to = new Int32Array(0);

  constructor(model: BpeModel) {
    this.#model = model;
    const { vocabulary, merges } = model;
    const units = this.#units;
    // an ASCII character without a piece is one byte token: a single symbol all the same
    if (model.byteTokens) units.set(model.byteTokens.subarray(0, 0x80));
    for (const [piece, id] of vocabulary) if (piece.length === 1) units[piece.charCodeAt(0)] = id;
    this.#bytes = Int32Array.from(BYTE_CHARS, (char) => vocabulary.get(char) ?? -1);
    this.canSpell = !this.#bytes.includes(-1);

    // byte and unknown tokens stand for no one character: a merge of theirs is no neighbourhood of characters
    const bare = new Set(model.byteTokens).add(model.unknown ?? -1);
    const cuts = !merges.some((id, i) => i % 3 < 2 && bare.has(id));
    this.#merger = new Merger(this.#merges(), merges.length / 3, cuts);
  }

  *#merges(): Generator<Merge> {
    const { pieces, merges } = this.#model;
    for (let i = 0; i < merges.length; i += 3) {
      const [left, right, result] = [merges[i], merges[i + 1], merges[i + 2]];
      const last = this.#symbol(lastCharacter(pieces[left]!));
      const first = this.#symbol(firstCharacter(pieces[right]!));
      yield { rank: i / 3, shared: false, left, right, result, last, first };
    }
  }

  /** The id of a character, -1 for none. */
  #symbol(char: string): number {
    return char.length === 1 ? this.#units[char.charCodeAt(0)] : (this.#model.vocabulary.get(char) ?? -1);
  }

  /** `bytes`: the symbols of the word are its bytes; otherwise they are its characters. */
  encode(word: string, bytes: boolean, tokens: Tokens): void {
    if (this.#model.ignoreMerges) {
      const whole = (bytes ? (this.#words ??= this.#spelt()) : this.#model.vocabulary).get(word);
      if (whole !== undefined) {
        tokens.push(whole, 0, word.length);
        return;
      }
    }
    const traced = tokens.spans !== undefined;
    this.#reserve(word.length, traced);
    this.#unknownEnd = -1;
    const count = bytes ? this.#spell(word, traced) : this.#characters(word, traced);
    this.#merger.merge(this.#ids, count);
    const [ids, { next }] = [this.#ids, this.#merger];
    if (traced) {
      for (let i = 0; i < count; i = next[i]!) tokens.push(ids[i], this.#from[i], this.#to[next[i] - 1]);
    } else {
      for (let i = 0; i < count; i = next[i]!) tokens.push(ids[i], 0, 0);
    }
    if (ids.length > KEEP) this.#release();
  }

  /** Writes the ids of the characters of `word` to the working arrays; returns how many there are. */
  #characters(word: string, traced: boolean): number {
    const units = this.#units;
    let count = 0;
    for (let i = 0; i < word.length; i++) {
      const code = word.charCodeAt(i);
      const id = units[code];
      if (id >= 0) {
        if (traced) this.#mark(count, i, i + 1);
        this.#ids[count++] = id;
      } else {
        const end = code >= 0xd800 && code < 0xdc00 ? i + 2 : i + 1;
        count = this.#rareCharacter(word, i, end, count, traced);
        i = end - 1;
      }
    }
    return count;
  }

  /** A character outside the table of units: above U+FFFF, in bytes, or unknown. Returns the new number of symbols. */
  #rareCharacter(word: string, start: number, end: number, count: number, traced: boolean): number {
    const { byteTokens, unknown, fuseUnknown } = this.#model;
    const char = word.slice(start, end);
    const id = this.#symbol(char);
    let symbols = id >= 0 ? [id] : Array.from(UTF8.encode(char), (byte) => byteTokens?.[byte] ?? -1);
    if (symbols.includes(-1)) {
      if (unknown === undefined) return refuseCharacter(char);
      if (fuseUnknown && this.#unknownEnd === start) {
        this.#unknownEnd = end;
        if (traced) this.#to[count - 1] = end;
        return count;
      }
      this.#unknownEnd = end;
      symbols = [unknown];
    }
    this.#reserve(count + symbols.length + word.length - end, traced);
    for (const symbol of symbols) {
      if (traced) this.#mark(count, start, end);
      this.#ids[count++] = symbol;
    }
    return count;
  }

  /** Writes the ids of the UTF-8 bytes of `word` to the working arrays; returns how many there are. */
  #spell(word: string, traced: boolean): number {
    const bytes = this.#bytes;
    let count = 0;
    for (let i = 0; i < word.length; i++) {
      const code = word.charCodeAt(i);
      if (code < 0x80) {
        if (traced) this.#mark(count, i, i + 1);
        this.#ids[count++] = bytes[code]!;
      } else {
        const end = code >= 0xd800 && code < 0xdc00 ? i + 2 : i + 1;
        this.#reserve(count + 4 + word.length - end, traced);
        for (const byte of UTF8.encode(word.slice(i, end))) {
          if (traced) this.#mark(count, i, end);
          this.#ids[count++] = bytes[byte]!;
        }
        i = end - 1;
      }
    }
    return count;
  }

  /** Pieces of the vocabulary as the text they spell; those that are no whole characters never equal a word. */
  #spelt(): Map<string, number> {
    const words = new Map<string, number>();
    for (const [piece, id] of this.#model.vocabulary) {
      const bytes = bytesOf(piece);
      const word = bytes && wholeText(bytes);
      if (word !== undefined) words.set(word, id);
    }
    return words;
  }

  #mark(symbol: number, from: number, to: number): void {
    this.#from[symbol] = from;
    this.#to[symbol] = to;
  }

  /** Makes room for `count` symbols, keeping those there are. */
  #reserve(count: number, traced: boolean): void {
    if (count > this.#ids.length) this.#ids = grown(this.#ids, count);
    if (traced && count > this.#from.length) {
      this.#from = grown(this.#from, count);
      this.#to = grown(this.#to, count);
    }
  }

  #release(): void {
    this.#ids = this.#from = this.#to = new Int32Array(0);
    this.#merger.release();
  }
}

const UTF8 = new TextEncoder();

function grown(array: Int32Array, least: number): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(Math.max(64, least, array.length + (array.length >> 1)));
  longer.set(array);
  return longer;
}

function firstCharacter(text: string): string {
  return String.fromCodePoint(text.codePointAt(0)!);
}

function lastCharacter(text: string): string {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xdc00 && last < 0xe000 ? text.slice(-2) : text.slice(-1);
}
