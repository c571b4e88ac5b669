// kmax.ts — the effective context window as a picture: success by distance, one panel per scaling.

import type { Markup } from "./markup.ts";
import { at, el, ticks } from "./markup.ts";
import type { Point } from "./plot.ts";
import { LEFT, RATE, RIGHT, WIDTH, grid, horizontalAxis, linear, series, verticalTitle } from "./plot.ts";
import type { Report } from "../schema.ts";
import { wilson } from "../stats.ts";
import { percent } from "./view.ts";

/** Success by distance of the passkey from the end, one panel per scaling, with k_max marked. */
export function effectivePanels({ effectiveContext: effective }: Report): Markup[] {
  if (!effective) return [];
  const { window, least } = effective;
  const x = linear([0, window], [LEFT, WIDTH - RIGHT]);
  const y = linear([0, 1], [RATE.top + RATE.height, RATE.top]);
  const bottom = RATE.top + RATE.height;
  return effective.rows.map((row) => {
    const points = row.points.map(({ distance, found, tries }): Point => {
      return {
        x: distance,
        y: found / tries,
        ...wilson(found, tries),
        tip: `${row.scaling}\n${distance} tokens from the end\n${found} of ${tries} found`,
      };
    });
    const svg = el(
      "svg",
      {
        viewBox: `0 0 ${WIDTH} ${bottom + 36}`,
        role: "group",
        "aria-label": `${row.scaling}: k max ${row.kMax} tokens`,
      },
      grid([0, 0.5, 1], y, percent),
      el("line", { class: "grid good", x1: LEFT, x2: WIDTH - RIGHT, y1: y(least), y2: y(least) }),
      row.kMax > 0 &&
        el("rect", { class: "reached", x: LEFT, y: RATE.top, width: at(x(row.kMax) - LEFT), height: RATE.height }),
      row.kMax > 0 &&
        el(
          "g",
          { class: "boundary" },
          el("line", { x1: x(row.kMax), x2: x(row.kMax), y1: RATE.top, y2: bottom }),
          el(
            "text",
            { x: x(row.kMax), y: RATE.top - 5, class: `note ${x(row.kMax) > WIDTH - 60 ? "end" : "mid"}` },
            "k_max",
          ),
        ),
      series(points, x, y, "task-passkey"),
      horizontalAxis(ticks(0, window, 5), x, bottom, "tokens from the passkey to the end"),
      verticalTitle(RATE.top + RATE.height / 2, "found, %"),
    );
    return el(
      "figure",
      { class: "panel wide" },
      el("figcaption", {}, `${row.scaling} `, el("span", { class: "faint" }, `k_max ${row.kMax}`)),
      svg,
    );
  });
}
