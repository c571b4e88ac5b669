// keywords.ts — the keywords of JSON Schema (draft 2020-12) that a grammar can keep, each checked for its form; every other is
// refused by name, because a value that breaks it would pass.

import { type Json, type JsonObject, isObject } from "../text/json.ts";
import { display, nearest } from "../text/wording.ts";
import { FORMATS } from "./formats.ts";
import { refuse } from "./work.ts";

/** A schema as it was copied: an object, or true (any value) or false (none). */
export type Schema = JsonObject | boolean;

/** Says nothing about values. */
const ANNOTATIONS = new Set([
  "title",
  "description",
  "default",
  "examples",
  "example",
  "deprecated",
  "readOnly",
  "writeOnly",
  "$comment",
  "$schema",
  "$defs",
  "definitions",
]);

/** What a reader would miss most, and what to do about it. */
const ADVICE: Readonly<Record<string, string>> = {
  patternProperties: "name the properties, or use additionalProperties",
  propertyNames: "name the properties",
  uniqueItems: "leave it out and check the answer",
  contains: "leave it out and check the answer",
  not: "say what there may be instead",
  if: "use anyOf",
  dependentSchemas: "use anyOf",
  dependentRequired: "use anyOf",
  multipleOf: "leave it out and check the answer",
};

const TYPES = ["null", "boolean", "integer", "number", "string", "array", "object"];
type Check = (value: Json) => string | undefined;

const size: Check = (value) =>
  Number.isSafeInteger(value) && (value as number) >= 0 ? undefined : "a whole number ≥ 0";
const number: Check = (value) => (typeof value === "number" ? undefined : "a number");
const flag: Check = (value) => (typeof value === "boolean" ? undefined : "true or false");
const schema: Check = (value) => (isSchema(value) ? undefined : "a schema: an object, true or false");
const schemas: Check = (value) =>
  Array.isArray(value) && value.length > 0 && value.every(isSchema) ? undefined : "a list of schemas, one at least";
const schemaByName: Check = (value) =>
  isObject(value) && Object.values(value).every((each) => isSchema(each)) ? undefined : "schemas by name";
const text: Check = (value) => (typeof value === "string" ? undefined : "a text");
const isType = (value: Json) => typeof value === "string" && TYPES.includes(value);

const CHECKS: Readonly<Record<string, Check>> = {
  type: (value) =>
    isType(value) || (Array.isArray(value) && value.length > 0 && value.every(isType))
      ? undefined
      : `one of ${TYPES.join(", ")}, or a list of them`,
  nullable: flag,
  enum: (value) => (Array.isArray(value) && value.length > 0 ? undefined : "a list of values, one at least"),
  const: () => undefined,
  anyOf: schemas,
  oneOf: schemas,
  allOf: schemas,
  $ref: text,
  properties: schemaByName,
  required: (value) =>
    Array.isArray(value) && value.every((each) => typeof each === "string") ? undefined : "a list of names",
  additionalProperties: schema,
  minProperties: size,
  maxProperties: size,
  items: schema,
  prefixItems: schemas,
  minItems: size,
  maxItems: size,
  uniqueItems: (value) => (value === false ? undefined : "false"),
  minLength: size,
  maxLength: size,
  pattern: text,
  format: (value) =>
    typeof value === "string" && Object.hasOwn(FORMATS, value)
      ? undefined
      : `one of ${Object.keys(FORMATS).join(", ")}`,
  minimum: number,
  maximum: number,
  exclusiveMinimum: number,
  exclusiveMaximum: number,
  multipleOf: (value) => (value === 1 ? undefined : "1"),
};

/** Whether a value may be a schema at all. */
export const isSchema = (value: Json): value is Schema => typeof value === "boolean" || isObject(value);

/** Whether a schema says nothing about values. */
export const saysNothing = (schema: JsonObject): boolean => Object.keys(schema).every((name) => ANNOTATIONS.has(name));

/** Throws LlariatError "request" naming the first keyword that is unknown, not supported, or of a wrong form. */
export function checkKeywords(schema: JsonObject, path: string): void {
  for (const [name, value] of Object.entries(schema)) {
    if (ANNOTATIONS.has(name) || (name === "$id" && path === "")) continue;
    if (!Object.hasOwn(CHECKS, name)) {
      const known = nearest(name, Object.keys(CHECKS));
      const advice = Object.hasOwn(ADVICE, name) ? ADVICE[name] : known && `did you mean ${known}?`;
      refuse(path, `the keyword ${display(name)} is not supported`, advice);
    }
    const needed = CHECKS[name](value);
    if (needed === undefined) continue;
    const advice = Object.hasOwn(ADVICE, name) ? ADVICE[name] : undefined;
    refuse(`${path}/${name}`, `must be ${needed}, got ${display(value)}`, advice);
  }
}
