// jinja/signature.ts — arguments to parameters, as a Python function takes them.

import { typeError } from "./fault.ts";
import type { Keywords, Value } from "./values.ts";

/** No keyword arguments. */
export const NO_KEYWORDS: Keywords = new Map();

/** A parameter without a default value; optional ones have it as their default. */
type Parameter = string | readonly [name: string, fallback: Value];

/** Parameters of one function. */
export interface Signature {
  readonly name: string;
  readonly parameters: readonly Parameter[];
  /** Only by position: keywords are refused altogether. */
  readonly positional: boolean;
}

/** A signature; `positional` as for most builtin methods of Python. */
export function signature(name: string, parameters: readonly Parameter[], positional = false): Signature {
  return { name, parameters, positional };
}

/** One value per parameter. Throws the Fault "TypeError" for arguments that are too many, missing, unknown or given twice. */
export function bind({ name, parameters, positional }: Signature, args: readonly Value[], keywords: Keywords): Value[] {
  if (positional && keywords.size > 0) typeError(`${name}() takes no keyword arguments`);
  if (args.length > parameters.length) {
    const needed = parameters.length === 1 ? "1 argument" : `${parameters.length} arguments`;
    typeError(`${name}() takes at most ${needed} (${args.length} given)`);
  }
  const names = parameters.map((parameter) => (typeof parameter === "string" ? parameter : parameter[0]));
  for (const key of keywords.keys()) {
    const at = names.indexOf(key);
    if (at < 0) typeError(`${name}() got an unexpected keyword argument '${key}'`);
    if (at < args.length) typeError(`${name}() got multiple values for argument '${key}'`);
  }
  return parameters.map((parameter, i) => {
    if (i < args.length) return args[i];
    const given = keywords.get(names[i]);
    if (given !== undefined) return given;
    if (typeof parameter === "string") return typeError(`${name}() missing 1 required argument: '${parameter}'`);
    return parameter[1];
  });
}
