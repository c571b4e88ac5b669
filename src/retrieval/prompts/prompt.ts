// prompt.ts — what every task's prompt is: a text, the value that its answer must hold, and where the value stands.

import { LlariatError } from "../../error.ts";
import type { CountTokens } from "../engine.ts";

/** The tasks of the suite. */
export type TaskName = "uuid" | "passkey" | "title" | "needle";

/** One prompt and what its answer is judged by. Plain data. */
export interface Prompt {
  readonly task: TaskName;
  /** Exactly what the engine is to read, chat markers included; special tokens such as bos are the tokenizer's. */
  readonly text: string;
  /** What has to stand in the answer. */
  readonly value: string;
  /** Whole answers that count as exact. */
  readonly answers: readonly string[];
  /** Values of the same kind that an answer could name instead. */
  readonly others: readonly string[];
  /** Tokens of `text`, special tokens included. */
  readonly tokens: number;
  /** Tokens from the first token of the secret to the end of the prompt: the k of the effective context window. */
  readonly distance: number;
}

/** What every builder needs. */
export interface BuildOptions {
  readonly count: CountTokens;
  /** Tokens the prompt is to have; the result has this many or, where the format allows no such length, a few fewer. */
  readonly tokens: number;
  /** Where among the filler the secret stands: 0 is the start, 1 the end. */
  readonly position: number;
  /** The same key gives the same prompt, everywhere and always. */
  readonly key: readonly (string | number)[];
}

/** Checks a prompt's position. @throws LlariatError("request") unless it is in [0, 1]. */
export function checkPosition(position: number): void {
  if (!(position >= 0 && position <= 1)) {
    throw new LlariatError("request", `secret position: must be between 0 and 1 of the prompt, got ${position}`);
  }
}

/** The nearest whole number, halves to the even one: as Python rounds, so that our prompts have their secrets where theirs do. */
export function roundHalfEven(value: number): number {
  const nearest = Math.round(value);
  return Math.abs(value % 1) === 0.5 && nearest % 2 !== 0 ? nearest - 1 : nearest;
}

/** Counts tokens and the secret's distance; `secretAt` is the index of the secret's first UTF-16 unit in the text. */
export function measured(prompt: Omit<Prompt, "tokens" | "distance">, secretAt: number, count: CountTokens): Prompt {
  const tokens = count(prompt.text);
  return { ...prompt, tokens, distance: tokens - count(prompt.text.slice(0, secretAt)) };
}

/** A value drawn until `taken` refuses it no more. @throws LlariatError("request") if the text leaves none. */
export function drawUnlike(draw: () => string, taken: (value: string) => boolean): string {
  for (let i = 0; i < 10_000; i++) {
    const value = draw();
    if (!taken(value)) return value;
  }
  throw new LlariatError("request", "no value is left that does not occur in the filler by chance; give other filler");
}
