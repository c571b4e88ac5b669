// jinja/parser.ts — statements: what stands between {% and %}, and the text and prints between them.

import { isConstant, parseExpression, parseFilter, parseTuple } from "./expressions.ts";
import { lex } from "./lexer.ts";
import type { Call, Expression, Filter, If, Macro, Name, Parameters, Statement, Target } from "./nodes.ts";
import { TokenStream } from "./stream.ts";

/** The syntax tree of a template. Throws Faults with their line. */
export function parse(template: string): readonly Statement[] {
  return new Parser(new TokenStream(lex(template))).body();
}

class Parser {
  readonly #stream: TokenStream;
  /** The tags that would end what is open, outermost first, and the open tags themselves. */
  readonly #ends: (readonly string[])[] = [];
  readonly #open: string[] = [];

  constructor(stream: TokenStream) {
    this.#stream = stream;
  }

  /** Statements up to one of the tags in `ends`, or to the end of the template. */
  body(ends?: readonly string[]): Statement[] {
    const stream = this.#stream;
    const body: Statement[] = [];
    let parts: (string | Expression)[] = [];
    let { line } = stream.current;
    const flush = (): void => {
      if (parts.length > 0) body.push({ kind: "output", parts, line });
      parts = [];
    };
    const add = (part: string | Expression): void => {
      if (parts.length === 0 && typeof part === "string") ({ line } = stream.current);
      parts.push(part);
    };
    if (ends) this.#ends.push(ends);
    while (!stream.is("eof")) {
      if (stream.is("data")) {
        add(stream.current.text);
        stream.next();
      } else if (stream.is("variable_begin")) {
        if (parts.length === 0) ({ line } = stream.current);
        stream.next();
        add(parseTuple(stream) as Expression);
        stream.expect("variable_end");
      } else {
        flush();
        stream.expect("block_begin");
        if (ends && stream.is("name", ...ends)) {
          this.#ends.pop();
          return body;
        }
        body.push(stream.deeper(() => this.#statement()));
        stream.expect("block_end");
      }
    }
    flush();
    if (ends) this.#ends.pop();
    return body;
  }

  /** The body of a tag, from its %} to the tag that ends it, which is the current token then, or was if `drop`. */
  #block(ends: readonly string[], drop = true): Statement[] {
    const stream = this.#stream;
    stream.skip("operator", ":");
    stream.expect("block_end");
    const body = this.body(ends);
    if (stream.is("eof")) this.#unclosed(undefined, [...this.#ends, ends]);
    if (drop) stream.next();
    return body;
  }

  #unclosed(tag: string | undefined, ends = this.#ends, line?: number): never {
    const looking = ends
      .at(-1)
      ?.map((name) => `'${name}'`)
      .join(" or ");
    const message = [tag === undefined ? "Unexpected end of template." : `Encountered unknown tag '${tag}'.`];
    if (looking !== undefined) {
      message.push(
        tag !== undefined && ends.some((names) => names.includes(tag))
          ? `You probably made a nesting mistake. Jinja is expecting this tag, but currently looking for ${looking}.`
          : `Jinja was looking for the following tags: ${looking}.`,
      );
    }
    const open = this.#open.at(-1);
    if (open !== undefined) message.push(`The innermost block that needs to be closed is '${open}'.`);
    return this.#stream.fail(message.join(" "), line);
  }

