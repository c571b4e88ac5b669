// tables.ts — the numbers of the report page: every figure's values are also a table.

import type { Child, Markup } from "./markup.ts";
import { el } from "./markup.ts";
import { pairingSentence, pairings } from "../paired.ts";
import { counted } from "../expect.ts";
import { TASKS } from "../prompts/tasks.ts";
import type { Report } from "../schema.ts";
import { MANY_TASKS, axes, cellsOf, colourOf, distinct, duration, percent, times, usedContext } from "./view.ts";

/** A heading of a column; numbers stand to the right. */
export interface Column {
  readonly name: string;
  readonly number?: boolean;
}

/** A table whose first column names the row. */
export function table(columns: readonly Column[], rows: readonly (readonly Child[])[]): Markup {
  const head = columns.map(({ name, number }) => el("th", { scope: "col", class: number && "n" }, name));
  const body = rows.map((row) =>
    el(
      "tr",
      {},
      row.map((cell, i) =>
        i === 0 ? el("th", { scope: "row" }, cell) : el("td", { class: columns[i].number && "n" }, cell),
      ),
    ),
  );
  return el("div", { class: "scroll" }, el("table", {}, el("thead", {}, el("tr", {}, head)), el("tbody", {}, body)));
}

const name = (text: string): Column => ({ name: text });
const number = (text: string): Column => ({ name: text, number: true });
const faint = (text: string): Markup => el("span", { class: "faint" }, text);

/** How far each scaling really reaches, per task, with bars; many tasks stand below one another, without. */
export function usedTable(report: Report): Markup {
  const { tasks, scalings } = axes(report);
  const used = (task: string, scaling: string): number => usedContext(report, task, scaling);
  const said = (tokens: number): Child =>
    tokens === 0 ? faint("none") : [`${tokens} `, faint(times(tokens, report.model.trainedLength))];
  if (tasks.length >= MANY_TASKS) {
    const reach = (scaling: string): Child => report.cells.find((cell) => cell.scaling === scaling)?.reach;
    return table(
      [name("RoPE scaling"), ...scalings.map(number)],
      [
        [faint("meant to reach"), ...scalings.map(reach)],
        ...tasks.map((task): Child[] => [task, ...scalings.map((scaling) => said(used(task, scaling)))]),
      ],
    );
  }
  const most = Math.max(1, ...tasks.flatMap((task) => scalings.map((scaling) => used(task, scaling))));
  const bar = (tokens: number, task: string): Markup =>
    el(
      "div",
      { class: `bar${tokens === 0 ? " zero" : ""}` },
      el("i", {
        style: `width:${Math.round((tokens / most) * 110)}px;background:var(--${tokens === 0 ? "faint" : colourOf(task, tasks)})`,
      }),
      tokens === 0 ? "none" : [`${tokens} `, faint(times(tokens, report.model.trainedLength))],
    );
  return table(
    [name("RoPE scaling"), number("meant to reach"), ...tasks.map((task) => name(`${task}: really used`))],
    scalings.map((scaling) => [
      scaling,
      report.cells.find((cell) => cell.scaling === scaling)?.reach,
      ...tasks.map((task) => bar(used(task, scaling), task)),
    ]),
  );
}

/** Every cell of a task, collapsed. */
export function cellTable(report: Report, task: string): Markup {
  const columns = ["tokens", "secret at", "found", "tries", "score, %", "95 % Wilson, %", "alone", "exact", "s"];
  const rows = cellsOf(report, task).map((cell): Child[] => [
    cell.scaling,
    String(cell.promptLen),
    cell.position === null ? (TASKS[cell.task]?.place === "start" ? "start" : "any") : percent(cell.position),
    ...(cell.rate === null || cell.status === "no chance"
      ? [cell.status, "", "", "", "", "", ""]
      : [
          cell.found,
          cell.attempts.length,
          percent(cell.score ?? cell.rate),
          `${percent(cell.interval.low)}–${percent(cell.interval.high)}`,
          cell.alone,
          cell.exact,
          cell.seconds.toFixed(1),
        ]),
  ]);
  return el(
    "details",
    {},
    el("summary", {}, "All numbers", faint("alone: no other value beside it; exact: nothing but the answer")),
    table([name("scaling"), ...columns.map(number)], rows),
  );
}

