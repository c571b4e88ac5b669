// expect.ts — conditions on rates: what must be shown for a run to be called good. Few tries may show neither a condition nor
// its contrary; then it is undecided.
//   dynamic:2>=0.9@1.5x     pooled over positions, each task's rate (its mean score) at 1.5 × the trained length is at least 0.9
//   uuid/none<=0.1@>1x#0.2  uuid only, all lengths beyond the trained one, only the secrets at position 0.2

import { LlariatError } from "../error.ts";
import { checkNumber, checkOptions, reading } from "../text/options.ts";
import { display } from "../text/wording.ts";
import type { Cell } from "./cell.ts";
import { type Interval, anytimeInterval, scoreInterval } from "./stats.ts";
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
  /** It does not hold only because there are too few tries: neither it nor its contrary is shown with 95 %. */
  readonly undecided?: true;
  /** Per task and length: what was counted. Empty if nothing matched, which is not holding. */
  readonly groups: readonly {
    readonly task: string;
    readonly promptLen: number | "whole";
    readonly found: number;
    /** Mean score, where answers held parts of what was asked for. */
    readonly score?: number;
    readonly tries: number;
    readonly held: boolean;
    /** What was compared: 95 % Wilson, or of a sequential run the interval that holds at every number of tries. */
    readonly interval?: Interval;
    readonly undecided?: true;
    /** Tries, those made among them, that would decide if the rate stayed as it is; absent where no number would. */
    readonly enough?: number;
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

/** The cells a condition is about. */
export const concerned = (condition: Condition, cells: readonly Cell[], trained: number): Cell[] =>
  cells.filter((cell) => concerns(cell, condition, trained));

type Outcome = "held" | "failed" | "undecided";

/** "=", or a rate that only all tries or none can have, is about the tries themselves, not about what they are drawn from. */
const isCount = ({ comparison, rate }: Condition): boolean =>
  comparison === "=" || (comparison === ">=" && rate === 1) || (comparison === "<=" && rate === 0);

const between = (sequential: boolean): typeof scoreInterval => (sequential ? anytimeInterval : scoreInterval);

function outcomeOf({ comparison, rate }: Condition, { low, high }: Interval): Outcome {
  const [worst, best] = comparison === ">=" || comparison === ">" ? [low, high] : [high, low];
  return compare(worst, comparison, rate) ? "held" : compare(best, comparison, rate) ? "undecided" : "failed";
}

/** What a pool of tries says, their scores summing up to `found`. */
function judged(condition: Condition, found: number, tries: number, sequential: boolean): Outcome {
  if (tries === 0) return "undecided";
  if (isCount(condition)) return compare(found / tries, condition.comparison, condition.rate) ? "held" : "failed";
  return outcomeOf(condition, between(sequential)(found, tries));
}

/**
 * Do these tries decide a condition whatever further ones bring? What is about the tries themselves is decided by the first
 * that breaks it, or by the last.
 */
export function isDecided(condition: Condition, found: number, tries: number): boolean {
  if (!isCount(condition)) return judged(condition, found, tries, true) !== "undecided";
  return condition.comparison !== "=" && judged(condition, found, tries, true) === "failed";
}

/** More tries than this nobody makes. */
const MOST_TRIES = 2 ** 30;

/** The fewest tries that decide at the rate of those there are; an interval narrows as they grow. */
function enoughTries(condition: Condition, found: number, tries: number, sequential: boolean): number | undefined {
  const decides = (count: number): boolean =>
    judged(condition, (found / tries) * count, count, sequential) !== "undecided";
  let [short, enough] = [tries, 2 * tries];
  for (; enough > 0 && !decides(enough); enough *= 2) {
    if (enough > MOST_TRIES) return undefined;
    short = enough;
  }
  while (enough - short > 1) {
    const middle = Math.floor((short + enough) / 2);
    if (decides(middle)) enough = middle;
    else short = middle;
  }
  return enough > 0 ? enough : undefined;
}

/** Why a group is undecided, in words. */
function doubt(group: Expectation["groups"][number]): string {
  const { task, promptLen, interval, enough, tries } = group;
  if (!interval || tries === 0) return `${task} at ${promptLen}: nothing was tried`;
  const [low, high] = [interval.low, interval.high].map((end) => Math.round(end * 1000) / 10);
  const more = enough === undefined ? "no number of tries" : `${enough} tries`;
  return (
    `${task} at ${promptLen}: ${counted(group)} found, so with 95 % a rate from ${low} to ${high} %; ` +
    `${more} would decide at the rate seen`
  );
}

/**
 * Checks a condition: every task and length that it concerns must hold with 95 % certainty, the tries of all positions
 * pooled. The whole 95 % Wilson interval on the right side of the rate: held; on the wrong side: not held; else undecided.
 * ">=1", "<=0" and "=" are about the tries themselves. With `sequential`, where the tries themselves said when to end, the
 * interval is one that allows it; by default where a cell was ended so. Cells without a chance that were not run do not
 * count. Nothing left, an unfinished cell, an attempt with an error: not held.
 * @throws LlariatError("request") for what is no condition, and cells that are none.
 */
export function checkExpectation(
  condition: Condition,
  cells: readonly Cell[],
  trained: number,
  sequential?: boolean,
): Expectation {
  checkOptions({ condition, cells, sequential }, { condition: "object", cells: "list", sequential: "flag" });
  checkNumber("trained", trained);
  return reading("expectation", () => {
    const free = sequential ?? cells.some((cell) => cell.settled !== undefined);
    return check(condition, cells, trained, free);
  });
}

function check(condition: Condition, cells: readonly Cell[], trained: number, sequential: boolean): Expectation {
  const { text } = condition;
  const matching = concerned(condition, cells, trained);
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
    const sum = group.reduce((total, cell) => total + (cell.score ? cell.score * cell.attempts.length : cell.found), 0);
    // A product of quotients may lie a last bit beside all or none, where an interval ends at 0 or 1.
    const score = Math.abs(sum - found) < HAIR ? found : sum;
    const outcome = judged(condition, score, tries, sequential);
    const { task, promptLen } = group[0];
    const enough = outcome === "undecided" ? enoughTries(condition, score, tries, sequential) : undefined;
    return {
      task,
      promptLen,
      found,
      ...(score === found ? {} : { score: score / tries }),
      tries,
      held: outcome === "held",
      interval: between(sequential)(score, tries),
      ...(outcome === "undecided" ? { undecided: true as const } : {}),
      ...(enough === undefined ? {} : { enough }),
    };
  });
  const unrun = mine.find((cell) => cell.status !== "done");
  if (unrun) return failed(`${unrun.id} is ${unrun.status}`, groups);
  const broken = mine.find((cell) => cell.errors > 0);
  if (broken) return failed(`${broken.id} has ${broken.errors} attempts without an answer`, groups);
  const missed = groups.find((group) => !group.held && !group.undecided);
  if (missed) return failed(`${missed.task} at ${missed.promptLen}: ${counted(missed)} found`, groups);
  const open = groups.find((group) => group.undecided);
  if (open) return { ...failed(doubt(open), groups), undecided: true };
  return { text, held: true, groups };
}
