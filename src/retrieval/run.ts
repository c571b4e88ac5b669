// run.ts — runs a grid on an engine: several prompts of a cell at a time, saved as it goes, resumable, splittable.

import { parseRopeScaling } from "../rope/index.ts";
import { type Kinds, checkOptions } from "../text/options.ts";
import type { Engine } from "./engine.ts";
import { checkEngine, tokenCounter } from "./engine.ts";
import { checkExpectation, parseExpectation } from "./expect.ts";
import { echo, plan, tally } from "./grid.ts";
import { effectiveLength } from "./length.ts";
import { checkSaved } from "./merge.ts";
import type { Report } from "./schema.ts";
import type { Cell } from "./cell.ts";
import { REPORT_FORMAT } from "./schema.ts";
import type { RetrievalSettings } from "./settings.ts";
import { resolveSettings } from "./settings.ts";
import { runTogether, together } from "./together.ts";
import { fnv1a } from "./stream.ts";

/** How far a run is. */
export interface Progress {
  /** The cell that just changed. */
  readonly cell: Cell;
  /** Of this run, or of this shard; without those that have no chance. */
  readonly cellsDone: number;
  readonly cells: number;
  readonly secondsPassed: number;
  /** From the tokens still to be read at the speed so far; undefined until something was read. */
  readonly secondsLeft: number | undefined;
  /** The whole grid as it stands. */
  readonly grid: readonly Cell[];
}

/** What goes with a run besides its settings. */
export interface RunOptions {
  /** Called after each change of a cell. Nobody waits for it: one that returns a promise ends the run, as one that throws does. */
  readonly onProgress?: (progress: Progress) => void;
  /** Called with the report so far after every cell, and before an abort is thrown: write it where `resume` will find it. */
  readonly onSave?: (report: Report) => void | Promise<void>;
  /** A saved report of the same model and settings: its attempts are kept, only what is missing is run. */
  readonly resume?: Report;
  readonly signal?: AbortSignal;
  /** Goes into the report: engine, device, version, command. */
  readonly environment?: Readonly<Record<string, unknown>>;
}

const RUN_OPTIONS: Kinds<RunOptions> = {
  onProgress: "callback",
  onSave: "function",
  resume: "object",
  signal: "signal",
  environment: "object",
};

/**
 * Measures how much of its context an engine uses: runs the grid of the settings and returns the report, expectations
 * checked. Attempts without an answer are kept with their error. The engine stays the caller's.
 * @throws LlariatError: "request" or "rope" for settings, "tokenizer" without a way to count tokens, "aborted" for the
 * signal, or the engine's own error if it cannot go on; what was done until then has gone to `onSave`.
 */
export async function retrieve(engine: Engine, given: RetrievalSettings, also: RunOptions = {}): Promise<Report> {
  const options = checkOptions<RunOptions>(also, RUN_OPTIONS);
  checkEngine(engine);
  const settings = resolveSettings(engine, given);
  const conditions = settings.expect.map(parseExpectation);
  if (engine.rope) for (const { ropeScaling } of settings.scalings) parseRopeScaling(ropeScaling, engine.rope);
  const count = tokenCounter(engine, settings.countTokens);
  const planned = plan(settings, engine);
  const echoed = echo(settings);
  const fingerprint = fnv1a(JSON.stringify([settings.model, echoed]))
    .toString(16)
    .padStart(16, "0");
  const { resume, onSave, signal } = options;
  if (resume) checkSaved(resume, { fingerprint, settings: echoed });

  const created = resume?.created ?? new Date().toISOString();
  const texts: Record<string, string> = { ...resume?.prompts };
  const saved = new Map(resume?.cells.map((cell) => [cell.id, cell]));
  const grid: Cell[] = planned.map(({ cell }) => restored(cell, saved.get(cell.id)));

  const snapshot = (): Report => ({
    format: REPORT_FORMAT,
    created,
    updated: new Date().toISOString(),
    complete: grid.every((cell) => cell.status === "done" || cell.status === "no chance"),
    model: { name: settings.model, trainedLength: settings.trained },
    environment: options.environment ?? resume?.environment ?? {},
    settings: echoed,
    fingerprint,
    cells: [...grid],
    prompts: failed(grid, texts),
    expectations: conditions.map((each) =>
      checkExpectation(each, grid, settings.trained, settings.sequential !== null),
    ),
    ...(settings.effective ? { effectiveLength: effectiveLength(grid, settings.effective) } : {}),
    ...(resume?.perplexity ? { perplexity: resume.perplexity } : {}),
    ...(resume?.effectiveContext ? { effectiveContext: resume.effectiveContext } : {}),
  });

  // Cells without a chance cost nothing, so they belong to no shard.
  const { index: shard, count: shards } = settings.shard;
  const toRun = together(grid, settings, conditions);
  const mine = toRun.filter((_, i) => i % shards === shard - 1);
  const clock = progressClock(
    mine.flatMap(({ cells }) => cells),
    grid,
    options.onProgress,
  );
  for (const { cells, rule } of mine) {
    const members = cells.map((index) => ({ planned: planned[index], start: grid[index] }));
    if (members.every(({ start }) => start.status === "done" && (start.settled === undefined || !rule))) continue;
    try {
      await runTogether(members, rule, { engine, settings, count, signal, texts }, (changed, member) => {
        grid[cells[member]] = changed;
        clock(changed);
      });
    } catch (error) {
      await onSave?.(snapshot());
      throw error;
    }
    await onSave?.(snapshot());
  }
  return snapshot();
}

/** The texts that failures of the grid name. */
function failed(grid: readonly Cell[], texts: Readonly<Record<string, string>>): Record<string, string> {
  const names = grid.flatMap((cell) =>
    cell.attempts.filter((attempt) => !attempt.found).map((attempt) => attempt.prompt),
  );
  return Object.fromEntries([...new Set(names)].map((name) => [name, texts[name]]));
}

/** A cell with the attempts of an earlier run; those that ended in an error are to be run again. */
function restored(cell: Cell, saved: Cell | undefined): Cell {
  if (!saved || cell.status === "no chance") return cell;
  const attempts = saved.attempts.filter((attempt) => attempt.error === undefined);
  const whole = saved.status === "done" && attempts.length === saved.attempts.length;
  const { seconds, rope, settled: outcome } = saved;
  return {
    ...tally(cell, attempts),
    seconds,
    ...(rope === undefined ? {} : { rope }),
    ...(whole && outcome ? { settled: outcome } : {}),
    status: whole ? "done" : attempts.length > 0 ? "partial" : "pending",
  };
}

/** Reports progress; the time left is that of the tokens left, at the pace of this run. */
function progressClock(
  mine: readonly number[],
  grid: readonly Cell[],
  report: RunOptions["onProgress"],
): (changed: Cell) => void {
  const work = (cell: Cell): number => {
    if (cell.status === "done") return 0;
    const length = cell.promptLen === "whole" ? 2 * cell.reach : cell.promptLen;
    return length * (cell.tries - cell.attempts.length);
  };
  const left = (): number => mine.reduce((sum, i) => sum + work(grid[i]), 0);
  const atStart = left();
  const started = performance.now();
  return (cell) => {
    if (!report) return;
    const secondsPassed = (performance.now() - started) / 1000;
    const remaining = left();
    const worked = atStart - remaining;
    report({
      cell,
      cellsDone: mine.filter((i) => grid[i].status === "done").length,
      cells: mine.length,
      secondsPassed,
      secondsLeft: worked > 0 ? (secondsPassed * remaining) / worked : undefined,
      grid,
    });
  };
}
