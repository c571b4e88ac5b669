// jinja/macro.ts — a macro as a value: arguments to parameters, as Jinja2's class Macro binds them.

import { deeper, spend } from "./budget.ts";
import { typeError } from "./fault.ts";
import { quote } from "./text.ts";
import { Dict, Markup, Special, Tuple, Undefined } from "./values.ts";
import type { Keywords, Value } from "./values.ts";

/** What the compiler knows of a macro. */
export interface MacroShape {
  /** undefined for the body of a call block. */
  readonly name: string | undefined;
  readonly parameters: readonly string[];
  /** Whether the body reads these special names. */
  readonly caller: boolean;
  readonly kwargs: boolean;
  readonly varargs: boolean;
}

/** What a call gives a macro's body; JavaScript's undefined where an argument is left out. */
export interface Bound {
  readonly args: readonly (Value | undefined)[];
  readonly caller?: Value;
  readonly kwargs?: Value;
  readonly varargs?: Value;
}

/** A macro, with what it saw where it was defined. */
export class Macro extends Special {
  readonly type = "Macro";
  readonly #shape: MacroShape;
  readonly #render: (bound: Bound) => string;
  readonly #escapes: () => boolean;

  /** `render` gives the text of the body, `escapes` whether it is marked safe. */
  constructor(shape: MacroShape, render: (bound: Bound) => string, escapes: () => boolean) {
    super();
    this.#shape = shape;
    this.#render = render;
    this.#escapes = escapes;
  }

  attribute(name: string): Value | undefined {
    const { name: own, parameters, caller, kwargs, varargs } = this.#shape;
    switch (name) {
      case "name":
        return own ?? null;
      case "arguments":
        return new Tuple(parameters);
      case "catch_kwargs":
        return kwargs;
      case "catch_varargs":
        return varargs;
      case "caller":
        return caller;
      case "explicit_caller":
        return parameters.includes("caller");
    }
    return undefined;
  }

  print(): string {
    return `<Macro ${this.#shape.name === undefined ? "anonymous" : quote(this.#shape.name)}>`;
  }

  override invoke(given: readonly Value[], named: Keywords): Value {
    spend(100 + 4 * (this.#shape.parameters.length + named.size));
    const { name, parameters, caller: usesCaller, kwargs: usesKwargs, varargs: usesVarargs } = this.#shape;
    const shown = name === undefined ? "None" : quote(name);
    const rest = new Map(named);
    const args: (Value | undefined)[] = given.slice(0, parameters.length);
    let foundCaller = args.length === parameters.length && parameters.includes("caller");
    for (const parameter of parameters.slice(args.length)) {
      if (parameter === "caller") foundCaller = true;
      args.push(rest.get(parameter));
      rest.delete(parameter);
    }
    let caller: Value | undefined;
    if (usesCaller && !foundCaller) {
      caller = rest.get("caller") ?? new Undefined(() => "No caller defined");
      rest.delete("caller");
    }
    if (rest.size > 0 && !usesKwargs) {
      const [first] = rest.keys();
      if (rest.has("caller")) {
        typeError(
          `macro ${shown} was invoked with two values for the special caller argument. This is most likely a bug.`,
        );
      }
      typeError(`macro ${shown} takes no keyword argument ${quote(first)}`);
    }
    if (given.length > parameters.length && !usesVarargs) {
      typeError(`macro ${shown} takes not more than ${parameters.length} argument(s)`);
    }
    const kwargs = usesKwargs ? new Dict(rest) : undefined;
    const varargs = usesVarargs ? new Tuple(given.slice(parameters.length)) : undefined;
    const escapes = this.#escapes();
    const text = deeper(() => this.#render({ args, caller, kwargs, varargs }));
    return escapes ? new Markup(text) : text;
  }
}
