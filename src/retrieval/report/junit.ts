// junit.ts — a report as JUnit XML, for CI: every cell and every expectation is a test case.

import { reading } from "../../text/options.ts";
import { parseReport } from "../merge.ts";
import { type Markup, el, join } from "./markup.ts";
import type { Report } from "../schema.ts";
import type { Cell } from "../cell.ts";
import { axes, cellsOf, percent } from "./view.ts";

/**
 * JUnit XML: a suite per task and one for the expectations. Red are expectations that do not hold or are undecided (type undecided), attempts without an
 * answer and cells that were not run; a low rate alone is a measurement, not a failure.
 * @throws LlariatError("request") for what is no report.
 */
export function junit(report: Report): string {
  return reading("report", () => document(parseReport(report, "report")));
}

function document(report: Report): string {
  const suites = axes(report).tasks.map((task) => cellSuite(task, cellsOf(report, task)));
  if (report.expectations.length > 0) suites.push(expectationSuite(report));
  return `<?xml version="1.0" encoding="UTF-8"?>\n${join(el("testsuites", { name: report.model.name }, suites))}\n`;
}

interface Counts {
  readonly failures?: number;
  readonly errors?: number;
  readonly skipped?: number;
  readonly time?: number;
}

const suite = (
  name: string,
  cases: readonly Markup[],
  { failures = 0, errors = 0, skipped = 0, time = 0 }: Counts,
): Markup => el("testsuite", { name, tests: cases.length, failures, errors, skipped, time: time.toFixed(3) }, cases);

function cellSuite(task: string, cells: readonly Cell[]): Markup {
  const broken = (cell: Cell): boolean => cell.errors > 0 || cell.status === "pending" || cell.status === "partial";
  const cases = cells.map((cell) =>
    el(
      "testcase",
      { classname: `${task}.${cell.scaling}`, name: cell.id, time: cell.seconds.toFixed(3) },
      cell.status === "no chance" && el("skipped", { message: `no chance: longer than ${cell.reach} tokens` }),
      broken(cell) && el("error", { message: reason(cell) }),
      cell.rate !== null &&
        el(
          "system-out",
          {},
          `${cell.found} of ${cell.attempts.length} found (${percent(cell.rate)} %), ${cell.exact} exact` +
            ((cell.score ?? cell.rate) === cell.rate ? "" : `, mean score ${percent(cell.score!)} %`),
        ),
    ),
  );
  return suite(task, cases, {
    errors: cells.filter(broken).length,
    skipped: cells.filter((cell) => cell.status === "no chance").length,
    time: cells.reduce((sum, cell) => sum + cell.seconds, 0),
  });
}

function reason(cell: Cell): string {
  const first = cell.attempts.find((attempt) => attempt.error !== undefined)?.error;
  return first ? `${cell.errors} attempts without an answer, the first: ${first}` : `not finished: ${cell.status}`;
}

function expectationSuite({ expectations }: Report): Markup {
  const cases = expectations.map(({ text, held, undecided, reason: why }) =>
    el(
      "testcase",
      { classname: "expectations", name: text },
      !held && el("failure", { ...(undecided ? { type: "undecided" } : {}), message: why ?? "does not hold" }),
    ),
  );
  return suite("expectations", cases, { failures: expectations.filter((each) => !each.held).length });
}