/** Perplexities by scaling and window, collapsed; nothing if none were measured. */
export function perplexityTable({ perplexity }: Report): Markup | null {
  if (!perplexity) return null;
  const windows = distinct(perplexity.rows.map((row) => row.window));
  const rows = distinct(perplexity.rows.map((row) => row.scaling)).map((scaling): Child[] => [
    scaling,
    ...windows.map((window): Child => {
      const row = perplexity.rows.find((each) => each.scaling === scaling && each.window === window);
      const error = row?.standardError ?? null;
      return [row?.perplexity.toFixed(3), error !== null && faint(` ± ${error.toFixed(2)}`)];
    }),
  ]);
  return el(
    "details",
    {},
    el("summary", {}, "Perplexity table", faint("± is one standard error over windows")),
    table([name("window"), ...windows.map((window) => number(String(window)))], rows),
  );
}

/** What was expected, what became of it, and why. */
export function expectationTable({ expectations }: Report): Markup {
  const counts = (each: Report["expectations"][number]): string =>
    each.groups.map((group) => `${group.task} at ${group.promptLen}: ${counted(group)}`).join(" · ");
  return table(
    [name("condition"), name("outcome"), name("counted")],
    expectations.map((each) => [
      el("code", {}, each.text),
      each.undecided
        ? el("strong", {}, "undecided")
        : el("span", { class: each.held ? "yes" : "no" }, each.held ? "held" : "not held"),
      faint(each.reason ?? counts(each)),
    ]),
  );
}

/** RULER's effective length and the means that it is read from. */
export function lengthTable({ effectiveLength: effective, model }: Report): Markup | null {
  if (!effective) return null;
  const { rows, threshold } = effective;
  const lengths = distinct(rows.flatMap((row) => row.scores.map((each) => each.promptLen))).sort((a, b) => a - b);
  const mean = (value: number | null): Child => (value === null ? "" : percent(value));
  return table(
    [
      name("RoPE scaling"),
      name("effective length"),
      ...lengths.map((length) => number(String(length))),
      ...["average", "wAvg (inc)", "wAvg (dec)"].map(number),
    ],
    rows.map((row): Child[] => [
      row.scaling,
      row.length === 0
        ? faint(row.scores.length === 0 ? "not measured" : `below ${row.scores[0].promptLen}`)
        : [row.open ? "≥ " : "", `${row.length} `, faint(times(row.length, model.trainedLength))],
      ...lengths.map((length): Child => {
        const score = row.scores.find((each) => each.promptLen === length)?.score;
        if (score === undefined) return "";
        return score > threshold ? el("b", {}, percent(score)) : percent(score);
      }),
      mean(row.average),
      mean(row.increasing),
      mean(row.decreasing),
    ]),
  );
}

/** Every two scalings on the prompts that both answered. */
export function pairTable(report: Report): Markup | null {
  const rows = pairings(report.cells).map((pair): Child[] => [
    pairingSentence(pair),
    pair.onlyOne + pair.onlyOther === 0 ? "" : probability(pair.p),
  ]);
  return rows.length === 0 ? null : table([name("on the same prompts"), number("p")], rows);
}

/** A probability, as small as it is worth saying. */
const probability = (p: number): string => (p < 0.0001 ? "< 0.0001" : String(Number(p.toPrecision(2))));

/** Tokens and time by scaling. */
export function costTable(report: Report): Markup {
  const turns = report.cells.some((cell) => cell.computedTokens !== undefined);
  const rows = axes(report).scalings.map((scaling): Child[] => {
    const cells = report.cells.filter((cell) => cell.scaling === scaling);
    const sum = (value: "promptTokens" | "completionTokens" | "seconds"): number =>
      cells.reduce((total, cell) => total + cell[value], 0);
    const [read, written, seconds] = [sum("promptTokens"), sum("completionTokens"), sum("seconds")];
    const computed = cells.reduce((total, cell) => total + (cell.computedTokens ?? 0), 0);
    const perSecond = seconds > 0 ? Math.round((read + written) / seconds) : "";
    return [scaling, read, written, duration(seconds), perSecond, ...(turns ? [computed] : [])];
  });
  const columns = ["tokens read", "written", "time", "tokens per second"];
  if (turns) columns.push("computed of conversations");
  return table([name("RoPE scaling"), ...columns.map(number)], rows);
}
