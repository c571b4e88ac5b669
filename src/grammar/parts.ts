// parts.ts — the conditions that a value meets at once, and what those who read a single keyword of all may ask about schemas.

import type { JsonObject } from "../text/json.ts";
import type { Schema } from "./keywords.ts";
import type { Shape } from "./shape.ts";
import type { Work } from "./work.ts";

/** One condition, and where it stands. */
export interface Part {
  readonly schema: JsonObject;
  readonly path: string;
}

/** Schemas of one place, each with its JSON pointer. */
export type Located = readonly (readonly [Schema, string])[];

/** Reads schemas (schema.ts). */
export interface SchemaReader {
  readonly work: Work;
  /** The shape of values that meet all of these. */
  shape(schemas: Located): Shape;
  /** Their conditions, without $ref and allOf; undefined where no value meets them. */
  parts(schemas: Located): readonly Part[] | undefined;
  /** The conditions of each branch of the first anyOf or oneOf; undefined where there is none. */
  alternatives(parts: readonly Part[]): readonly Located[] | undefined;
}

/** The values of a keyword in those conditions that have it. */
export const all = <T>(parts: readonly Part[], name: string): T[] =>
  parts.flatMap(({ schema }) => (schema[name] === undefined ? [] : [schema[name] as T]));

/** The name of a value that equal values share: JSON with its keys in order. */
export function canonical(value: unknown): string {
  return JSON.stringify(value, (_, each: unknown) =>
    typeof each === "object" && each !== null && !Array.isArray(each)
      ? Object.fromEntries(Object.entries(each).toSorted(([a], [b]) => (a < b ? -1 : 1)))
      : each,
  );
}

/** The types of a value, as `type` names them; whole numbers are both. */
export type TypeName = "null" | "boolean" | "integer" | "number" | "string" | "array" | "object";

const TYPES: readonly TypeName[] = ["null", "boolean", "integer", "number", "string", "array", "object"];

/** The types that all conditions allow. `integer` beside no `number`: whole numbers only. */
export function typesOf(parts: readonly Part[]): Set<TypeName> {
  let types = new Set(TYPES);
  for (const { schema } of parts) {
    const { type, nullable } = schema;
    if (type === undefined) continue;
    const own = new Set([type].flat() as TypeName[]);
    if (own.has("number")) own.add("integer");
    if (nullable === true) own.add("null");
    types = new Set([...types].filter((each) => own.has(each)));
  }
  return types;
}

/** The type of a value. */
export function typeOf(value: unknown): TypeName {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value as TypeName;
}

/** The values that every enum and const of the conditions has; undefined where there is none. */
export function constants(parts: readonly Part[]): unknown[] | undefined {
  const lists = [...all<unknown[]>(parts, "enum"), ...all<unknown>(parts, "const").map((value) => [value])];
  if (lists.length === 0) return undefined;
  const shared = lists.slice(1).map((list) => new Set(list.map(canonical)));
  const first = new Map(lists[0].map((value) => [canonical(value), value]));
  return [...first].flatMap(([name, value]) => (shared.every((each) => each.has(name)) ? [value] : []));
}
