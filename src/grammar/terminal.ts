// terminal.ts — the words of a grammar as machines over bytes: from every state of one some bytes lead to its end.

let terminals = 0;

/** A state of a text of any length, and how many characters must and may come in truth. */
export interface Counted {
  readonly terminal: Terminal & {
    /** Characters that have been begun. */
    readonly count: (state: number) => number;
  };
  readonly state: number;
  readonly least: number;
  readonly most: number;
}

/** A machine over bytes. States are numbers; -1 is none. A terminal takes one byte at least. */
export abstract class Terminal {
  /** No two terminals share it. */
  readonly id: number = terminals++;
  readonly start: number = 0;
  /** The state after a byte, or -1. */
  abstract step(state: number, byte: number): number;
  /** Which of its words is complete in this state, or -1. */
  abstract outcome(state: number): number;
  /** Whether any byte may follow. */
  abstract goesOn(state: number): boolean;
  /** The same state as one of a text of any length, where only the number of its characters counts; masks are made of that. */
  counted(_state: number): Counted | undefined {
    return undefined;
  }
}

interface TrieNode {
  /** By byte. */
  readonly next: Map<number, number>;
  /** The word that ends here. */
  word: number;
  /** The words that end here or further on, rising. */
  readonly words: number[];
}

const utf8 = new TextEncoder();

/** Words by their first bytes; a word's outcome is its place in the list. */
export class Words {
  readonly nodes: TrieNode[] = [{ next: new Map(), word: -1, words: [] }];

  constructor(words: readonly string[]) {
    for (const [word, text] of words.entries()) {
      let at = this.nodes[0];
      at.words.push(word);
      for (const byte of utf8.encode(text)) {
        let child = at.next.get(byte);
        if (child === undefined) {
          child = this.nodes.push({ next: new Map(), word: -1, words: [] }) - 1;
          at.next.set(byte, child);
        }
        at = this.nodes[child];
        at.words.push(word);
      }
      at.word = word;
    }
  }
}

/** One of the words from number `first` to `last`, all of them if these are left out. None may be empty. */
export class OneOf extends Terminal {
  readonly #nodes: readonly TrieNode[];
  readonly #first: number;
  readonly #last: number;

  constructor({ nodes }: Words, first = 0, last = Infinity) {
    super();
    this.#nodes = nodes;
    [this.#first, this.#last] = [first, last];
  }

  step(state: number, byte: number): number {
    const next = this.#nodes[state].next.get(byte);
    return next !== undefined && this.#has(next) ? next : -1;
  }

  outcome(state: number): number {
    const { word } = this.#nodes[state];
    return word >= this.#first && word <= this.#last ? word : -1;
  }

  goesOn(state: number): boolean {
    for (const next of this.#nodes[state].next.values()) if (this.#has(next)) return true;
    return false;
  }

  /** Whether a word that may come ends at the node or beyond. */
  #has(node: number): boolean {
    const { words } = this.#nodes[node];
    let [low, high] = [0, words.length];
    while (low < high) {
      const middle = (low + high) >> 1;
      if (words[middle] < this.#first) low = middle + 1;
      else high = middle;
    }
    return low < words.length && words[low] <= this.#last;
  }
}

/** One word. */
export const literal = (text: string): Terminal => new OneOf(new Words([text]));

/** A machine given as a table [states, 256] of states. */
export class Table extends Terminal {
  readonly #table: Int32Array;
  readonly #ends: Uint8Array;
  readonly #goesOn: Uint8Array;

  constructor(table: Int32Array, ends: Uint8Array) {
    super();
    [this.#table, this.#ends] = [table, ends];
    this.#goesOn = Uint8Array.from(ends, (_, state) =>
      Number(table.subarray(256 * state, 256 * (state + 1)).some((next) => next >= 0)),
    );
  }

  step(state: number, byte: number): number {
    return this.#table[256 * state + byte];
  }

  outcome(state: number): number {
    return this.#ends[state] - 1;
  }

  goesOn(state: number): boolean {
    return this.#goesOn[state] === 1;
  }
}
