// failures.ts — which instructions of a program have failed at which places of a text.

import { refuse } from "../read.ts";

/** What failed is kept in at most so many bytes. */
const MAX_BYTES = 256 * 2 ** 20;
/** Words that are kept for the next text; a file may have hundreds of expressions. */
const KEEP = 1 << 16;

/** One bit for each instruction that can fail in more than one way, at each place of a text. */
export class Failures {
  readonly #where: string;
  /** Words for each place. */
  readonly #words: number;
  /** Those before `#dirty` may be set. */
  #bits = new Uint32Array(0);
  #dirty = 0;
  #length = 0;

  constructor(memos: number, where: string) {
    this.#words = (memos + 31) >> 5;
    this.#where = where;
  }

  /** Forgets everything, for a text of `length` units. */
  begin(length: number): void {
    if (this.#bits.length > KEEP) this.#bits = new Uint32Array(0);
    this.#bits.fill(0, 0, this.#dirty);
    this.#dirty = 0;
    this.#length = length;
  }

  /** Whether the instruction that remembers as `memo` has failed at place `at`. */
  has(memo: number, at: number): boolean {
    const word = at * this.#words + (memo >> 5);
    return word < this.#dirty && (this.#bits[word] & (1 << (memo & 31))) !== 0;
  }

  /** Remembers that it has. Throws LlariatError "tokenizer" for a text that would take too much memory. */
  add(memo: number, at: number): void {
    const word = at * this.#words + (memo >> 5);
    if (word >= this.#bits.length) this.#grow();
    if (word >= this.#dirty) this.#dirty = word + 1;
    this.#bits[word] |= 1 << (memo & 31);
  }

  #grow(): void {
    const needed = (this.#length + 1) * this.#words;
    if (needed * 4 > MAX_BYTES) {
      refuse(
        `${this.#where}: the regular expression needs ${needed * 4} bytes for a text of ${this.#length} characters, ` +
          `needed at most ${MAX_BYTES}; give a shorter text`,
      );
    }
    const larger = new Uint32Array(needed);
    larger.set(this.#bits.subarray(0, this.#dirty));
    this.#bits = larger;
  }
}
