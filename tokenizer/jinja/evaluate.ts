// jinja/evaluate.ts — expressions to closures: each asks its operands and answers a Value.

import { attribute, item, slice, sliceOrUndefined } from "./attributes.ts";
import { checkLength, spend } from "./budget.ts";
import { compare, contains, equal, iterate, truth } from "./compare.ts";
import { fault, typeError } from "./fault.ts";
import { named } from "./filters/define.ts";
import { FILTERS } from "./filters/index.ts";
import { children } from "./nodes.ts";
import type { Arguments, Comparison, Expression, Node } from "./nodes.ts";
import { binary, escape, sign } from "./operators.ts";
import { str } from "./print.ts";
import { call, undefinedName } from "./runtime.ts";
import type { Activation, Eval } from "./runtime.ts";
import { NO_KEYWORDS } from "./signature.ts";
import type { FunctionScope, Symbols, Variable } from "./symbols.ts";
import { TESTS } from "./tests.ts";
import { Dict, Markup, Tuple, Undefined, textOf, typeName } from "./values.ts";
import type { Keywords, Value } from "./values.ts";

/** Where code stands: its names, and what surrounds it. */
export interface Place {
  readonly symbols: Symbols;
  /** Top level of the template, branches of conditions included: what is assigned here is seen by macros and blocks. */
  readonly toplevel: boolean;
  /** In a branch, where an unknown filter fails only when it is reached. */
  readonly soft: boolean;
  /** Whether a loop of the same function is around. */
  readonly loop: boolean;
  /** What {% autoescape %} around says; "volatile" where only running it tells. */
  readonly escape: boolean | "volatile";
  /** Whether the expression has no variables, so that Jinja2 computes it while it compiles. */
  readonly constant?: boolean;
}

/** How many functions outwards a variable lives. */
function hops(from: FunctionScope, variable: Variable): number {
  let count = 0;
  for (let scope: FunctionScope | undefined = from; scope && scope !== variable.scope; scope = scope.parent) count++;
  return count;
}

/** Reads a variable; JavaScript's undefined where it has no value. */
export function reader(place: Place, variable: Variable): (at: Activation) => Value | undefined {
  const { slot } = variable;
  const count = hops(place.symbols.scope, variable);
  if (count === 0) return (at) => at.values[slot];
  return (at) => {
    let owner = at;
    for (let i = 0; i < count; i++) owner = owner.parent!;
    return owner.values[slot];
  };
}

/** Compiles an expression. Throws Faults for what Python refuses before it runs. */
export function compileExpression(node: Expression, place: Place): Eval {
  const compile = (expression: Expression) => compileExpression(expression, place);
  const { line } = node;
  switch (node.kind) {
    case "constant": {
      const { value } = node;
      return () => {
        spend(1);
        return value;
      };
    }
    case "name": {
      const { name } = node;
      const variable = place.symbols.find(name);
      // Jinja2 does not look into the filters of a set block for names, and fails where nobody else reads them.
      if (!variable) {
        return fault(
          "AssertionError",
          `Tried to resolve a name to a reference that was unknown to the frame ('${name}')`,
          line,
        );
      }
      const read = reader(place, variable);
      return (at) => {
        spend(1);
        const value = read(at);
        return value === undefined ? undefinedName(name) : value;
      };
    }
    case "list":
    case "tuple": {
      const items = node.items.map(compile);
      const isList = node.kind === "list";
      return (at) => {
        spend(2 * items.length + 2);
        const values = items.map((each) => each(at));
        return isList ? values : new Tuple(values);
      };
    }
    case "dict": {
      const pairs = node.pairs.map(([key, value]) => [compile(key), compile(value)] as const);
      return (at) => {
        spend(8 * pairs.length + 4);
        return new Dict(pairs.map(([key, value]) => [key(at), value(at)] as const));
      };
    }
    case "binary": {
      const { operator } = node;
      // Jinja2 writes a negative constant into Python without brackets, where ** binds tighter than the sign.
      if (operator === "**" && isNegative(node.left) && !isConstant(node.right)) {
        const power = compile({ ...node, left: node.left.operand });
        return (at) => sign("-", power(at));
      }
      const [left, right] = [compile(node.left), compile(node.right)];
      return (at) => binary(operator, left(at), right(at));
    }
    case "sign": {
      const operand = compile(node.operand);
      const { operator } = node;
      return (at) => sign(operator, operand(at));
    }
    case "not": {
      const operand = compile(node.operand);
      return (at) => !truth(operand(at));
    }
    case "and": {
      const [left, right] = [compile(node.left), compile(node.right)];
      return (at) => {
        const value = left(at);
        return truth(value) ? right(at) : value;
      };
    }
    case "or": {
      const [left, right] = [compile(node.left), compile(node.right)];
      return (at) => {
        const value = left(at);
        return truth(value) ? value : right(at);
      };
    }
    case "compare":
      return compileComparison(
        compile(node.first),
        node.rest.map(([operator, operand]) => [operator, compile(operand)]),
      );
    case "concat": {
      const parts = node.parts.map(compile);
      const escapes = place.escape !== false;
      return (at) => {
        const values = parts.map((part) => part(at));
        if (escapes && values.some((value) => value instanceof Markup)) {
          return new Markup(glued(values.map((value) => escape(value).text)));
        }
        return glued(values.map(str));
      };
    }
    case "condition": {
      const soft = { ...place, soft: true };
      const test = compileExpression(node.test, soft);
      const value = compileExpression(node.value, soft);
      const otherwise = node.otherwise && compileExpression(node.otherwise, soft);
      return (at) => {
        if (truth(test(at))) return value(at);
        if (otherwise) return otherwise(at);
        return new Undefined(
          () => `the inline if-expression on line ${line} evaluated to false and no else section was defined.`,
        );
      };
    }
    case "attribute": {
      const object = compile(node.object);
      const { name } = node;
      return (at) => attribute(object(at), name);
    }
    case "item": {
      const object = compile(node.object);
      if (node.key.kind !== "slice") {
        const key = compile(node.key);
        return (at) => item(object(at), key(at));
      }
      const none: Eval = () => null;
      const [start, stop, step] = [node.key.start, node.key.stop, node.key.step].map((part) =>
        part ? compile(part) : none,
      );
      // What Jinja2 computes while it compiles it looks up as an item, which is undefined where there is none.
      if (place.constant) return (at) => sliceOrUndefined(object(at), start(at), stop(at), step(at));
      return (at) => slice(object(at), start(at), stop(at), step(at));
    }
    case "slice":
      return fault("TemplateSyntaxError", "a slice stands only in brackets after a value", line);
    case "call": {
      const callee = compile(node.callee);
      return compileCall(node, place, (at, args, keywords) => call(callee(at), args, keywords));
    }
    case "filter":
      return compileFilter(node, place, compile(node.input!));
    case "test": {
      const { name } = node;
      if (!TESTS.has(name) && !place.soft) fault("TemplateSyntaxError", `No test named '${name}'.`, line);
      const input = compile(node.input);
      const test = named(TESTS, "test", name);
      return compileCall(node, place, (at, args, keywords) => {
        spend(2);
        return test(at.run.state, [input(at), ...args], keywords);
      });
    }
  }
}

