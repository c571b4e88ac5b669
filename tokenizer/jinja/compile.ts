// jinja/compile.ts — statements to closures: each writes to an output and says how it ended.

import { spend } from "./budget.ts";
import { compileFilterBlock, compileSetBlock } from "./captures.ts";
import { truth } from "./compare.ts";
import { compileExpression, isConstant, reader } from "./evaluate.ts";
import type { Place } from "./evaluate.ts";
import { fault, typeError } from "./fault.ts";
import { compileFor } from "./loops.ts";
import { compileCallBlock, compileMacro } from "./macros.ts";
import type { Block, Expression, Statement, Target } from "./nodes.ts";
import { escape } from "./operators.ts";
import { str } from "./print.ts";
import { Activation, Output } from "./runtime.ts";
import type { Eval, Exec, Run } from "./runtime.ts";
import { enterScope, inside, scoped, storer } from "./scopes.ts";
import type { CompileBody } from "./scopes.ts";
import { FunctionScope, Symbols, findAll, undeclared } from "./symbols.ts";
import { Callable, Markup, Namespace, Special, Undefined } from "./values.ts";
import type { Value } from "./values.ts";

/** Blocks by name; a block may stand in another. */
type Blocks = Map<string, (run: Run, out: Output) => void>;

/** Compiles a template to what renders it. Throws Faults for what Jinja2 or Python refuse before it runs. */
export function compile(body: readonly Statement[]): (run: Run) => string {
  const blocks: Blocks = new Map();
  const nodes = findAll(body, "block");
  const names = new Set<string>();
  for (const { name, line } of nodes) {
    if (names.has(name)) fault("TemplateSyntaxError", `block '${name}' defined twice`, line);
    names.add(name);
  }
  const compiler = new Compiler(blocks);
  const root = compiler.unit(body, undefined);
  for (const block of nodes) blocks.set(block.name, compiler.unit(block.body, block));
  return (run) => {
    const out = new Output();
    root(run, out);
    return out.text;
  };
}

/** {{ self }}: the blocks of the template. */
class TemplateReference extends Special {
  readonly type = "TemplateReference";
  readonly #blocks: Blocks;
  readonly #run: Run;

  constructor(blocks: Blocks, run: Run) {
    super();
    this.#blocks = blocks;
    this.#run = run;
  }

  attribute(name: string): Value | undefined {
    const block = this.#blocks.get(name);
    if (!block) return undefined;
    return new Callable(name, () => {
      const out = new Output();
      block(this.#run, out);
      return this.#run.state.autoescape ? new Markup(out.text) : out.text;
    });
  }

  print(): string {
    return "<TemplateReference None>";
  }
}

class Compiler {
  readonly #blocks: Blocks;

  constructor(blocks: Blocks) {
    this.#blocks = blocks;
  }

  /** The template itself, or one of its blocks: a function that knows no variables but those of the context. */
  unit(body: readonly Statement[], block: Block | undefined): (run: Run, out: Output) => void {
    const symbols = new Symbols(new FunctionScope());
    const specials = undeclared(body, block ? ["self", "super"] : ["self"]);
    const self = specials.has("self") ? symbols.declare("self") : undefined;
    const parent = specials.has("super") ? symbols.declare("super") : undefined;
    symbols.read(body);
    const place: Place = { symbols, toplevel: !block, soft: false, loop: false, escape: false };
    const enter = enterScope(symbols);
    const run = this.#body(body, place);
    return (context, out) => {
      const at = new Activation(context);
      enter(at);
      if (self) at.values[self.slot] = new TemplateReference(this.#blocks, context);
      if (parent) at.values[parent.slot] = new Undefined(() => `there is no parent block called '${block!.name}'.`);
      run(at, out);
    };
  }

  readonly #body: CompileBody = (body, place) => {
    const statements = body.map((statement) => this.#statement(statement, place));
    if (statements.length === 1) return statements[0];
    return (at, out) => {
      for (const statement of statements) {
        const signal = statement(at, out);
        if (signal !== 0) return signal;
      }
      return 0;
    };
  };

  #statement(node: Statement, place: Place): Exec {
    const { line } = node;
    const run = this.#compile(node, place);
    return (at, out) => {
      spend(2);
      at.run.state.line = line;
      return run(at, out);
    };
  }

