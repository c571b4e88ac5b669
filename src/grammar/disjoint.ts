// disjoint.ts — whether two branches of a oneOf can be seen to exclude one another: then one of them and any of them is the same.
//   other types · other constants · an object property that both require, with other constants · one that only one may have

import type { Schema } from "./keywords.ts";
import { type Located, type Part, type SchemaReader, all, canonical, constants, typeOf, typesOf } from "./parts.ts";

/** Alternatives that are looked at on either side; more of them are not seen to be disjoint. */
const MOST = 64;

/** Conditions none of which has a choice any more, one list for each way to choose; undefined: too many ways. */
export type Plain = readonly (readonly Part[])[] | undefined;

/** The conditions of a branch without its own anyOf and oneOf. */
export function withoutChoices(reader: SchemaReader, schemas: Located): Plain {
  const done: (readonly Part[])[] = [];
  const left: Located[] = [schemas];
  for (let next = left.pop(); next !== undefined; next = left.pop()) {
    if (done.length + left.length > MOST) return undefined;
    const parts = reader.parts(next);
    if (parts === undefined) continue;
    const branches = reader.alternatives(parts);
    if (branches) left.push(...branches);
    else done.push(parts);
  }
  return done;
}

/** Whether no value meets both; false also where that is not easily seen. */
export const disjoint = (reader: SchemaReader, a: Plain, b: Plain): boolean =>
  a !== undefined && b !== undefined && a.every((one) => b.every((other) => apart(reader, one, other)));

function apart(reader: SchemaReader, a: readonly Part[], b: readonly Part[]): boolean {
  const types = typesIn(a).filter((type) => typesIn(b).includes(type));
  if (types.length === 0 || exclude(constants(a), constants(b))) return true;
  if (types.length > 1 || types[0] !== "object") return false;
  const [inA, inB] = [requiredOf(a), requiredOf(b)];
  const tagged = [...inA].some((key) => inB.has(key) && exclude(valuesOf(reader, a, key), valuesOf(reader, b, key)));
  return tagged || [...inA].some((key) => forbids(b, key)) || [...inB].some((key) => forbids(a, key));
}

function typesIn(parts: readonly Part[]) {
  const [types, values] = [typesOf(parts), constants(parts)];
  return [...types].filter((type) => values === undefined || values.some((value) => typeOf(value) === type));
}

function exclude(a: unknown[] | undefined, b: unknown[] | undefined): boolean {
  if (a === undefined || b === undefined) return false;
  const names = new Set(a.map(canonical));
  return !b.some((value) => names.has(canonical(value)));
}

const requiredOf = (parts: readonly Part[]): ReadonlySet<string> => new Set(all<string[]>(parts, "required").flat());

const propertiesOf = ({ schema }: Part) => (schema["properties"] ?? {}) as Readonly<Record<string, Schema>>;

/** The constants of a property. */
function valuesOf(reader: SchemaReader, parts: readonly Part[], key: string): unknown[] | undefined {
  const own = parts.flatMap((part): Located => {
    const properties = propertiesOf(part);
    return Object.hasOwn(properties, key) ? [[properties[key], `${part.path}/properties/${key}`]] : [];
  });
  const conditions = reader.parts(own);
  return conditions === undefined ? [] : constants(conditions);
}

const forbids = (parts: readonly Part[], key: string): boolean =>
  parts.some((part) => part.schema["additionalProperties"] === false && !Object.hasOwn(propertiesOf(part), key));
