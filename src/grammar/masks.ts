// masks.ts — which tokens may come in a state of an automaton, as one bit per id.
//   a token within a word:     asked of the word's machine alone, once per state of it, whatever stands around the word; of a text
//                              whose length alone is bounded once for all lengths
//   a token beyond its end:    from the place where the word ends on, asked of the automaton (few tokens: those with `"`, `,` …)
// The masks of whole states are kept, too: a string of any length is one state.

import type { Automaton, State, Way } from "./automaton.ts";
import type { Counted, Terminal } from "./terminal.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** The tokens that stay within a word, and the places of the trie where a token goes beyond its end. */
interface Within {
  readonly mask: Uint32Array;
  /** Node and outcome, in turn. */
  readonly exits: Int32Array;
}

/** Masks that are kept of either kind: of 128 k ids 8 MiB. */
const MAX_KEPT = 512;

/** The tokens of a text of any length, by how many characters they have with what they begin. */
interface Table {
  /** Rising numbers of characters, and for each the tokens that stay within the text and have no more. */
  readonly counts: readonly number[];
  readonly masks: readonly Uint32Array[];
  /** Tokens that end where the text ends: id and number of characters, in turn. */
  readonly ends: Int32Array;
  /** Node, outcome and number of characters, in turn. */
  readonly exits: Int32Array;
}

/** Tables that are kept: half a character is a state as well, but few tokens begin with its other half. */
const MAX_TABLES = 32;

/** What the words of all grammars let through, for one vocabulary. */
export class WordMasks {
  readonly vocabulary: Vocabulary;
  readonly #known = new Map<string, Within>();
  readonly #tables = new Map<number, Table>();

  constructor(vocabulary: Vocabulary) {
    this.vocabulary = vocabulary;
  }

  /** The tokens from a state of a word on. */
  within(terminal: Terminal, state: number): Within {
    const counted = terminal.counted(state);
    if (counted === undefined)
      return kept(this.#known, `${terminal.id},${state}`, () => this.#alone(terminal, state), MAX_KEPT);
    // No token has more characters than bytes.
    const most = Math.min(counted.most, this.vocabulary.longest);
    const least = Math.min(Math.max(counted.least, 0), this.vocabulary.longest + 1);
    const key = `${counted.terminal.id},${counted.state},${least},${most}`;
    return kept(this.#known, key, () => this.#between(counted, least, most), MAX_KEPT);
  }

  #alone(terminal: Terminal, start: number): Within {
    const mask = new Uint32Array(this.vocabulary.words);
    const exits: number[] = [];
    this.#walk(terminal, start, (node, state, from, to) => {
      for (let i = from; i < to; i++) set(mask, this.vocabulary.ids[i]);
      const outcome = terminal.outcome(state);
      if (outcome >= 0 && this.vocabulary.end[node] > node + 1) exits.push(node, outcome);
    });
    return { mask, exits: Int32Array.from(exits) };
  }

  #between(counted: Counted, least: number, most: number): Within {
    const { counts, masks, ends, exits } = kept(this.#tables, counted.state, () => this.#table(counted), MAX_TABLES);
    const at = counts.findLastIndex((count) => count <= most);
    const mask = at < 0 ? new Uint32Array(this.vocabulary.words) : masks[at].slice();
    const fits = (count: number) => count >= least && count <= most;
    for (let i = 0; i < ends.length; i += 2) if (fits(ends[i + 1])) set(mask, ends[i]);
    const own: number[] = [];
    for (let i = 0; i < exits.length; i += 3) if (fits(exits[i + 2])) own.push(exits[i], exits[i + 1]);
    return { mask, exits: Int32Array.from(own) };
  }

  #table({ terminal, state: start }: Counted): Table {
    const { ids, end, words } = this.vocabulary;
    const inside: number[][] = [];
    const [ends, exits]: [number[], number[]] = [[], []];
    this.#walk(terminal, start, (node, state, from, to) => {
      const count = terminal.count(state);
      const outcome = terminal.outcome(state);
      for (let i = from; i < to; i++) {
        if (outcome >= 0) ends.push(ids[i], count);
        else (inside[count] ??= []).push(ids[i]);
      }
      if (outcome >= 0 && end[node] > node + 1) exits.push(node, outcome, count);
    });
    const counts = Object.keys(inside).map(Number);
    const masks: Uint32Array[] = [];
    for (const count of counts) {
      const mask = masks.at(-1)?.slice() ?? new Uint32Array(words);
      for (const id of inside[count]) set(mask, id);
      masks.push(mask);
    }
    return { counts, masks, ends: Int32Array.from(ends), exits: Int32Array.from(exits) };
  }

  /** Visits every node that a word's machine reaches, with the places of its ids in the vocabulary. */
  #walk(
    terminal: Terminal,
    start: number,
    visit: (node: number, state: number, from: number, to: number) => void,
  ): void {
    const { byte, end, depth, first, longest } = this.vocabulary;
    const states = new Int32Array(longest + 1);
    states[0] = start;
    for (let node = 1; node < byte.length;) {
      const state = terminal.step(states[depth[node] - 1], byte[node]);
      if (state < 0) {
        node = end[node];
        continue;
      }
      states[depth[node]] = state;
      visit(node, state, first[node], endOfIds(first, end, node));
      node++;
    }
  }
}

