// masks.ts — which tokens may come in a state of an automaton, as one bit per id.
//   a token within a word:     asked of the word's machine alone, once per state of it, whatever stands around the word
//   a token beyond its end:    from the place where the word ends on, asked of the automaton (few tokens: those with `"`, `,` …)
// The masks of whole states are kept, too: a string of any length is one state.

import type { Automaton, State, Way } from "./automaton.ts";
import type { Terminal } from "./terminal.ts";
import type { Vocabulary } from "./vocabulary.ts";

/** The tokens that stay within a word, and the places of the trie where a token goes beyond its end. */
interface Within {
  readonly mask: Uint32Array;
  /** Node and outcome, in turn. */
  readonly exits: Int32Array;
}

/** Masks that are kept of either kind: of 128 k ids 8 MiB. */
const MAX_KEPT = 512;

/** What the words of all grammars let through, for one vocabulary. */
export class WordMasks {
  readonly vocabulary: Vocabulary;
  readonly #known = new Map<string, Within>();

  constructor(vocabulary: Vocabulary) {
    this.vocabulary = vocabulary;
  }

  /** The tokens from a state of a word on. */
  within(terminal: Terminal, state: number): Within {
    const { longest } = this.vocabulary;
    const like = terminal.alike(state, longest);
    const key = `${terminal.id},${like}`;
    const known = this.#known.get(key);
    if (known !== undefined) {
      this.#known.delete(key); // and again, as the newest
      this.#known.set(key, known);
      return known;
    }
    if (this.#known.size >= MAX_KEPT) this.#known.delete(this.#known.keys().next().value!);
    const made = this.#walk(terminal, like);
    this.#known.set(key, made);
    return made;
  }

  #walk(terminal: Terminal, start: number): Within {
    const { byte, end, depth, first, ids, words, longest } = this.vocabulary;
    const mask = new Uint32Array(words);
    const exits: number[] = [];
    const states = new Int32Array(longest + 1);
    states[0] = start;
    for (let node = 1; node < byte.length;) {
      const state = terminal.step(states[depth[node] - 1], byte[node]);
      if (state < 0) {
        node = end[node];
        continue;
      }
      states[depth[node]] = state;
      for (let i = first[node]; i < endOfIds(first, end, node); i++) mask[ids[i] >> 5] |= 1 << (ids[i] & 31);
      const outcome = terminal.outcome(state);
      if (outcome >= 0 && end[node] > node + 1) exits.push(node, outcome);
      node++;
    }
    return { mask, exits: Int32Array.from(exits) };
  }
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
    const known = this.#known.get(state);
    if (known !== undefined) {
      this.#known.delete(state); // and again, as the newest
      this.#known.set(state, known);
      return known;
    }
    if (this.#known.size >= MAX_KEPT) this.#known.delete(this.#known.keys().next().value!);
    const mask = new Uint32Array(this.#words.vocabulary.words);
    for (const way of state.ways) this.#add(way, mask);
    this.#known.set(state, mask);
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
      for (let i = first[node]; i < endOfIds(first, end, node); i++) mask[ids[i] >> 5] |= 1 << (ids[i] & 31);
      node++;
    }
  }
}
