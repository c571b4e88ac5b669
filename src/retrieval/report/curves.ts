// curves.ts — retrieval over prompt length, and perplexity over window right below it on the same axis: what a model
// predicts well it need not be able to find. One panel per scaling; the others are its faint background.

import type { Child, Markup } from "./markup.ts";
import { el, logTicks, ticks } from "./markup.ts";
import type { Point, Scale } from "./plot.ts";
import {
  LEFT,
  RATE,
  RIGHT,
  WIDTH,
  ghost,
  grid,
  horizontalAxis,
  linear,
  logarithmic,
  series,
  verticalTitle,
} from "./plot.ts";
import type { Report } from "../schema.ts";
import { scoreInterval } from "../stats.ts";
import { GOOD, MANY_TASKS, axes, cellsOf, colourOf, distinct, lengthsOf, percent, pool, times } from "./view.ts";

const PERPLEXITY = { top: 168, height: 92 };

/** Pooled rates of a task under a scaling, by length. */
function ratePoints(report: Report, task: string, scaling: string): Point[] {
  return lengthsOf(report, task).flatMap((length) => {
    const found = length === "whole" ? undefined : pool(report, task, scaling, length);
    if (!found || found.score === null || length === "whole") return [];
    const { score, interval } = found;
    const tip =
      `${task} · ${scaling}\n${length} tokens (${times(length, report.model.trainedLength)})\n` +
      `${percent(score)} % found, ${found.found} of ${found.tries}\n` +
      `95 % Wilson interval ${percent(interval.low)}–${percent(interval.high)} %`;
    return [{ x: length, y: score, low: interval.low, high: interval.high, tip }];
  });
}

/** Mean scores over all tasks under a scaling, at the lengths that all were measured at. */
function meanPoints(report: Report, tasks: readonly string[], scaling: string): Point[] {
  return distinct(tasks.flatMap((task) => lengthsOf(report, task))).flatMap((length) => {
    const pools = tasks.map((task) => pool(report, task, scaling, length));
    if (length === "whole" || pools.some((each) => (each?.score ?? null) === null)) return [];
    const score = pools.reduce((sum, each) => sum + each!.score!, 0) / pools.length;
    const interval = scoreInterval(
      score * pools.reduce((sum, each) => sum + each!.tries, 0),
      pools.reduce((sum, each) => sum + each!.tries, 0),
    );
    const tip =
      `mean over ${tasks.length} tasks · ${scaling}\n${length} tokens (${times(length, report.model.trainedLength)})\n` +
      `${percent(score)} %, 95 % Wilson interval ${percent(interval.low)}–${percent(interval.high)} %`;
    return [{ x: length, y: score, ...interval, tip }];
  });
}

function perplexityPoints(report: Report, scaling: string): Point[] {
  return (report.perplexity?.rows ?? [])
    .filter((row) => row.scaling === scaling)
    .map((row) => {
      const half = 1.96 * (row.standardError ?? 0);
      const error = row.standardError === null ? "" : ` ± ${row.standardError.toFixed(2)} (standard error)`;
      return {
        x: row.window,
        y: row.perplexity,
        low: Math.max(row.perplexity - half, row.perplexity / 10),
        high: row.perplexity + half,
        tip: `perplexity · ${scaling}\nwindow of ${row.window} tokens\n${row.perplexity.toFixed(3)}${error}`,
      };
    });
}

/** Vertical lines at the trained length and at the reach. */
function limits(
  { trained, reach, named }: { trained: number; reach: number | undefined; named: boolean },
  x: Scale,
  [most, top, bottom]: readonly [number, number, number],
): Child {
  const lines = [
    { name: "trained", tokens: trained },
    ...(reach !== undefined && reach !== trained ? [{ name: "reach", tokens: reach }] : []),
  ];
  return lines
    .filter(({ tokens }) => tokens <= most)
    .map(({ name, tokens }) =>
      el(
        "g",
        { class: `boundary ${name}` },
        el("line", { x1: x(tokens), x2: x(tokens), y1: top, y2: bottom }),
        named &&
          el("text", { x: x(tokens), y: top - 5, class: `note ${x(tokens) > WIDTH - 60 ? "end" : "mid"}` }, name),
      ),
    );
}

