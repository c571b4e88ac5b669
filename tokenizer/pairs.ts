// pairs.ts — pair of ids → number, as an open-addressed hash table in one Int32Array: 16 bytes a slot (left, right, value,
// unused), so that a look-up touches one cache line.

const STRIDE = 4;
const EMPTY = -1;

/** Returned for a pair that is not in the table. */
export const ABSENT = -1;

/** The table; ids are whole numbers from 0 to 2^31 - 1. */
export class PairTable {
  #slots: Int32Array;
  #mask: number;
  #size = 0;
  // a file cannot be made to collide on purpose when it does not know the factors
  readonly #leftFactor = 1 + 2 * Math.floor(Math.random() * 2 ** 30);
  readonly #rightFactor = 1 + 2 * Math.floor(Math.random() * 2 ** 30);

  /** Begins with room for `count` pairs, and grows so as to stay at most half full. */
  constructor(count: number) {
    const size = 2 ** Math.ceil(Math.log2(Math.max(8, 2 * count)));
    this.#slots = new Int32Array(size * STRIDE).fill(EMPTY);
    this.#mask = size - 1;
  }

  #slot(left: number, right: number): number {
    const slots = this.#slots;
    let hash = Math.imul(left, this.#leftFactor) + Math.imul(right, this.#rightFactor);
    hash ^= hash >>> 15;
    for (;;) {
      const at = (hash & this.#mask) * STRIDE;
      if ((slots[at] === left && slots[at + 1] === right) || slots[at] === EMPTY) return at;
      hash++;
    }
  }

  /** Ids and value are not negative; an earlier value of the same pair is replaced. */
  set(left: number, right: number, value: number): void {
    const at = this.#slot(left, right);
    const fresh = this.#slots[at] === EMPTY;
    this.#slots[at] = left;
    this.#slots[at + 1] = right;
    this.#slots[at + 2] = value;
    if (fresh && 2 * ++this.#size > this.#mask + 1) this.#grow();
  }

  #grow(): void {
    const old = this.#slots;
    this.#slots = new Int32Array(2 * old.length).fill(EMPTY);
    this.#mask = 2 * this.#mask + 1;
    for (let at = 0; at < old.length; at += STRIDE) {
      if (old[at] !== EMPTY) this.#slots.set(old.subarray(at, at + STRIDE), this.#slot(old[at], old[at + 1]));
    }
  }

  get(left: number, right: number): number {
    return this.#slots[this.#slot(left, right) + 2];
  }
}
