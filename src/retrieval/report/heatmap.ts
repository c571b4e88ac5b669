// heatmap.ts — what was found by prompt length: of one task under one scaling by position of the secret, of one task by
// scaling where it has no positions, and of all tasks under one scaling.

import type { Markup } from "./markup.ts";
import { el } from "./markup.ts";
import { type Square, matrix } from "./matrix.ts";
import type { Report } from "../schema.ts";
import type { Cell } from "../cell.ts";
import { axes, cellsOf, duration, lengthsOf, percent, pool, positionsOf } from "./view.ts";

/** A sentence about a cell, for hovering and for screen readers; lines apart. */
export function describe(cell: Cell): string {
  const { position, promptLen, scaling, interval, attempts, found } = cell;
  const where = position === null ? "" : `, secret at ${percent(position)} %`;
  const score = cell.score ?? cell.rate;
  const head = `${cell.task} · ${scaling}\n${promptLen} tokens${where}`;
  if (cell.status === "no chance") return `${head}\nno chance: reaches ${cell.reach} tokens, not run`;
  if (cell.rate === null) return `${head}\nnot run yet`;
  const lines = [
    head,
    `${percent(cell.rate)} % found, ${found} of ${attempts.length}`,
    ...(score !== null && score !== cell.rate ? [`mean score ${percent(score)} %`] : []),
    `95 % Wilson interval ${percent(interval.low)}–${percent(interval.high)} %`,
    `alone ${cell.alone}, exact ${cell.exact} of ${attempts.length}`,
  ];
  if (cell.expected === "fail") lines.push("expected to fail: beyond the trained length, unscaled");
  if (cell.settled) lines.push(`settled early after ${attempts.length} of ${cell.tries}`);
  if (cell.status === "partial") lines.push(`unfinished: ${attempts.length} of ${cell.tries}`);
  if (cell.errors > 0) lines.push(`${cell.errors} without an answer`);
  if (cell.seconds > 0) lines.push(`${cell.promptTokens + cell.completionTokens} tokens, ${duration(cell.seconds)}`);
  return lines.join("\n");
}

const squareOf = (cell: Cell | undefined): Square | undefined =>
  cell && {
    score: cell.status === "no chance" ? null : (cell.score ?? cell.rate),
    hopeless: cell.status === "no chance",
    settled: cell.settled !== undefined,
    tip: describe(cell),
  };

/** The trained length, and how far a scaling is meant to reach. */
function boundaries(report: Report, cells: readonly Cell[]): { name: string; tokens: number }[] {
  const { trainedLength } = report.model;
  const reach = cells[0]?.reach ?? trainedLength;
  return [
    { name: "trained", tokens: trainedLength },
    ...(reach === trainedLength ? [] : [{ name: "reach", tokens: reach }]),
  ];
}

/** Whether a task has positions: its heat maps have them down, else the scalings. */
export const hasPositions = (report: Report, task: string): boolean => positionsOf(report, task).length > 1;

/** The heat map of a task under a scaling, as a figure. */
export function heatmap(report: Report, task: string, scaling: string): Markup {
  const [lengths, cells] = [lengthsOf(report, task), cellsOf(report, task, scaling)];
  const find = (position: number | null, length: number | "whole"): Cell | undefined =>
    cells.find((cell) => cell.position === position && cell.promptLen === length);
  return matrix({
    title: scaling,
    about: `${task} under ${scaling}: share of values found by prompt length and position of the secret`,
    trainedLength: report.model.trainedLength,
    lengths,
    boundaries: boundaries(report, cells),
    rows: positionsOf(report, task).map((position) => ({
      label: position === null ? "start" : percent(position),
      squares: lengths.map((length) => squareOf(find(position, length))),
    })),
    ...(positionsOf(report, task)[0] === null ? {} : { vertical: "secret at, %" }),
  });
}

/** The heat map of a task without positions: scalings down. */
export function scalingMap(report: Report, task: string): Markup {
  const lengths = lengthsOf(report, task);
  return matrix({
    title: task,
    about: `${task}: share of values found by prompt length and RoPE scaling`,
    trainedLength: report.model.trainedLength,
    lengths,
    boundaries: boundaries(report, []),
    rows: axes(report).scalings.map((scaling) => ({
      label: scaling,
      squares: lengths.map((length) =>
        squareOf(cellsOf(report, task, scaling).find((cell) => cell.promptLen === length)),
      ),
    })),
  });
}

/** All tasks under one scaling, each over all its positions. */
export function overview(report: Report, scaling: string): Markup {
  const tasks = axes(report).tasks.filter((task) => cellsOf(report, task, scaling).length > 0);
  const lengths = [...new Set(tasks.flatMap((task) => lengthsOf(report, task)))].sort(
    (a, b) => (a === "whole" ? Infinity : a) - (b === "whole" ? Infinity : b),
  );
  const square = (task: string, length: number | "whole"): Square | undefined => {
    const found = pool(report, task, scaling, length);
    if (!found) return undefined;
    const tip = [`${task} · ${scaling}`, `${length} tokens, all positions`];
    if (found.noChance) tip.push("no chance: not run");
    else if (found.score === null) tip.push("not run yet");
    else {
      tip.push(
        `mean score ${percent(found.score)} %, ${found.found} of ${found.tries} found`,
        `95 % Wilson interval ${percent(found.interval.low)}–${percent(found.interval.high)} %`,
      );
    }
    return { score: found.score, hopeless: found.noChance, settled: false, tip: tip.join("\n") };
  };
  return matrix({
    title: scaling,
    about: `All tasks under ${scaling}: mean score by prompt length`,
    trainedLength: report.model.trainedLength,
    lengths,
    boundaries: boundaries(report, cellsOf(report, tasks[0], scaling)),
    rows: tasks.map((task) => ({ label: task, squares: lengths.map((length) => square(task, length)) })),
  });
}

/** What the colours mean; the dot only where a report has cells that were settled early. */
export function heatmapKey(withSettled: boolean): Markup {
  const step = 22;
  const width = 11 * step + (withSettled ? 400 : 280);
  return el(
    "svg",
    {
      viewBox: `0 0 ${width} 34`,
      width,
      height: 34,
      class: "key",
      role: "img",
      "aria-label": "Colour scale: 0 to 100 percent of values found",
    },
    Array.from({ length: 11 }, (_, i) => el("rect", { x: i * step, y: 0, width: step, height: 14, class: `r${i}` })),
    [0, 5, 10].map((i) =>
      el("text", { x: i * step + step / 2, y: 29, class: "tick mid" }, i === 10 ? "100 % found" : String(i * 10)),
    ),
    el("rect", { x: 11 * step + 50, y: 0, width: 22, height: 14, rx: 3, class: "hopeless" }),
    el("text", { x: 11 * step + 80, y: 12, class: "tick" }, "no chance, not run"),
    el("rect", { x: 11 * step + 200, y: 0, width: 22, height: 14, rx: 3, class: "unrun" }),
    el("text", { x: 11 * step + 230, y: 12, class: "tick" }, "not run"),
    withSettled && [
      el("circle", { cx: 11 * step + 300, cy: 7, r: 2.5, style: "fill:var(--soft)" }),
      el("text", { x: 11 * step + 310, y: 12, class: "tick" }, "settled early"),
    ],
  );
}
