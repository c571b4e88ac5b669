// judge.ts — whether an answer holds the needle. Scores count the needle, not the wording of the sentence.

import { checkOptions, reading } from "../text/options.ts";
import type { Prompt } from "./prompts/prompt.ts";
import { TASKS } from "./prompts/tasks.ts";
import type { Verdict } from "./prompts/verdict.ts";

export type { Verdict } from "./prompts/verdict.ts";

/**
 * Judges an answer, the generated text alone, by its prompt and the rule of its task.
 * @throws LlariatError("request") for what is no prompt.
 */
export function judge(prompt: Prompt, answer: string): Verdict {
  checkOptions({ prompt, answer }, { prompt: "object", answer: "text" });
  return reading("prompt", () => {
    const { answers, others, value, values } = prompt;
    const kinds = { answers: "list", others: "list", value: "text", values: "list" } as const;
    checkOptions({ answers, others, value, values }, kinds, "prompt");
    return TASKS[prompt.task].judge(prompt, answer);
  });
}
