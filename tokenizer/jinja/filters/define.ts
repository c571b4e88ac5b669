// jinja/filters/define.ts — how a filter is written down: its parameters as Python has them, and what it does.

import { item } from "../attributes.ts";
import { spend } from "../budget.ts";
import { fault, typeError } from "../fault.ts";
import { repr } from "../print.ts";
import { bind, signature } from "../signature.ts";
import type { State } from "../runtime.ts";
import { lower } from "../text.ts";
import { Markup, Undefined, textOf, typeName } from "../values.ts";
import type { Keywords, Value } from "../values.ts";

/** A filter or test: the state of the rendering, the value and arguments, keyword arguments. */
export type Filter = (state: State, args: readonly Value[], keywords: Keywords) => Value;

type Names = ReadonlyMap<string, Filter>;

/** The filter or test of a name in the template; where there is none, one that fails when it is asked. */
export function named(names: Names, what: "filter" | "test", name: string): Filter {
  return names.get(name) ?? (() => fault("TemplateRuntimeError", `No ${what} named '${name}' found.`));
}

/** The filter or test that a value names. Throws the Fault "TemplateRuntimeError" for a value that names none. */
export function valueNamed(names: Names, what: "filter" | "test", name: Value): Filter {
  const found = typeof name === "string" ? names.get(name) : undefined;
  return found ?? fault("TemplateRuntimeError", `No ${what} named ${repr(name)}.`);
}

/** A filter whose arguments are bound to parameters; `positional` where Python has a builtin that takes no keywords. */
export function define(
  name: string,
  parameters: Parameters<typeof signature>[1],
  run: (args: Value[], state: State) => Value,
  positional = false,
): [string, Filter] {
  const known = signature(name, parameters, positional);
  return [name, (state, args, keywords) => run(bind(known, args, keywords), state)];
}

/** A result that is marked safe where the input was. */
export const likewise = (input: Value, text: string): Value => (input instanceof Markup ? new Markup(text) : text);

/** A value that must be a text; an undefined one fails as itself. */
export function needText(value: Value, what: string): string {
  const text = textOf(value);
  if (text !== undefined) return text;
  if (value instanceof Undefined) return value.fail();
  return typeError(`${what}: needs a text, got ${typeName(value)}`);
}

/** A value of which Jinja2 calls a method that only texts have; an undefined one fails as itself. */
export function withMethod(value: Value, method: string): string {
  const text = textOf(value);
  if (text !== undefined) return text;
  if (value instanceof Undefined) return value.fail();
  return fault("AttributeError", `'${typeName(value)}' object has no attribute '${method}'`);
}

/** Texts in lower case, other values as they are. */
export const ignoreCase = (value: Value): Value => {
  const text = textOf(value);
  return text === undefined ? value : lower(text);
};

/** The way from an item to what an attribute of a filter names: "a.b.0", or an index. */
export function attributeGetter(attribute: Value, fallback: Value = null): (value: Value) => Value {
  if (typeof attribute === "string") spend(16 * attribute.length);
  const parts: Value[] =
    attribute === null
      ? []
      : typeof attribute === "string"
        ? attribute.split(".").map((part) => (/^\d+$/.test(part) ? BigInt(part) : part))
        : [attribute];
  return (value) => {
    let result = value;
    for (const part of parts) {
      result = item(result, part);
      if (fallback !== null && result instanceof Undefined) result = fallback;
    }
    return result;
  };
}
