// jinja/expressions.ts — expressions, by Jinja2's precedence: if · or · and · not · comparisons · + - · ~ · * / // % · ** ·
// signs · calls, attributes and items · filters and tests. A filter binds tighter than everything but a sign.

import type { Arguments, Call, Comparison, Expression, Filter, NamespaceReference } from "./nodes.ts";
import { literalInt } from "./numbers.ts";
import type { Operator } from "./operators.ts";
import { describe } from "./stream.ts";
import type { TokenStream } from "./stream.ts";
import type { Value } from "./values.ts";

const CONSTANTS: Readonly<Record<string, Value>> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
};
/** Names that cannot be assigned to. */
export const isConstant = (name: string): boolean => Object.hasOwn(CONSTANTS, name);

const NO_ARGUMENTS: Arguments = { args: [], keywords: [] };

/** An expression; without a condition after it where `conditions` is false. */
export function parseExpression(stream: TokenStream, conditions = true): Expression {
  return stream.deeper(() => (conditions ? parseCondition(stream) : parseOr(stream)));
}

/** How parseTuple reads. */
export interface TupleOptions {
  /** Names and literals only, for targets; with namespace references. */
  readonly simplified?: "plain" | "namespaces";
  readonly conditions?: boolean;
  /** Within parentheses, where an empty tuple is one. */
  readonly parentheses?: boolean;
}

/** An expression, or a tuple of them where commas stand between. */
export function parseTuple(stream: TokenStream, options: TupleOptions = {}): Expression | NamespaceReference {
  const { simplified, conditions = true, parentheses = false } = options;
  const items: Expression[] = [];
  let { line } = stream.current;
  let isTuple = false;
  for (;;) {
    if (items.length > 0) stream.expect("operator", ",");
    if (stream.is("variable_end") || stream.is("block_end") || stream.isOperator(")")) break;
    items.push(
      simplified === undefined
        ? parseExpression(stream, conditions)
        : (stream.deeper(() => parsePrimary(stream, simplified === "namespaces")) as Expression),
    );
    if (!stream.isOperator(",")) break;
    isTuple = true;
    ({ line } = stream.current);
  }
  if (!isTuple) {
    if (items.length > 0) return items[0];
    if (!parentheses) stream.fail(`Expected an expression, got '${describe(stream.current)}'`);
  }
  return { kind: "tuple", items, line };
}

function parseCondition(stream: TokenStream): Expression {
  let { line } = stream.current;
  let value = parseOr(stream);
  while (stream.skip("name", "if")) {
    const test = parseOr(stream);
    const otherwise = stream.skip("name", "else") ? stream.deeper(() => parseCondition(stream)) : undefined;
    value = { kind: "condition", test, value, otherwise, line };
    ({ line } = stream.current);
  }
  return value;
}

function parseOr(stream: TokenStream): Expression {
  let left = parseAnd(stream);
  for (let { line } = stream.current; stream.skip("name", "or"); { line } = stream.current) {
    left = { kind: "or", left, right: parseAnd(stream), line };
  }
  return left;
}

function parseAnd(stream: TokenStream): Expression {
  let left = parseNot(stream);
  for (let { line } = stream.current; stream.skip("name", "and"); { line } = stream.current) {
    left = { kind: "and", left, right: parseNot(stream), line };
  }
  return left;
}

function parseNot(stream: TokenStream): Expression {
  const { line } = stream.current;
  if (!stream.skip("name", "not")) return parseCompare(stream);
  return { kind: "not", operand: stream.deeper(() => parseNot(stream)), line };
}

function parseCompare(stream: TokenStream): Expression {
  const { line } = stream.current;
  const first = parseSum(stream);
  const rest: [Comparison, Expression][] = [];
  for (;;) {
    let operator: Comparison;
    if (stream.isOperator("==", "!=", "<", "<=", ">", ">=")) operator = stream.next().text as Comparison;
    else if (stream.skip("name", "in")) operator = "in";
    else if (stream.is("name", "not") && stream.following.type === "name" && stream.following.text === "in") {
      stream.next();
      stream.next();
      operator = "not in";
    } else break;
    rest.push([operator, parseSum(stream)]);
  }
  return rest.length === 0 ? first : { kind: "compare", first, rest, line };
}

