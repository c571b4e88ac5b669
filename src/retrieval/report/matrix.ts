// matrix.ts — rates by prompt length across and anything down, as colour and number: the figure behind every heat map.

import type { Markup } from "./markup.ts";
import { el } from "./markup.ts";
import { times } from "./view.ts";

/** One square. */
export interface Square {
  /** 0 to 1; null where nothing was measured. */
  readonly score: number | null;
  /** Longer than its scaling reaches, and not run. */
  readonly hopeless: boolean;
  readonly settled: boolean;
  /** What it says when pointed at; lines apart. */
  readonly tip: string;
}

/** A figure of squares. */
export interface Matrix {
  readonly title: string;
  /** For screen readers. */
  readonly about: string;
  readonly trainedLength: number;
  readonly lengths: readonly (number | "whole")[];
  /** Tokens that are marked by a line between two lengths. */
  readonly boundaries: readonly { readonly name: string; readonly tokens: number }[];
  /** Squares by length; undefined where there is none. */
  readonly rows: readonly { readonly label: string; readonly squares: readonly (Square | undefined)[] }[];
  /** The name of the vertical axis. */
  readonly vertical?: string;
}

// Pixels. A square is as wide as "100" with air, so that the number never touches its neighbour.
const CELL = { width: 42, height: 28, gap: 2 };
/** Extra room where a boundary passes, so that its line does not drown between dark squares. */
const ROOM = 8;
const TOP = 18;
const BOTTOM = 46;
/** Room for a vertical axis, and for a character of a row's label at 11 pixels. */
const AXIS = 16;
const LETTER = 6.4;

/** Draws a figure. */
export function matrix({ title, about, trainedLength, lengths, boundaries, rows, vertical }: Matrix): Markup {
  const longest = Math.max(3, ...rows.map((row) => row.label.length));
  const left = Math.ceil((vertical === undefined ? 0 : AXIS) + longest * LETTER + 7);
  const bottom = TOP + rows.length * CELL.height;
  const y = (i: number): number => TOP + i * CELL.height;
  const lines = boundaries
    .map((each) => ({
      ...each,
      before: lengths.filter((length) => length !== "whole" && length <= each.tokens).length,
    }))
    .filter(({ before }) => before > 0 && before < lengths.length);
  const x = (i: number): number => left + i * CELL.width + ROOM * lines.filter(({ before }) => before <= i).length;
  const right = x(lengths.length - 1) + CELL.width;
  const width = left + lengths.length * CELL.width + 2 * ROOM; // the same for every scaling, so that panels align
  const svg = el(
    "svg",
    { viewBox: `0 0 ${width} ${bottom + BOTTOM}`, width, height: bottom + BOTTOM, role: "group", "aria-label": about },
    rows.map(({ squares }, i) => squares.map((each, j) => each && square(each, x(j), y(i)))),
    lines.map(({ name, tokens, before }) => {
      const middle = x(before) - (ROOM + CELL.gap) / 2; // the gap between the columns
      return el(
        "g",
        { class: `boundary ${name}` },
        el("line", { x1: middle, x2: middle, y1: TOP - 5, y2: bottom + 2 }),
        el("text", { x: middle, y: TOP - 8, class: "note mid" }, `${name} ${tokens}`),
      );
    }),
    rows.map(({ label }, i) => el("text", { x: left - 7, y: y(i) + CELL.height / 2 + 4, class: "tick end" }, label)),
    lengths.map((length, i) => [
      el("text", { x: x(i) + CELL.width / 2, y: bottom + 15, class: "tick mid" }, String(length)),
      length !== "whole" &&
        el("text", { x: x(i) + CELL.width / 2, y: bottom + 28, class: "tick mid faint" }, times(length, trainedLength)),
    ]),
    el("text", { x: (left + right) / 2, y: bottom + 43, class: "axis mid" }, "prompt tokens"),
    vertical !== undefined &&
      el("text", { transform: `translate(10 ${(TOP + bottom) / 2}) rotate(-90)`, class: "axis mid" }, vertical),
  );
  return el("figure", { class: "panel" }, el("figcaption", {}, title), svg);
}

function square({ score, hopeless, settled, tip }: Square, x: number, y: number): Markup {
  const shade = score === null ? null : Math.round(score * 10);
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
      class: shade === null ? (hopeless ? "hopeless" : "unrun") : `r${shade}`,
    }),
    score !== null &&
      el("text", { x: middle, y: base, class: `mid number t${shade}` }, String(Math.round(score * 100))),
    settled && el("circle", { cx: x + CELL.width - CELL.gap - 4, cy: y + 4, r: 1.7, class: `dot t${shade}` }),
  );
}
