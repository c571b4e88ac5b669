// together.ts — runs cells that end together: one cell, or in a sequential run all positions that an expectation pools, in
// rounds of one try each, until their outcome is settled or the tries are used up.

import { checkAborted } from "../error.ts";
import { ask, inFlight } from "./ask.ts";
import { type Attempt, type Cell, scoreOf } from "./cell.ts";
import type { Engine } from "./engine.ts";
import { type Condition, concerned, isDecided } from "./expect.ts";
import { type PlannedCell, tally } from "./grid.ts";
import type { ResolvedSettings } from "./settings.ts";
import { settled } from "./stats.ts";

/** What attempts so far, of every member of a group, say of the outcome; undefined: go on. */
export type Rule = (attempts: readonly (readonly Attempt[])[]) => NonNullable<Cell["settled"]> | undefined;

/** Cells of a grid, by their places in it, that are run together, and what ends them before their tries do. */
export interface Group {
  readonly cells: readonly number[];
  readonly rule: Rule | undefined;
}

/** The cells to be run, in the grid's order, each alone but for those whose tries are to decide an expectation. */
export function together(
  grid: readonly Cell[],
  { sequential, trained }: ResolvedSettings,
  conditions: readonly Condition[],
): Group[] {
  const groups = new Map<string, { cells: number[]; rule: Rule | undefined }>();
  for (const [i, cell] of grid.entries()) {
    if (cell.status === "no chance") continue;
    const about = sequential ? conditions.filter((each) => concerned(each, [cell], trained).length > 0) : [];
    const name = about.length === 0 ? cell.id : `${cell.task}/${cell.scaling}/${cell.promptLen}`;
    const known = groups.get(name);
    if (known) {
      known.cells.push(i);
    } else {
      const cells = [i];
      const members = (): readonly Cell[] => cells.map((index) => grid[index]);
      const rule: Rule | undefined = !sequential
        ? undefined
        : about.length > 0
          ? (attempts) => decided(conditions, members(), attempts, trained)
          : ([mine]) => {
              const outcome = settled(mine.filter((each) => each.found).length, mine.length, sequential);
              return outcome === "open" ? undefined : outcome;
            };
      groups.set(name, { cells, rule });
    }
  }
  return [...groups.values()];
}

/** Are all conditions about these cells decided by these attempts of theirs? */
function decided(
  conditions: readonly Condition[],
  members: readonly Cell[],
  attempts: readonly (readonly Attempt[])[],
  trained: number,
): "decided" | undefined {
  const open = conditions.some((condition) => {
    const mine = concerned(condition, members, trained);
    if (mine.length === 0) return false;
    const pooled = members.flatMap((cell, i) => (mine.includes(cell) ? attempts[i] : []));
    return !isDecided(
      condition,
      pooled.reduce((sum, each) => sum + scoreOf(each), 0),
      pooled.length,
    );
  });
  return open ? undefined : "decided";
}

/** What cells are run with. */
export interface Bench {
  readonly engine: Engine;
  readonly settings: ResolvedSettings;
  readonly count: (text: string) => number;
  readonly signal: AbortSignal | undefined;
  /** Prompts of failures, by name: filled here. */
  readonly texts: Record<string, string>;
}

/** A cell of a group: how its prompts are made, and what of it there is. */
export interface Member {
  readonly planned: PlannedCell;
  readonly start: Cell;
}

/** Runs what a group still lacks, `batch` prompts at a time, and reports a member after each of its attempts. */
export async function runTogether(
  members: readonly Member[],
  rule: Rule | undefined,
  { engine, settings, count, signal, texts }: Bench,
  changed: (cell: Cell, member: number) => void,
): Promise<void> {
  const attempts = members.map(({ start }) => new Map(start.attempts.map((attempt) => [attempt.try, attempt])));
  const ropes = members.map(({ start }) => start.rope);
  const answered = members.map(() => 0);
  const begun = performance.now();
  const rounds = Math.max(...members.map(({ start }) => start.tries));
  const look = watch(members, attempts, rounds, rule);
  let end = look();
  const update = (member: number, status: Cell["status"]): void => {
    const { start } = members[member];
    // Attempts after the deciding ones are dropped: how many there are depends on the batch, and a result must not.
    const kept = [...attempts[member].values()]
      .filter((each) => each.try <= (end?.round ?? Infinity))
      .sort((a, b) => a.try - b.try);
    const all = answered.reduce((sum, each) => sum + each, 0);
    const share = all === 0 ? 1 / members.length : answered[member] / all;
    const { settled: _, ...open } = start;
    const cell: Cell = {
      ...tally(open, kept),
      seconds: start.seconds + (share * (performance.now() - begun)) / 1000,
      ...(ropes[member] === undefined ? {} : { rope: ropes[member] }),
      ...(end ? { settled: end.outcome } : {}),
      status: end ? "done" : status,
    };
    changed(cell, member);
  };
  const updateAll = (status: Cell["status"]): void => members.forEach((_, member) => update(member, status));
  function* missing(): Generator<readonly [number, number]> {
    for (let round = 0; round < rounds; round++) {
      for (const [member, { start }] of members.entries()) {
        if (end) return;
        if (round < start.tries && !attempts[member].has(round)) yield [member, round];
      }
    }
  }
  updateAll("partial");
  await inFlight(settings.batch, missing(), async ([member, index]) => {
    checkAborted(signal, "the run was under way; resume it from its report");
    const { planned } = members[member];
    const prompt = planned.prompt(index, count);
    const { scaling, maxNewTokens } = planned;
    const name = planned.promptName(index);
    const { attempt, answer } = await ask(engine, prompt, { index, name, scaling, maxNewTokens, signal });
    ropes[member] ??= answer?.rope;
    attempts[member].set(index, attempt);
    answered[member]++;
    if (!attempt.found) texts[attempt.prompt] = prompt.text;
    end = look();
    if (end) updateAll("done");
    else update(member, "partial");
  });
  updateAll("done");
}

interface Settled {
  readonly round: number;
  readonly outcome: NonNullable<Cell["settled"]>;
}

/**
 * Tells the first round at which the rounds up to it, all complete, settle the outcome, once there is one. Complete rounds
 * stay as they are, so each is judged once.
 */
function watch(
  members: readonly Member[],
  attempts: readonly ReadonlyMap<number, Attempt>[],
  rounds: number,
  rule: Rule | undefined,
): () => Settled | undefined {
  const sofar = members.map((): Attempt[] => []);
  let round = 0;
  let end: Settled | undefined;
  return () => {
    for (; rule && !end && round < rounds; round++) {
      const here = members.flatMap(({ start }, member) => (round < start.tries ? [member] : []));
      if (!here.every((member) => attempts[member].has(round))) return undefined;
      for (const member of here) sofar[member].push(attempts[member].get(round)!);
      const outcome = rule(sofar);
      if (outcome !== undefined) end = { round, outcome };
    }
    return end;
  };
}
