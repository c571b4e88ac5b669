// penalties.ts — what changes the logits before anything is drawn: biases, penalties for what has been said, ids that are barred.

import { LlariatError } from "../error.ts";
import type { Sampling } from "./sampling.ts";

/** What a draw knows of the text so far. */
export interface History {
  /** Ids of the prompt, then of the answer, each below the length of a row. */
  readonly tokens: ArrayLike<number>;
  /** How many of them are the prompt's. */
  readonly promptTokens: number;
  /** Ids that must not come now. */
  readonly barred?: Iterable<number>;
  /** Bit i % 32 of word i / 32 is 1 where the id i may come now. */
  readonly allowed?: Uint32Array;
}

/**
 * Scores [vocab] in f64: the logits with bias and penalties, -∞ for what is barred. The arguments stay as they are.
 * @throws LlariatError("request") if nothing is left.
 */
export function penalised(logits: Float32Array, sampling: Sampling, history: History): Float64Array {
  const scores = new Float64Array(logits);
  const { tokens, promptTokens, barred = [], allowed } = history;
  for (const [id, bias] of sampling.logitBias) scores[id] += bias;
  if (sampling.repetitionPenalty !== 1) repetition(scores, sampling.repetitionPenalty, tokens);
  const { frequencyPenalty, presencePenalty } = sampling;
  if (frequencyPenalty !== 0 || presencePenalty !== 0) {
    for (let i = promptTokens; i < tokens.length; i++) scores[tokens[i]] -= frequencyPenalty;
    for (const id of new Set(Array.prototype.slice.call(tokens, promptTokens) as number[]))
      scores[id] -= presencePenalty;
  }
  for (const id of repeats(tokens, sampling.noRepeatNgramSize)) scores[id] = -Infinity;
  for (const id of barred) scores[id] = -Infinity;
  if (allowed) keep(scores, allowed);
  if (scores.every((score) => score === -Infinity)) {
    throw new LlariatError("request", "every id is forbidden", {
      subject: `${allowed ? "responseFormat, " : ""}logitBias, noRepeatNgramSize`,
      advice: "forbid fewer",
    });
  }
  return scores;
}

/** Leaves only the ids whose bit is set. */
function keep(scores: Float64Array, allowed: Uint32Array): void {
  for (let i = 0; i < scores.length; i += 32) {
    const word = allowed[i >> 5] ?? 0;
    if (word === 0) scores.fill(-Infinity, i, i + 32);
    else if (word !== 0xffff_ffff) {
      for (let bit = 0; bit < 32 && i + bit < scores.length; bit++)
        if (((word >>> bit) & 1) === 0) scores[i + bit] = -Infinity;
    }
  }
}

/** Keskar et al. 2019 (CTRL, arXiv 1909.05858), section 4.1, for both signs; each id once. */
function repetition(scores: Float64Array, penalty: number, tokens: ArrayLike<number>): void {
  const seen = new Uint8Array(scores.length);
  for (let i = 0; i < tokens.length; i++) {
    const id = tokens[i];
    if (seen[id]) continue;
    seen[id] = 1;
    const score = scores[id];
    // A tiny penalty must not make an infinity, which would leave no difference between two such ids.
    scores[id] = score < 0 ? score * penalty : Math.min(score / penalty, Number.MAX_VALUE);
  }
}

/** Ids that would end a run of `size` ids which the text has already. */
function* repeats(tokens: ArrayLike<number>, size: number): Generator<number> {
  if (size === 0 || tokens.length + 1 < size) return;
  const tail = tokens.length - (size - 1);
  for (let i = 0; i + size <= tokens.length; i++) {
    let same = 0;
    while (same < size - 1 && tokens[i + same] === tokens[tail + same]) same++;
    if (same === size - 1) yield tokens[i + size - 1];
  }
}
