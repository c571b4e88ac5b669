// unigram.ts — the Unigram model: of all ways to cut a text into pieces the one whose scores have the largest sum
// (Kudo 2018, arXiv 1804.10959, equation 2), found by Viterbi's algorithm: the best way to reach each place, from left to
// right. Of two that are equally good the one found first counts: the one whose last piece is longer.
// Source: sentencepiece src/unigram_model.cc EncodeOptimized; tokenizers models/unigram/model.rs encode_optimized.

import { spend } from "./effort.ts";
import type { Encoder } from "./encoder.ts";
import { ABSENT } from "./pairs.ts";
import { refuseCharacter } from "./read.ts";
import { pushUnknown } from "./tokens.ts";
import type { Tokens } from "./tokens.ts";
import type { Trie } from "./trie.ts";

/** A character without a piece costs this much more than the worst piece. */
const UNKNOWN_PENALTY = 10;
/** Working arrays up to this length are kept for the next text. */
const KEEP = 1 << 16;
const utf8 = new TextEncoder();

/** The tables of a Unigram model. */
export interface UnigramModel {
  /** Pieces that take part, with their ids. */
  readonly trie: Trie;
  /** By id. */
  readonly scores: Float64Array;
  /** Score of the worst piece. */
  readonly lowest: number;
  /** Stands for characters without a piece; undefined: they are refused. */
  readonly unknown: number | undefined;
  /** For characters without a piece: the 256 byte tokens, or undefined where there is no byte fallback. */
  readonly byteTokens: Int32Array | undefined;
  /** Sums are rounded to 32 bits, as SentencePiece does; the library of tokenizer.json keeps 64. */
  readonly single: boolean;
  /** A run of unknown characters that is a piece is that piece, as in the library of tokenizer.json. */
  readonly runs: ReadonlyMap<string, number> | undefined;
}

/** Turns words into ids; time is linear in the word times the longest piece. */
export class Unigram implements Encoder {
  readonly canSpell = false;
  readonly #model: UnigramModel;
  // one element for each place between two UTF-16 units: of the best way to get there the sum, and where its last piece
  // starts; -1 where none leads
  #sums = new Float64Array(0);
  #starts = new Int32Array(0);
  /** Id of that last piece. */
  #ids = new Int32Array(0);

  constructor(model: UnigramModel) {
    this.#model = model;
  }

  /** `bytes` is never true: `canSpell` is not. */
  encode(word: string, _bytes: boolean, tokens: Tokens): void {
    const size = word.length;
    if (this.#sums.length <= size) this.#resize(size + 1);
    this.#forward(word);
    const ends: number[] = [];
    for (let end = size; end > 0; end = this.#starts[end]!) ends.push(end);
    if (this.#model.runs) this.#emitRuns(word, ends, this.#model.runs, tokens);
    else this.#emit(word, ends, tokens);
    if (size >= KEEP) this.#resize(0);
  }

  #resize(length: number): void {
    this.#sums = new Float64Array(length);
    this.#starts = new Int32Array(length);
    this.#ids = new Int32Array(length);
  }

  #forward(word: string): void {
    const { trie, scores, single, unknown } = this.#model;
    const [sums, starts, ids] = [this.#sums, this.#starts, this.#ids];
    const round = single ? Math.fround : (value: number) => value;
    const penalty = round(this.#model.lowest - UNKNOWN_PENALTY);
    starts.fill(-1, 0, word.length + 1);
    sums[0] = 0;
    for (let start = 0; start < word.length;) {
      const sum = sums[start];
      const after = start + (word.codePointAt(start)! > 0xffff ? 2 : 1);
      let alone = false;
      let end = start;
      for (let node = 0; end < word.length;) {
        node = trie.next(node, word.charCodeAt(end++));
        if (node === ABSENT) break;
        const id = trie.value(node);
        if (id < 0) continue;
        const candidate = round(scores[id] + sum);
        if (starts[end] < 0 || candidate > sums[end]) {
          sums[end] = candidate;
          starts[end] = start;
          ids[end] = id;
        }
        if (end === after) alone = true;
      }
      spend(end - start);
      if (!alone) {
        const candidate = round(penalty + sum);
        if (starts[after] < 0 || candidate > sums[after]) {
          if (unknown === undefined) refuseCharacter(word.slice(start, after));
          sums[after] = candidate;
          starts[after] = start;
          ids[after] = unknown;
        }
      }
      start = after;
    }
  }

  /** Unknown characters one by one: their bytes, or one unknown token for all of them in a row. */
  #emit(word: string, ends: readonly number[], tokens: Tokens): void {
    const { unknown, byteTokens } = this.#model;
    let wasUnknown = false;
    for (let i = ends.length - 1; i >= 0; i--) {
      const end = ends[i];
      const [start, id] = [this.#starts[end], this.#ids[end]];
      const isUnknown = id === unknown;
      if (isUnknown) pushUnknown(tokens, word, start, end, { unknown: id, byteTokens, again: wasUnknown });
      else tokens.push(id, start, end);
      wasUnknown = isUnknown;
    }
  }

  /** Unknown characters in a row as one: a piece by itself, or its bytes if all have tokens, or one unknown token. */
  #emitRuns(word: string, ends: readonly number[], runs: ReadonlyMap<string, number>, tokens: Tokens): void {
    const { unknown, byteTokens } = this.#model;
    for (let i = ends.length - 1; i >= 0; i--) {
      let end = ends[i];
      const [start, id] = [this.#starts[end], this.#ids[end]];
      if (id !== unknown) {
        tokens.push(id, start, end);
        continue;
      }
      while (i > 0 && this.#ids[ends[i - 1]] === unknown) end = ends[--i]!;
      const run = word.slice(start, end);
      const piece = runs.get(run);
      const bytes = piece === undefined && byteTokens ? Array.from(utf8.encode(run), (byte) => byteTokens[byte]) : [];
      if (bytes.length > 0 && !bytes.includes(-1)) for (const byte of bytes) tokens.push(byte, start, end);
      else tokens.push(piece ?? unknown, start, end);
    }
  }
}
