// length.ts — the effective length as RULER defines it (Hsieh et al. 2024, table 3): how long prompts may be so that the mean
// score over tasks still exceeds a threshold, and averages over lengths that weigh the long or the short ones more.

import { LlariatError } from "../error.ts";
import { checkOptions, reading } from "../text/options.ts";
import { display } from "../text/wording.ts";
import { type Cell, scoreOf } from "./cell.ts";
import type { TaskName } from "./prompts/index.ts";

/** One scaling's mean scores. */
export interface EffectiveLengthRow {
  readonly scaling: string;
  /** Longest length in tokens whose mean score exceeds the threshold; 0 if none does. */
  readonly length: number;
  /** The longest length measured does: the model may reach farther. */
  readonly open: boolean;
  /** Mean score over tasks at each length that all tasks were measured at, ascending. */
  readonly scores: readonly { readonly promptLen: number; readonly score: number }[];
  /** Mean over those lengths; null without any. */
  readonly average: number | null;
  /** wAvg (inc): the i-th of n lengths weighs i. */
  readonly increasing: number | null;
  /** wAvg (dec): the i-th of n lengths weighs n + 1 - i. */
  readonly decreasing: number | null;
}

/** Effective lengths of a run. */
export interface EffectiveLength {
  readonly threshold: number;
  readonly tasks: readonly TaskName[];
  readonly rows: readonly EffectiveLengthRow[];
}

const weighted = (scores: readonly number[], weight: (index: number) => number): number | null => {
  if (scores.length === 0) return null;
  const total = scores.reduce((sum, score, i) => sum + weight(i) * score, 0);
  return total / scores.reduce((sum, _, i) => sum + weight(i), 0);
};

/** Effective length and averages of mean scores by length, ascending. */
export function summarize(
  scores: EffectiveLengthRow["scores"],
  threshold: number,
): Omit<EffectiveLengthRow, "scaling" | "scores"> {
  const above = scores.filter(({ score }) => score > threshold);
  const length = above.at(-1)?.promptLen ?? 0;
  const values = scores.map(({ score }) => score);
  return {
    length,
    open: length > 0 && length === scores.at(-1)?.promptLen,
    average: weighted(values, () => 1),
    increasing: weighted(values, (i) => i + 1),
    decreasing: weighted(values, (i) => values.length - i),
  };
}

/** Refuses what no mean score can exceed, and what every one does. @throws LlariatError("request"). */
export function checkThreshold(threshold: unknown): asserts threshold is number {
  if (typeof threshold === "number" && threshold >= 0 && threshold < 1) return;
  const problem = `must be a mean score from 0 to below 1, got ${display(threshold)}`;
  throw new LlariatError("request", problem, { subject: "threshold" });
}

/**
 * Effective lengths of all scalings in the cells. A task's score at a length is the mean over all its attempts there. A
 * length counts where every task has been measured to its end; whole documents have no length.
 * @throws LlariatError("request") for a threshold that is no mean score from 0 to below 1, and for what are no cells or tasks.
 */
export function effectiveLength(
  cells: readonly Cell[],
  of: Pick<EffectiveLength, "threshold" | "tasks">,
): EffectiveLength {
  checkOptions({ cells }, { cells: "list" });
  const { threshold, tasks } = reading("options", () => ({ threshold: of.threshold, tasks: of.tasks }));
  checkOptions({ tasks }, { tasks: "list" });
  checkThreshold(threshold);
  return reading("cells", () => measured(cells, { threshold, tasks }));
}

function measured(
  cells: readonly Cell[],
  { threshold, tasks }: Pick<EffectiveLength, "threshold" | "tasks">,
): EffectiveLength {
  const mine = cells.filter((cell) => tasks.includes(cell.task));
  const lengths = [...new Set(mine.map((cell) => cell.promptLen))]
    .filter((length) => length !== "whole")
    .sort((a, b) => a - b);
  const score = (task: TaskName, scaling: string, promptLen: number): number | undefined => {
    const here = mine.filter((cell) => cell.task === task && cell.scaling === scaling && cell.promptLen === promptLen);
    const attempts = here.flatMap((cell) => cell.attempts);
    if (attempts.length === 0 || here.some((cell) => cell.status !== "done")) return undefined;
    return attempts.reduce((sum, each) => sum + scoreOf(each), 0) / attempts.length;
  };
  const rows = [...new Set(mine.map((cell) => cell.scaling))].map((scaling): EffectiveLengthRow => {
    const scores = lengths.flatMap((promptLen) => {
      const found = tasks.map((task) => score(task, scaling, promptLen));
      if (found.some((each) => each === undefined)) return [];
      return { promptLen, score: (found as number[]).reduce((sum, each) => sum + each, 0) / found.length };
    });
    return { scaling, scores, ...summarize(scores, threshold) };
  });
  return { threshold, tasks, rows };
}
