// tables.ts — the numbers of the report page: every figure's values are also a table.

import type { Child, Markup } from "./markup.ts";
import { el } from "./markup.ts";
import { counted } from "../expect.ts";
import type { Report } from "../schema.ts";
import { axes, cellsOf, distinct, duration, percent, times, usedContext } from "./view.ts";

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

/** How far each scaling really reaches, per task, with bars. */
export function usedTable(report: Report): Markup {
  const { tasks, scalings } = axes(report);
  const used = (task: string, scaling: string): number => usedContext(report, task, scaling);
  const most = Math.max(1, ...tasks.flatMap((task) => scalings.map((scaling) => used(task, scaling))));
  const bar = (tokens: number, task: string): Markup =>
    el(
      "div",
      { class: `bar${tokens === 0 ? " zero" : ""}` },
      el("i", {
        style: `width:${Math.round((tokens / most) * 110)}px;background:var(--${tokens === 0 ? "faint" : task})`,
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
  const columns = ["tokens", "secret at", "found", "tries", "rate, %", "95 % Wilson, %", "alone", "exact", "s"];
  const rows = cellsOf(report, task).map((cell): Child[] => [
    cell.scaling,
    String(cell.promptLen),
    cell.position === null ? "start" : percent(cell.position),
    ...(cell.rate === null || cell.status === "no chance"
      ? [cell.status, "", "", "", "", "", ""]
      : [
          cell.found,
          cell.attempts.length,
          percent(cell.rate),
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
      el("span", { class: each.held ? "yes" : "no" }, each.held ? "held" : "not held"),
      faint(each.reason ?? counts(each)),
    ]),
  );
}

/** Tokens and time by scaling. */
export function costTable(report: Report): Markup {
  const rows = axes(report).scalings.map((scaling): Child[] => {
    const cells = report.cells.filter((cell) => cell.scaling === scaling);
    const sum = (value: "promptTokens" | "completionTokens" | "seconds"): number =>
      cells.reduce((total, cell) => total + cell[value], 0);
    const [read, written, seconds] = [sum("promptTokens"), sum("completionTokens"), sum("seconds")];
    return [scaling, read, written, duration(seconds), seconds > 0 ? Math.round((read + written) / seconds) : ""];
  });
  return table([name("RoPE scaling"), ...["tokens read", "written", "time", "tokens per second"].map(number)], rows);
}
