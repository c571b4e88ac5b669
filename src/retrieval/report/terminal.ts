// terminal.ts — a report for a terminal: plain text in columns.

import { type Kinds, checkOptions, reading } from "../../text/options.ts";
import { pairingSentence, pairings } from "../paired.ts";
import type { Report } from "../schema.ts";
import { axes, lengthsOf, percent, pool, times } from "./view.ts";

/** How to emphasise; plain by default, so that the text can go anywhere. None may be async; what one throws ends the table. */
export interface Paint {
  /** What passed. */
  readonly good: (text: string) => string;
  /** What failed. */
  readonly bad: (text: string) => string;
  /** What matters less. */
  readonly dim: (text: string) => string;
  /** Headings. */
  readonly bold: (text: string) => string;
}

const same = (text: string): string => text;
const PAINT: Kinds<Paint> = { good: "callback", bad: "callback", dim: "callback", bold: "callback" };
const PLAIN: Paint = { good: same, bad: same, dim: same, bold: same };

interface TextCell {
  readonly text: string;
  readonly paint?: (text: string) => string;
}

/** Rows in columns: the first to the left, the others to the right. Colours are added after measuring. */
function columns(rows: readonly (readonly TextCell[])[]): string {
  const widths = rows[0].map((_, i) => Math.max(...rows.map((row) => row[i]?.text.length ?? 0)));
  return rows
    .map((row) =>
      row
        .map(({ text, paint = same }, i) => paint(i === 0 ? text.padEnd(widths[i]) : text.padStart(widths[i])))
        .join("  ")
        .trimEnd(),
    )
    .join("\n");
}

/** What of a report the table shows: the rest may be missing, so that a run can be shown while it goes on. */
export type Measured = Pick<Report, "cells" | "model"> &
  Partial<Pick<Report, "expectations" | "effectiveLength" | "perplexity" | "effectiveContext">>;

/**
 * Everything a report measured, as tables; `paint` colours them. Ends with a line break.
 * @throws LlariatError("request") for what is no report, and for a painter that returns a promise; what a painter throws.
 */
export function terminalTable(report: Measured, paint: Paint = PLAIN): string {
  const { good, bad, dim, bold } = { ...PLAIN, ...checkOptions<Paint>(paint, PAINT, "paint") };
  let thrown: { readonly error: unknown } | undefined;
  /** What a painter throws is its own, not the report's. */
  const own =
    (painter: Paint["good"]): Paint["good"] =>
    (text) => {
      try {
        return painter(text);
      } catch (error) {
        thrown = { error };
        throw error;
      }
    };
  try {
    return reading("report", () => {
      const { cells, model, expectations } = report;
      checkOptions({ cells, model, expectations }, { cells: "list", model: "object", expectations: "list" }, "report");
      return tables(report, { good: own(good), bad: own(bad), dim: own(dim), bold: own(bold) });
    });
  } catch (error) {
    throw thrown ? thrown.error : error;
  }
}

function tables(report: Measured, paint: Paint): string {
  const parts = [
    ...axes(report).tasks.map((task) => taskTable(report, task, paint)),
    lengthTable(report, paint),
    pairLines(report, paint),
    perplexityTable(report, paint),
    effectiveTable(report, paint),
    expectationTable(report, paint),
  ];
  return `${parts.filter((part) => part !== "").join("\n\n")}\n`;
}

function taskTable(report: Measured, task: string, paint: Paint): string {
  const lengths = lengthsOf(report, task);
  const { trainedLength } = report.model;
  const tokens = lengths.map((length) => ({ text: String(length) }));
  const relative = lengths.map((length) => ({
    text: length === "whole" ? "" : times(length, trainedLength),
    paint: paint.dim,
  }));
  const rows = axes(report).scalings.map((scaling): TextCell[] => [
    { text: scaling },
    ...lengths.map((length): TextCell => {
      const found = pool(report, task, scaling, length);
      if (!found) return { text: "" };
      if (found.noChance) return { text: "no chance", paint: paint.dim };
      if (found.score === null) return { text: "…", paint: paint.dim };
      const text = `${percent(found.score)} %`;
      return { text, paint: found.score >= 0.9 ? paint.good : found.score <= 0.1 ? paint.bad : same };
    }),
  ]);
  const head = [{ text: "prompt tokens", paint: paint.dim }, ...tokens];
  return `${paint.bold(`${task}: value found, all positions`)}\n${columns([head, [{ text: "× trained", paint: paint.dim }, ...relative], ...rows])}`;
}