/** One panel per scaling. Empty where the report has neither lengths in tokens nor perplexities. */
export function curves(report: Report): Markup[] {
  const { tasks, scalings: inGrid } = axes(report);
  const scalings = distinct([...inGrid, ...(report.perplexity?.rows ?? []).map((row) => row.scaling)]);
  const points = new Map(
    scalings.map((scaling) => [
      scaling,
      {
        rates:
          tasks.length < MANY_TASKS
            ? tasks.map((task) => ratePoints(report, task, scaling))
            : [meanPoints(report, tasks, scaling)],
        perplexities: perplexityPoints(report, scaling),
      },
    ]),
  );
  const all = [...points.values()];
  const perplexities = all.flatMap((each) => each.perplexities);
  const most = Math.max(
    0,
    ...all.flatMap((each) => [...each.rates.flat(), ...each.perplexities].map((point) => point.x)),
  );
  if (most === 0) return [];
  const x = linear([0, most * 1.03], [LEFT, WIDTH - RIGHT]);
  const rate = linear([0, 1], [RATE.top + RATE.height, RATE.top]);
  const hasRates = all.some((each) => each.rates.flat().length > 0);
  const hasPerplexity = perplexities.length > 0;
  const low = Math.min(...perplexities.map((point) => point.low)) / 1.04;
  const high = Math.max(...perplexities.map((point) => point.high)) * 1.04;
  const lower = hasRates ? PERPLEXITY.top : RATE.top;
  const perplexity = logarithmic([low, high], [lower + PERPLEXITY.height, lower]);
  const bottom = hasPerplexity ? lower + PERPLEXITY.height : RATE.top + RATE.height;
  const trained = report.model.trainedLength;
  return scalings.map((scaling) => {
    const own = points.get(scaling)!;
    const others = scalings.filter((each) => each !== scaling).map((each) => points.get(each)!);
    const reach = tasks.map((task) => cellsOf(report, task, scaling)[0]?.reach).find((value) => value !== undefined);
    const svg = el(
      "svg",
      {
        viewBox: `0 0 ${WIDTH} ${bottom + 36}`,
        role: "group",
        "aria-label": `${scaling}: ${hasRates ? "share of values found by prompt length" : ""}${hasPerplexity ? ", perplexity by window" : ""}`,
      },
      hasRates && [
        grid([0, 0.5, 1], rate, percent),
        el("line", { class: "grid good", x1: LEFT, x2: WIDTH - RIGHT, y1: rate(GOOD), y2: rate(GOOD) }),
        limits({ trained, reach, named: true }, x, [most * 1.03, RATE.top, RATE.top + RATE.height]),
        others.map((other) => other.rates.map((line) => ghost(line, x, rate))),
        own.rates.map((line, i) => line.length > 0 && series(line, x, rate, `task-${colourOf(tasks[i], tasks)}`)),
        verticalTitle(RATE.top + RATE.height / 2, "found, %"),
      ],
      hasPerplexity && [
        grid(logTicks(low, high), perplexity, String),
        limits({ trained, reach, named: !hasRates }, x, [most * 1.03, lower, bottom]),
        others.map((other) => ghost(other.perplexities, x, perplexity)),
        own.perplexities.length > 0 && series(own.perplexities, x, perplexity, "perplexity"),
        verticalTitle(lower + PERPLEXITY.height / 2, "perplexity"),
      ],
      horizontalAxis(ticks(0, most, 5), x, bottom, hasRates ? "prompt tokens" : "window, tokens"),
    );
    return el("figure", { class: "panel wide" }, el("figcaption", {}, scaling), svg);
  });
}
