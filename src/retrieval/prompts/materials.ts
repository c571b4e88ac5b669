// materials.ts — what prompts are made of, beside their seed: texts, facts, questions.

import type { ChatFrame } from "./prompt.ts";
import type { QuestionSet } from "./questions.ts";

/** A text with a title in it. */
export interface Document {
  /** For the report: a file name, for example. */
  readonly name: string;
  readonly text: string;
  /** Default: the first line of the text. */
  readonly title?: string;
}

/** A fact to hide and the question for it. `{key}` and `{value}` are filled in, both drawn from the seed. */
export interface Needle {
  /** Must hold {value}; may hold {key}. */
  readonly fact: string;
  readonly question: string;
  /** Values to draw from; default: seven random digits. */
  readonly values?: readonly string[];
}

/** What prompts are made of, beside their seed: texts, and how they are used. */
export interface Materials {
  readonly documents: readonly Document[];
  readonly titles: "own" | "made";
  /** Refuse a whole document whose prompt has not more tokens than this. */
  readonly leastTokens: number;
  readonly fit: "exact" | "whole";
  /** The haystack: essays, or any running text. */
  readonly filler: string;
  readonly needle: Needle | undefined;
  /** Questions with documents for qa_1 and qa_2. */
  readonly questions: readonly QuestionSet[];
  readonly chat: ChatFrame | undefined;
}
