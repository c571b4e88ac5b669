// judge.ts — whether an answer holds the needle. Scores count the needle, not the wording of the sentence.

import type { Prompt, TaskName } from "./prompts/prompt.ts";

/** What one answer is worth. */
export interface Verdict {
  /** The rule of the original tests: the value stands in the answer. */
  readonly found: boolean;
  /** Found, not as part of a longer word, and no other value of the prompt stands in the answer: no guess, no list. */
  readonly alone: boolean;
  /** The answer is nothing but the value, or the sentence that gives it. */
  readonly exact: boolean;
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

/** Judges an answer, the generated text alone, by its prompt. Titles may be in either case of letters. */
export function judge(prompt: Prompt, answer: string): Verdict {
  const fold = prompt.task === "title" ? (text: string) => text.toLowerCase() : (text: string) => text;
  const [text, value] = [fold(answer), fold(prompt.value)];
  const found = text.includes(value) && (prompt.task !== "title" || answer.length < LONGEST_TITLE_ANSWER);
  return {
    found,
    alone: found && standsAlone(text, value) && !prompt.others.some((other) => standsAlone(text, fold(other))),
    exact: found && prompt.answers.some((whole) => bare(fold(whole)) === bare(text)),
  };
}

/** Tokens an answer may have; enough for a whole sentence whatever room the prompt was given. */
export const ANSWER_TOKENS: Readonly<Record<TaskName, number>> = { uuid: 64, passkey: 16, title: 100, needle: 64 };
