// heap.ts — a priority queue of (rank, position), lowest first, in one Float64Array: rank · 2^31 + position is exact below
// 2^53, so one comparison orders by rank and then from left to right. Four children a node: half the levels of a binary
// heap, and siblings share cache lines.

const POSITIONS = 2 ** 31;
/** Ranks must be below this for the keys to be exact. */
export const MAX_RANK = 2 ** 22;

/** The queue; it owns one array of its capacity. */
export class Heap {
  readonly #keys: Float64Array;
  #size = 0;

  /** Room for `capacity` entries at the same time. */
  constructor(capacity: number) {
    this.#keys = new Float64Array(capacity);
  }

  get size(): number {
    return this.#size;
  }

  /** Adds an entry without keeping order; `order()` before the first `pop()`. */
  append(rank: number, position: number): void {
    this.#keys[this.#size++] = rank * POSITIONS + position;
  }

  order(): void {
    for (let at = (this.#size - 2) >> 2; at >= 0; at--) this.#sink(at, this.#keys[at]);
  }

  push(rank: number, position: number): void {
    const keys = this.#keys;
    const key = rank * POSITIONS + position;
    let at = this.#size++;
    while (at > 0) {
      const parent = (at - 1) >> 2;
      if (keys[parent] <= key) break;
      keys[at] = keys[parent]!;
      at = parent;
    }
    keys[at] = key;
  }

  /** Takes the lowest key out; `rankOf` and `positionOf` read it. */
  pop(): number {
    const keys = this.#keys;
    const lowest = keys[0];
    const last = keys[--this.#size];
    if (this.#size > 0) this.#sink(0, last);
    return lowest;
  }

  #sink(at: number, key: number): void {
    const keys = this.#keys;
    const size = this.#size;
    for (;;) {
      const first = 4 * at + 1;
      if (first >= size) break;
      let child = first;
      const end = Math.min(first + 4, size);
      for (let i = first + 1; i < end; i++) if (keys[i] < keys[child]) child = i;
      if (keys[child] >= key) break;
      keys[at] = keys[child]!;
      at = child;
    }
    keys[at] = key;
  }
}

/** The rank in a key that `pop` gave. */
export const rankOf = (key: number): number => Math.floor(key / POSITIONS);
/** The position in a key that `pop` gave. */
export const positionOf = (key: number): number => key % POSITIONS;
