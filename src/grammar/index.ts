/**
 * Which tokens may come next, so that an answer is JSON of a schema whatever the model would say.
 *
 *     schema → copy.ts → schema.ts (typed.ts, settle.ts) → shapes → automaton.ts → states
 *     tokens → vocabulary.ts → masks.ts: state → one bit per id
 *
 * Objects have their properties in the order of the schema, those that are not listed last (as in OpenAI's API); there is at most
 * one space after `:` and `,` and before the value, and none elsewhere, so that no model writes white space for ever.
 */

import { LlariatError } from "../error.ts";
import { Automaton, type State } from "./automaton.ts";
import { copied } from "./copy.ts";
import { isSchema } from "./keywords.ts";
import { Masks, WordMasks } from "./masks.ts";
import { Reader } from "./schema.ts";
import { type TokenSource, Vocabulary } from "./vocabulary.ts";
import { refuse } from "./work.ts";

export type { TokenSource } from "./vocabulary.ts";

/** Compiled grammars that are kept: a server's clients ask for the same few again and again. */
const MAX_KEPT = 16;

/** Any JSON object. */
const ANY_OBJECT = { type: "object" };

/** The tokens that may come next in one text. */
export interface TokenMask {
  /** Bit i % 32 of word i / 32 is 1 where the id i may come next; read only, and valid until `accept`. Ids that end a text have no say here. */
  allowed(): Uint32Array;
  /** Whether the text may end here. */
  readonly complete: boolean;
  /** Whether nothing may follow. */
  readonly over: boolean;
  /** The next id of the text, which was allowed. */
  accept(id: number): void;
  /** How many of the first of these ids could follow one another from here. */
  fits?(ids: readonly number[]): number;
}

/** One text under a compiled grammar. */
class GrammarMask implements TokenMask {
  readonly #automaton: Automaton;
  readonly #masks: Masks;
  readonly #words: WordMasks;
  #state: State;

  constructor(automaton: Automaton, masks: Masks, words: WordMasks) {
    [this.#automaton, this.#masks, this.#words] = [automaton, masks, words];
    this.#state = automaton.start;
  }

  get complete(): boolean {
    return this.#state.complete;
  }

  get over(): boolean {
    return this.#state.complete && this.#state.ways.length === 0;
  }

  allowed(): Uint32Array {
    return this.#masks.mask(this.#state);
  }

  accept(id: number): void {
    const next = this.#after(this.#state, id);
    if (next === null) throw new LlariatError("kernel", `the token ${id} was drawn, which the grammar forbids here`);
    this.#state = next;
  }

  fits(ids: readonly number[]): number {
    let state: State | null = this.#state;
    for (const [i, id] of ids.entries()) {
      state = this.#after(state, id);
      if (state === null) return i;
    }
    return ids.length;
  }

  #after(from: State, id: number): State | null {
    const bytes = this.#words.vocabulary.bytes(id);
    if (bytes === undefined) return null;
    let state: State | null = from;
    for (const byte of bytes) state = state && this.#automaton.step(state, byte);
    return state;
  }
}

/** The grammars of one tokenizer. Holds no resources. */
export class Grammars {
  readonly #words: WordMasks;
  readonly #known = new Map<string, () => TokenMask>();

  /** `size`: ids of the model. Throws LlariatError "tokenizer" where its tokens cannot spell every text. */
  constructor(source: TokenSource, size: number) {
    this.#words = new WordMasks(new Vocabulary(source, size));
  }

  /**
   * What makes a mask for each text of a schema (left out: any object). Compiled once; the last 16 are kept.
   * @throws LlariatError("request") naming the keyword or the place for a schema that is not supported, has no value, or is too
   * much work.
   */
  grammar(schema: unknown = ANY_OBJECT): () => TokenMask {
    const copy = copied(schema);
    if (!isSchema(copy)) refuse("", "must be an object, true or false");
    const key = JSON.stringify(copy);
    const known = this.#known.get(key);
    if (known !== undefined) return known;
    const automaton = new Automaton(new Reader(copy, this.#words.vocabulary.raw).read());
    const masks = new Masks(automaton, this.#words);
    const made = () => new GrammarMask(automaton, masks, this.#words);
    if (this.#known.size >= MAX_KEPT) this.#known.delete(this.#known.keys().next().value!);
    this.#known.set(key, made);
    return made;
  }
}
