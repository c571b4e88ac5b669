// cwe.ts — RULER's common words extraction (Hsieh et al. 2024, section 3.3): a numbered list in which ten words stand more
// often than all others; asked are the ten. A solved, shorter list stands before it, as there.
//
// The sentences of the prompt are RULER's own (scripts/data/synthetic/common_words_extraction.py and constants.py of
// NVIDIA/RULER, Copyright 2024 NVIDIA Corporation, Apache License 2.0), for they define the benchmark; the code is not.

import { type Stream, stream } from "../stream.ts";
import { fitLines, largest } from "./fit.ts";
import type { Prompt, SeededOptions } from "./prompt.ts";
import { exactly, framed, measured } from "./prompt.ts";
import { type Task, nothing } from "./task.ts";
import { stringVerdict } from "./verdict.ts";
import { differentWords } from "./words.ts";

/** Words that are asked for. */
const COMMON = 10;
const ANSWER_TOKENS = 120;

/** How often common and other words stand in the list and in the example, and the example's words, by length in tokens. */
export interface Frequencies {
  readonly common: number;
  readonly other: number;
  readonly example: { readonly words: number; readonly common: number; readonly other: number };
}

/** RULER's setting for lengths of 4096 tokens and more. */
export const LONG: Frequencies = { common: 30, other: 3, example: { words: 40, common: 10, other: 3 } };
/** RULER's setting for lengths below, and where a tokenizer makes so many tokens of words that the other does not fit. */
export const SHORT: Frequencies = { common: 6, other: 1, example: { words: 20, common: 3, other: 1 } };

const HEAD =
  "Below is a numbered list of words. In these words, some appear more often than others. Memorize the ones that appear most often.\n";
const QUESTION = "\nQuestion: What are the 10 most common words in the above list?";
const REPLY = " Answer: The top 10 words that appear most often in the list are:";

const numbered = (words: readonly string[]): string => words.map((word, i) => `${i + 1}. ${word}`).join(" ");
const repeated = (words: readonly string[], times: number): string[] =>
  Array.from({ length: times }, () => words).flat();

function shuffled(
  words: readonly string[],
  { common, other }: { common: number; other: number },
  random: Stream,
): string {
  const list = [...repeated(words.slice(0, COMMON), common), ...repeated(words.slice(COMMON), other)];
  return numbered(random.shuffle(list));
}

/** The plan of a prompt: its words, of which the first ten are the common ones, and the text of a list of them. */
export interface CwePlan {
  readonly words: readonly string[];
  /** The first `size` words, all but the common ones `other` times, and some words once. */
  readonly compose: (size: number, once: readonly string[], attempt: number) => string;
}

/** Words beyond those that a length could hold, to choose the last ones from: more than `fitLines` ever looks at. */
const SPARE = 600;

/** Plans a prompt of up to `tokens` tokens; an entry of the list has at least two. One seed has one example. */
export function planCwe({ tokens, key, chat }: Omit<SeededOptions, "count">, frequencies: Frequencies): CwePlan {
  const { common, other, example } = frequencies;
  const size = COMMON + Math.ceil(Math.max(0, tokens) / (2 * other)) + SPARE;
  const words = differentWords(stream("cwe", ...key), size, COMMON);
  const seed = stream("cwe", "example", ...key.slice(0, 1));
  const solved = differentWords(seed, example.words, COMMON);
  const shown = `${HEAD}${shuffled(solved, example, seed)}${QUESTION}${REPLY} ${numbered(solved.slice(0, COMMON))}\n`;
  return {
    words,
    compose(size, once, attempt) {
      const list = [
        ...repeated(words.slice(0, COMMON), common),
        ...repeated(words.slice(COMMON, size), other),
        ...once,
      ];
      const order = stream("cwe", ...key, "order", attempt).shuffle(list);
      return framed(chat, `${shown}${HEAD}${numbered(order)}${QUESTION}`, REPLY);
    },
  };
}

/** Tokens that are left to words that stand once: enough for sums of every length. */
const LEFT = 160;

/**
 * A prompt of common words with `tokens` tokens. Above 4096 tokens other words stand three times, but for the few that
 * stand once to make the length exact.
 * @throws LlariatError("request") if `tokens` is too short for the example and ten common words.
 */
export function cwe(options: SeededOptions): Prompt {
  const { count, tokens } = options;
  const isLong = tokens + ANSWER_TOKENS >= 4096;
  const fits = isLong && count(planCwe(options, LONG).compose(COMMON, [], 0)) <= tokens - LEFT;
  const { words, compose } = planCwe(options, fits ? LONG : SHORT);
  return exactly(tokens, (attempt) => {
    const size = fits
      ? largest(tokens - LEFT, COMMON, words.length, (each) => count(compose(each, [], attempt)))
      : COMMON;
    let next = size;
    const draw = (): string => `${100 + next}. ${words[next++]} `;
    const word = (line: string): string => line.slice(line.indexOf(" ") + 1, -1);
    const lines = fitLines({ target: tokens, count, draw, compose: (all) => compose(size, all.map(word), attempt) });
    const once = lines.map(word);
    const text = compose(size, once, attempt);
    const values = words.slice(0, COMMON);
    const others = [...words.slice(COMMON, size), ...once];
    const at = text.lastIndexOf(HEAD) + HEAD.length;
    return measured({ task: "cwe", text, value: values.join(", "), values, answers: values, others }, at, count);
  });
}

/** Common words extraction. */
export const cweTask: Task = {
  name: "cwe",
  about: "RULER: ten words stand in a numbered list more often than all others; the ten are asked for.",
  ruler: true,
  place: "drawn",
  material: null,
  answerTokens: ANSWER_TOKENS,
  missing: nothing,
  build: ({ count, tokens, key, materials: { chat } }) => cwe({ count, tokens: Number(tokens), key, chat }),
  judge: (prompt, answer) => stringVerdict(prompt, answer, "all"),
};
