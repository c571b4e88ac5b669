// tokens.ts — tokens as clients want to see them: text and bytes, beside their log-probabilities.

import type { Likely, Tokenizer } from "../index.ts";

/** A token as a text of its own, as it reads behind others: with its leading space. */
export class TokenTexts {
  readonly #tokenizer: Tokenizer | undefined;
  readonly #before: readonly number[];
  readonly #known = new Map<number, string>();

  constructor(tokenizer: Tokenizer | undefined) {
    this.#tokenizer = tokenizer;
    // Decoders that take the space off the front of a text take it off this one.
    this.#before = tokenizer ? [...tokenizer.encode("a", { addSpecialTokens: false })] : [];
  }

  /** The text of an id, U+FFFD for bytes that are no character alone; without a tokenizer the id itself. */
  text(id: number): string {
    const tokenizer = this.#tokenizer;
    if (!tokenizer) return String(id);
    let text = this.#known.get(id);
    if (text === undefined) {
      const stream = tokenizer.streamDecoder({ skipSpecialTokens: false });
      for (const each of this.#before) stream.push(each);
      text = stream.push(id) + stream.end();
      if (this.#known.size < MOST_KNOWN) this.#known.set(id, text);
    }
    return text;
  }

  /** The bytes of an id, which may be part of a character; null where a token has none of its own. */
  bytes(id: number): number[] | null {
    const bytes = this.#tokenizer?.tokenBytes(id);
    if (bytes) return [...bytes];
    const text = this.text(id);
    return text.includes("\ufffd") ? null : [...ENCODER.encode(text)];
  }

  /** The text of an id as a key: where its bytes are no characters alone, those as OpenAI writes them, `bytes:\xe2\x82`. */
  key(id: number): string {
    const text = this.text(id);
    if (!text.includes("\ufffd")) return text;
    const bytes = this.#tokenizer?.tokenBytes(id) ?? [];
    return `bytes:${Array.from(bytes, (byte) => `\\x${byte.toString(16).padStart(2, "0")}`).join("")}`;
  }
}

/** As many tokens as any published vocabulary has. */
const MOST_KNOWN = 300_000;
const ENCODER = new TextEncoder();

/** A token with its log-probability, as chat completions give it. */
export const chatLogprob = (texts: TokenTexts, { id, logprob }: { readonly id: number; readonly logprob: number }) => ({
  token: texts.text(id),
  logprob: finite(logprob),
  bytes: texts.bytes(id),
});

/** The same with the likeliest tokens at its place. */
export const chatLogprobs = (
  texts: TokenTexts,
  piece: { readonly id: number; readonly logprob?: number; readonly topLogprobs?: readonly Likely[] },
) => ({
  ...chatLogprob(texts, { id: piece.id, logprob: piece.logprob! }),
  top_logprobs: (piece.topLogprobs ?? []).map((each) => chatLogprob(texts, each)),
});

/** JSON has no infinity; OpenAI says −9999 for what cannot be. */
export const finite = (logprob: number): number => Math.max(logprob, -9999);

/** A token with its log-probabilities; the first of a prompt has none. */
export interface Scored {
  readonly id: number;
  readonly logprob: number | null;
  readonly topLogprobs: readonly Likely[];
}

/** Log-probabilities as completions give them: lists by token. `offset`: characters before the first. */
export function completionLogprobs(texts: TokenTexts, tokens: readonly Scored[], offset: number) {
  let at = offset;
  return {
    tokens: tokens.map(({ id }) => texts.key(id)),
    token_logprobs: tokens.map(({ logprob }) => (logprob === null ? null : finite(logprob))),
    top_logprobs: tokens.map(({ id, logprob, topLogprobs }) => {
      if (logprob === null) return null;
      // Several ids may read alike: the likeliest of them has the name. The token itself is always there.
      const all = new Map<string, number>();
      for (const each of [...topLogprobs, { id, logprob }]) {
        const key = texts.key(each.id);
        if (!all.has(key)) all.set(key, finite(each.logprob));
      }
      return Object.fromEntries(all);
    }),
    text_offset: tokens.map(({ id }) => {
      const start = at;
      at += texts.text(id).length;
      return start;
    }),
  };
}
