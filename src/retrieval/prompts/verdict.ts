// verdict.ts — what an answer is worth: whether it holds one value, or which share of several.

import type { Prompt } from "./prompt.ts";

/** What one answer is worth. */
export interface Verdict {
  /** The rule of the original tests: the value stands in the answer; of several, all that are asked for. */
  readonly found: boolean;
  /** Found, not as part of a longer word, and no other value of the prompt stands in the answer: no guess, no list. */
  readonly alone: boolean;
  /** The answer is nothing but the value, or the sentence that gives it. */
  readonly exact: boolean;
  /** 0 to 1: 1 for what is found; where several values are asked for, the share of them in the answer. */
  readonly score: number;
}

/** h2oGPT's bound of a title's answer in characters: a model that repeats the paper has not understood the question. */
const LONGEST_TITLE_ANSWER = 500;

const isWord = (text: string, index: number): boolean => /[\p{L}\p{N}]/u.test(text.charAt(index));

/** Whether `value` stands in `text` with no letter or digit directly before or after it. */
function standsAlone(text: string, value: string): boolean {
  for (let at = text.indexOf(value); at >= 0; at = text.indexOf(value, at + 1)) {
    if (!isWord(text, at - 1) && !isWord(text, at + value.length)) return true;
  }
  return false;
}

/** Without the quotes, spaces and full stop around an answer. */
const bare = (text: string): string => text.trim().replace(/^["'“‘`\s]+|["'”’`\s.]+$/g, "");

const same = (text: string): string => text;
const lower = (text: string): string => text.toLowerCase();

function byValue({ value, answers, others }: Prompt, answer: string, fold: (text: string) => string): Verdict {
  const [text, wanted] = [fold(answer), fold(value)];
  const found = text.includes(wanted);
  return {
    found,
    alone: found && standsAlone(text, wanted) && !others.some((other) => standsAlone(text, fold(other))),
    exact: found && answers.some((whole) => bare(fold(whole)) === bare(text)),
    score: Number(found),
  };
}

/** One value, as it is written. */
export const valueVerdict = (prompt: Prompt, answer: string): Verdict => byValue(prompt, answer, same);

/** A title, in either case of letters, and in a short answer. */
export function titleVerdict(prompt: Prompt, answer: string): Verdict {
  if (answer.length < LONGEST_TITLE_ANSWER) return byValue(prompt, answer, lower);
  return { found: false, alone: false, exact: false, score: 0 };
}

/** What may stand between the values of an answer that gives nothing else: marks, "and", the numbers of a list. */
const BETWEEN = /\band\b|\b\d{1,2}[.)]|[^\p{L}\p{N}]+/gu;

/**
 * RULER's string match, in either case of letters (scripts/eval/synthetic/constants.py there): "all" scores the share of
 * `values` that stand in the answer, "part" 1 if any does. Exact: the values and nothing else, in any order.
 */
export function stringVerdict({ values = [], others }: Prompt, answer: string, match: "all" | "part"): Verdict {
  const text = lower(answer);
  const wanted = values.map(lower);
  const there = wanted.filter((value) => text.includes(value));
  const score = match === "part" ? Number(there.length > 0) : there.length / Math.max(1, wanted.length);
  const found = score === 1;
  const rest = [...there]
    .sort((a, b) => b.length - a.length)
    .reduce((left, value) => left.replace(value, " "), text)
    .replaceAll(BETWEEN, "");
  return {
    found,
    alone:
      found &&
      there.every((value) => standsAlone(text, value)) &&
      !others.some((other) => standsAlone(text, lower(other))),
    exact: found && rest === "",
    score,
  };
}
