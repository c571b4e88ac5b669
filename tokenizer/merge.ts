// merge.ts — the merges of byte-pair encoding, on rows of ids: the pair with the lowest rank becomes one id, leftmost first,
// until no pair is left (Sennrich et al. 2016, algorithm 1; the order of the merges in the file is the rank).
//   row of ids → chunks no merge can cross → merges in each chunk
// A pair of neighbours that occurs inside no piece can never be bridged, so the row falls apart there, whatever the file
// says about words. Most chunks are as short as a word and the best pair is found by looking at all of them; a long
// chunk keeps its pairs in a heap (n log n). No strings, no cache: the time does not depend on what came before.

import { Heap, positionOf, rankOf } from "./heap.ts";
import { ABSENT, PairTable } from "./pairs.ts";

/** Rank of a pair that does not merge: all bits of ABSENT but the sign, so that `& NONE` makes one of the other. */
const NONE = 0x7fffffff;
/** Chunks up to this length are searched, longer ones get a heap: random letters of the Llama vocabulary break even there. */
const SHORT = 96;

/** What the merges say about one merge: ids of its two parts and of what they make. */
export interface Merge {
  /** The lowest comes first; of equal ones the leftmost. */
  readonly rank: number;
  /** Other merges of the same rank make something else. */
  readonly shared: boolean;
  readonly left: number;
  readonly right: number;
  readonly result: number;
  /** Ids of the last symbol of `left` and the first of `right`, -1 where they have none of their own. */
  readonly last: number;
  readonly first: number;
}

/** The table of merges, and working arrays for one row. */
export class Merger {
  /** Left and right id → rank; NONE for two ids that only a larger piece has side by side. */
  readonly #pairs: PairTable;
  /** Rank → id of the merged pair; -1 where that depends on the pair. */
  readonly #results: Int32Array;
  readonly #shared = new PairTable(0);
  readonly #cuts: boolean;

  // one element for each symbol of the row
  #rank = new Int32Array(0);
  #previous = new Int32Array(0);
  /** After `merge`: where the symbol after this one starts. */
  next = new Int32Array(0);

  /**
   * `ranks`: how many there are. Of two merges for the same pair the later one counts, as in the library. `cuts`: rows may
   * be cut where two symbols are neighbours in no piece; needs every symbol that merges to be named by `last` and `first`.
   */
  constructor(merges: Iterable<Merge>, ranks: number, cuts: boolean) {
    this.#cuts = cuts;
    this.#results = new Int32Array(ranks);
    this.#pairs = new PairTable(ranks);
    for (const { rank, shared, left, right, result, last, first } of merges) {
      if (last >= 0 && first >= 0 && this.#pairs.get(last, first) === ABSENT) this.#pairs.set(last, first, NONE);
      this.#pairs.set(left, right, rank);
      this.#results[rank] = shared ? -1 : result;
      if (shared) this.#shared.set(left, right, result);
    }
  }

  /** Merges the first `count` ids in place: what is left starts at 0, and after i comes `next[i]`, until `count`. */
  merge(ids: Int32Array, count: number): void {
    if (this.next.length < count) this.#resize(ids.length);
    const [rank, next, previous, pairs] = [this.#rank, this.next, this.#previous, this.#pairs];
    let start = 0;
    let lowest = NONE;
    for (let i = 0; i < count; i++) {
      next[i] = i + 1;
      previous[i] = i - 1;
      const found = i + 1 < count ? pairs.get(ids[i], ids[i + 1]) : ABSENT;
      rank[i] = found & NONE;
      if (rank[i] < lowest) lowest = rank[i]!;
      if (i + 1 === count || (found === ABSENT && this.#cuts)) {
        if (lowest < NONE) {
          if (i - start < SHORT) this.#search(ids, start, i + 1, lowest);
          else this.#queue(ids, start, i + 1);
        }
        start = i + 1;
        lowest = NONE;
      }
    }
  }

  /** Gives the working arrays back. */
  release(): void {
    this.#resize(0);
  }

  #resize(length: number): void {
    this.#rank = new Int32Array(length);
    this.#previous = new Int32Array(length);
    this.next = new Int32Array(length);
  }

  /** Finds the best pair of the chunk by looking at all of them; `lowest` is its rank. */
  #search(ids: Int32Array, start: number, end: number, lowest: number): void {
    const [rank, next] = [this.#rank, this.next];
    let at = start;
    while (rank[at] !== lowest) at++;
    while (lowest < NONE) {
      this.#join(ids, start, end, at);
      lowest = NONE;
      for (let i = start; i < end; i = next[i]!) {
        if (rank[i] < lowest) {
          lowest = rank[i]!;
          at = i;
        }
      }
    }
  }

  /** Finds the best pair with a heap; an entry whose pair has changed since is passed over. */
  #queue(ids: Int32Array, start: number, end: number): void {
    const [rank, previous] = [this.#rank, this.#previous];
    // at most one entry for each symbol and one more for each merge
    const heap = new Heap(2 * (end - start));
    for (let i = start; i < end; i++) if (rank[i] < NONE) heap.append(rank[i], i);
    heap.order();
    while (heap.size > 0) {
      const key = heap.pop();
      const at = positionOf(key);
      if (rank[at] !== rankOf(key)) continue;
      this.#join(ids, start, end, at);
      if (rank[at] < NONE) heap.push(rank[at], at);
      const before = previous[at];
      if (before >= start && rank[before] < NONE) heap.push(rank[before], before);
    }
  }

  /** Merges the symbol at `at` with the one after it, and looks up the two pairs it is now part of. */
  #join(ids: Int32Array, start: number, end: number, at: number): void {
    const [rank, next, previous, pairs] = [this.#rank, this.next, this.#previous, this.#pairs];
    const gone = next[at];
    const after = next[gone];
    const before = previous[at];
    let id = this.#results[rank[at]];
    if (id < 0) id = this.#shared.get(ids[at], ids[gone]);
    ids[at] = id;
    next[at] = after;
    rank[gone] = NONE;
    if (after < end) {
      previous[after] = at;
      rank[at] = pairs.get(id, ids[after]) & NONE;
    } else {
      rank[at] = NONE;
    }
    if (before >= start) rank[before] = pairs.get(ids[before], id) & NONE;
  }
}
