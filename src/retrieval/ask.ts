// ask.ts — one question to an engine, and several at a time.

import { LlariatError } from "../error.ts";
import { messageOf } from "../text/wording.ts";
import type { Answer, Engine } from "./engine.ts";
import { judge } from "./judge.ts";
import type { Prompt } from "./prompts/index.ts";
import type { Attempt } from "./cell.ts";
import type { Scaling } from "./scaling.ts";

/** Errors after which no further answer can be expected. */
const FATAL = new Set(["device", "closed", "aborted"]);

/** How a question is asked, and what its attempt is called. */
export interface Asking {
  readonly index: number;
  readonly name: string;
  readonly scaling: Scaling;
  readonly maxNewTokens: number;
  readonly signal?: AbortSignal | undefined;
}

/**
 * Asks and judges. An engine that fails gives an attempt with its error, unless it can give no answer any more.
 * @throws the engine's error with code "device", "closed" or "aborted", or any after the signal was aborted.
 */
export async function ask(
  engine: Engine,
  prompt: Prompt,
  asking: Asking,
): Promise<{ attempt: Attempt; answer?: Answer }> {
  const { scaling, maxNewTokens, signal } = asking;
  const { ropeScaling, ropeAngles } = scaling;
  const base = {
    try: asking.index,
    prompt: asking.name,
    promptTokens: prompt.tokens,
    distance: prompt.distance,
    value: prompt.value,
  };
  try {
    const answer = await engine.complete(prompt.text, {
      maxNewTokens,
      temperature: 0,
      ...(ropeScaling === undefined ? {} : { ropeScaling }),
      ...(ropeAngles ? { ropeAngles } : {}),
      allowBeyond: true,
      ...(signal ? { signal } : {}),
    });
    if (typeof answer?.text !== "string") throw new LlariatError("request", "complete() returned no text");
    const { promptTokens = prompt.tokens, completionTokens } = answer.usage ?? {};
    if (promptTokens !== prompt.tokens) {
      throw new LlariatError(
        "request",
        `the prompt did not go through unchanged: it has ${prompt.tokens} tokens, the engine read ${promptTokens}`,
      );
    }
    const attempt: Attempt = {
      ...base,
      text: answer.text,
      ...judge(prompt, answer.text),
      ...(completionTokens === undefined ? {} : { completionTokens }),
      ...(answer.finishReason === undefined ? {} : { finishReason: answer.finishReason }),
    };
    return { attempt, answer };
  } catch (error) {
    if (signal?.aborted || (error instanceof LlariatError && FATAL.has(error.code))) throw error;
    return { attempt: { ...base, text: "", found: false, alone: false, exact: false, error: messageOf(error) } };
  }
}

/** More prompts at once keep no engine busier, and each is held in memory. */
const MOST_IN_FLIGHT = 4096;

/**
 * Works on items in their order, at most `limit` at the same time. After a failure no further item is begun; those in
 * flight end, then the first failure is thrown.
 */
export async function inFlight<T>(limit: number, items: Iterable<T>, work: (item: T) => Promise<void>): Promise<void> {
  const iterator = items[Symbol.iterator]();
  let [failed, ended] = [false, false];
  const worker = async (): Promise<void> => {
    while (!failed) {
      const next = iterator.next();
      ended = next.done === true;
      if (next.done) return;
      try {
        await work(next.value);
      } catch (error) {
        failed = true;
        throw error;
      }
    }
  };
  const workers: Promise<void>[] = [];
  while (workers.length < Math.min(limit, MOST_IN_FLIGHT) && !ended) workers.push(worker());
  const ends = await Promise.allSettled(workers);
  const broken = ends.find((end) => end.status === "rejected");
  if (broken) throw broken.reason;
}
