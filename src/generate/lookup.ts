// lookup.ts — drafts without a second model: what followed the last time the text was as it is now. Prompt lookup decoding,
// Saxena 2023 (github.com/apoorvumang/prompt-lookup-decoding), over the prompt and the answer so far.

/**
 * Earlier places of the last token that are looked at. A longer match farther back is worth less than the time to find it: so
 * many are compared in the time that a step takes to be written.
 */
const PLACES = 4096;

/** An earlier place where the text ended as it does now. */
export interface Match {
  /** Tokens from the start of the text to the end of the match: what follows it is at this index. */
  readonly end: number;
  /** How many tokens are equal, up to the size of n-gram that is looked for. */
  readonly size: number;
}

/** A text of tokens in which each is linked to the last one equal to it. */
export class Lookup {
  readonly #tokens: number[] = [];
  /** Per token the index of the last equal one before it; -1: there is none. */
  readonly #before: number[] = [];
  readonly #latest = new Map<number, number>();
  readonly #ngramSize: number;

  /** Looks for the longest match of up to `ngramSize` tokens. */
  constructor(ngramSize: number) {
    this.#ngramSize = ngramSize;
  }

  /** Adds the next tokens of the text. */
  push(ids: ArrayLike<number>): void {
    for (let i = 0; i < ids.length; i++) {
      const at = this.#tokens.push(ids[i]) - 1;
      this.#before.push(this.#latest.get(ids[i]) ?? -1);
      this.#latest.set(ids[i], at);
    }
  }

  /** The longest match of the text's end, of equally long ones the latest; undefined if its last token is new. */
  find(): Match | undefined {
    const tokens = this.#tokens;
    const last = tokens.length - 1;
    let best: Match | undefined;
    let at = last < 0 ? -1 : this.#before[last];
    for (let places = PLACES; at >= 0 && places > 0; at = this.#before[at], places--) {
      let size = 1;
      while (size < this.#ngramSize && tokens[at - size] === tokens[last - size]) size++;
      if (size > (best?.size ?? 0)) best = { end: at + 1, size };
      if (size === this.#ngramSize) break;
    }
    return best;
  }

  /** The `count` tokens that followed a match; where the text ends before that, it goes round as it did from the match on. */
  copy({ end }: Match, count: number): number[] {
    const period = this.#tokens.length - end;
    return Array.from({ length: count }, (_, i) => this.#tokens[end + (i % period)]);
  }
}