/** Texts one after the other; not joined, so that a text that grows is not copied each time. */
function glued(texts: readonly string[]): string {
  let out = "";
  for (const text of texts) {
    spend(2);
    checkLength(out.length + text.length);
    out += text;
  }
  return out;
}

/** Filters that Jinja2 does not compute while it compiles. */
const NEVER_CONSTANT = new Set(["map", "select", "reject", "selectattr", "rejectattr", "random"]);

/** Whether an expression has neither variables nor calls. */
export function isConstant(node: Node): boolean {
  if (node.kind === "name" || node.kind === "call") return false;
  if (node.kind === "filter" && (node.input === undefined || NEVER_CONSTANT.has(node.name))) return false;
  return children(node).every(isConstant);
}

const isNegative = (node: Expression): node is Extract<Expression, { kind: "sign" }> =>
  node.kind === "sign" && node.operator === "-" && node.operand.kind === "constant";

/** A filter over an input: a value, or the text of a block. */
export function compileFilter(node: Extract<Expression, { kind: "filter" }>, place: Place, input: Eval): Eval {
  const { name } = node;
  if (!FILTERS.has(name) && !place.soft) fault("TemplateSyntaxError", `No filter named '${name}'.`, node.line);
  const filter = named(FILTERS, "filter", name);
  return compileCall(node, place, (at, args, keywords) => {
    spend(2);
    return filter(at.run.state, [input(at), ...args], keywords);
  });
}

/** Evaluates arguments and hands them on; errors below carry the line of this call, not of the last statement inside it. */
export function compileCall(
  node: Arguments & { readonly line: number },
  place: Place,
  run: (at: Activation, args: readonly Value[], keywords: Keywords) => Value,
  caller?: (at: Activation) => Value,
): Eval {
  const { line } = node;
  const args = node.args.map((argument) => compileExpression(argument, place));
  const keyed = node.keywords.map(({ key, value }) => [key, compileExpression(value, place)] as const);
  const star = node.star && compileExpression(node.star, place);
  const stars = node.stars && compileExpression(node.stars, place);
  const simple = keyed.length === 0 && !star && !stars && !caller;
  return (at) => {
    const { state } = at.run;
    state.line = line;
    let values: Value[];
    let keywords = NO_KEYWORDS;
    if (simple) values = args.map((argument) => argument(at));
    else {
      values = args.map((argument) => argument(at));
      if (star) {
        for (const value of iterate(star(at))) {
          spend(2);
          values.push(value);
        }
      }
      const given = new Map<string, Value>(keyed.map(([key, value]) => [key, value(at)]));
      if (stars) addKeywords(given, stars(at));
      if (caller) given.set("caller", caller(at));
      keywords = given;
    }
    const result = run(at, values, keywords);
    state.line = line;
    return result;
  };
}

function addKeywords(keywords: Map<string, Value>, value: Value): void {
  if (value instanceof Undefined) value.fail();
  if (!(value instanceof Dict)) typeError(`argument after ** must be a mapping, not ${typeName(value)}`);
  spend(8 * value.size);
  for (const [key, each] of value.entries()) {
    const name = textOf(key) ?? typeError("keywords must be strings");
    if (keywords.has(name)) typeError(`got multiple values for keyword argument '${name}'`);
    keywords.set(name, each);
  }
}

function compileComparison(first: Eval, rest: readonly (readonly [Comparison, Eval])[]): Eval {
  if (rest.length === 1) {
    const [[operator, second]] = rest;
    return (at) => holds(operator, first(at), second(at));
  }
  return (at) => {
    let left = first(at);
    for (const [operator, operand] of rest) {
      const right = operand(at);
      if (!holds(operator, left, right)) return false;
      left = right;
    }
    return true;
  };
}

function holds(operator: Comparison, left: Value, right: Value): boolean {
  switch (operator) {
    case "==":
      return equal(left, right);
    case "!=":
      return !equal(left, right);
    case "in":
      return contains(right, left);
    case "not in":
      return !contains(right, left);
    default:
      return compare(operator, left, right);
  }
}
