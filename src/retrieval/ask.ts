// ask.ts — one question to an engine, and several at a time.

import { LlariatError } from "../error.ts";
import { messageOf } from "../text/wording.ts";
import type { Answer, Engine } from "./engine.ts";
import { type Verdict, judge } from "./judge.ts";
import type { Prompt } from "./prompts/index.ts";
import type { Attempt, TurnAttempt } from "./cell.ts";
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

/** One answer and what it is worth. @throws whatever the engine throws, and "request" for a prompt that was changed. */
async function answerTo(engine: Engine, prompt: Prompt, asking: Asking): Promise<{ answer: Answer; verdict: Verdict }> {
  const { scaling, maxNewTokens, signal } = asking;
  const { ropeScaling, ropeAngles } = scaling;
  const answer = await engine.complete(prompt.text, {
    maxNewTokens,
    temperature: 0,
    ...(ropeScaling === undefined ? {} : { ropeScaling }),
    ...(ropeAngles ? { ropeAngles } : {}),
    allowBeyond: true,
    ...(signal ? { signal } : {}),
  });
  if (typeof answer?.text !== "string") throw new LlariatError("request", "complete() returned no text");
  const { promptTokens = prompt.tokens } = answer.usage ?? {};
  if (promptTokens !== prompt.tokens) {
    throw new LlariatError(
      "request",
      `the prompt did not go through unchanged: it has ${prompt.tokens} tokens, the engine read ${promptTokens}`,
    );
  }
  return { answer, verdict: judge(prompt, answer.text) };
}

const sum = (values: readonly (number | undefined)[]): number | undefined =>
  values.every((value) => value !== undefined) ? values.reduce((total, value) => total + value, 0) : undefined;

/**
 * Asks and judges; a conversation question by question. An engine that fails gives an attempt with its error, unless it can
 * give no answer any more.
 * @throws the engine's error with code "device", "closed" or "aborted", or any after the signal was aborted.
 */
export async function ask(
  engine: Engine,
  prompt: Prompt,
  asking: Asking,
): Promise<{ attempt: Attempt; answer?: Answer }> {
  const questions = prompt.turns ?? [prompt];
  const base = {
    try: asking.index,
    prompt: asking.name,
    promptTokens: questions.reduce((total, { tokens }) => total + tokens, 0),
    distance: prompt.distance,
    value: prompt.value,
  };
  try {
    const given: { answer: Answer; verdict: Verdict }[] = [];
    for (const question of questions) given.push(await answerTo(engine, question, asking));
    const all = (name: "found" | "alone" | "exact"): boolean => given.every(({ verdict }) => verdict[name]);
    const score = given.reduce((total, { verdict }) => total + verdict.score, 0) / given.length;
    const completionTokens = sum(given.map(({ answer }) => answer.usage?.completionTokens));
    const { answer } = given[given.length - 1];
    const attempt: Attempt = {
      ...base,
      text: given.map((each) => each.answer.text).join("\n"),
      found: all("found"),
      alone: all("alone"),
      exact: all("exact"),
      ...(score === Number(all("found")) ? {} : { score }),
      ...(prompt.turns ? { turns: given.map((each, i) => turn(questions[i], each)) } : {}),
      ...(completionTokens === undefined ? {} : { completionTokens }),
      ...(answer.finishReason === undefined ? {} : { finishReason: answer.finishReason }),
    };
    return { attempt, answer };
  } catch (error) {
    if (asking.signal?.aborted || (error instanceof LlariatError && FATAL.has(error.code))) throw error;
    return { attempt: { ...base, text: "", found: false, alone: false, exact: false, error: messageOf(error) } };
  }
}

function turn({ value, tokens }: Prompt, { answer, verdict }: { answer: Answer; verdict: Verdict }): TurnAttempt {
  const cached = answer.usage?.cachedTokens;
  const { found } = verdict;
  return { value, text: answer.text, found, ...(cached === undefined ? {} : { computedTokens: tokens - cached }) };
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
