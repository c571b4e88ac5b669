// jinja/symbols.ts — which variable a name means where: Jinja2's identifier tracking (jinja2/idtracking.py).
//
// Every scope (loop, macro, with …) has variables of its own, which begin with the value of the outer variable of that name, or
// of the context. A name that is assigned first is undefined before. A branch of {% if %} is no scope.
// Scopes that run as one function share its slots; a macro is a function of its own and sees the slots around it.

import { spend } from "./budget.ts";
import { children } from "./nodes.ts";
import type { For, Node, Statement, Target } from "./nodes.ts";

/** The slots of one function's variables: the template, a macro, a recursive loop. */
export class FunctionScope {
  readonly parent: FunctionScope | undefined;
  readonly #variables = new Map<string, Variable>();

  constructor(parent?: FunctionScope) {
    this.parent = parent;
  }

  /** The variable of a name at a depth of scopes; scopes beside each other share it, as they are never open at once. */
  variable(level: number, name: string): Variable {
    const key = `${level} ${name}`;
    const variable = this.#variables.get(key) ?? { scope: this, slot: this.#variables.size, name };
    this.#variables.set(key, variable);
    return variable;
  }
}

/** A place for a value. */
export interface Variable {
  readonly scope: FunctionScope;
  readonly slot: number;
  readonly name: string;
}

/** Where a variable's first value comes from when its scope is entered. */
export type Load =
  | { readonly from: "parameter" | "undefined" }
  | { readonly from: "context"; readonly name: string }
  | { readonly from: "outer"; readonly variable: Variable };

/** The names of one scope. */
export class Symbols {
  readonly parent: Symbols | undefined;
  readonly scope: FunctionScope;
  readonly #level: number;
  /** What a branch of a condition adds to; a branch holds only what it adds. */
  readonly #base: Symbols | undefined;
  readonly #variables = new Map<string, Variable>();
  readonly loads = new Map<Variable, Load>();
  readonly #stores = new Set<string>();

  /** `base`: the scope of which this is a branch. */
  constructor(scope: FunctionScope, parent?: Symbols, base?: Symbols) {
    this.scope = scope;
    this.parent = parent;
    this.#level = parent === undefined ? 0 : parent.#level + 1;
    this.#base = base;
  }

