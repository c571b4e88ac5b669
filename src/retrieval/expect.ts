// expect.ts — conditions on rates: what must hold for a run to be called good.
//   dynamic:2>=0.9@1.5x     pooled over positions, each task's rate (its mean score) at 1.5 × the trained length is at least 0.9
//   uuid/none<=0.1@>1x#0.2  uuid only, all lengths beyond the trained one, only the secrets at position 0.2

import { LlariatError } from "../error.ts";
import { checkNumber, checkOptions, reading } from "../text/options.ts";
import { display } from "../text/wording.ts";
import type { Cell } from "./cell.ts";
import { TASK_NAMES } from "./prompts/prompt.ts";

/** How a measured rate or a length is compared with a stated one. */
export type Comparison = ">=" | "<=" | ">" | "<" | "=";

/** A parsed condition. */
export interface Condition {
  readonly text: string;
  readonly task?: string;
  readonly scaling: string;
  readonly comparison: Comparison;
  readonly rate: number;
  /** Lengths it is about: comparisons with a number of tokens, or with a multiple of the trained length; none is all. */
  readonly lengths: readonly { readonly comparison: Comparison; readonly value: number; readonly times: boolean }[];
  readonly whole: boolean;
  readonly position?: number;
}

/** A condition and what became of it. */
export interface Expectation {
  readonly text: string;
  readonly held: boolean;
  /** Per task and length: what was counted. Empty if nothing matched, which is not holding. */
  readonly groups: readonly {
    readonly task: string;
    readonly promptLen: number | "whole";
    readonly found: number;
    /** Mean score, where answers held parts of what was asked for. */
    readonly score?: number;
    readonly tries: number;
    readonly held: boolean;
  }[];
  /** Why it does not hold, in a sentence. */
  readonly reason?: string;
}

