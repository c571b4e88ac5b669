// jinja/scopes.ts — entering and leaving scopes, and storing values in them.

import { spend } from "./budget.ts";
import { items } from "./compare.ts";
import { reader } from "./evaluate.ts";
import type { Place } from "./evaluate.ts";
import { fault, typeError } from "./fault.ts";
import type { Statement, Target } from "./nodes.ts";
import { undefinedName } from "./runtime.ts";
import type { Activation, Exec } from "./runtime.ts";
import type { Load, Symbols } from "./symbols.ts";
import { Dict, Namespace, typeName } from "./values.ts";
import type { Value } from "./values.ts";

/** Compiles statements that stand at a place; compile.ts hands it to who has a body. */
export type CompileBody = (body: readonly Statement[], place: Place) => Exec;

/** Gives the variables of a scope their first values. */
export function enterScope(symbols: Symbols): (at: Activation) => void {
  const steps = [...symbols.loads]
    .filter(([, load]) => load.from !== "parameter")
    .map(([variable, load]) => [variable.slot, firstValue(symbols, load)] as const);
  return (at) => {
    spend(steps.length);
    for (const [slot, first] of steps) at.values[slot] = first(at);
  };
}

function firstValue(symbols: Symbols, load: Load): (at: Activation) => Value | undefined {
  if (load.from === "outer") return reader({ symbols } as Place, load.variable);
  return load.from === "context" ? (at) => at.run.resolve(load.name) : () => undefined;
}

/** Takes the values back, so that a macro that outlives its scope does not see them. */
export function leaveScope(symbols: Symbols): (at: Activation) => void {
  const slots = [...symbols.loads.keys()].map(({ slot }) => slot);
  return (at) => {
    spend(slots.length);
    for (const slot of slots) at.values[slot] = undefined;
  };
}

/** Runs a body in a scope of its own. As in Jinja2, break and continue leave the loop without leaving this scope. */
export function scoped(symbols: Symbols, run: Exec): Exec {
  const [enter, leave] = [enterScope(symbols), leaveScope(symbols)];
  return (at, out) => {
    enter(at);
    const signal = run(at, out);
    if (signal === 0) leave(at);
    return signal;
  };
}

/** A scope inside: not the top level, and no branch of a condition any more. */
export function inside(symbols: Symbols, place: Place, more: Partial<Place> = {}): Place {
  return { ...place, symbols, toplevel: false, soft: false, ...more };
}

/** Stores a value; what the top level stores is seen by macros and blocks. */
export function storer(target: Target, place: Place): (at: Activation, value: Value) => void {
  if (target.kind === "tuple") {
    const stores = target.items.map((item) => storer(item, place));
    return (at, value) => {
      const values = unpack(value, stores.length);
      for (const [i, store] of stores.entries()) store(at, values[i]);
    };
  }
  const variable = place.symbols.find(target.name)!;
  if (target.kind === "nsref") {
    const read = reader(place, variable);
    const { name, attribute } = target;
    return (at, value) => {
      const owner = read(at);
      if (owner instanceof Namespace) owner.attributes.set(attribute, value);
      else if (owner instanceof Dict) owner.set(attribute, value);
      else if (owner === undefined) undefinedName(name).fail();
      else typeError(`'${typeName(owner)}' object does not support item assignment`);
    };
  }
  const { slot } = variable;
  const exported = place.toplevel && target.use === "store" ? target.name : undefined;
  return (at, value) => {
    at.values[slot] = value;
    if (exported !== undefined) at.run.exported.set(exported, value);
  };
}

/** The items of a value for as many targets. Throws the Faults of Python's unpacking. */
function unpack(value: Value, count: number): Value[] {
  const all = items(value);
  if (!all) return typeError(`cannot unpack non-iterable ${typeName(value)} object`);
  const values: Value[] = [];
  for (const each of all) {
    if (values.length === count) fault("ValueError", `too many values to unpack (expected ${count})`);
    values.push(each);
  }
  if (values.length < count) {
    fault("ValueError", `not enough values to unpack (expected ${count}, got ${values.length})`);
  }
  return values;
}