  #branch(): Symbols {
    return new Symbols(this.scope, this.parent, this);
  }

  /** The variable of a name in this scope alone. */
  #own(name: string): Variable | undefined {
    spend(1);
    const variable = this.#variables.get(name);
    return variable !== undefined || this.#base === undefined ? variable : this.#base.#own(name);
  }

  /** Whether this scope assigns a name. */
  #assigns(name: string): boolean {
    spend(1);
    return this.#stores.has(name) || (this.#base !== undefined && this.#base.#assigns(name));
  }

  /** The variable a name means here. */
  find(name: string): Variable | undefined {
    return this.#own(name) ?? this.parent?.find(name);
  }

  #define(name: string, load: Load): void {
    const variable = this.scope.variable(this.#level, name);
    this.#variables.set(name, variable);
    this.loads.set(variable, load);
  }

  #load(name: string): void {
    if (this.find(name) === undefined) this.#define(name, { from: "context", name });
  }

  #store(name: string): void {
    this.#stores.add(name);
    if (this.#own(name)) return;
    const outer = this.parent?.find(name);
    this.#define(name, outer === undefined ? { from: "undefined" } : { from: "outer", variable: outer });
  }

  /** A variable whose value is given: a parameter, a loop's target, `loop`, `caller`. */
  declare(name: string): Variable {
    this.#stores.add(name);
    this.#define(name, { from: "parameter" });
    return this.find(name)!;
  }

  /** The variables that this scope and those around it assign, the inner one of each name. */
  stored(): Map<string, Variable> {
    const names = this.parent?.stored() ?? new Map<string, Variable>();
    for (const name of this.#stores) names.set(name, this.find(name)!);
    spend(8 * names.size);
    return names;
  }

  /** What branches assign may have been assigned or not: it begins with the outer value. */
  #merge(branches: readonly Symbols[]): void {
    const stored = new Set(branches.flatMap((branch) => [...branch.#stores]).filter((name) => !this.#assigns(name)));
    for (const branch of branches) {
      spend(8 * branch.#variables.size);
      for (const [name, variable] of branch.#variables) this.#variables.set(name, variable);
      for (const [variable, load] of branch.loads) this.loads.set(variable, load);
      for (const name of branch.#stores) this.#stores.add(name);
    }
    for (const name of stored) {
      const outer = this.parent?.find(name);
      this.loads.set(
        this.find(name)!,
        outer === undefined ? { from: "context", name } : { from: "outer", variable: outer },
      );
    }
  }

  /** Reads nodes that run in this scope, but not the scopes inside them. */
  read(nodes: readonly Node[]): this {
    for (const node of nodes) this.#visit(node);
    return this;
  }

  /** The target of a loop or a with: its names are parameters of the scope. */
  readTarget(target: Target): this {
    if (target.kind === "tuple") for (const item of target.items) this.readTarget(item);
    else if (target.kind === "name") this.declare(target.name);
    else this.#load(target.name);
    return this;
  }

  #visit(node: Node): void {
    switch (node.kind) {
      case "name":
        if (node.use === "param") this.declare(node.name);
        else if (node.use === "store") this.#store(node.name);
        else this.#load(node.name);
        return;
      case "nsref":
        return this.#load(node.name);
      case "if": {
        this.#visit(node.test);
        const branches = [node.body, node.elifs, node.otherwise].map((body) => this.#branch().read(body));
        return this.#merge(branches);
      }
      case "macro":
        return this.#store(node.name!);
      case "assign":
        this.#visit(node.value);
        return this.#visit(node.target);
      case "assignBlock":
        return this.#visit(node.target);
      case "for":
        return this.#visit(node.iterable);
      case "callBlock":
        if (node.call) this.#visit(node.call);
        return;
      case "filterBlock":
        return this.#visit(node.filter);
      case "with":
        for (const value of node.values) this.#visit(value);
        return;
      case "loader":
        this.#visit(node.template);
        for (const name of node.names) this.#store(name);
        return;
      case "block":
      case "autoescape":
        return;
      default:
        for (const child of children(node)) this.#visit(child);
    }
  }
}

/** Which of `names` the nodes read without having assigned them first; blocks are not looked into. */
export function undeclared(nodes: readonly Node[], names: readonly string[]): Set<string> {
  const open = new Set(names);
  const found = new Set<string>();
  const visit = (node: Node): void => {
    spend(1);
    if (node.kind === "block") return;
    if (node.kind === "name") {
      if (node.use === "load" && open.has(node.name)) found.add(node.name);
      else open.delete(node.name);
    }
    for (const child of children(node)) visit(child);
  };
  for (const node of nodes) visit(node);
  return found;
}

/** Whether any node below assigns to `name`. */
export function assigns(node: Node, name: string): boolean {
  spend(1);
  return (
    (node.kind === "name" && node.use === "store" && node.name === name) ||
    children(node).some((child) => assigns(child, name))
  );
}

/** All nodes of a kind below the given ones, in order. */
export function findAll<K extends Node["kind"]>(nodes: readonly Node[], kind: K): Extract<Node, { kind: K }>[] {
  spend(nodes.length);
  return nodes.flatMap((node) => [
    ...(node.kind === kind ? [node as Extract<Node, { kind: K }>] : []),
    ...findAll(children(node), kind),
  ]);
}

/** Whether a loop's body asks for `loop`. */
export const usesLoop = (node: For): boolean =>
  node.recursive ||
  undeclared(node.body, ["loop"]).has("loop") ||
  (findAll([node], "block") as Statement[]).some((block) => block.kind === "block" && block.scoped);