const set = (mask: Uint32Array, id: number): void => {
  mask[id >> 5] |= 1 << (id & 31);
};

/** A value that is made once and kept until `most` others have been asked for since. */
function kept<K, V>(known: Map<K, V>, key: K, make: () => V, most: number): V {
  let value = known.get(key);
  if (value === undefined) {
    if (known.size >= most) known.delete(known.keys().next().value!);
    value = make();
  } else known.delete(key); // and again, as the newest
  known.set(key, value);
  return value;
}

/** The ids that end at a node come first of all that go on from it; the next node begins with the first that goes on. */
const endOfIds = (first: Int32Array, end: Int32Array, node: number): number =>
  end[node] > node + 1 ? first[node + 1] : first[end[node]];

/** The masks of one automaton. */
export class Masks {
  readonly #automaton: Automaton;
  readonly #words: WordMasks;
  readonly #known = new Map<State, Uint32Array>();

  constructor(automaton: Automaton, words: WordMasks) {
    [this.#automaton, this.#words] = [automaton, words];
  }

  /** Bit i % 32 of word i / 32 is 1 where the token i may come. Read only. */
  mask(state: State): Uint32Array {
    return kept(this.#known, state, () => this.#made(state), MAX_KEPT);
  }

  #made(state: State): Uint32Array {
    const mask = new Uint32Array(this.#words.vocabulary.words);
    for (const way of state.ways) this.#add(way, mask);
    return mask;
  }

  #add(way: Way, mask: Uint32Array): void {
    const within = this.#words.within(way.terminal, way.state);
    for (let i = 0; i < mask.length; i++) mask[i] |= within.mask[i];
    const { exits } = within;
    for (let i = 0; i < exits.length; i += 2) this.#beyond(exits[i], this.#automaton.after(way, exits[i + 1]), mask);
  }

  /** The tokens that go on from a node of the trie, where the automaton is in `start`. */
  #beyond(root: number, start: State, mask: Uint32Array): void {
    if (start.ways.length === 0) return;
    const { byte, end, depth, first, ids } = this.#words.vocabulary;
    const states: State[] = [];
    states[depth[root]] = start;
    for (let node = root + 1; node < end[root];) {
      const state = this.#automaton.step(states[depth[node] - 1], byte[node]);
      if (state === null) {
        node = end[node];
        continue;
      }
      states[depth[node]] = state;
      for (let i = first[node]; i < endOfIds(first, end, node); i++) set(mask, ids[i]);
      node++;
    }
  }
}
