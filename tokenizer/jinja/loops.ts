// jinja/loops.ts — {% for %}: plain, with a condition, recursive, and what runs where nothing was looped over.

import { deeper, spend } from "./budget.ts";
import { iterate, truth } from "./compare.ts";
import { compileExpression } from "./evaluate.ts";
import type { Place } from "./evaluate.ts";
import { fault } from "./fault.ts";
import { Loop, loopOver } from "./loop.ts";
import type { For } from "./nodes.ts";
import { Activation, Output } from "./runtime.ts";
import type { Exec, Signal } from "./runtime.ts";
import { enterScope, inside, leaveScope, scoped, storer } from "./scopes.ts";
import type { CompileBody } from "./scopes.ts";
import { FunctionScope, Symbols, assigns, usesLoop } from "./symbols.ts";
import { Iter, Markup } from "./values.ts";
import type { Value } from "./values.ts";

/** {% for %} */
export function compileFor(node: For, place: Place, compileBody: CompileBody): Exec {
  if (assigns(node, "loop")) {
    fault("TemplateSyntaxError", "Can't assign to special loop variable in for-loop target", node.line);
  }
  const outer = place.symbols;
  // A recursive loop is a function that calls itself; the others run in the function around them.
  const scope = node.recursive ? new FunctionScope(outer.scope) : outer.scope;
  const symbols = new Symbols(scope, outer);
  const loopVariable = usesLoop(node) ? symbols.declare("loop") : undefined;
  symbols.readTarget(node.target).read(node.body);
  const inner = inside(symbols, place, { loop: true });
  const iterable = compileExpression(node.iterable, place);
  const selected = selection(node, place);
  const store = storer(node.target, inner);
  const [enter, leave] = [enterScope(symbols), leaveScope(symbols)];
  const body = compileBody(node.body, inner);
  const otherwise = elseBranch(node, place, scope, compileBody);

  /** Runs the loop over `value` in the slots of `at`; `around` is where the loop stands. */
  const runLoop = (at: Activation, around: Activation, value: Value, out: Output, make: (value: Value) => Loop) => {
    const loop = make(selected ? selected(around, value) : value);
    let finished = false;
    let signal: Signal = 0;
    for (let next = loop.next(); next !== undefined; next = loop.next()) {
      store(at, next);
      if (loopVariable) at.values[loopVariable.slot] = loop;
      enter(at);
      signal = body(at, out);
      if (signal === "break") break;
      // As in Jinja2, a turn that `continue` ends does not count as one for the else branch.
      if (signal === 0) finished = true;
    }
    leave(at);
    if (!finished && otherwise) return otherwise(at, out);
    return 0 as Signal;
  };
  if (!node.recursive) return (at, out) => runLoop(at, at, iterable(at), out, loopOver);
  return (at, out) => {
    const render = (value: Value, depth: number): Value => {
      const text = new Output();
      const recurse = (below: Value, level: number) => deeper(() => render(below, level));
      runLoop(new Activation(at.run, at), at, value, text, (from) => new Loop(iterate(from), from, depth, recurse));
      return at.run.state.autoescape ? new Markup(text.text) : text.text;
    };
    out.put(render(iterable(at), 0), node.line);
    return 0;
  };
}

function elseBranch(node: For, place: Place, scope: FunctionScope, compileBody: CompileBody): Exec | undefined {
  if (node.otherwise.length === 0) return undefined;
  const symbols = new Symbols(scope, place.symbols).read(node.otherwise);
  const inner = inside(symbols, place, { loop: place.loop && !node.recursive });
  return scoped(symbols, compileBody(node.otherwise, inner));
}

/** The items for which the loop's condition holds, asked for one by one in a function of their own. */
function selection(node: For, place: Place): ((around: Activation, value: Value) => Value) | undefined {
  if (!node.test) return undefined;
  const scope = new FunctionScope(place.symbols.scope);
  const symbols = new Symbols(scope, place.symbols).readTarget(node.target).read([node.test]);
  const inner = inside(symbols, place);
  const store = storer(node.target, inner);
  const test = compileExpression(node.test, inner);
  const enter = enterScope(symbols);
  return (around, value) => {
    const at = new Activation(around.run, around);
    const all = iterate(value);
    function* selected(): Generator<Value> {
      enter(at);
      for (const each of all) {
        spend(4);
        store(at, each);
        if (truth(test(at))) yield each;
      }
    }
    return new Iter(selected());
  };
}
