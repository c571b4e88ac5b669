// score.ts — log-probabilities of a prompt's own tokens, which evaluation harnesses ask for with `echo` and `logprobs`.

import { type Likely, mostLikely } from "../generate/sample.ts";
import type { Completion, GenerateOptions, Llama, Piece, Prompt } from "../index.ts";
import { describeRope, parseRopeScaling } from "../rope/index.ts";

/** A prompt's tokens under the model: of ids[0] there is no log-probability. */
export interface PromptScore {
  readonly ids: readonly number[];
  /** As `llama.score` gives them: of ids[i + 1] at i. */
  readonly logprobs: ArrayLike<number>;
  /** The likeliest at the place of ids[i + 1], at i. */
  readonly top: readonly (readonly Likely[])[];
}

/** What is asked of a prompt beside its answers. */
export interface Scoring {
  /** Tokens to generate; with 0 nothing is. */
  readonly maxTokens: number;
  /** How many of the likeliest tokens to give for each of the prompt's; undefined: the prompt is not scored. */
  readonly top: number | undefined;
  readonly scored: (prompt: Prompt, score: PromptScore) => void;
}

/** The ids of a prompt that is no messages. */
export const promptTokens = ({ tokenizer }: Llama, prompt: Prompt): number[] =>
  typeof prompt === "string" ? [...(tokenizer?.encode(prompt) ?? [])] : Array.from(prompt as ArrayLike<number>);

/** Ends a request that was made for its checks alone. */
const CHECKED = Symbol("checked");

/** Throws as `generate` would for this prompt, before it computes anything. */
async function check(llama: Llama, prompt: Prompt, options: GenerateOptions): Promise<void> {
  const onAllocate = (): never => {
    throw CHECKED;
  };
  try {
    await llama.complete(prompt, { ...options, onAllocate });
  } catch (error) {
    if (error !== CHECKED) throw error;
  }
}

/** As `llama.generate`, but the prompt is scored first; with no token to generate that is all. */
export async function* generateScored(
  llama: Llama,
  prompt: Prompt,
  options: GenerateOptions,
  { maxTokens, top, scored }: Scoring,
): AsyncGenerator<Piece, Completion> {
  const { onAllocate, signal, ropeScaling } = options;
  const score = async (): Promise<void> => {
    if (top === undefined) return;
    const ids = promptTokens(llama, prompt);
    const likely: Likely[][] = [];
    const onLogits = (position: number, row: Float32Array) => (likely[position] = mostLikely(row, top));
    const logprobs = await llama.score(ids, { ropeScaling, signal, ...(top > 0 && { onLogits }) });
    scored(prompt, { ids, logprobs, top: likely });
  };
  if (maxTokens > 0) {
    const admitted = async (need: Parameters<NonNullable<typeof onAllocate>>[0]): Promise<void> => {
      await onAllocate?.(need);
      await score();
    };
    return yield* llama.generate(prompt, { ...options, onAllocate: admitted });
  }
  await check(llama, prompt, { ...options, maxNewTokens: 1 });
  const tokens = promptTokens(llama, prompt).length;
  await onAllocate?.({ tokens, kvBytes: llama.kvBytes(tokens) });
  await score();
  return {
    text: "",
    ids: [],
    logprobs: [],
    topLogprobs: [],
    finishReason: "length",
    usage: { promptTokens: tokens, cachedTokens: 0, completionTokens: 0 },
    timing: { firstTokenMs: 0, prefillMs: 0, decodeMs: 0, prefillTokensPerSecond: 0, decodeTokensPerSecond: 0 },
    rope: { ...describeRope(parseRopeScaling(ropeScaling, llama.rope)), n: tokens, angles: "planned" },
  };
}
