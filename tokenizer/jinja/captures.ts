// jinja/captures.ts — blocks whose text goes somewhere else: {% set %} without a value, {% filter %}.

import { compileFilter } from "./evaluate.ts";
import type { Place } from "./evaluate.ts";
import { typeError } from "./fault.ts";
import type { Expression, Statement } from "./nodes.ts";
import { str } from "./print.ts";
import { Output } from "./runtime.ts";
import type { Eval, Exec } from "./runtime.ts";
import { enterScope, inside, leaveScope, storer } from "./scopes.ts";
import type { CompileBody } from "./scopes.ts";
import { Symbols } from "./symbols.ts";
import { Markup, textOf, typeName } from "./values.ts";
import type { Value } from "./values.ts";

/** {% set name %}…{% endset %} */
export function compileSetBlock(
  node: Extract<Statement, { kind: "assignBlock" }>,
  place: Place,
  compileBody: CompileBody,
): Exec {
  const inner = inside(new Symbols(place.symbols.scope, place.symbols).read(node.body), place);
  const [enter, leave] = [enterScope(inner.symbols), leaveScope(inner.symbols)];
  const body = compileBody(node.body, inner);
  const captured = new Captures();
  const value = node.filter && filtered(node.filter, inner, captured);
  const store = storer(node.target, place);
  return (at) => {
    enter(at);
    const text = new Output();
    const signal = body(at, text);
    if (signal !== 0) return signal;
    const result = value ? captured.with(text.text, () => value(at)) : text.text;
    store(at, at.run.state.autoescape ? new Markup(str(result)) : result);
    leave(at);
    return 0;
  };
}

/** {% filter name %}…{% endfilter %} */
export function compileFilterBlock(
  node: Extract<Statement, { kind: "filterBlock" }>,
  place: Place,
  compileBody: CompileBody,
): Exec {
  const symbols = new Symbols(place.symbols.scope, place.symbols).read([...node.body, node.filter]);
  const inner = inside(symbols, place);
  const [enter, leave] = [enterScope(symbols), leaveScope(symbols)];
  const body = compileBody(node.body, inner);
  const captured = new Captures();
  const value = filtered(node.filter, inner, captured);
  return (at, out) => {
    enter(at);
    const text = new Output();
    const signal = body(at, text);
    if (signal !== 0) return signal;
    out.write(onlyText(captured.with(text.text, () => value(at))));
    leave(at);
    return 0;
  };
}

/** Filters in a row over the text of a block. */
function filtered(filter: Extract<Expression, { kind: "filter" }>, place: Place, captured: Captures): Eval {
  const input: Eval =
    filter.input === undefined
      ? (at) => (at.run.state.autoescape && place.escape !== false ? new Markup(captured.text) : captured.text)
      : filtered(filter.input as Extract<Expression, { kind: "filter" }>, place, captured);
  return compileFilter(filter, place, input);
}

/** The text that a filter or set block works on, while it does. */
class Captures {
  #texts: string[] = [];

  get text(): string {
    return this.#texts.at(-1) ?? "";
  }

  with<T>(text: string, work: () => T): T {
    this.#texts.push(text);
    try {
      return work();
    } finally {
      this.#texts.pop();
    }
  }
}

/** What a block writes without str(): a text, or Python's join would fail. */
export function onlyText(value: Value): string {
  return textOf(value) ?? typeError(`sequence item 0: expected str instance, ${typeName(value)} found`);
}