  #statement(): Statement {
    const stream = this.#stream;
    const { type, text: tag, line } = stream.current;
    if (type !== "name") stream.fail("tag name expected");
    const parse = Object.hasOwn(STATEMENTS, tag) ? STATEMENTS[tag] : undefined;
    if (!parse) return this.#unclosed(tag, this.#ends, line);
    this.#open.push(tag);
    stream.next();
    const statement = parse(this, line, tag);
    this.#open.pop();
    return statement;
  }

  target(simplified: "plain" | "namespaces"): Target {
    const target = parseTuple(this.#stream, { simplified });
    return this.#assignable(target);
  }

  #assignable(node: ReturnType<typeof parseTuple>): Target {
    if (node.kind === "nsref") return node;
    if (node.kind === "name") return { ...node, use: "store" };
    if (node.kind === "tuple") {
      return { kind: "tuple", items: node.items.map((item) => this.#assignable(item)), line: node.line };
    }
    const kind = node.kind === "constant" ? "const" : node.kind;
    return this.#stream.fail(`can't assign to '${kind}'`, node.line);
  }

  name(use: "store" | "param" = "store"): Name {
    const { text, line } = this.#stream.expect("name");
    if (isConstant(text)) this.#stream.fail("can't assign to 'name'", line);
    return { kind: "name", name: text, use, line };
  }

  set(line: number): Statement {
    const target = this.target("namespaces");
    if (this.#stream.skip("operator", "=")) {
      return { kind: "assign", target, value: parseTuple(this.#stream) as Expression, line };
    }
    const filter = parseFilter(this.#stream, undefined);
    return { kind: "assignBlock", target, filter, body: this.#block(["endset"]), line };
  }

  for(line: number): Statement {
    const stream = this.#stream;
    const target = this.target("plain");
    stream.expect("name", "in");
    const iterable = parseTuple(stream, { conditions: false }) as Expression;
    const test = stream.skip("name", "if") ? parseExpression(stream) : undefined;
    const recursive = stream.skip("name", "recursive");
    const body = this.#block(["endfor", "else"], false);
    const otherwise = stream.next().text === "endfor" ? [] : this.#block(["endfor"]);
    return { kind: "for", target, iterable, body, otherwise, test, recursive, line };
  }

  if(line: number): If {
    const stream = this.#stream;
    const branch = () => ({
      kind: "if" as const,
      line: stream.current.line,
      test: parseTuple(stream, { conditions: false }) as Expression,
      body: this.#block(["elif", "else", "endif"], false),
      elifs: [],
      otherwise: [],
    });
    const first = branch();
    const elifs: If[] = [];
    for (;;) {
      const { text } = stream.next();
      if (text === "elif") elifs.push(branch());
      else return { ...first, line, elifs, otherwise: text === "else" ? this.#block(["endif"]) : [] };
    }
  }

  with(line: number): Statement {
    const stream = this.#stream;
    const targets: Target[] = [];
    const values: Expression[] = [];
    while (!stream.is("block_end")) {
      if (targets.length > 0) stream.expect("operator", ",");
      targets.push(asParameter(this.target("plain")));
      stream.expect("operator", "=");
      values.push(parseExpression(stream));
    }
    return { kind: "with", targets, values, body: this.#block(["endwith"]), line };
  }

  autoescape(line: number): Statement {
    return { kind: "autoescape", value: parseExpression(this.#stream), body: this.#block(["endautoescape"]), line };
  }

  block(line: number): Statement {
    const stream = this.#stream;
    const name = stream.expect("name").text;
    const scoped = stream.skip("name", "scoped");
    const required = stream.skip("name", "required");
    if (stream.isOperator("-")) stream.fail("Block names may not contain hyphens, use an underscore instead.");
    const body = this.#block(["endblock"]);
    const blank = (part: string | Expression) => typeof part === "string" && part.trim() === "";
    if (required && !body.every((each) => each.kind === "output" && each.parts.every(blank))) {
      stream.fail("Required blocks can only contain comments or whitespace");
    }
    stream.skip("name", name);
    return { kind: "block", name, scoped, required, body, line };
  }

  print(line: number): Statement {
    const stream = this.#stream;
    const parts: Expression[] = [];
    while (!stream.is("block_end")) {
      if (parts.length > 0) stream.expect("operator", ",");
      parts.push(parseExpression(stream));
    }
    return { kind: "output", parts, line };
  }

  #signature(): Parameters {
    const stream = this.#stream;
    const params: Name[] = [];
    const defaults: Expression[] = [];
    stream.expect("operator", "(");
    while (!stream.isOperator(")")) {
      if (params.length > 0) stream.expect("operator", ",");
      const param = this.name("param");
      if (params.some(({ name }) => name === param.name)) stream.fail(`duplicate argument '${param.name}'`);
      params.push(param);
      if (stream.skip("operator", "=")) defaults.push(parseExpression(stream));
      else if (defaults.length > 0) stream.fail("non-default argument follows default argument");
    }
    stream.expect("operator", ")");
    return { params, defaults };
  }

  macro(line: number): Macro {
    const { name } = this.name();
    return { kind: "macro", name, ...this.#signature(), body: this.#block(["endmacro"]), line };
  }

  call(line: number): Statement {
    const stream = this.#stream;
    const parameters = stream.isOperator("(") ? this.#signature() : { params: [], defaults: [] };
    const call = parseExpression(stream);
    if (call.kind !== "call") return stream.fail("expected call", line);
    const macro: Macro = { kind: "macro", name: undefined, ...parameters, body: this.#block(["endcall"]), line };
    return { kind: "callBlock", call: call satisfies Call, macro, line };
  }

  /** {% generation %}: transformers marks the assistant's text with it; what it prints is its body. */
  generation(line: number): Statement {
    const body = this.#block(["endgeneration"]);
    return {
      kind: "callBlock",
      call: undefined,
      macro: { kind: "macro", name: undefined, params: [], defaults: [], body, line },
      line,
    };
  }

  filter(line: number): Statement {
    const filter = parseFilter(this.#stream, undefined, true) as Filter;
    return { kind: "filterBlock", filter, body: this.#block(["endfilter"]), line };
  }

  /** Tags that load another template, which a chat template has none of. */
  loader(tag: "extends" | "include" | "import" | "from", line: number): Statement {
    const stream = this.#stream;
    const template = parseExpression(stream);
    const names: string[] = [];
    const context = (): boolean => {
      const given = stream.is("name", "with", "without") && stream.following.text === "context";
      if (given) {
        stream.next();
        stream.next();
      }
      return given;
    };
    if (tag === "include" && stream.is("name", "ignore") && stream.following.text === "missing") {
      stream.next();
      stream.next();
    }
    if (tag === "import") {
      stream.expect("name", "as");
      names.push(this.name().name);
    } else if (tag === "from") {
      stream.expect("name", "import");
      for (;;) {
        if (names.length > 0) stream.expect("operator", ",");
        if (!stream.is("name")) stream.expect("name");
        if (context()) break;
        const imported = this.name();
        if (imported.name.startsWith("_"))
          stream.fail("names starting with an underline can not be imported", imported.line);
        names.push(stream.skip("name", "as") ? this.name().name : imported.name);
        if (context() || !stream.isOperator(",")) break;
      }
    }
    if (tag === "include" || tag === "import") context();
    return { kind: "loader", tag, template, names, line };
  }
}

function asParameter(target: Target): Target {
  if (target.kind === "tuple") return { ...target, items: target.items.map(asParameter) };
  return target.kind === "name" ? { ...target, use: "param" } : target;
}

type StatementParser = (parser: Parser, line: number, tag: string) => Statement;

const loader: StatementParser = (parser, line, tag) => parser.loader(tag as "extends", line);
const STATEMENTS: Readonly<Record<string, StatementParser>> = {
  autoescape: (parser, line) => parser.autoescape(line),
  block: (parser, line) => parser.block(line),
  break: (_, line) => ({ kind: "break", line }),
  call: (parser, line) => parser.call(line),
  continue: (_, line) => ({ kind: "continue", line }),
  extends: loader,
  filter: (parser, line) => parser.filter(line),
  for: (parser, line) => parser.for(line),
  from: loader,
  generation: (parser, line) => parser.generation(line),
  if: (parser, line) => parser.if(line),
  import: loader,
  include: loader,
  macro: (parser, line) => parser.macro(line),
  print: (parser, line) => parser.print(line),
  set: (parser, line) => parser.set(line),
  with: (parser, line) => parser.with(line),
};
