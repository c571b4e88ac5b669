// engine.ts — what the suite asks of whatever it measures. A loaded `Llama` is such an engine as it is; client.ts makes one
// of a server; a test makes one of ten lines.

import { LlariatError } from "../error.ts";
import type { Rope, RopeAngles, RopeChoice } from "../rope/index.ts";
import { isObject } from "../text/json.ts";
import { atOnce, reading } from "../text/options.ts";
import { display } from "../text/wording.ts";
import { logProbability } from "../generate/sample.ts";

/** What the suite sends with a prompt. Always greedy: an answer must not depend on luck. */
export interface CompleteOptions {
  readonly maxNewTokens: number;
  readonly temperature: 0;
  readonly ropeScaling?: RopeChoice;
  readonly ropeAngles?: RopeAngles;
  /** The suite measures beyond the intended context on purpose. */
  readonly allowBeyond: true;
  readonly signal?: AbortSignal;
}

/** What comes back. */
export interface Answer {
  /** Generated text alone, without the prompt. */
  readonly text: string;
  readonly finishReason?: string | null;
  readonly usage?: {
    readonly promptTokens?: number;
    /** Of the prompt: what was not computed again. */
    readonly cachedTokens?: number;
    readonly completionTokens?: number;
  };
  /** The setting that was really used, if the engine says so; goes into the report. */
  readonly rope?: unknown;
}

/** What turns text into token ids as the engine itself does. */
export interface Encoder {
  /** The ids of a text, special tokens included. */
  encode(text: string): ArrayLike<number>;
}

/** Anything that completes text. Calls may overlap: an engine that can batch, batches them. */
export interface Engine {
  /** The answer to a prompt, greedy, at most `maxNewTokens` long. */
  complete(prompt: string, options: CompleteOptions): Promise<Answer>;
  /** Needed to build prompts to length. */
  readonly tokenizer?: Encoder | undefined;
  /** The model's own RoPE setting: tells the trained length, and how far each scaling reaches. */
  readonly rope?: Rope | undefined;
}

/** What perplexity is measured on. */
export interface ScoringEngine {
  /** Natural log-probabilities [ids.length - 1]: of ids[1] after ids[0], and so on. Preferred over `logits` if there. */
  score?(ids: readonly number[], options: ScoreOptions): Promise<ArrayLike<number>>;
  /** Logits [ids.length, vocab], row by row. */
  logits?(ids: readonly number[], options: ScoreOptions & { readonly rows: "all" }): Promise<Float32Array>;
}

/** RoPE setting and cancellation of one window. */
export interface ScoreOptions {
  readonly ropeScaling?: RopeChoice;
  readonly signal?: AbortSignal;
}

/** Counts the tokens of a prompt as the engine does. */
export type CountTokens = (text: string) => number;

/** Longest prompt that is built: a prompt is one text, of which V8 holds 2^29 characters, and a token may have 32. */
export const MOST_TOKENS = 2 ** 24;

/** @throws LlariatError("request") for what cannot complete a prompt. */
export function checkEngine(engine: unknown): void {
  if (reading("engine", () => isObject(engine) && typeof engine["complete"] === "function")) return;
  throw new LlariatError("request", `needs an object with complete(), got ${display(engine)}`, { subject: "engine" });
}

/** @throws LlariatError("tokenizer") if the engine cannot count. */
export function tokenCounter(engine: Engine, count?: CountTokens): CountTokens {
  if (count) return counting("countTokens", count);
  const tokenizer = reading("engine.tokenizer", () => engine.tokenizer);
  const encode = (text: string) => reading("engine.tokenizer", () => tokenizer!.encode(text).length);
  if (tokenizer) return (text) => wholeCount("engine.tokenizer", encode(text));
  throw new LlariatError(
    "tokenizer",
    "prompts are built to a length in tokens and this engine has no tokenizer; give countTokens, or the model's tokenizer",
  );
}

/** A counter of the caller's, whose counts are looked at. @throws LlariatError("request") naming `subject`. */
export function counting(subject: string, count: CountTokens): CountTokens {
  const counted = atOnce(subject, count);
  return (text) => wholeCount(subject, counted(text));
}

function wholeCount(subject: string, count: unknown): number {
  if (Number.isSafeInteger(count) && (count as number) >= 0) return count as number;
  throw new LlariatError("request", `must count a text's tokens, got ${display(count)}`, { subject });
}

/** Tokens the model was trained for. @throws LlariatError("request") if neither the caller nor the engine says. */
export function trainedLength(engine: Engine, given?: number): number {
  const length = given ?? engine.rope?.originalMaxPositions;
  if (length !== undefined && Number.isInteger(length) && length >= 1) return length;
  throw new LlariatError("request", `needs the tokens the model was trained for, got ${display(length)}`, {
    subject: "trainedLength",
    advice: "it is max_position_embeddings of config.json",
  });
}

/** The error for an engine that cannot score. */
export const unscored = (): LlariatError =>
  new LlariatError(
    "request",
    "perplexity needs an engine with score() or logits(); a server's completions give neither",
  );

/**
 * Log-probabilities [ids.length - 1] of each next token, by the engine's `score`, else from its `logits`.
 * @throws LlariatError("request") if it has neither, or gives another number of values, or one that is no probability.
 */
export async function score(
  engine: ScoringEngine,
  ids: readonly number[],
  options: ScoreOptions,
): Promise<Float64Array> {
  let found: Float64Array;
  if (engine.score) found = Float64Array.from(await engine.score(ids, options));
  else if (engine.logits) {
    const logits = await engine.logits(ids, { ...options, rows: "all" });
    const vocab = logits.length / ids.length;
    found = Float64Array.from({ length: ids.length - 1 }, (_, i) =>
      logProbability(logits.subarray(i * vocab, (i + 1) * vocab), ids[i + 1]),
    );
  } else {
    throw unscored();
  }
  if (found.length !== ids.length - 1) {
    throw new LlariatError(
      "request",
      `score: ${ids.length} ids need ${ids.length - 1} log-probabilities, got ${found.length}`,
    );
  }
  const bad = found.findIndex((value) => !(value <= 0));
  if (bad >= 0) throw new LlariatError("request", `score: a log-probability is at most 0, got ${found[bad]} at ${bad}`);
  return found;
}
