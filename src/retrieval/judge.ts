// judge.ts — whether an answer holds the needle. Scores count the needle, not the wording of the sentence.

import type { Prompt } from "./prompts/prompt.ts";
import { TASKS } from "./prompts/tasks.ts";
import type { Verdict } from "./prompts/verdict.ts";

export type { Verdict } from "./prompts/verdict.ts";

/** Judges an answer, the generated text alone, by its prompt and the rule of its task. */
export const judge = (prompt: Prompt, answer: string): Verdict => TASKS[prompt.task].judge(prompt, answer);