/** RULER's effective length, beside the means over tasks that it is read from. */
function lengthTable({ effectiveLength: effective }: Measured, paint: Paint): string {
  if (!effective || effective.rows.length === 0) return "";
  const { rows, threshold, tasks } = effective;
  const lengths = [...new Set(rows.flatMap((row) => row.scores.map((each) => each.promptLen)))].sort((a, b) => a - b);
  const mean = (value: number | null): TextCell => ({ text: value === null ? "" : `${percent(value)} %` });
  const body = rows.map((row): TextCell[] => [
    { text: row.scaling },
    row.length === 0
      ? { text: row.scores.length === 0 ? "…" : `< ${row.scores[0].promptLen}`, paint: paint.bad }
      : { text: `${row.open ? "≥ " : ""}${row.length}`, paint: paint.good },
    ...lengths.map((length): TextCell => {
      const score = row.scores.find((each) => each.promptLen === length)?.score;
      return score === undefined ? { text: "" } : { ...mean(score), paint: score > threshold ? paint.good : same };
    }),
    mean(row.average),
    mean(row.increasing),
    mean(row.decreasing),
  ]);
  const words = ["prompt tokens", "effective", ...lengths.map(String), "average", "wAvg inc", "wAvg dec"];
  const title = `effective length: mean over ${tasks.length} tasks above ${percent(threshold)} %`;
  return `${paint.bold(title)}\n${columns([words.map((text) => ({ text, paint: paint.dim })), ...body])}`;
}

/** The first scaling beside each of the others, on the same prompts; the report page has every two. */
function pairLines(report: Measured, paint: Paint): string {
  const [first] = axes(report).scalings;
  const lines = pairings(report.cells)
    .filter((pair) => pair.one === first)
    .map((pair) => `${pairingSentence(pair)}${paint.dim(pair.p < 1 ? ` (p = ${pair.p.toPrecision(2)})` : "")}`);
  return lines.length === 0 ? "" : [paint.bold("on the same prompts"), ...lines].join("\n");
}

function perplexityTable({ perplexity }: Measured, paint: Paint): string {
  if (!perplexity) return "";
  const windows = [...new Set(perplexity.rows.map((row) => row.window))];
  const rows = [...new Set(perplexity.rows.map((row) => row.scaling))].map((scaling): TextCell[] => [
    { text: scaling },
    ...windows.map((window) => {
      const row = perplexity.rows.find((each) => each.scaling === scaling && each.window === window);
      if (!row) return { text: "" };
      const error = row.standardError === null ? "" : ` ± ${row.standardError.toFixed(2)}`;
      return { text: `${row.perplexity.toFixed(3)}${error}` };
    }),
  ]);
  const head = [{ text: "window", paint: paint.dim }, ...windows.map((window) => ({ text: String(window) }))];
  return `${paint.bold(`perplexity of ${perplexity.text.name}, ${perplexity.text.tokens} tokens`)}\n${columns([head, ...rows])}`;
}

function effectiveTable({ effectiveContext: effective }: Measured, paint: Paint): string {
  if (!effective) return "";
  const rows = effective.rows.map((row): TextCell[] => [
    { text: row.scaling },
    { text: String(row.kMax) },
    { text: `${percent(row.rate)} %` },
  ]);
  const head = ["", "k_max", "found"].map((text) => ({ text, paint: paint.dim }));
  return `${paint.bold(`effective context, window of ${effective.window} tokens`)}\n${columns([head, ...rows])}`;
}

function expectationTable({ expectations = [] }: Measured, paint: Paint): string {
  if (expectations.length === 0) return "";
  const lines = expectations.map(({ text, held, undecided, reason }) => {
    if (held) return `${paint.good("held")}  ${text}`;
    return `${undecided ? paint.bold("undecided") : paint.bad("NOT HELD")}  ${text}: ${reason}`;
  });
  return [paint.bold("expectations"), ...lines].join("\n");
}
