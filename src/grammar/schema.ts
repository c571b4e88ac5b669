// schema.ts — a JSON schema (draft 2020-12) as shapes. A schema of several conditions ($ref beside other keywords, allOf) is the set
// of them: every set is read once, so that recursive schemas end, and one keyword of all is read at a time (typed.ts).

import { type Json, type JsonObject, isObject } from "../text/json.ts";
import { display } from "../text/wording.ts";
import { pointer } from "./copy.ts";
import { disjoint, withoutChoices } from "./disjoint.ts";
import { type Schema, checkKeywords, isSchema, saysNothing } from "./keywords.ts";
import type { Located, Part, SchemaReader } from "./parts.ts";
import { settle } from "./settle.ts";
import type { ChoiceShape, Shape } from "./shape.ts";
import { Typed } from "./typed.ts";
import { Work, refuse } from "./work.ts";

/** Steps for a set of conditions: 2,500 of them are all that one schema may come to. */
const SHAPE_STEPS = 8000;
/** For two branches of a oneOf. */
const PAIR_STEPS = 400;
const NEVER: Shape = { kind: "choice", branches: [] };

/** Reads one schema. */
export class Reader implements SchemaReader {
  readonly work = new Work();
  readonly #root: Schema;
  readonly #typed: Typed;
  readonly #known = new Map<string, ChoiceShape>();
  readonly #unread: (() => void)[] = [];
  readonly #ids = new Map<JsonObject, number>();
  /** Copies of schemas without a keyword that has been dealt with. */
  readonly #without = new Map<JsonObject, Map<string, JsonObject>>();
  readonly #checked = new Set<JsonObject>();

  /** `raw`: see Spelling. */
  constructor(root: Schema, raw: boolean) {
    this.#root = root;
    this.#typed = new Typed(this, raw);
  }

  /** The shape of the whole schema. Throws LlariatError "request" for what is not supported, and where no value fits. */
  read(): Shape {
    const shape = this.shape([[this.#root, ""]]);
    // One after the other: read within one another they would go as deep as there are sets.
    for (let fill = this.#unread.pop(); fill !== undefined; fill = this.#unread.pop()) fill();
    settle(shape);
    return shape;
  }

  /** The shape of values that meet all of these; its branches come when its turn to be read has come. */
  shape(schemas: Located): Shape {
    const parts = this.parts(schemas);
    if (parts === undefined) return NEVER;
    const ids = parts.map(({ schema }) => this.#id(schema));
    const key = ids.toSorted((a, b) => a - b).join(" ");
    const known = this.#known.get(key);
    if (known) return known;
    this.work.spend(SHAPE_STEPS, parts[0]?.path ?? "");
    const shape: ChoiceShape = { kind: "choice", branches: [] };
    this.#known.set(key, shape);
    this.#unread.push(() => {
      const alternatives = this.alternatives(parts);
      shape.branches.push(...(alternatives?.map((each) => this.shape(each)) ?? this.#typed.shapes(parts)));
    });
    return shape;
  }

  /** The conditions of schemas, with those that $ref and allOf lead to, without those keywords. */
  parts(schemas: Located): readonly Part[] | undefined {
    const found = new Map<JsonObject, string>();
    let never = false;
    const add = (schema: Schema, path: string, chain: readonly Schema[]): void => {
      if (schema === true) return;
      if (schema === false) {
        never = true;
        return;
      }
      if (chain.includes(schema)) refuse(path, "refers to itself, and nothing but itself");
      if (!this.#checked.has(schema)) checkKeywords(schema, path);
      this.#checked.add(schema);
      const { $ref, allOf } = schema;
      const longer = [...chain, schema];
      if ($ref !== undefined) add(...this.#resolve($ref as string, path), longer);
      for (const [i, each] of ((allOf ?? []) as Schema[]).entries()) add(each, `${path}/allOf/${i}`, longer);
      const rest = this.#reduced(this.#reduced(schema, "$ref"), "allOf");
      // So that two references to one schema are the same.
      if (!saysNothing(rest)) found.set(rest, path);
    };
    for (const [schema, path] of schemas) add(schema, path, []);
    if (never) return undefined;
    return [...found].map(([schema, path]) => ({ schema, path }));
  }

  /** The conditions of each branch of the first anyOf or oneOf; undefined where there is none. */
  alternatives(parts: readonly Part[]): readonly Located[] | undefined {
    for (const [i, { schema, path }] of parts.entries()) {
      for (const name of ["anyOf", "oneOf"] as const) {
        const branches = schema[name] as Schema[] | undefined;
        if (branches === undefined) continue;
        const rest = this.#reduced(schema, name);
        const others = parts.map((part, j) => [j === i ? rest : part.schema, part.path] as const);
        const all = branches.map((branch, j) => [...others, [branch, `${path}/${name}/${j}`] as const]);
        if (name === "oneOf") this.#checkDisjoint(all, `${path}/oneOf`);
        return all;
      }
    }
    return undefined;
  }

  #checkDisjoint(branches: readonly Located[], path: string): void {
    const plain = branches.map((branch) => withoutChoices(this, branch));
    for (let a = 0; a < plain.length; a++)
      for (let b = 0; b < a; b++) {
        this.work.spend(PAIR_STEPS, path);
        if (disjoint(this, plain[b], plain[a])) continue;
        const problem = `cannot be seen to exclude one another: numbers ${b} and ${a}`;
        refuse(path, problem, "use anyOf, or give each a required property with another const");
      }
  }

  #id(schema: JsonObject): number {
    let id = this.#ids.get(schema);
    if (id === undefined) this.#ids.set(schema, (id = this.#ids.size));
    return id;
  }

  /** The schema without a keyword; always the same copy. */
  #reduced(schema: JsonObject, name: string): JsonObject {
    if (schema[name] === undefined) return schema;
    let copies = this.#without.get(schema);
    if (copies === undefined) this.#without.set(schema, (copies = new Map()));
    let copy = copies.get(name);
    if (copy === undefined) {
      copy = Object.assign(Object.create(null) as JsonObject, schema);
      delete copy[name];
      copies.set(name, copy);
      this.#checked.add(copy);
    }
    return copy;
  }

  /** What a reference names: a place in this schema. */
  #resolve(reference: string, path: string): readonly [Schema, string] {
    const at = `${path}/$ref`;
    if (!/^#(?:\/|$)/.test(reference)) {
      refuse(at, `must name a place in the schema, as #/$defs/name, got ${display(reference)}`);
    }
    let value: Json | undefined = this.#root;
    const way = reference.split("/").slice(1).map(unescaped);
    for (const key of way) {
      const list: Json | undefined = value;
      value =
        Array.isArray(list) && /^\d{1,6}$/.test(key) ? list[Number(key)] : isObject(list) ? own(list, key) : undefined;
    }
    if (value === undefined || !isSchema(value)) refuse(at, `names no schema: ${display(reference)}`);
    return [value, way.map((key) => `/${pointer(key)}`).join("")];
  }
}

const own = (object: Readonly<Record<string, unknown>>, key: string): Json | undefined =>
  Object.hasOwn(object, key) ? (object[key] as Json) : undefined;

function unescaped(key: string): string {
  let text = key;
  try {
    text = decodeURIComponent(key);
  } catch {
    // a lone % is itself
  }
  return text.replaceAll("~1", "/").replaceAll("~0", "~");
}
