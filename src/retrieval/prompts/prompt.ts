// prompt.ts — what every task's prompt is: a text, the value that its answer must hold, and where the value stands.

import { LlariatError } from "../../error.ts";
import { isObject } from "../../text/json.ts";
import { atOnce, checkOptions, checkWhole, reading } from "../../text/options.ts";
import { display } from "../../text/wording.ts";
import { type CountTokens, MOST_TOKENS, counting } from "../engine.ts";

/** The tasks of the suite: four of its own, then RULER's (Hsieh et al. 2024, arXiv 2404.06654) by their names there. */
export const TASK_NAMES = [
  "uuid",
  "passkey",
  "title",
  "needle",
  "multiturn",
  "niah_single_1",
  "niah_single_2",
  "niah_single_3",
  "niah_multikey_1",
  "niah_multikey_2",
  "niah_multikey_3",
  "niah_multivalue",
  "niah_multiquery",
  "vt",
  "cwe",
  "fwe",
  "qa_1",
  "qa_2",
] as const;

/** One of the tasks. */
export type TaskName = (typeof TASK_NAMES)[number];

/** One prompt and what its answer is judged by. Plain data. */
export interface Prompt {
  readonly task: TaskName;
  /** Exactly what the engine is to read, chat markers included; special tokens such as bos are the tokenizer's. */
  readonly text: string;
  /** What has to stand in the answer; several strings with ", " between them. */
  readonly value: string;
  /** What has to stand in the answer where that is no single string, or may be one of several. */
  readonly values?: readonly string[];
  /** The questions of a conversation in their order, the last with this `text`; each is asked and judged by itself. */
  readonly turns?: readonly Prompt[];
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
  readonly chat?: ChatFrame | undefined;
}

/** What a task without positions needs: where its secrets stand is drawn from the key. */
export type SeededOptions = Omit<BuildOptions, "position">;

/** A question and its answer; the last answer is the beginning of one, which the model goes on with. */
export type Exchange = readonly [question: string, reply: string];

/**
 * The prompt for a conversation by a model's chat template. Without the special tokens that the engine's tokenizer adds by
 * itself. It must hold questions and replies as they are, but for white space around them.
 */
export type ChatFrame = (exchanges: readonly Exchange[]) => string;

/** A chat format of the caller's, whose answers are looked at. @throws LlariatError("request") where one is no text. */
export function framing(chat: ChatFrame): ChatFrame {
  const frame = atOnce("chat", chat);
  return (exchanges) => {
    const text: unknown = frame(exchanges);
    if (typeof text === "string") return text;
    throw new LlariatError("request", `must return a text, got ${display(text)}`, { subject: "chat" });
  };
}

/** The text of a question with the beginning of its answer: in the model's chat format, else one after the other. */
export const framed = (chat: ChatFrame | undefined, question: string, reply: string): string =>
  chat ? chat([[question, reply]]) : question + reply;

/** Checks a prompt's position. @throws LlariatError("request") unless it is in [0, 1]. */
export function checkPosition(position: number): void {
  if (!(typeof position === "number" && position >= 0 && position <= 1)) {
    throw new LlariatError(
      "request",
      `secret position: must be between 0 and 1 of the prompt, got ${display(position)}`,
    );
  }
}

/**
 * A builder for callers who may hand it anything; its options come last. They are read once, and what they make it throw is
 * LlariatError("request").
 */
export function checkedBuilder<Build extends (...args: never[]) => Prompt>(build: Build): Build {
  const call = (...args: unknown[]): Prompt =>
    reading("options", () => {
      const options = checkBuild(args.at(-1));
      return (build as unknown as (...args: unknown[]) => Prompt)(...args.slice(0, -1), options);
    });
  return call as unknown as Build;
}

/** What every builder reads, checked. @throws LlariatError("request") naming the option. */
function checkBuild(given: unknown): unknown {
  if (!isObject(given))
    throw new LlariatError("request", `must be an object, got ${display(given)}`, { subject: "options" });
  const options: Record<string, unknown> = { ...given };
  const { count, tokens, key, chat } = options;
  checkOptions({ count, key, chat }, { count: "function", key: "list", chat: "function" });
  if (count === undefined) throw new LlariatError("request", "must be a function, got none", { subject: "count" });
  if (tokens !== "whole") checkWhole("tokens", tokens, -MOST_TOKENS, { most: MOST_TOKENS });
  if (!Array.isArray(key) || !key.every((part) => typeof part === "string" || Number.isFinite(part))) {
    throw new LlariatError("request", "must be a list of texts and numbers", { subject: "key" });
  }
  return {
    ...options,
    count: counting("count", count as CountTokens),
    ...(chat !== undefined && { chat: framing(chat as ChatFrame) }),
  };
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

/** Draws before the longest prompt so far is taken. */
const ATTEMPTS = 8;

/**
 * The first prompt of `build(0)`, `build(1)`, … with exactly `tokens` tokens, else the longest of them. Where something
 * stands decides what the joints cost, so with one draw a length may come out that another does not allow.
 */
export function exactly(tokens: number, build: (attempt: number) => Prompt, attempts = ATTEMPTS): Prompt {
  let best = build(0);
  for (let attempt = 1; attempt < attempts && best.tokens !== tokens; attempt++) {
    const other = build(attempt);
    if (other.tokens > best.tokens) best = other;
  }
  return best;
}

/** A value drawn until `taken` refuses it no more. @throws LlariatError("request") if the text leaves none. */
export function drawUnlike(draw: () => string, taken: (value: string) => boolean): string {
  for (let i = 0; i < 10_000; i++) {
    const value = draw();
    if (!taken(value)) return value;
  }
  throw new LlariatError("request", "no value is left that does not occur in the filler by chance; give other filler");
}