/** Operators of one precedence, from the left. */
function leftAssociative(operators: readonly Operator[], operand: (stream: TokenStream) => Expression) {
  return (stream: TokenStream): Expression => {
    let left = operand(stream);
    while (stream.isOperator(...operators)) {
      const { text, line } = stream.next();
      left = { kind: "binary", operator: text as Operator, left, right: operand(stream), line };
    }
    return left;
  };
}

const parsePower = leftAssociative(["**"], (stream) => parseUnary(stream, true));
const parseProduct = leftAssociative(["*", "/", "//", "%"], parsePower);
const parseSum = leftAssociative(["+", "-"], parseConcat);

function parseConcat(stream: TokenStream): Expression {
  const { line } = stream.current;
  const parts = [parseProduct(stream)];
  while (stream.skip("operator", "~")) parts.push(parseProduct(stream));
  return parts.length === 1 ? parts[0] : { kind: "concat", parts, line };
}

function parseUnary(stream: TokenStream, filters: boolean): Expression {
  const { line } = stream.current;
  let node: Expression;
  if (stream.isOperator("+", "-")) {
    const operator = stream.next().text as "+" | "-";
    node = { kind: "sign", operator, operand: stream.deeper(() => parseUnary(stream, false)), line };
  } else node = parsePrimary(stream, false) as Expression;
  node = parsePostfix(stream, node);
  return filters ? parseFilters(stream, node) : node;
}

/** A literal, a name, or what stands in brackets. */
function parsePrimary(stream: TokenStream, namespaces: boolean): Expression | NamespaceReference {
  const token = stream.current;
  const { line, text } = token;
  switch (token.type) {
    case "name":
      stream.next();
      if (isConstant(text)) return { kind: "constant", value: CONSTANTS[text], line };
      if (namespaces && stream.skip("operator", ".")) {
        return { kind: "nsref", name: text, attribute: stream.expect("name").text, line };
      }
      return { kind: "name", name: text, use: "load", line };
    case "string": {
      let value = "";
      while (stream.is("string")) value += stream.next().text;
      return { kind: "constant", value, line };
    }
    case "integer":
      stream.next();
      return { kind: "constant", value: literalInt(text, line), line };
    case "float":
      stream.next();
      return { kind: "constant", value: Number(text), line };
    case "operator":
      if (text === "(") {
        stream.next();
        const inner = stream.deeper(() => parseTuple(stream, { parentheses: true }));
        stream.expect("operator", ")");
        return inner;
      }
      if (text === "[") return { kind: "list", items: parseItems(stream, "]", () => parseExpression(stream)), line };
      if (text === "{") {
        const pairs = parseItems(stream, "}", () => {
          const key = parseExpression(stream);
          stream.expect("operator", ":");
          return [key, parseExpression(stream)] as const;
        });
        return { kind: "dict", pairs, line };
      }
  }
  return stream.fail(`unexpected '${describe(token)}'`);
}

/** What stands between a bracket and `end`, with commas between and perhaps after. */
function parseItems<T>(stream: TokenStream, end: string, parse: () => T): T[] {
  stream.next();
  const items: T[] = [];
  while (!stream.isOperator(end)) {
    if (items.length > 0) stream.expect("operator", ",");
    if (stream.isOperator(end)) break;
    items.push(parse());
  }
  stream.expect("operator", end);
  return items;
}

/** Attributes, items and calls after an expression. */
function parsePostfix(stream: TokenStream, start: Expression): Expression {
  let node = start;
  for (;;) {
    const { line } = stream.current;
    if (stream.skip("operator", ".")) {
      const token = stream.next();
      if (token.type === "name") node = { kind: "attribute", object: node, name: token.text, line };
      else if (token.type === "integer") {
        node = { kind: "item", object: node, key: { kind: "constant", value: BigInt(token.text), line }, line };
      } else stream.fail("expected name or number", token.line);
    } else if (stream.isOperator("[")) node = parseSubscript(stream, node);
    else if (stream.isOperator("(")) node = { kind: "call", callee: node, ...parseArguments(stream), line };
    else return node;
  }
}