  #compile(node: Statement, place: Place): Exec {
    switch (node.kind) {
      case "output":
        return this.#output(node.parts, place);
      case "if":
        return this.#if(node, place);
      case "for":
        return compileFor(node, place, this.#body);
      case "assign":
        return this.#assign(node.target, compileExpression(node.value, place), place);
      case "assignBlock":
        return compileSetBlock(node, place, this.#body);
      case "macro":
        return compileMacro(node, place, this.#body);
      case "callBlock":
        return compileCallBlock(node, place, this.#body);
      case "filterBlock":
        return compileFilterBlock(node, place, this.#body);
      case "with":
        return this.#with(node, place);
      case "autoescape":
        return this.#autoescape(node, place);
      case "block":
        return this.#block(node, place);
      case "loader": {
        if (node.tag === "extends" && !place.toplevel) {
          fault("TemplateSyntaxError", "cannot use extend from a non top-level scope", node.line);
        }
        const template = compileExpression(node.template, place);
        return (at) => {
          template(at);
          return typeError("no loader for this environment specified: a chat template cannot load another template");
        };
      }
      case "break":
      case "continue": {
        if (!place.loop) fault("TemplateSyntaxError", `'${node.kind}' outside loop`, node.line);
        const { kind } = node;
        return () => kind;
      }
    }
  }

  #output(parts: readonly (string | Expression)[], place: Place): Exec {
    const { escape: escapes } = place;
    const writers = parts.map((part) => {
      if (typeof part === "string") return (_: Activation, out: Output) => out.write(part);
      const value = compileExpression(part, isConstant(part) ? { ...place, constant: true } : place);
      const { line } = part;
      return (at: Activation, out: Output) => {
        at.run.state.line = line;
        const result = value(at);
        const escaped = escapes === "volatile" ? at.run.state.autoescape : escapes;
        out.write(escaped ? escape(result).text : str(result));
      };
    });
    return (at, out) => {
      for (const write of writers) write(at, out);
      return 0;
    };
  }

  #if(node: Extract<Statement, { kind: "if" }>, place: Place): Exec {
    const soft = { ...place, soft: true };
    const branches = [node, ...node.elifs].map(
      (branch) => [compileExpression(branch.test, soft), this.#body(branch.body, soft)] as const,
    );
    const otherwise = this.#body(node.otherwise, soft);
    return (at, out) => {
      for (const [test, body] of branches) if (truth(test(at))) return body(at, out);
      return otherwise(at, out);
    };
  }

  #assign(target: Target, value: Eval, place: Place): Exec {
    const store = storer(target, place);
    const owners = findAll([target], "nsref").map(({ name }) => reader(place, place.symbols.find(name)!));
    return (at) => {
      for (const owner of owners) {
        if (!(owner(at) instanceof Namespace)) {
          fault("TemplateRuntimeError", "cannot assign attribute on non-namespace object");
        }
      }
      store(at, value(at));
      return 0;
    };
  }

  #with(node: Extract<Statement, { kind: "with" }>, place: Place): Exec {
    const symbols = new Symbols(place.symbols.scope, place.symbols);
    for (const target of node.targets) symbols.readTarget(target);
    symbols.read(node.body);
    const inner = inside(symbols, place);
    const pairs = node.targets.map(
      (target, i) => [storer(target, inner), compileExpression(node.values[i], place)] as const,
    );
    const body = this.#body(node.body, inner);
    return scoped(symbols, (at, out) => {
      for (const [store, value] of pairs) store(at, value(at));
      return body(at, out);
    });
  }

  #autoescape(node: Extract<Statement, { kind: "autoescape" }>, place: Place): Exec {
    const symbols = new Symbols(place.symbols.scope, place.symbols).read([node.value, ...node.body]);
    const value = compileExpression(node.value, inside(symbols, place));
    const escapes = node.value.kind === "constant" ? truth(node.value.value) : "volatile";
    const inner = inside(symbols, place, { escape: escapes });
    const body = this.#body(node.body, inner);
    return scoped(symbols, (at, out) => {
      const { state } = at.run;
      const before = state.autoescape;
      state.autoescape = truth(value(at));
      const signal = body(at, out);
      state.autoescape = before;
      return signal;
    });
  }

  #block(node: Block, place: Place): Exec {
    if (node.required) {
      return () => fault("TemplateRuntimeError", `Required block '${node.name}' not found`);
    }
    const locals = node.scoped
      ? [...place.symbols.stored()].map(([name, variable]) => [name, reader(place, variable)] as const)
      : [];
    return (at, out) => {
      const run = node.scoped
        ? at.run.derived(
            locals.flatMap(([name, read]) => {
              const value = read(at);
              return value === undefined ? [] : [[name, value] as const];
            }),
          )
        : at.run;
      this.#blocks.get(node.name)!(run, out);
      return 0;
    };
  }
}