const SHAPE = new RegExp(
  `^(?:(${TASK_NAMES.join("|")})/)?` +
    /([\w{].*?)\s*(>=|<=|>|<|=)\s*(\d*\.?\d+)\s*(?:@\s*(\*|whole|[^#]+?))?\s*(?:#\s*(\d*\.?\d+))?$/.source,
);
const LENGTH = /^(>=|<=|>|<)?\s*(\d*\.?\d+)(x?)$/;

/**
 * Reads `[TASK/]SETTING OP RATE [@LENGTH] [#POSITION]`: OP is >= <= > < or =; LENGTH is tokens (6000), a multiple of the
 * trained length (1.5x), a bound (>1x), a range (0.5x..1.5x), `whole`, or * for all.
 * @throws LlariatError("request") for anything else.
 */
export function parseExpectation(text: string): Condition {
  if (typeof text !== "string") {
    throw new LlariatError("request", `must be a text, got ${display(text)}`, { subject: "expect" });
  }
  const refuse = (what: string): never => {
    throw new LlariatError(
      "request",
      `expectation ${display(text)}: ${what}; write SETTING>=RATE@LENGTH, for example dynamic:2>=0.9@1.5x`,
    );
  };
  const match = SHAPE.exec(text.trim());
  if (!match) return refuse("is not understood");
  const [, task, scaling, comparison, rate, length = "*", position] = match;
  if (Number(rate) > 1) refuse(`a rate is between 0 and 1, got ${rate}`);
  if (position !== undefined && Number(position) > 1) refuse(`a position is between 0 and 1, got ${position}`);
  const range = /^(\S+?)\.\.(\S+)$/.exec(length);
  const bounds = length === "*" || length === "whole" ? [] : range ? [`>=${range[1]}`, `<=${range[2]}`] : [length];
  return {
    text: text.trim(),
    ...(task ? { task } : {}),
    scaling,
    comparison: comparison as Comparison,
    rate: Number(rate),
    lengths: bounds.map((bound) => {
      const [, how = "=", value, times] = LENGTH.exec(bound.trim()) ?? refuse(`${display(length)} is no length`);
      return { comparison: how as Comparison, value: Number(value), times: times === "x" };
    }),
    whole: length === "whole",
    ...(position === undefined ? {} : { position: Number(position) }),
  };
}

/** What a group of cells counted, in words. */
export const counted = ({ found, score, tries }: Expectation["groups"][number]): string =>
  score === undefined ? `${found} of ${tries}` : `${Math.round(score * 1000) / 10} % of ${tries}`;

/** A hair wide, so that 0.9 of 10 tries is 9, whatever the last bit of a quotient says. */
const HAIR = 1e-9;

function compare(left: number, comparison: Comparison, right: number): boolean {
  if (comparison === ">=") return left >= right - HAIR;
  if (comparison === "<=") return left <= right + HAIR;
  if (comparison === ">") return left > right + HAIR;
  if (comparison === "<") return left < right - HAIR;
  return Math.abs(left - right) <= HAIR;
}

function concerns(cell: Cell, condition: Condition, trained: number): boolean {
  const { task, scaling, lengths, whole, position } = condition;
  if (task !== undefined && cell.task !== task) return false;
  if (cell.scaling !== scaling) return false;
  if (position !== undefined && cell.position !== null && Math.abs(cell.position - position) > HAIR) return false;
  const { promptLen } = cell;
  if (promptLen === "whole") return whole || lengths.length === 0;
  if (whole) return false;
  // "1.9x" means the tokens a grid makes of it, rounded down
  return lengths.every((bound) =>
    compare(promptLen, bound.comparison, bound.times ? Math.floor(bound.value * trained) : bound.value),
  );
}

/**
 * Checks a condition: every task and length that it concerns must hold, with the tries of all positions pooled. Cells
 * without a chance that were not run do not count. Nothing left, an unfinished cell, an attempt with an error: not held.
 * @throws LlariatError("request") for what is no condition, and cells that are none.
 */
export function checkExpectation(condition: Condition, cells: readonly Cell[], trained: number): Expectation {
  checkOptions({ condition, cells }, { condition: "object", cells: "list" });
  checkNumber("trained", trained);
  return reading("expectation", () => check(condition, cells, trained));
}

function check(condition: Condition, cells: readonly Cell[], trained: number): Expectation {
  const { text, comparison, rate } = condition;
  const matching = cells.filter((cell) => concerns(cell, condition, trained));
  const mine = matching.filter((cell) => cell.status !== "no chance");
  const failed = (reason: string, groups: Expectation["groups"] = []): Expectation => ({
    text,
    held: false,
    groups,
    reason,
  });
  if (matching.length === 0) return failed("no cell matches it");
  if (mine.length === 0) return failed("the cells that match it have no chance and were not run");
  const names = [...new Set(mine.map((cell) => `${cell.task}/${cell.promptLen}`))];
  const groups = names.map((name) => {
    const group = mine.filter((cell) => `${cell.task}/${cell.promptLen}` === name);
    const found = group.reduce((sum, cell) => sum + cell.found, 0);
    const tries = group.reduce((sum, cell) => sum + cell.attempts.length, 0);
    const score = group.reduce((sum, cell) => sum + (cell.score ? cell.score * cell.attempts.length : cell.found), 0);
    const held = tries > 0 && compare(score / tries, comparison, rate);
    const { task, promptLen } = group[0];
    return { task, promptLen, found, ...(Math.abs(score - found) < HAIR ? {} : { score: score / tries }), tries, held };
  });
  const unrun = mine.find((cell) => cell.status !== "done");
  if (unrun) return failed(`${unrun.id} is ${unrun.status}`, groups);
  const broken = mine.find((cell) => cell.errors > 0);
  if (broken) return failed(`${broken.id} has ${broken.errors} attempts without an answer`, groups);
  const missed = groups.find((group) => !group.held);
  if (missed) return failed(`${missed.task} at ${missed.promptLen}: ${counted(missed)} found`, groups);
  return { text, held: true, groups };
}