function parseSubscript(stream: TokenStream, object: Expression): Expression {
  const { line } = stream.next();
  const keys: Expression[] = [];
  while (!stream.isOperator("]")) {
    if (keys.length > 0) stream.expect("operator", ",");
    keys.push(parseKey(stream));
  }
  stream.expect("operator", "]");
  if (keys.length !== 1 && keys.some(({ kind }) => kind === "slice")) stream.fail("a slice among several keys", line);
  return { kind: "item", object, key: keys.length === 1 ? keys[0] : { kind: "tuple", items: keys, line }, line };
}

function parseKey(stream: TokenStream): Expression {
  const { line } = stream.current;
  const part = () => (stream.isOperator(":", "]", ",") ? undefined : parseExpression(stream));
  const start = stream.isOperator(":") ? undefined : parseExpression(stream);
  if (!stream.skip("operator", ":")) return start!;
  const stop = part();
  const step = stream.skip("operator", ":") ? part() : undefined;
  return { kind: "slice", start, stop, step, line };
}

function parseArguments(stream: TokenStream): Arguments {
  const { line } = stream.expect("operator", "(");
  const args: Expression[] = [];
  const keywords: { key: string; value: Expression }[] = [];
  let star: Expression | undefined;
  let stars: Expression | undefined;
  const ensure = (fine: boolean): void => {
    if (!fine) stream.fail("invalid syntax for function call expression", line);
  };
  for (let first = true; !stream.isOperator(")"); first = false) {
    if (!first) {
      stream.expect("operator", ",");
      if (stream.isOperator(")")) break;
    }
    if (stream.isOperator("*")) {
      ensure(star === undefined && stars === undefined);
      stream.next();
      star = parseExpression(stream);
    } else if (stream.isOperator("**")) {
      ensure(stars === undefined);
      stream.next();
      stars = parseExpression(stream);
    } else if (stream.is("name") && stream.following.type === "operator" && stream.following.text === "=") {
      ensure(stars === undefined);
      const key = stream.next().text;
      stream.next();
      if (keywords.some((keyword) => keyword.key === key)) stream.fail(`keyword argument repeated: ${key}`);
      keywords.push({ key, value: parseExpression(stream) });
    } else {
      ensure(star === undefined && stars === undefined && keywords.length === 0);
      args.push(parseExpression(stream));
    }
  }
  stream.expect("operator", ")");
  return { args, keywords, star, stars };
}

/** A name with dots, as filters and tests may have. */
function parseDotted(stream: TokenStream): string {
  let name = stream.expect("name").text;
  while (stream.skip("operator", ".")) name += `.${stream.expect("name").text}`;
  return name;
}

function parseFilters(stream: TokenStream, start: Expression): Expression {
  let node = start;
  for (;;) {
    const { line } = stream.current;
    if (stream.isOperator("|")) node = parseFilter(stream, node)!;
    else if (stream.is("name", "is")) node = parseTest(stream, node);
    else if (stream.isOperator("("))
      node = { kind: "call", callee: node, ...parseArguments(stream), line } satisfies Call;
    else return node;
  }
}

/** Filters in a row; `inline` where the first has no | before it. */
export function parseFilter(stream: TokenStream, input: Expression | undefined, inline = false): Filter | undefined {
  let node = input;
  let first = inline;
  while (first || stream.isOperator("|")) {
    if (!first) stream.next();
    const { line } = stream.current;
    const name = parseDotted(stream);
    node = {
      kind: "filter",
      input: node,
      name,
      ...(stream.isOperator("(") ? parseArguments(stream) : NO_ARGUMENTS),
      line,
    };
    first = false;
  }
  return node as Filter | undefined;
}

function parseTest(stream: TokenStream, input: Expression): Expression {
  const { line } = stream.next();
  const negated = stream.skip("name", "not");
  const name = parseDotted(stream);
  let given: Arguments = NO_ARGUMENTS;
  if (stream.isOperator("(")) given = parseArguments(stream);
  else if (
    (["name", "string", "integer", "float"] as const).some((type) => stream.is(type)) ||
    stream.isOperator("[", "{")
  ) {
    if (!stream.is("name", "else", "or", "and")) {
      if (stream.is("name", "is")) stream.fail("You cannot chain multiple tests with is");
      const argument = stream.deeper(() => parsePostfix(stream, parsePrimary(stream, false) as Expression));
      given = { args: [argument], keywords: [] };
    }
  }
  const test: Expression = { kind: "test", input, name, ...given, line };
  return negated ? { kind: "not", operand: test, line } : test;
}
