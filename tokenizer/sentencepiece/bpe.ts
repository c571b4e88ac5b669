// bpe.ts — SentencePiece's byte-pair model: two neighbours become one where together they are a piece, the piece with the
// best score first, of equal ones the leftmost. There is no list of merges; every way to put a piece together counts.
// User-defined symbols are found first and never merged. A character that is no piece is a symbol all the same, for it may
// be part of one; what is left of them at the end is bytes or unknown.
// Source: sentencepiece src/bpe_model.cc SampleEncode (alpha 0), sentencepiece_processor.cc PopulateSentencePieceText.

import { Merger } from "../merge.ts";
import type { Merge } from "../merge.ts";
import type { Encoder } from "../encoder.ts";
import { ABSENT } from "../pairs.ts";
import { pushUnknown } from "../tokens.ts";
import type { Tokens } from "../tokens.ts";
import { Trie } from "../trie.ts";

/** Working arrays up to this length are kept for the next text. */
const KEEP = 1 << 16;

/** The tables of the model. */
export interface SentencePieceBpe {
  /** Pieces that merge, by id; undefined for the others. */
  readonly merging: readonly (string | undefined)[];
  /** By id. */
  readonly scores: Float64Array;
  /** Symbols that are never merged, with their ids; undefined where there are none. */
  readonly userDefined: Trie | undefined;
  readonly byteTokens: Int32Array | undefined;
  readonly unknown: number;
}

/** Turns words into ids. */
export class BpeEncoder implements Encoder {
  readonly canSpell = false;
  readonly #model: SentencePieceBpe;
  readonly #merger: Merger;
  /** Symbols from here on are characters that are no piece, then user-defined symbols. */
  readonly #plain: number;
  readonly #frozen: number;
  /** UTF-16 unit → symbol; characters above U+FFFF are in the map. */
  readonly #units: Int32Array;
  readonly #astral = new Map<string, number>();
  /** The row of symbols at hand, and where each starts. */
  #symbols = new Int32Array(0);
  #starts = new Int32Array(0);

  constructor(model: SentencePieceBpe) {
    this.#model = model;
    const { merging } = model;
    this.#plain = merging.length;
    // one number is for all characters that are in no piece
    let next = this.#plain + 1;
    this.#units = new Int32Array(0x10000).fill(this.#plain);
    const name = (char: string, symbol: number) => {
      if (char.length === 1) this.#units[char.charCodeAt(0)] = symbol;
      else this.#astral.set(char, symbol);
    };
    for (const [id, piece] of merging.entries()) if (piece && isCharacter(piece)) name(piece, id);
    for (const piece of merging) {
      for (const char of piece ?? "") if (this.#symbol(char) === this.#plain) name(char, next++);
    }
    this.#frozen = next;
    const scores = [...new Set(merging.flatMap((piece, id) => (piece ? [model.scores[id]] : [])))].sort(
      (a, b) => b - a,
    );
    this.#merger = new Merger(this.#merges(new Map(scores.map((score, rank) => [score, rank]))), scores.length, true);
  }

  #symbol(char: string): number {
    return char.length === 1 ? this.#units[char.charCodeAt(0)] : (this.#astral.get(char) ?? this.#plain);
  }

  /** Every cut of every piece into two symbols. Two tries find them in time linear in the pieces. */
  *#merges(ranks: ReadonlyMap<number, number>): Generator<Merge> {
    const { merging, scores } = this.#model;
    const units = merging.reduce((sum, piece) => sum + (piece?.length ?? 0), 0);
    const [forward, backward] = [new Trie(units), new Trie(units)];
    const owners = new Int32Array(ranks.size);
    for (const [id, piece] of merging.entries()) {
      if (piece === undefined) continue;
      forward.add(piece, id);
      backward.add(reversed(piece), id);
      owners[ranks.get(scores[id])!]++;
    }
    for (const [result, piece] of merging.entries()) {
      if (piece === undefined || isCharacter(piece)) continue;
      const chars = [...piece];
      const lefts = this.#parts(forward, chars);
      const rights = this.#parts(backward, chars.toReversed()).reverse();
      const rank = ranks.get(scores[result])!;
      for (let i = 1; i < chars.length; i++) {
        const [left, right] = [lefts[i - 1], rights[i]];
        if (left < 0 || right < 0) continue;
        const [last, first] = [this.#symbol(chars[i - 1]), this.#symbol(chars[i])];
        yield { rank, shared: owners[rank] > 1, left, right, result, last, first };
      }
    }
  }

  /** For each beginning of `chars`, one character to all: the symbol it is, or -1. */
  #parts(trie: Trie, chars: readonly string[]): number[] {
    let node = 0;
    return chars.map((char, i) => {
      for (let k = 0; k < char.length && node !== ABSENT; k++) node = trie.next(node, char.charCodeAt(k));
      return i === 0 ? this.#symbol(char) : node === ABSENT ? -1 : trie.value(node);
    });
  }

  /** `bytes` is never true: `canSpell` is not. */
  encode(word: string, _bytes: boolean, tokens: Tokens): void {
    if (this.#symbols.length < word.length) this.#resize(word.length);
    const count = this.#row(word);
    const [symbols, starts] = [this.#symbols, this.#starts];
    this.#merger.merge(symbols, count);
    const { next } = this.#merger;
    const { byteTokens, unknown } = this.#model;
    let wasUnknown = false;
    for (let i = 0; i < count; i = next[i]!) {
      const symbol = symbols[i];
      const start = starts[i];
      const after = next[i];
      const end = after < count ? starts[after] : word.length;
      const isUnknown = symbol >= this.#plain && symbol < this.#frozen;
      if (isUnknown) pushUnknown(tokens, word, start, end, { unknown, byteTokens, again: wasUnknown });
      else tokens.push(symbol < this.#plain ? symbol : symbol - this.#frozen, start, end);
      wasUnknown = isUnknown;
    }
    if (word.length > KEEP) {
      this.#resize(0);
      this.#merger.release();
    }
  }

  /** Writes the symbols of `word` to the working arrays; returns how many there are. */
  #row(word: string): number {
    const { userDefined } = this.#model;
    let count = 0;
    for (let at = 0; at < word.length;) {
      this.#starts[count] = at;
      const symbol = userDefined?.longest(word, at);
      if (symbol) {
        this.#symbols[count++] = this.#frozen + symbol.value;
        at = symbol.end;
        continue;
      }
      const code = word.charCodeAt(at);
      const size = code >= 0xd800 && code < 0xdc00 ? 2 : 1;
      this.#symbols[count++] = size === 1 ? this.#units[code] : this.#symbol(word.slice(at, at + 2));
      at += size;
    }
    return count;
  }

  #resize(length: number): void {
    const size = length === 0 ? 0 : Math.max(64, length + (length >> 1));
    this.#symbols = new Int32Array(size);
    this.#starts = new Int32Array(size);
  }
}

const isCharacter = (piece: string): boolean => piece.length === (piece.codePointAt(0)! > 0xffff ? 2 : 1);

/** UTF-16 units of the characters from the last to the first, each in its own order. */
const reversed = (piece: string): string => [...piece].reverse().join("");
