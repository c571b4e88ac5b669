// task.ts — what a task is: it builds a prompt of a length in tokens, and judges the answer to it.

import type { Materials } from "./materials.ts";
import type { BuildOptions, Prompt, TaskName } from "./prompt.ts";
import type { Verdict } from "./verdict.ts";

/** One prompt that is asked for. `position` is null where the task has none; `index` counts the prompts of a cell. */
export interface TaskInput extends Pick<BuildOptions, "count" | "key"> {
  readonly tokens: number | "whole";
  readonly position: number | null;
  readonly index: number;
  readonly materials: Materials;
}

/** A task of the suite. All its functions are pure: the same input, the same prompt and verdict. */
export interface Task {
  readonly name: TaskName;
  /** A sentence or two for help and report. */
  readonly about: string;
  /** Of RULER's tasks: their room for the answer is part of their definition. */
  readonly ruler: boolean;
  /** Where the secret stands: at positions that the settings name, at the start of a text, or where the seed says. */
  readonly place: "positions" | "start" | "drawn";
  /** Which of the materials it cannot do without. */
  readonly material: "documents" | "filler" | "questions" | null;
  /** Tokens an answer may have; enough for a whole sentence whatever room the prompt was given. */
  readonly answerTokens: number;
  /** What is missing to build it, as an error's sentence; undefined if nothing is. */
  missing(materials: Materials): string | undefined;
  /** How many different prompts there are, where that is bounded: asking twice would count one answer twice. */
  most?(materials: Materials): number;
  /** @throws LlariatError("request") for too few tokens, or too little text. */
  build(input: TaskInput): Prompt;
  judge(prompt: Prompt, answer: string): Verdict;
}

/** Nothing is missing where nothing is needed. */
export const nothing = (): undefined => undefined;
