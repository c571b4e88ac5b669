// work.ts — what compiling one schema may cost: a schema is a stranger's program.

import { LlariatError } from "../error.ts";

/** Steps for one schema, each 20 nanoseconds or so: half a second at most. A pattern as people write them takes under 0.1 million. */
const MAX_STEPS = 20_000_000;

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
