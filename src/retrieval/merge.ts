// merge.ts — saved reports: whether one belongs to a run, and shards put together again.

import { LlariatError } from "../error.ts";
import { isObject, show } from "../text/json.ts";
import { reading } from "../text/options.ts";
import { display } from "../text/wording.ts";
import { checkExpectation, parseExpectation } from "./expect.ts";
import { tally } from "./grid.ts";
import type { Report } from "./schema.ts";
import type { Attempt, Cell } from "./cell.ts";
import { REPORT_FORMAT } from "./schema.ts";

const refuse = (sentence: string): never => {
  throw new LlariatError("request", sentence);
};

/** Checks that parsed JSON is a report of this format. @throws LlariatError("request") saying what is wrong. */
export function parseReport(json: unknown, name = "report.json"): Report {
  return reading(name, () => checkReport(json, name));
}

function checkReport(json: unknown, name: string): Report {
  if (typeof json !== "object" || json === null) return refuse(`${name}: needs an object, got ${display(json)}`);
  const report = json as Readonly<Record<string, unknown>>;
  if (report["format"] !== REPORT_FORMAT) {
    refuse(`${name}: needs format ${REPORT_FORMAT}, got ${show(report["format"])}; make a new report`);
  }
  for (const [key, is] of Object.entries(FIELDS)) {
    if (!is(report[key])) refuse(`${name}: ${key} is missing or of another form; the file is damaged`);
  }
  return json as Report;
}

const isText = (value: unknown) => typeof value === "string";
const isListOf = (is: (item: unknown) => boolean) => (value: unknown) => Array.isArray(value) && value.every(is);

/** What a report must have so that it can be resumed, merged and drawn. */
const FIELDS = {
  created: isText,
  updated: isText,
  model: (value) => isObject(value) && isText(value["name"]) && typeof value["trainedLength"] === "number",
  environment: isObject,
  settings: isObject,
  fingerprint: isText,
  cells: isListOf(
    (cell) => isObject(cell) && isText(cell["id"]) && isListOf((each) => isObject(each))(cell["attempts"]),
  ),
  prompts: isObject,
  expectations: isListOf((each) => isObject(each) && isText(each["text"])),
} satisfies Partial<Record<keyof Report, (value: unknown) => boolean>>;

/** What a report must agree with to be resumed. @throws LlariatError("request") naming the first difference. */
export function checkSaved(
  saved: Report,
  run: { readonly fingerprint: string; readonly settings: Readonly<Record<string, unknown>> },
): void {
  parseReport(saved, "the saved report");
  if (saved.fingerprint === run.fingerprint) return;
  for (const key of new Set([...Object.keys(run.settings), ...Object.keys(saved.settings)])) {
    const [before, now] = [saved.settings[key], run.settings[key]].map((value) => JSON.stringify(value));
    if (before !== now)
      refuse(`the saved report has ${key} ${before}, this run ${key} ${now}; use the same settings, or a new folder`);
  }
  refuse(`the saved report is of another model (${saved.model.name}); use a new folder`);
}

/**
 * Puts shards of one run together: every cell with all its attempts, expectations checked anew. Cells that no shard ran
 * stay `pending` and make `complete` false. Order of the reports does not matter.
 * @throws LlariatError("request") for reports of different runs, or two different answers to the same prompt.
 */
export function mergeReports(reports: readonly Report[]): Report {
  return reading("reports", () => merge(reports));
}

function merge(reports: readonly Report[]): Report {
  if (!Array.isArray(reports)) refuse(`merge: needs a list of reports, got ${display(reports)}`);
  if (reports.length === 0) refuse("merge: needs at least one report");
  Array.from(reports).forEach((report, i) => parseReport(report, `report ${i + 1}`));
  const [first] = reports;
  const other = reports.find((report) => report.fingerprint !== first.fingerprint);
  if (other) {
    refuse(
      `merge: reports of different runs, ${first.model.name} ${first.fingerprint} and ${other.model.name} ${other.fingerprint}`,
    );
  }
  const byId = reports.map((report) => new Map(report.cells.map((cell) => [cell.id, cell])));
  const cells = first.cells.map(({ id }) => mergeCell(byId.flatMap((known) => known.get(id) ?? [])));
  const perplexity = reports.find((report) => report.perplexity)?.perplexity;
  const effectiveContext = reports.find((report) => report.effectiveContext)?.effectiveContext;
  const conditions = [...new Set(reports.flatMap((report) => report.expectations.map((each) => each.text)))];
  return {
    ...first,
    created: reports.map((report) => report.created).sort()[0],
    updated: reports
      .map((report) => report.updated)
      .sort()
      .at(-1)!,
    complete: cells.every((cell) => cell.status === "done" || cell.status === "no chance"),
    cells,
    prompts: Object.assign({}, ...reports.map((report) => report.prompts)) as Report["prompts"],
    expectations: conditions.map((text) => checkExpectation(parseExpectation(text), cells, first.model.trainedLength)),
    ...(perplexity ? { perplexity } : {}),
    ...(effectiveContext ? { effectiveContext } : {}),
  };
}

/** The same cell from several reports: done wins, attempts are united. */
function mergeCell(versions: readonly Cell[]): Cell {
  const attempts = new Map<number, Attempt>();
  for (const attempt of versions.flatMap((cell) => cell.attempts)) {
    const known = attempts.get(attempt.try);
    if (known && known.error === undefined && attempt.error === undefined && known.text !== attempt.text) {
      refuse(`merge: ${versions[0].id}, try ${attempt.try}: two different answers, so not the same engine`);
    }
    if (!known || known.error !== undefined) attempts.set(attempt.try, attempt);
  }
  const best =
    versions.find((cell) => cell.status === "done") ?? versions.find((cell) => cell.attempts.length > 0) ?? versions[0];
  const all = [...attempts.values()].sort((a, b) => a.try - b.try);
  const kept = best.settled ? best.attempts : all;
  const { status } = best;
  return {
    ...tally(best, kept),
    seconds: best.status === "done" ? best.seconds : versions.reduce((sum, cell) => sum + cell.seconds, 0),
    status:
      status === "no chance"
        ? status
        : kept.length === 0
          ? "pending"
          : best.settled || kept.length === best.tries
            ? "done"
            : "partial",
  };
}
