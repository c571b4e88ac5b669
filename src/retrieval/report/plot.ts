// plot.ts — what the line plots of the report share: sizes, scales, lines with their bands, grid.

import type { Child, Markup } from "./markup.ts";
import { at, el, path } from "./markup.ts";

/** Pixels of a panel before it is scaled to its column. */
export const WIDTH = 268;
/** Room for the labels of the vertical axis, and to the right of the plot. */
export const LEFT = 40;
/** See LEFT. */
export const RIGHT = 14;
/** Where the plot of a rate lies in its panel. */
export const RATE = { top: 22, height: 112 };

/** A scale from a domain to pixels. */
export type Scale = (value: number) => number;

/** A linear scale. */
export const linear =
  (domain: readonly [number, number], range: readonly [number, number]): Scale =>
  (value) =>
    at(range[0] + ((value - domain[0]) / (domain[1] - domain[0])) * (range[1] - range[0]));

/** A scale of equal ratios. */
export const logarithmic = (domain: readonly [number, number], range: readonly [number, number]): Scale => {
  const scale = linear([Math.log(domain[0]), Math.log(domain[1])], range);
  return (value) => scale(Math.log(value));
};

/** A measured point; low and high bound its band. */
export interface Point {
  readonly x: number;
  readonly y: number;
  readonly low: number;
  readonly high: number;
  readonly tip: string;
}

/** A band between two bounds, its line and its markers. */
export function series(points: readonly Point[], x: Scale, y: Scale, name: string): Markup {
  const band = [
    ...points.map((point): [number, number] => [x(point.x), y(point.high)]),
    ...[...points].reverse().map((point): [number, number] => [x(point.x), y(point.low)]),
  ];
  return el(
    "g",
    { class: `series ${name}` },
    points.length > 1 && el("path", { class: "band", d: `${path(band)}Z` }),
    el("path", { class: "line", d: path(points.map((point) => [x(point.x), y(point.y)])) }),
    points.map((point) =>
      el(
        "g",
        {
          class: "cell",
          tabindex: -1,
          role: "img",
          "aria-label": point.tip.replaceAll("\n", ", "),
          "data-tip": point.tip,
        },
        el("title", {}, point.tip),
        points.length === 1 &&
          el("line", { class: "whisker", x1: x(point.x), x2: x(point.x), y1: y(point.low), y2: y(point.high) }),
        el("circle", { class: "target", cx: x(point.x), cy: y(point.y), r: 9 }),
        el("circle", { class: "marker", cx: x(point.x), cy: y(point.y), r: 3.2 }),
      ),
    ),
  );
}

/** The line alone, as background of another panel. */
export const ghost = (points: readonly Point[], x: Scale, y: Scale): Markup =>
  el("path", { class: "ghost", d: path(points.map((point) => [x(point.x), y(point.y)])) });

/** Horizontal lines with their labels. */
export function grid(values: readonly number[], y: Scale, label: (value: number) => string): Child {
  return values.map((value) => [
    el("line", { class: "grid", x1: LEFT, x2: WIDTH - RIGHT, y1: y(value), y2: y(value) }),
    el("text", { class: "tick end", x: LEFT - 6, y: y(value) + 4 }, label(value)),
  ]);
}

/** The name of a vertical axis, along its middle. */
export const verticalTitle = (middle: number, text: string): Markup =>
  el("text", { class: "axis mid", transform: `translate(10 ${middle}) rotate(-90)` }, text);

/** Labels and name of the horizontal axis below `bottom`. */
export const horizontalAxis = (values: readonly number[], x: Scale, bottom: number, text: string): Child => [
  values.map((value) => el("text", { class: "tick mid", x: x(value), y: bottom + 15 }, String(value))),
  el("text", { class: "axis mid", x: (LEFT + WIDTH - RIGHT) / 2, y: bottom + 31 }, text),
];
