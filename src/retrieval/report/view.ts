// view.ts — a report as it is looked at: its axes, and cells pooled over positions.

import type { TaskName } from "../prompts/index.ts";
import type { Interval } from "../stats.ts";
import { scoreInterval } from "../stats.ts";
import type { Report } from "../schema.ts";
import type { Cell } from "../cell.ts";

/** Cells of one task, scaling and length together. */
export interface Pool {
  readonly found: number;
  readonly exact: number;
  readonly tries: number;
  readonly rate: number | null;
  /** Mean score; the rate, but where answers may hold parts of what was asked for. */
  readonly score: number | null;
  /** Of the score. */
  readonly interval: Interval;
  readonly noChance: boolean;
}

/** The part of a report that most views need. */
export type Grid = Pick<Report, "cells">;

/** Distinct values in the order they first come. */
export const distinct = <T>(values: readonly T[]): T[] => [...new Set(values)];

/** The axes of a report's grid, each in grid order. */
export interface Axes {
  readonly tasks: readonly TaskName[];
  readonly scalings: readonly string[];
}

/** Reads the axes off the cells. */
export const axes = ({ cells }: Grid): Axes => ({
  tasks: distinct(cells.map((cell) => cell.task)),
  scalings: distinct(cells.map((cell) => cell.scaling)),
});

/** Cells of a task under a scaling. */
export const cellsOf = (report: Grid, task: string, scaling?: string): Cell[] =>
  report.cells.filter((cell) => cell.task === task && (scaling === undefined || cell.scaling === scaling));

/** Lengths of a task, ascending, a whole document last. */
export const lengthsOf = (report: Grid, task: string): (number | "whole")[] =>
  distinct(cellsOf(report, task).map((cell) => cell.promptLen)).sort(
    (a, b) => (a === "whole" ? Infinity : a) - (b === "whole" ? Infinity : b),
  );

/** Positions of a task, from the start of the prompt. */
export const positionsOf = (report: Grid, task: string): (number | null)[] =>
  distinct(cellsOf(report, task).map((cell) => cell.position)).sort((a, b) => (a ?? 0) - (b ?? 0));

/** All positions of a task, scaling and length together; undefined if the grid has no such cell. */
export function pool(report: Grid, task: string, scaling: string, promptLen: number | "whole"): Pool | undefined {
  const cells = cellsOf(report, task, scaling).filter((cell) => cell.promptLen === promptLen);
  if (cells.length === 0) return undefined;
  const sum = (value: (cell: Cell) => number): number => cells.reduce((total, cell) => total + value(cell), 0);
  const [found, exact, tries] = [
    sum((cell) => cell.found),
    sum((cell) => cell.exact),
    sum((cell) => cell.attempts.length),
  ];
  const score = sum((cell) => (cell.score ?? cell.rate ?? 0) * cell.attempts.length);
  return {
    found,
    exact,
    tries,
    rate: tries === 0 ? null : found / tries,
    score: tries === 0 ? null : score / tries,
    interval: scoreInterval(score, tries),
    noChance: cells.every((cell) => cell.status === "no chance"),
  };
}

/** Rate from which a length counts as used. */
export const GOOD = 0.9;

/** From so many tasks on each is not a line, a column and a section any more, but a row and a part of one. */
export const MANY_TASKS = 5;

/** The longest prompt up to which every measured length has a mean score of at least GOOD; 0 if not even the shortest. */
export function usedContext(report: Grid, task: string, scaling: string): number {
  let longest = 0;
  for (const length of lengthsOf(report, task)) {
    const score = pool(report, task, scaling, length)?.score ?? null;
    if (length === "whole" || (score !== null && score < GOOD)) break;
    if (score !== null) longest = length;
  }
  return longest;
}

/** 0.985 → "98.5"; whole percents without a decimal. */
export const percent = (rate: number): string => String(Math.round(rate * 1000) / 10);

/** A multiple of the trained length: "1.9×". */
export const times = (tokens: number, trained: number): string => `${Math.round((tokens / trained) * 100) / 100}×`;

/** Seconds as people say them. */
export function duration(seconds: number): string {
  if (seconds < 90) return `${seconds < 10 ? Math.round(seconds * 10) / 10 : Math.round(seconds)} s`;
  const minutes = Math.round(seconds / 60);
  return minutes < 90 ? `${minutes} min` : `${Math.floor(minutes / 60)} h ${minutes % 60} min`;
}

/** Tasks with colours of their own, and the colours that others get in turn. */
const COLOURS = ["uuid", "passkey", "title", "needle"];

/** The name of a task's colour and line style among the tasks of a report. */
export const colourOf = (task: string, tasks: readonly string[]): string => {
  if (tasks.every((each) => COLOURS.includes(each))) return task;
  return COLOURS[tasks.indexOf(task) % COLOURS.length];
};
