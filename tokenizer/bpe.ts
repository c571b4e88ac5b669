// bpe.ts — byte-pair encoding on integers: a word is a row of ids, and the pair with the lowest rank merges, leftmost
// first, until no pair is left (Sennrich et al. 2016, algorithm 1; the order of the merges in the file is the rank).
//   text → ids of its characters or bytes → chunks no merge can cross → merges in each → ids
// A pair of neighbours that occurs inside no piece can never be bridged, so the text falls apart there, whatever the file
// says about words. Most chunks are as short as a word and the best pair is found by looking at all of them; a long
// chunk keeps its pairs in a heap (n log n). No strings, no cache: the time does not depend on what came before.

import { BYTE_CHARS, bytesOf } from "./bytechars.ts";
import { Heap, positionOf, rankOf } from "./heap.ts";
import { ABSENT, PairTable } from "./pairs.ts";
import { refuse } from "./read.ts";

/** Rank of a pair that does not merge. */
const NONE = 0x7fffffff;
/** Chunks up to this length are searched, longer ones get a heap: about equally fast here (bench/tokenizer.ts). */
const SHORT = 48;
/** Working arrays up to this length are kept for the next text. */
const KEEP = 1 << 16;

/** Ids collected so far, and while offsets are wanted the UTF-16 range in the word that each stands for. */
export class Tokens {
  ids: Uint32Array;
  length = 0;
  /** Start and end at 2i and 2i + 1. */
  spans: Uint32Array | undefined;

  constructor(capacity: number, traced: boolean) {
    this.ids = new Uint32Array(Math.max(16, capacity));
    this.spans = traced ? new Uint32Array(2 * this.ids.length) : undefined;
  }

  /** `start` and `end` matter only while spans are collected. */
  push(id: number, start: number, end: number): void {
    if (this.length === this.ids.length) this.#grow();
    this.ids[this.length] = id;
    if (this.spans !== undefined) {
      this.spans[2 * this.length] = start;
      this.spans[2 * this.length + 1] = end;
    }
    this.length++;
  }

  #grow(): void {
    const ids = new Uint32Array(2 * this.ids.length);
    ids.set(this.ids);
    this.ids = ids;
    if (this.spans) {
      const spans = new Uint32Array(2 * ids.length);
      spans.set(this.spans);
      this.spans = spans;
    }
  }
}

export interface BpeModel {
  /** Piece → id. */
  readonly vocabulary: ReadonlyMap<string, number>;
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

export class Bpe {
  /** True where every byte has a piece, named by its character of the byte table. */
  readonly canSpell: boolean;
  readonly #model: BpeModel;
  /** Left and right id → rank; NONE for two ids that only a larger piece has side by side. */
  readonly #pairs: PairTable;
  /** False where a merge takes byte or unknown tokens, which stand for no one character: then no text may be cut. */
  readonly #cuts: boolean;
  /** Rank → id of the merged pair. */
  readonly #results: Int32Array;
  /** UTF-16 unit → id, -1 for characters without a piece; those above U+FFFF are looked up in the vocabulary. */
  readonly #units = new Int32Array(0x10000).fill(-1);
  /** Byte → id, for words that are spelt in bytes. */
  readonly #bytes: Int32Array;
  /** Words that are pieces, for ignoreMerges with words spelt in bytes; made when first needed. */
  #words: ReadonlyMap<string, number> | undefined;

  // working arrays: one element for each symbol of the word
  #ids = new Int32Array(0);
  #rank = new Int32Array(0);
  #next = new Int32Array(0);
  #previous = new Int32Array(0);
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

    const count = merges.length / 3;
    this.#results = new Int32Array(count);
    this.#pairs = new PairTable(2 * count);
    const names: string[] = [];
    for (const [piece, id] of vocabulary) names[id] = piece;
    const bare = new Set(model.byteTokens).add(model.unknown ?? -1);
    let cuts = true;
    for (let rank = 0; rank < count; rank++) {
      const left = merges[3 * rank]!;
      const right = merges[3 * rank + 1]!;
      this.#results[rank] = merges[3 * rank + 2]!;
      if (bare.has(left) || bare.has(right)) cuts = false;
      const last = this.#symbol(lastCharacter(names[left]!));
      const first = this.#symbol(String.fromCodePoint(names[right]!.codePointAt(0)!));
      if (last >= 0 && first >= 0 && this.#pairs.get(last, first) === ABSENT) this.#pairs.set(last, first, NONE);
      this.#pairs.set(left, right, rank);
    }
    this.#cuts = cuts;
  }

  /** The id of a character, -1 for none. */
  #symbol(char: string): number {
    return char.length === 1 ? this.#units[char.charCodeAt(0)]! : (this.#model.vocabulary.get(char) ?? -1);
  }

