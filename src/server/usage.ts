// usage.ts — what a finished answer says: its tokens counted as OpenAI counts, and one by one.

import type { Completion } from "../index.ts";
import type { Scored } from "./tokens.ts";

/** Tokens of a request. A prompt that is answered several times counts once, as OpenAI counts it. */
export interface Usage {
  readonly prompt_tokens: number;
  readonly completion_tokens: number;
  readonly total_tokens: number;
  readonly prompt_tokens_details: { readonly cached_tokens: number };
}

/** The sums over answers, `n` to each prompt; in order of their index, but those to one prompt may change places. */
export function usageOf(answers: readonly Completion[], n: number): Usage {
  let [prompt, cached, completion] = [0, 0, 0];
  answers.forEach(({ usage }, i) => {
    completion += usage.completionTokens;
    if (i % n > 0) return;
    prompt += usage.promptTokens;
    cached += usage.cachedTokens;
  });
  return {
    prompt_tokens: prompt,
    completion_tokens: completion,
    total_tokens: prompt + completion,
    prompt_tokens_details: { cached_tokens: cached },
  };
}

/** The tokens of an answer that was asked for with `logprobs`. */
export const piecesOf = ({ ids, logprobs, topLogprobs }: Completion): (Scored & { readonly logprob: number })[] =>
  ids.map((id, i) => ({ id, logprob: logprobs![i], topLogprobs: topLogprobs?.[i] ?? [] }));
