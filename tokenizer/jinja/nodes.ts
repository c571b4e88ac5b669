// jinja/nodes.ts — the syntax tree: statements and expressions of Jinja2, each with its line.

import type { Operator } from "./operators.ts";
import type { Order } from "./compare.ts";
import type { Value } from "./values.ts";

/** Arguments of a call, a filter or a test. */
export interface Arguments {
  readonly args: readonly Expression[];
  readonly keywords: readonly { readonly key: string; readonly value: Expression }[];
  /** What stands after * and **. */
  readonly star?: Expression;
  readonly stars?: Expression;
}

/** A name that is read, assigned to, or a parameter of a macro. */
export interface Name {
  readonly kind: "name";
  readonly name: string;
  readonly use: "load" | "store" | "param";
  readonly line: number;
}

/** namespace.attribute as the target of an assignment. */
export interface NamespaceReference {
  readonly kind: "nsref";
  readonly name: string;
  readonly attribute: string;
  readonly line: number;
}

/** What can be assigned to. */
export type Target =
  | Name
  | NamespaceReference
  | { readonly kind: "tuple"; readonly items: readonly Target[]; readonly line: number };

/** A call, with its own kind so that call blocks can ask for it. */
export type Call = { readonly kind: "call"; readonly callee: Expression; readonly line: number } & Arguments;

/** A filter; without `input` it takes the text of the block around it. */
export type Filter = {
  readonly kind: "filter";
  readonly input: Expression | undefined;
  readonly name: string;
  readonly line: number;
} & Arguments;

/** Comparisons by their operator. */
export type Comparison = Order | "==" | "!=" | "in" | "not in";

/** Any expression. */
export type Expression =
  | Name
  | Call
  | Filter
  | ({ readonly kind: "test"; readonly input: Expression; readonly name: string; readonly line: number } & Arguments)
  | { readonly kind: "constant"; readonly value: Value; readonly line: number }
  | { readonly kind: "tuple" | "list"; readonly items: readonly Expression[]; readonly line: number }
  | { readonly kind: "dict"; readonly pairs: readonly (readonly [Expression, Expression])[]; readonly line: number }
  | {
      readonly kind: "binary";
      readonly operator: Operator;
      readonly left: Expression;
      readonly right: Expression;
      readonly line: number;
    }
  | { readonly kind: "sign"; readonly operator: "+" | "-"; readonly operand: Expression; readonly line: number }
  | { readonly kind: "not"; readonly operand: Expression; readonly line: number }
  | { readonly kind: "and" | "or"; readonly left: Expression; readonly right: Expression; readonly line: number }
  | {
      readonly kind: "compare";
      readonly first: Expression;
      readonly rest: readonly (readonly [Comparison, Expression])[];
      readonly line: number;
    }
  | { readonly kind: "concat"; readonly parts: readonly Expression[]; readonly line: number }
  | {
      readonly kind: "condition";
      readonly test: Expression;
      readonly value: Expression;
      readonly otherwise: Expression | undefined;
      readonly line: number;
    }
  | { readonly kind: "attribute"; readonly object: Expression; readonly name: string; readonly line: number }
  | { readonly kind: "item"; readonly object: Expression; readonly key: Expression; readonly line: number }
  | {
      readonly kind: "slice";
      readonly start?: Expression;
      readonly stop?: Expression;
      readonly step?: Expression;
      readonly line: number;
    };

/** A macro's parameters; `defaults` belong to the last ones. */
export interface Parameters {
  readonly params: readonly Name[];
  readonly defaults: readonly Expression[];
}

/** A loop. */
export interface For {
  readonly kind: "for";
  readonly target: Target;
  readonly iterable: Expression;
  readonly body: readonly Statement[];
  readonly otherwise: readonly Statement[];
  readonly test: Expression | undefined;
  readonly recursive: boolean;
  readonly line: number;
}

/** A condition; elif stands in `elifs`. */
export interface If {
  readonly kind: "if";
  readonly test: Expression;
  readonly body: readonly Statement[];
  readonly elifs: readonly If[];
  readonly otherwise: readonly Statement[];
  readonly line: number;
}

