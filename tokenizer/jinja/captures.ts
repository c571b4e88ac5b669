// jinja/captures.ts — blocks whose text goes somewhere else: {% set %} without a value, {% filter %}.

import { compileFilter } from "./evaluate.ts";
import type { Place } from "./evaluate.ts";
import type { Expression, Statement } from "./nodes.ts";
import { str } from "./print.ts";
import { Output } from "./runtime.ts";
import type { Activation, Eval, Exec } from "./runtime.ts";
import { inside, scoped, storer } from "./scopes.ts";
import type { CompileBody } from "./scopes.ts";
import { Symbols } from "./symbols.ts";
import { Markup } from "./values.ts";

/** {% set name %}…{% endset %} */
export function compileSetBlock(
  node: Extract<Statement, { kind: "assignBlock" }>,
  place: Place,
  compileBody: CompileBody,
): Exec {
  const inner = inside(new Symbols(place.symbols.scope, place.symbols).read(node.body), place);
  const captured = new Captures();
  const value = node.filter && filtered(node.filter, inner, captured);
  const store = storer(node.target, place);
  return capturing(inner, compileBody(node.body, inner), (at, text) => {
    const result = value ? captured.with(text, () => value(at)) : text;
    store(at, at.run.state.autoescape ? new Markup(str(result)) : result);
  });
}

/** {% filter name %}…{% endfilter %} */
export function compileFilterBlock(
  node: Extract<Statement, { kind: "filterBlock" }>,
  place: Place,
  compileBody: CompileBody,
): Exec {
  const symbols = new Symbols(place.symbols.scope, place.symbols).read([...node.body, node.filter]);
  const inner = inside(symbols, place);
  const captured = new Captures();
  const value = filtered(node.filter, inner, captured);
  return capturing(inner, compileBody(node.body, inner), (at, text, out) => {
    out.put(
      captured.with(text, () => value(at)),
      node.line,
    );
  });
}

/** Runs a body in its scope, and hands its text on while the scope is open. */
function capturing({ symbols }: Place, body: Exec, take: (at: Activation, text: string, out: Output) => void): Exec {
  return scoped(symbols, (at, out) => {
    const captured = new Output();
    const signal = body(at, captured);
    if (signal === 0) take(at, captured.text, out);
    return signal;
  });
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