  /**
   * Appends the ids of `word` to `tokens`, with their spans in it where `tokens` collects spans. `bytes`: the word is plain
   * text and its symbols are bytes (needs `canSpell`); otherwise its symbols are its characters. No lone surrogates.
   * Throws LlariatError "tokenizer" for a character that has no piece, no bytes and no unknown token to stand for it.
   */
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
    if (this.#rank.length < count) {
      this.#rank = new Int32Array(this.#ids.length);
      this.#next = new Int32Array(this.#ids.length);
      this.#previous = new Int32Array(this.#ids.length);
    }
    const [ids, rank, pairs] = [this.#ids, this.#rank, this.#pairs];
    let start = 0;
    let lowest = NONE;
    for (let i = 0; i < count; i++) {
      const found = i + 1 < count ? pairs.get(ids[i]!, ids[i + 1]!) : ABSENT;
      rank[i] = found & NONE; // ABSENT becomes NONE
      if (rank[i]! < lowest) lowest = rank[i]!;
      if (i + 1 === count || (found === ABSENT && this.#cuts)) {
        this.#chunk(start, i + 1, lowest, tokens);
        start = i + 1;
        lowest = NONE;
      }
    }
    if (this.#ids.length > KEEP) this.#release();
  }

  /** Merges the symbols from `start` to `end` and hands the result on; `lowest` is the lowest rank among them. */
  #chunk(start: number, end: number, lowest: number, tokens: Tokens): void {
    const [ids, next, previous] = [this.#ids, this.#next, this.#previous];
    for (let i = start; i < end; i++) {
      next[i] = i + 1;
      previous[i] = i - 1;
    }
    if (lowest < NONE) {
      if (end - start <= SHORT) this.#search(start, end, lowest);
      else this.#queue(start, end);
    }
    if (tokens.spans === undefined) {
      for (let i = start; i < end; i = next[i]!) tokens.push(ids[i]!, 0, 0);
    } else {
      for (let i = start; i < end; i = next[i]!) tokens.push(ids[i]!, this.#from[i]!, this.#to[next[i]! - 1]!);
    }
  }

  /** Finds the best pair by looking at all of them. */
  #search(start: number, end: number, lowest: number): void {
    const [rank, next] = [this.#rank, this.#next];
    let at = start;
    while (rank[at] !== lowest) at++;
    while (lowest < NONE) {
      this.#join(start, end, at);
      lowest = NONE;
      for (let i = start; i < end; i = next[i]!) {
        if (rank[i]! < lowest) {
          lowest = rank[i]!;
          at = i;
        }
      }
    }
  }

  /** Finds the best pair with a heap; an entry whose pair has changed since is passed over. */
  #queue(start: number, end: number): void {
    const [rank, previous] = [this.#rank, this.#previous];
    const heap = new Heap(2 * (end - start));
    for (let i = start; i < end; i++) if (rank[i]! < NONE) heap.append(rank[i]!, i);
    heap.order();
    while (heap.size > 0) {
      const key = heap.pop();
      const at = positionOf(key);
      if (rank[at] !== rankOf(key)) continue;
      this.#join(start, end, at);
      if (rank[at]! < NONE) heap.push(rank[at]!, at);
      const before = previous[at]!;
      if (before >= start && rank[before]! < NONE) heap.push(rank[before]!, before);
    }
  }

  /** Merges the symbol at `at` with the one after it, and looks up the two pairs it is now part of. */
  #join(start: number, end: number, at: number): void {
    const [ids, rank, next, previous] = [this.#ids, this.#rank, this.#next, this.#previous];
    const gone = next[at]!;
    const after = next[gone]!;
    const before = previous[at]!;
    const id = this.#results[rank[at]!]!;
    ids[at] = id;
    next[at] = after;
    rank[gone] = NONE;
    if (after < end) {
      previous[after] = at;
      rank[at] = this.#pairs.get(id, ids[after]!) & NONE;
    } else {
      rank[at] = NONE;
    }
    if (before >= start) rank[before] = this.#pairs.get(ids[before]!, id) & NONE;
  }

  /** Writes the ids of the characters of `word` to the working arrays; returns how many there are. */
  #characters(word: string, traced: boolean): number {
    const units = this.#units;
    let count = 0;
    for (let i = 0; i < word.length; i++) {
      const code = word.charCodeAt(i);
      const id = units[code]!;
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
      if (unknown === undefined) return this.#refuseCharacter(char);
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

  #refuseCharacter(char: string): never {
    const code = char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
    return refuse(
      `the text has the character U+${code} (${JSON.stringify(char)}), for which the vocabulary has neither a piece nor ` +
        `bytes nor an unknown token; leave it out`,
    );
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
    const decoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
    const words = new Map<string, number>();
    for (const [piece, id] of this.#model.vocabulary) {
      const bytes = bytesOf(piece);
      if (bytes === undefined) continue;
      try {
        words.set(decoder.decode(bytes), id);
      } catch {
        continue; // half a character
      }
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
    this.#ids = this.#rank = this.#next = this.#previous = this.#from = this.#to = new Int32Array(0);
  }
}

const UTF8 = new TextEncoder();

function grown(array: Int32Array, least: number): Int32Array<ArrayBuffer> {
  const longer = new Int32Array(Math.max(64, least, array.length + (array.length >> 1)));
  longer.set(array);
  return longer;
}

function lastCharacter(text: string): string {
  const last = text.charCodeAt(text.length - 1);
  return last >= 0xdc00 && last < 0xe000 ? text.slice(-2) : text.slice(-1);
}
