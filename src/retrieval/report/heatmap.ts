// heatmap.ts — one task under one scaling: prompt length across, position of the secret down, rate as colour and number.

import type { Markup } from "./markup.ts";
import { el } from "./markup.ts";
import type { Report } from "../schema.ts";
import type { Cell } from "../cell.ts";
import { cellsOf, duration, lengthsOf, percent, positionsOf, times } from "./view.ts";

// Pixels. A cell is as wide as "100" with air, so that the number never touches its neighbour.
const CELL = { width: 42, height: 28, gap: 2 };
/** Extra room where a boundary passes, so that its line does not drown between dark cells. */
const ROOM = 8;
const LEFT = 40;
const TOP = 18;
const BOTTOM = 46;

/** A sentence about a cell, for hovering and for screen readers; lines apart. */
export function describe(cell: Cell): string {
  const { position, promptLen, scaling, interval, attempts, found } = cell;
  const where = position === null ? "" : `, secret at ${percent(position)} %`;
  const head = `${cell.task} · ${scaling}\n${promptLen} tokens${where}`;
  if (cell.status === "no chance") return `${head}\nno chance: reaches ${cell.reach} tokens, not run`;
  if (cell.rate === null) return `${head}\nnot run yet`;
  const lines = [
    head,
    `${percent(cell.rate)} % found, ${found} of ${attempts.length}`,
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

/** The heat map of a task under a scaling, as a figure. */
export function heatmap(report: Report, task: string, scaling: string): Markup {
  const [lengths, positions] = [lengthsOf(report, task), positionsOf(report, task)];
  const cells = cellsOf(report, task, scaling);
  const { trainedLength } = report.model;
  const bottom = TOP + positions.length * CELL.height;
  const y = (i: number): number => TOP + i * CELL.height;
  const boundaries = [
    { name: "trained", tokens: trainedLength },
    { name: "reach", tokens: cells[0]?.reach ?? trainedLength },
  ]
    .filter(({ name, tokens }) => name === "trained" || tokens !== trainedLength)
    .map((each) => ({
      ...each,
      before: lengths.filter((length) => length !== "whole" && length <= each.tokens).length,
    }))
    .filter(({ before }) => before > 0 && before < lengths.length);
  const x = (i: number): number => LEFT + i * CELL.width + ROOM * boundaries.filter(({ before }) => before <= i).length;
  const right = x(lengths.length - 1) + CELL.width;
  const width = LEFT + lengths.length * CELL.width + 2 * ROOM; // the same for every scaling, so that panels align
  const drawn = cells.map((cell) =>
    square(cell, x(lengths.indexOf(cell.promptLen)), y(positions.indexOf(cell.position))),
  );
  const svg = el(
    "svg",
    {
      viewBox: `0 0 ${width} ${bottom + BOTTOM}`,
      width,
      height: bottom + BOTTOM,
      role: "group",
      "aria-label": `${task} under ${scaling}: share of values found by prompt length and position of the secret`,
    },
    drawn,
    boundaries.map(({ name, tokens, before }) => {
      const middle = x(before) - (ROOM + CELL.gap) / 2; // the gap between the columns
      return el(
        "g",
        { class: `boundary ${name}` },
        el("line", { x1: middle, x2: middle, y1: TOP - 5, y2: bottom + 2 }),
        el("text", { x: middle, y: TOP - 8, class: "note mid" }, `${name} ${tokens}`),
      );
    }),
    positions.map((position, i) =>
      el(
        "text",
        { x: LEFT - 7, y: y(i) + CELL.height / 2 + 4, class: "tick end" },
        position === null ? "start" : percent(position),
      ),
    ),
    lengths.map((length, i) => [
      el("text", { x: x(i) + CELL.width / 2, y: bottom + 15, class: "tick mid" }, String(length)),
      length !== "whole" &&
        el("text", { x: x(i) + CELL.width / 2, y: bottom + 28, class: "tick mid faint" }, times(length, trainedLength)),
    ]),
    el("text", { x: (LEFT + right) / 2, y: bottom + 43, class: "axis mid" }, "prompt tokens"),
    positions[0] !== null &&
      el("text", { transform: `translate(10 ${(TOP + bottom) / 2}) rotate(-90)`, class: "axis mid" }, "secret at, %"),
  );
  return el("figure", { class: "panel" }, el("figcaption", {}, scaling), svg);
}

function square(cell: Cell, x: number, y: number): Markup {
  const { rate } = cell;
  const ran = cell.status !== "no chance" && rate !== null;
  const shade = ran ? Math.round(rate * 10) : null;
  const tip = describe(cell);
  const [middle, base] = [x + (CELL.width - CELL.gap) / 2, y + CELL.height / 2 + 3];
  return el(
    "g",
    { class: "cell", tabindex: -1, role: "img", "aria-label": tip.replaceAll("\n", ", "), "data-tip": tip },
    el("title", {}, tip),
    el("rect", {
      x,
      y,
      width: CELL.width - CELL.gap,
      height: CELL.height - CELL.gap,
      rx: 3,
      class: shade === null ? (cell.status === "no chance" ? "hopeless" : "unrun") : `r${shade}`,
    }),
    ran && el("text", { x: middle, y: base, class: `mid number t${shade}` }, String(Math.round(rate * 100))),
    cell.settled && el("circle", { cx: x + CELL.width - CELL.gap - 4, cy: y + 4, r: 1.7, class: `dot t${shade}` }),
  );
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
