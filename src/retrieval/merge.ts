// merge.ts — saved reports: whether one belongs to a run, and shards put together again.

import { LlariatError } from "../error.ts";
import { isObject, show } from "../text/json.ts";
import { checkOptions, isWhole, reading } from "../text/options.ts";
import { display } from "../text/wording.ts";
import type { EffectiveContext, EffectivePoint, EffectiveRow } from "./effective.ts";
import { type Expectation, checkExpectation, parseExpectation } from "./expect.ts";
import { tally } from "./grid.ts";
import { type EffectiveLength, type EffectiveLengthRow, effectiveLength } from "./length.ts";
import type { Perplexity, PerplexityRow } from "./perplexity.ts";
import type { Report } from "./schema.ts";
import type { Attempt, Cell, TurnAttempt } from "./cell.ts";
import { REPORT_FORMAT } from "./schema.ts";

const refuse = (sentence: string): never => {
  throw new LlariatError("request", sentence);
};

/** Checks that parsed JSON is a report of this format. @throws LlariatError("request") saying what is wrong. */
export function parseReport(json: unknown, name = "report.json"): Report {
  checkOptions({ name }, { name: "text" });
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

type Is = (value: unknown) => boolean;

const isText: Is = (value) => typeof value === "string";
const isFlag: Is = (value) => typeof value === "boolean";
const isNumber: Is = (value) => typeof value === "number";
const isAny: Is = () => true;
const isList =
  (is: Is): Is =>
  (value) =>
    Array.isArray(value) && isWhole(value) && value.every(is);
const isOneOf =
  (...values: readonly unknown[]): Is =>
  (value) =>
    values.includes(value);
const either =
  (one: Is, other: Is): Is =>
  (value) =>
    one(value) || other(value);
const isRecord =
  (is: Is): Is =>
  (value) =>
    isObject(value) && Object.values(value).every(is);
const optional = (is: Is): Is => either(isOneOf(undefined), is);

/** An object with these fields; further ones are a later version's. */
const isShape =
  <T>(fields: Readonly<Record<keyof Required<T>, Is>>): Is =>
  (value) =>
    isObject(value) && Object.entries<Is>(fields).every(([key, is]) => is(value[key]));

const isLength = either(isNumber, isOneOf("whole"));

const isAttempt = isShape<Attempt>({
  try: isNumber,
  prompt: isText,
  promptTokens: isNumber,
  distance: isNumber,
  value: isText,
  text: isText,
  found: isFlag,
  alone: isFlag,
  exact: isFlag,
  score: optional(isNumber),
  turns: optional(
    isList(isShape<TurnAttempt>({ value: isText, text: isText, found: isFlag, computedTokens: optional(isNumber) })),
  ),
  completionTokens: optional(isNumber),
  finishReason: optional(either(isText, isOneOf(null))),
  error: optional(isText),
});

const isInterval = isShape<Cell["interval"]>({ low: isNumber, high: isNumber });

const isCell = isShape<Cell>({
  id: isText,
  task: isText,
  scaling: isText,
  promptLen: isLength,
  position: either(isNumber, isOneOf(null)),
  reach: isNumber,
  status: isOneOf("pending", "partial", "done", "no chance"),
  expected: isOneOf("pass", "fail", null),
  tries: isNumber,
  attempts: isList(isAttempt),
  found: isNumber,
  alone: isNumber,
  exact: isNumber,
  errors: isNumber,
  rate: either(isNumber, isOneOf(null)),
  score: optional(either(isNumber, isOneOf(null))),
  interval: isInterval,
  settled: isOneOf("pass", "fail", "decided", undefined),
  promptTokens: isNumber,
  completionTokens: isNumber,
  computedTokens: optional(isNumber),
  seconds: isNumber,
  rope: isAny,
});

const isExpectation = isShape<Expectation>({
  text: isText,
  held: isFlag,
  groups: isList(
    isShape<Expectation["groups"][number]>({
      task: isText,
      promptLen: isLength,
      found: isNumber,
      score: optional(isNumber),
      tries: isNumber,
      held: isFlag,
      interval: optional(isInterval),
      undecided: isOneOf(true, undefined),
      enough: optional(isNumber),
    }),
  ),
  undecided: isOneOf(true, undefined),
  reason: optional(isText),
});

const isPerplexity = isShape<Perplexity>({
  text: isShape<Perplexity["text"]>({ name: isText, tokens: isNumber, fnv1a: isText }),
  rows: isList(
    isShape<PerplexityRow>({
      scaling: isText,
      window: isNumber,
      stride: isNumber,
      tokens: isNumber,
      nll: isNumber,
      perplexity: isNumber,
      standardError: either(isNumber, isOneOf(null)),
      seconds: isNumber,
    }),
  ),
});

const isEffective = isShape<EffectiveContext>({
  window: isNumber,
  tries: isNumber,
  least: isNumber,
  seed: either(isNumber, isText),
  rows: isList(
    isShape<EffectiveRow>({
      scaling: isText,
      kMax: isNumber,
      rate: isNumber,
      promptTokens: isNumber,
      points: isList(
        isShape<EffectivePoint>({
          distance: isNumber,
          found: isNumber,
          tries: isNumber,
          failures: isList(isAttempt),
        }),
      ),
      seconds: isNumber,
    }),
  ),
});

const isEffectiveLength = isShape<EffectiveLength>({
  threshold: isNumber,
  tasks: isList(isText),
  rows: isList(
    isShape<EffectiveLengthRow>({
      scaling: isText,
      length: isNumber,
      open: isFlag,
      scores: isList(isShape<EffectiveLengthRow["scores"][number]>({ promptLen: isNumber, score: isNumber })),
      average: either(isNumber, isOneOf(null)),
      increasing: either(isNumber, isOneOf(null)),
      decreasing: either(isNumber, isOneOf(null)),
    }),
  ),
});

/** What a report must have so that it can be resumed, merged and drawn. */
const FIELDS: Readonly<Record<keyof Required<Omit<Report, "format">>, Is>> = {
  created: isText,
  updated: isText,
  complete: isFlag,
  model: isShape<Report["model"]>({ name: isText, trainedLength: isNumber }),
  environment: isObject,
  settings: isObject,
  fingerprint: isText,
  cells: isList(isCell),
  prompts: isRecord(isText),
  expectations: isList(isExpectation),
  effectiveLength: optional(isEffectiveLength),
  perplexity: optional(isPerplexity),
  effectiveContext: optional(isEffective),
};

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
  if (!isWhole(reports)) refuse("merge: needs a list of reports without holes");
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
    expectations: conditions.map((text) =>
      checkExpectation(parseExpectation(text), cells, first.model.trainedLength, isSequential(first)),
    ),
    ...(first.effectiveLength ? { effectiveLength: effectiveLength(cells, first.effectiveLength) } : {}),
    ...(perplexity ? { perplexity } : {}),
    ...(effectiveContext ? { effectiveContext } : {}),
  };
}

/** Could tries decide when this run's cells ended? */
export const isSequential = ({ settings, cells }: Pick<Report, "settings" | "cells">): boolean =>
  (settings["sequential"] ?? null) !== null || cells.some((cell) => cell.settled !== undefined);

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
