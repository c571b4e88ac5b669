// work.ts — what compiling one schema may cost: a schema is a stranger's program.

import { LlariatError } from "../error.ts";

/** Steps for one schema, each a few nanoseconds: about a second at most. Published schemas take under 1 % of it. */
const MAX_STEPS = 50_000_000;

/** The option that a schema comes by, for the names in errors. */
export const OPTION = "responseFormat";

/** Ends a schema by a sentence that says where. `path` is a JSON pointer into it, "" for the schema itself. */
export function refuse(path: string, problem: string, advice?: string): never {
  throw new LlariatError("request", problem, {
    subject: `${OPTION}.schema${path}`,
    ...(advice !== undefined && { advice }),
  });
}

/** Counts the steps of one schema. */
export class Work {
  #left = MAX_STEPS;

  /** Takes `steps`. Throws LlariatError "request" at `path` once there are none left. */
  spend(steps: number, path: string): void {
    this.#left -= steps;
    if (this.#left < 0) refuse(path, "it takes too much work to compile", "use fewer alternatives or shorter patterns");
  }
}
