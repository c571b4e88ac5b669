// trie.ts — pieces by their beginnings: all pieces that a text has at one place, shortest first, in one walk.
// A node is a number; its children are in one hash table of (node, UTF-16 unit) → node.

import { spend } from "./effort.ts";
import { ABSENT, PairTable } from "./pairs.ts";
import { refuse } from "./read.ts";

/** UTF-16 units of all pieces together; the largest published vocabularies have 2.5 million. */
const MAX_UNITS = 2 ** 22;

/** The trie; `add` everything, then walk. */
export class Trie {
  readonly #children: PairTable;
  #values = new Int32Array(1024).fill(-1);
  #nodes = 1;

  /**
   * `units`: how many UTF-16 units all pieces have together, an upper bound of the nodes. Throws LlariatError "tokenizer" for
   * more than a trie should hold.
   */
  constructor(units: number) {
    if (units > MAX_UNITS) refuse(`the pieces have ${units} characters together, needed at most ${MAX_UNITS}`);
    this.#children = new PairTable(Math.min(units, 1 << 16));
  }

  /** The later of two equal pieces counts; `value` is not negative. */
  add(piece: string, value: number): void {
    let node = 0;
    for (let i = 0; i < piece.length; i++) {
      const unit = piece.charCodeAt(i);
      let next = this.#children.get(node, unit);
      if (next === ABSENT) {
        next = this.#nodes++;
        this.#children.set(node, unit, next);
        if (next === this.#values.length) {
          const longer = new Int32Array(2 * next).fill(-1);
          longer.set(this.#values);
          this.#values = longer;
        }
      }
      node = next;
    }
    this.#values[node] = value;
  }

  /** The node after `unit`, ABSENT where no piece goes on so. The walk starts at node 0. */
  next(node: number, unit: number): number {
    return this.#children.get(node, unit);
  }

  /** The value of the piece that ends at `node`, -1 for none. */
  value(node: number): number {
    return this.#values[node];
  }

  /** The longest piece that `text` has at `at`: where it ends, and its value; undefined for none. */
  longest(text: string, at: number): { end: number; value: number } | undefined {
    let found: { end: number; value: number } | undefined;
    let i = at;
    for (let node = 0; i < text.length;) {
      node = this.next(node, text.charCodeAt(i++));
      if (node === ABSENT) break;
      const value = this.value(node);
      if (value >= 0) found = { end: i, value };
    }
    spend(i - at);
    return found;
  }
}
