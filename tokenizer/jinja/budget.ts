// jinja/budget.ts — a template is a stranger's program: what it may use in one rendering is counted, not hoped for.
//
// One unit is about ten nanoseconds of work. Who creates a text or a list pays for its size, every step of the interpreter
// pays a few units, and whoever runs out is refused. The count is the same on every machine, so a template that renders
// here renders everywhere.

import { fault } from "./fault.ts";

/** Units of one rendering: some tenths of a second. A hundred messages take about 0.1 % of it. */
const UNITS = 20_000_000;
/** Longest text a template may build, in UTF-16 units: eight million tokens of English, beyond every context. */
export const MAX_TEXT = 1 << 25;
/** Macros in macros, loops in recursive loops: Python's own stack ends near this depth, too. */
const MAX_DEPTH = 200;

let left = UNITS;
let depth = 0;

/** Pays `units`; throws the Fault "Limit" when none are left. */
export function spend(units: number): void {
  left -= units;
  if (left < 0) fault("Limit", `the template needs more than ${UNITS} steps; it seems to loop without end`);
}

/** Refuses a text of more than MAX_TEXT units before anybody makes it. */
export function checkLength(length: number): void {
  if (length > MAX_TEXT)
    fault("Limit", `the template builds a text of ${length} characters, needed at most ${MAX_TEXT}`);
}

/** Pays for a text that was, or will be, written out in memory. */
export function spendText(length: number): void {
  checkLength(length);
  spend(length >> 1);
}

/**
 * Pays for reading a text from its beginning: one that was put together of parts is written out then, in two bytes a unit,
 * and stays so. It is paid before it is known which texts those are.
 */
export function spendReading(length: number): void {
  spend(length >> 3);
}

/** Runs `work` one level deeper; throws the Fault "Limit" below MAX_DEPTH levels. */
export function deeper<T>(work: () => T): T {
  if (depth >= MAX_DEPTH) fault("Limit", `the template calls itself deeper than ${MAX_DEPTH} levels`);
  depth++;
  try {
    return work();
  } finally {
    depth--;
  }
}

/** Runs `work` with a fresh budget. The former one comes back afterwards: a caller's function may render, too. */
export function budgeted<T>(work: () => T): T {
  const [units, levels] = [left, depth];
  [left, depth] = [UNITS, 0];
  try {
    return work();
  } finally {
    [left, depth] = [units, levels];
  }
}
