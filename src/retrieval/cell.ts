// cell.ts — one cell of the grid and the attempts in it: what was asked, what came back, and how it is counted.

import type { TaskName } from "./prompts/index.ts";

/** One question of a conversation and what came back. */
export interface TurnAttempt {
  readonly value: string;
  readonly text: string;
  readonly found: boolean;
  /** Tokens of the prompt that were computed, not taken from what was known; where the engine says so. */
  readonly computedTokens?: number;
}

/** One prompt and what came back. */
export interface Attempt {
  /** Counts from 0 within the cell; with the seed it gives the prompt. */
  readonly try: number;
  /** Name of the prompt in `Report.prompts`; the same prompt is used under every scaling. */
  readonly prompt: string;
  readonly promptTokens: number;
  /** Tokens from the secret to the end of the prompt. */
  readonly distance: number;
  readonly value: string;
  /** The answer, as it came. */
  readonly text: string;
  readonly found: boolean;
  readonly alone: boolean;
  readonly exact: boolean;
  /** Share of the expected strings in the answer, where that is neither none nor all; else `found` says it. */
  readonly score?: number;
  /** The questions of a conversation; `text` is all answers then, and `promptTokens` counts all its prompts. */
  readonly turns?: readonly TurnAttempt[];
  readonly completionTokens?: number;
  readonly finishReason?: string | null;
  /** Why there is no answer. An attempt with an error counts as not found, and is run again when resumed. */
  readonly error?: string;
}

/** One cell of the grid: a task, a scaling, a length, a position, and its tries. */
export interface Cell {
  readonly id: string;
  readonly task: TaskName;
  /** Label of the scaling. */
  readonly scaling: string;
  /** Tokens of prompt and answer room as asked for. */
  readonly promptLen: number | "whole";
  /** null where the task has no position. */
  readonly position: number | null;
  /** Tokens up to which this scaling has a chance. */
  readonly reach: number;
  /** `no chance`: longer than the reach, not run; `pending`: not run yet, or another shard's. */
  readonly status: "pending" | "partial" | "done" | "no chance";
  /** What is to be expected of it: unscaled beyond the trained length fails, within reach passes; null: nothing. */
  readonly expected: "pass" | "fail" | null;
  /** Tries asked for; fewer attempts in a done cell were settled early. */
  readonly tries: number;
  readonly attempts: readonly Attempt[];
  readonly found: number;
  readonly alone: number;
  readonly exact: number;
  readonly errors: number;
  /** found / attempts, null before the first. */
  readonly rate: number | null;
  /** Mean score, null before the first: the rate, but where an answer may hold a part of what was asked for. */
  readonly score?: number | null;
  /** 95 % Wilson interval of the score. */
  readonly interval: { readonly low: number; readonly high: number };
  /** Present if a sequential test ended the cell; "decided": the expectations about it are. */
  readonly settled?: "pass" | "fail" | "decided";
  /** Cost. Prompt tokens are counted in full also where the engine shared prefixes. */
  readonly promptTokens: number;
  readonly completionTokens: number;
  /** Of the prompts of conversations: tokens that were computed, where the engine says so. */
  readonly computedTokens?: number;
  readonly seconds: number;
  /** The effective RoPE setting as the engine echoed it. */
  readonly rope?: unknown;
}

/** The score of an attempt, 0 to 1. */
export const scoreOf = ({ score, found }: Pick<Attempt, "score" | "found">): number => score ?? Number(found);
