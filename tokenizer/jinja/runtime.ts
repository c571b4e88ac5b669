// jinja/runtime.ts — what a rendering has at hand: variables, output, the line, and how names reach their values.

import { checkLength, spend } from "./budget.ts";
import { Fault, typeError } from "./fault.ts";
import { Callable, Special, Undefined, textOf, typeName } from "./values.ts";
import type { Keywords, Value } from "./values.ts";

/** Names that a template finds although nobody set them: variables, globals and what its own top level assigned. */
export class Run {
  readonly #given: ReadonlyMap<string, Value>;
  /** What the top level assigned, seen by macros and blocks. */
  readonly exported: Map<string, Value>;
  /** What {% autoescape %} says now, and the line that runs; shared by the runs of all blocks. */
  readonly state: State;

  constructor(given: ReadonlyMap<string, Value>, exported = new Map<string, Value>(), state?: State) {
    this.#given = given;
    this.exported = exported;
    this.state = state ?? { autoescape: false, line: 1 };
  }

  /** The value of a name, or JavaScript's undefined. */
  resolve(name: string): Value | undefined {
    const value = this.exported.get(name);
    return value === undefined ? this.#given.get(name) : value;
  }

  /** The run of a scoped block: it sees the variables around it, too. */
  derived(locals: Iterable<readonly [string, Value]>): Run {
    const exported = new Map([...this.exported, ...locals]);
    spend(8 * exported.size);
    return new Run(this.#given, exported, this.state);
  }
}

/** What changes while a template runs. */
export interface State {
  autoescape: boolean;
  line: number;
}

/** The variables of one function that runs; JavaScript's undefined where none has a value yet. */
export class Activation {
  readonly run: Run;
  readonly parent: Activation | undefined;
  readonly values: (Value | undefined)[] = [];

  constructor(run: Run, parent?: Activation) {
    this.run = run;
    this.parent = parent;
  }
}

/** Text as it grows. */
export class Output {
  #text = "";
  #fault: Fault | undefined;

  /** All of it. Throws the Fault "TypeError" where `put` was given what is no text: Python's join fails at the end. */
  get text(): string {
    if (this.#fault) throw this.#fault;
    return this.#text;
  }

  write(text: string): void {
    spend(2);
    this.#text += text;
    checkLength(this.#text.length);
  }

  /** What a block of `line` gives, which Jinja2 writes without str(). */
  put(value: Value, line: number): void {
    const text = textOf(value);
    if (text !== undefined) return this.write(text);
    const sentence = `sequence item 0: expected str instance, ${typeName(value)} found`;
    this.#fault ??= new Fault("TypeError", sentence, line);
  }
}

/** How a statement ended: it went through, or a loop is to be left or gone on with. */
export type Signal = 0 | "break" | "continue";

/** A compiled statement. */
export type Exec = (at: Activation, out: Output) => Signal;

/** A compiled expression. */
export type Eval = (at: Activation) => Value;

/** An undefined variable. */
export const undefinedName = (name: string): Undefined => new Undefined(() => `'${name}' is undefined`);

/** value(*args, **keywords). Throws the Fault "TypeError" for what cannot be called, or that of an undefined value. */
export function call(value: Value, args: readonly Value[], keywords: Keywords): Value {
  spend(6);
  if (value instanceof Callable) return value.invoke(args, keywords);
  if (value instanceof Special && value.invoke) return value.invoke(args, keywords);
  if (value instanceof Undefined) return value.fail();
  return typeError(`'${typeName(value)}' object is not callable`);
}

/** callable(value) */
export const isCallable = (value: Value): boolean =>
  value instanceof Callable || value instanceof Undefined || (value instanceof Special && value.invoke !== undefined);
