// effort.ts — how much work a tokenizer's files may make of one text, and of themselves: steps are counted, not hoped for.
// Every step of a file by itself is bounded, but a file may have hundreds of them, over a text that others have made longer.

import { refuse } from "./read.ts";

/** Steps for each UTF-16 unit of a text, and those any text has; usual files take about 30 for each unit. */
const EACH = 500;
const ANY = 20_000_000;

/** What may be done for one text, or to read one set of files. A step is some nanoseconds of work. */
export class Effort {
  readonly #what: string;
  #most = ANY;
  #done = 0;

  /** `what`: the text or the files, for the sentence that refuses. */
  constructor(what: string) {
    this.#what = what;
  }

  /** Counts `length` units that were given. */
  given(length: number): void {
    this.#most += EACH * length;
  }

  /** Runs `work`, whose steps count here. */
  run<T>(work: () => T): T {
    return within(this, work);
  }

  /** Counts steps. Throws LlariatError "tokenizer" above what is allowed. */
  spend(steps: number): void {
    this.#done += steps;
    if (this.#done <= this.#most) return;
    refuse(`${this.#what} needs more than ${this.#most} steps of the tokenizer's files; they are damaged, or made to`);
  }
}

let current: Effort | undefined;

function within<T>(effort: Effort, work: () => T): T {
  const before = current;
  current = effort;
  try {
    return work();
  } finally {
    current = before;
  }
}

/** Counts steps of the work at hand. Throws LlariatError "tokenizer" above what is allowed; outside of `run` everything is. */
export const spend = (steps: number): void => current?.spend(steps);
