// speculate.ts — speculative decoding: tokens that are guessed, so that one step computes what they would take several for.
// Leviathan et al. 2023 (arXiv 2211.17192), algorithm 1, with one difference: a draft is not accepted with a probability, it
// is accepted while it equals what is drawn anyway, with the same random numbers. So the text is that of decoding without.

import { LlariatError } from "../error.ts";
import { type Kinds, checkOptions, checkWhole } from "../text/options.ts";
import { display } from "../text/wording.ts";
import { Lookup } from "./lookup.ts";

/** How to speculate: drafts are what followed the last time the text, prompt or answer, ended as it does now. */
export interface SpeculateOptions {
  /** Most tokens of a draft, 1 to 15. Fewer are drafted after drafts that were rejected. Default: 8. */
  readonly draftTokens?: number;
  /** Longest run of tokens at the end of the text that is looked up. Default: 3. */
  readonly ngramSize?: number;
}

/** Tokens of a draft: the next token and 15 drafted ones are the 16 rows that a step takes one by one (engine/step.ts). */
const MOST_TOKENS = 15;

/** Longest n-gram: beyond it two places that are equal so far hardly ever part. */
const MOST_NGRAM = 16;

/** Drafts copy keys, numbers and names of the prompt, which are about as long. */
const DRAFT_TOKENS = 8;

/** As in Saxena 2023. */
const NGRAM_SIZE = 3;

const SPECULATE_OPTIONS: Kinds<SpeculateOptions> = { draftTokens: "any", ngramSize: "any" };

/** The option, checked and copied; nothing is filled in. @throws LlariatError("request") naming it. */
export function speculateOptions(given: unknown): SpeculateOptions | boolean | undefined {
  if (given === undefined || typeof given === "boolean") return given;
  if (typeof given !== "object" || given === null || Array.isArray(given)) {
    const problem = `must be true, false or an object, got ${display(given)}`;
    throw new LlariatError("request", problem, { subject: "speculate" });
  }
  const options = checkOptions<SpeculateOptions>(given, SPECULATE_OPTIONS, "speculate");
  const { draftTokens = 1, ngramSize = 1 } = options;
  checkWhole("speculate.draftTokens", draftTokens, 1, { most: MOST_TOKENS });
  checkWhole("speculate.ngramSize", ngramSize, 1, { most: MOST_NGRAM });
  return options;
}

/** Steps without a draft after drafts of which nothing was accepted: twice as many each time, up to this many. */
const LONGEST_REST = 32;

/**
 * How many tokens to draft, by what became of the drafts before: twice as many as were all accepted, as many as were accepted
 * of more, half of those of which none was; then none for a while. So a text that cannot be guessed costs one row more in a
 * step of `LONGEST_REST`.
 */
export class DraftLength {
  readonly #most: number;
  #length: number;
  #misses = 0;
  #rest = 0;

  /** `most` tokens at most, and at first. */
  constructor(most: number) {
    this.#most = most;
    this.#length = most;
  }

  /** Tokens to draft for the next step. */
  next(): number {
    if (this.#rest === 0) return this.#length;
    this.#rest--;
    return 0;
  }

  /** Of a draft `computed` tokens were computed, and the first `accepted` of them are right. */
  took(computed: number, accepted: number): void {
    if (computed === 0) return; // nothing is known of it
    if (accepted > 0) this.#misses = 0;
    if (accepted === computed) this.#length = Math.min(this.#most, Math.max(this.#length, 2 * accepted));
    else if (accepted > 0) this.#length = accepted;
    else {
      this.#length = Math.max(1, this.#length >> 1);
      this.#rest = Math.min(LONGEST_REST, 2 ** this.#misses++);
    }
  }
}

/** What became of the drafts of a request. */
export interface SpeculationCounts {
  /** Steps that gave tokens after the first. */
  steps: number;
  draftTokens: number;
  acceptedTokens: number;
}

/** Drafts for one text, and what became of them. */
export class Speculation {
  readonly counts: SpeculationCounts = { steps: 0, draftTokens: 0, acceptedTokens: 0 };
  readonly #lookup: Lookup;
  /** By size of the match: longer ones are right more often, and a miss of one size says little of another. */
  readonly #lengths: readonly DraftLength[];
  #used: DraftLength;

  /** `options` are checked. */
  constructor({ ngramSize = NGRAM_SIZE, draftTokens = DRAFT_TOKENS }: SpeculateOptions) {
    this.#lookup = new Lookup(ngramSize);
    this.#lengths = Array.from({ length: ngramSize }, () => new DraftLength(draftTokens));
    this.#used = this.#lengths[0];
  }

  /** The next tokens of the text: of the prompt, then each that is drawn. */
  push(ids: ArrayLike<number>): void {
    this.#lookup.push(ids);
  }

  /** At most `most` tokens that may follow. */
  draft(most: number): readonly number[] {
    const match = most > 0 ? this.#lookup.find() : undefined;
    if (!match) return [];
    this.#used = this.#lengths[match.size - 1];
    return this.#lookup.copy(match, Math.min(most, this.#used.next()));
  }

  /** After a step that computed `computed` drafted tokens, of which the first `accepted` were drawn. */
  took(computed: number, accepted: number): void {
    this.counts.steps++;
    this.counts.draftTokens += computed;
    this.counts.acceptedTokens += accepted;
    this.#used.took(computed, accepted);
  }
}