/** A block of a template that could be inherited. */
export interface Block {
  readonly kind: "block";
  readonly name: string;
  readonly scoped: boolean;
  readonly required: boolean;
  readonly body: readonly Statement[];
  readonly line: number;
}

/** {% macro %}, or {% call %} and {% generation %}, which are macros without a name. */
export type Macro = {
  readonly kind: "macro";
  readonly name: string | undefined;
  readonly body: readonly Statement[];
  readonly line: number;
} & Parameters;

/** Any statement. */
export type Statement =
  | For
  | If
  | Block
  | Macro
  | { readonly kind: "output"; readonly parts: readonly (string | Expression)[]; readonly line: number }
  | { readonly kind: "assign"; readonly target: Target; readonly value: Expression; readonly line: number }
  | {
      readonly kind: "assignBlock";
      readonly target: Target;
      readonly filter: Filter | undefined;
      readonly body: readonly Statement[];
      readonly line: number;
    }
  | { readonly kind: "callBlock"; readonly call: Call | undefined; readonly macro: Macro; readonly line: number }
  | {
      readonly kind: "filterBlock";
      readonly filter: Filter;
      readonly body: readonly Statement[];
      readonly line: number;
    }
  | {
      readonly kind: "with";
      readonly targets: readonly Target[];
      readonly values: readonly Expression[];
      readonly body: readonly Statement[];
      readonly line: number;
    }
  | {
      readonly kind: "autoescape";
      readonly value: Expression;
      readonly body: readonly Statement[];
      readonly line: number;
    }
  | {
      readonly kind: "loader";
      readonly tag: "extends" | "include" | "import" | "from";
      readonly template: Expression;
      readonly names: readonly string[];
      readonly line: number;
    }
  | { readonly kind: "break" | "continue"; readonly line: number };

/** Any node. */
export type Node = Statement | Expression | Target;

const args = ({ args, keywords, star, stars }: Arguments): Node[] => [
  ...args,
  ...keywords.map(({ value }) => value),
  ...(star ? [star] : []),
  ...(stars ? [stars] : []),
];
const some = (...nodes: readonly (Node | undefined)[]): Node[] => nodes.filter((node) => node !== undefined);

/** The nodes right below a node, in the order in which Jinja2 visits them. */
export function children(node: Node): readonly Node[] {
  switch (node.kind) {
    case "name":
    case "nsref":
    case "constant":
    case "break":
    case "continue":
      return [];
    case "output":
      return node.parts.filter((part) => typeof part !== "string");
    case "for":
      return [node.target, node.iterable, ...node.body, ...node.otherwise, ...some(node.test)];
    case "if":
      return [node.test, ...node.body, ...node.elifs, ...node.otherwise];
    case "block":
      return node.body;
    case "macro":
      return [...node.params, ...node.defaults, ...node.body];
    case "callBlock":
      return [...some(node.call), ...children(node.macro)];
    case "filterBlock":
      return [...node.body, node.filter];
    case "with":
      return [...node.targets, ...node.values, ...node.body];
    case "autoescape":
      return [node.value, ...node.body];
    case "assign":
      return [node.target, node.value];
    case "assignBlock":
      return [node.target, ...some(node.filter), ...node.body];
    case "loader":
      return [node.template];
    case "call":
      return [node.callee, ...args(node)];
    case "filter":
      return [...some(node.input), ...args(node)];
    case "test":
      return [node.input, ...args(node)];
    case "tuple":
    case "list":
      return node.items;
    case "dict":
      return node.pairs.flat();
    case "binary":
    case "and":
    case "or":
      return [node.left, node.right];
    case "sign":
    case "not":
      return [node.operand];
    case "compare":
      return [node.first, ...node.rest.map(([, operand]) => operand)];
    case "concat":
      return node.parts;
    case "condition":
      return [node.test, node.value, ...some(node.otherwise)];
    case "attribute":
      return [node.object];
    case "item":
      return [node.object, node.key];
    case "slice":
      return some(node.start, node.stop, node.step);
  }
}
