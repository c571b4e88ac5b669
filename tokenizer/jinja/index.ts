// jinja/index.ts — Jinja2 3.1 as transformers runs it for chat templates, to the character.
//
//     template → lexer.ts → parser.ts (expressions.ts) → symbols.ts, compile.ts (evaluate.ts) → closures
//     a caller's values → convert.ts → Python's values (values.ts) → closures → text
//
// The environment is ImmutableSandboxedEnvironment with trim_blocks, lstrip_blocks, loop controls, {% generation %}, no
// autoescape and no loader. What a template may use is counted (budget.ts).

import { budgeted } from "./budget.ts";
import { compile } from "./compile.ts";
import { fromJs } from "./convert.ts";
import { Fault } from "./fault.ts";
import { globals } from "./globals.ts";
import { parse } from "./parser.ts";
import { Run } from "./runtime.ts";
import type { Value } from "./values.ts";

export { Fault } from "./fault.ts";

/** A template that was parsed once and renders as often as one likes. Holds no resources. */
export class Template {
  readonly #render: (run: Run) => string;

  /** Parses `source`. Throws Fault where Jinja2 refuses it, with the line. */
  constructor(source: string) {
    this.#render = limited(undefined, () => compile(parse(source)));
  }

  /**
   * The text for these variables, which are copied; those that are undefined do not exist. `strftime` prints the present.
   * Throws Fault with the line where the template raises or asks for too much.
   */
  render(variables: Readonly<Record<string, unknown>>, strftime: (format: string) => string): string {
    let run: Run | undefined;
    const line = () => run?.state.line;
    return limited(line, () => {
      const given = globals(strftime);
      for (const [name, value] of Object.entries(variables)) {
        if (value !== undefined) given.set(name, fromJs(value) satisfies Value);
      }
      run = new Run(given);
      return this.#render(run);
    });
  }
}

/** Runs within the budget; what goes wrong becomes a Fault with its line. */
function limited<T>(line: (() => number | undefined) | undefined, work: () => T): T {
  try {
    return budgeted(work);
  } catch (error) {
    // V8 ends a recursion that is too deep, and a text that is too long, with a RangeError.
    const fault =
      error instanceof RangeError
        ? new Fault("Limit", `the template needs more depth or memory than there is (${error.message})`)
        : error;
    if (fault instanceof Fault) fault.line ??= line?.();
    throw fault;
  }
}
