// jinja/macros.ts — {% macro %} and {% call %}: functions whose result is the text of their body.

import { compileCall, compileExpression } from "./evaluate.ts";
import type { Place } from "./evaluate.ts";
import { fault } from "./fault.ts";
import { Macro } from "./macro.ts";
import type { Bound, MacroShape } from "./macro.ts";
import type { Call, Macro as MacroNode, Parameters, Statement, Target } from "./nodes.ts";
import { Activation, Output, call } from "./runtime.ts";
import type { Eval, Exec } from "./runtime.ts";
import { enterScope, inside, storer } from "./scopes.ts";
import type { CompileBody } from "./scopes.ts";
import { NO_KEYWORDS } from "./signature.ts";
import { FunctionScope, Symbols, undeclared } from "./symbols.ts";
import type { Variable } from "./symbols.ts";
import { Undefined } from "./values.ts";
import type { Value } from "./values.ts";

/** {% macro %} */
export function compileMacro(node: MacroNode, place: Place, compileBody: CompileBody): Exec {
  const make = macroMaker(node, place, compileBody);
  const target: Target = { kind: "name", name: node.name!, use: "store", line: node.line };
  const store = storer(target, place);
  return (at) => {
    store(at, make(at));
    return 0;
  };
}

/** {% call %} and {% generation %} */
export function compileCallBlock(
  node: Extract<Statement, { kind: "callBlock" }>,
  place: Place,
  compileBody: CompileBody,
): Exec {
  const make = macroMaker(node.macro, place, compileBody);
  const result = node.call ? callWith(node.call, place, make) : (at: Activation) => call(make(at), [], NO_KEYWORDS);
  return (at, out) => {
    out.put(result(at), node.line);
    return 0;
  };
}

/** The call of a call block, to which `make` gives the caller. */
function callWith(node: Call, place: Place, make: (at: Activation) => Macro): Eval {
  const callee = compileExpression(node.callee, place);
  return compileCall(node, place, (at, args, keywords) => call(callee(at), args, keywords), make);
}

/** The function of a macro: what makes the macro where it is defined. */
function macroMaker(node: MacroNode, place: Place, compileBody: CompileBody): (at: Activation) => Macro {
  const scope = new FunctionScope(place.symbols.scope);
  const symbols = new Symbols(scope, place.symbols);
  const parameters = node.params.map(({ name }) => name);
  const read = undeclared(node.body, ["caller", "kwargs", "varargs"]);
  if (read.has("caller") && parameters.includes("caller")) {
    const fromEnd = parameters.length - parameters.indexOf("caller");
    if (fromEnd > node.defaults.length) {
      fault(
        "TemplateSyntaxError",
        'When defining macros or call blocks the special "caller" argument must be omitted or be given a default.',
        node.line,
      );
    }
  }
  symbols.read([...node.params, ...node.defaults]);
  const special = (name: string) => (read.has(name) && !parameters.includes(name) ? symbols.declare(name) : undefined);
  const [caller, kwargs, varargs] = [special("caller"), special("kwargs"), special("varargs")];
  symbols.read(node.body);
  const inner = inside(symbols, place, { loop: false });
  const bindings = parameterBinder(node, inner);
  const enter = enterScope(symbols);
  const body = compileBody(node.body, inner);
  const shape: MacroShape = {
    name: node.name,
    parameters,
    caller: read.has("caller"),
    kwargs: kwargs !== undefined,
    varargs: varargs !== undefined,
  };
  return (defined) => {
    const render = (bound: Bound): string => {
      const at = new Activation(defined.run, defined);
      const give = (variable: Variable | undefined, value: Value | undefined): void => {
        if (variable) at.values[variable.slot] = value;
      };
      give(caller, bound.caller);
      give(kwargs, bound.kwargs);
      give(varargs, bound.varargs);
      bindings(at, bound.args, enter);
      const out = new Output();
      body(at, out);
      return out.text;
    };
    return new Macro(shape, render, () => defined.run.state.autoescape);
  };
}

/** Stores arguments, then enters the scope, then fills in what was left out, in the order of the parameters. */
function parameterBinder({ params, defaults }: Parameters, place: Place) {
  const slots = params.map(({ name }) => place.symbols.find(name)!.slot);
  const values = params.map(({ name }, i): Eval => {
    const given = defaults[i - params.length + defaults.length];
    if (given) return compileExpression(given, place);
    return () => new Undefined(() => `parameter '${name}' was not provided`);
  });
  return (at: Activation, args: Bound["args"], enter: (at: Activation) => void): void => {
    for (const [i, slot] of slots.entries()) at.values[slot] = args[i];
    enter(at);
    for (const [i, slot] of slots.entries()) if (at.values[slot] === undefined) at.values[slot] = values[i](at);
  };
}
