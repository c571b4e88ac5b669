// typed.ts — conditions without $ref, allOf, anyOf and oneOf as shapes, type by type: what all of them say of each keyword.

import { type CharMachine, anyText, both, lengths, matching, otherText } from "./chars.ts";
import { FORMATS } from "./formats.ts";
import type { Schema } from "./keywords.ts";
import { type Bounds, numbers } from "./number.ts";
import { type Located, type Part, type SchemaReader, all, constants, typeOf, typesOf } from "./parts.ts";
import { parsePattern } from "./pattern.ts";
import type { ArrayShape, ObjectShape, Shape } from "./shape.ts";
import { Spelling } from "./spelling.ts";
import { OneOf, type Terminal, Words, literal } from "./terminal.ts";
import { refuse } from "./work.ts";

/** Words that every schema shares, so that their masks are made once (masks.ts). */
const NULL = literal("null");
const BOOLEAN = new OneOf(new Words(["true", "false"]));
const FREE: Bounds = { whole: false, min: -Infinity, max: Infinity, above: false, below: false };
const NUMBER = numbers(FREE)!;
const INTEGER = numbers({ ...FREE, whole: true })!;
const ANY_TEXT = { raw: new Spelling(anyText()), ascii: new Spelling(anyText(), false) };

const word = (terminal: Terminal): Shape => ({ kind: "word", terminal });

/** Reads conditions type by type. */
export class Typed {
  readonly #reader: SchemaReader;
  /** See Spelling. */
  readonly #raw: boolean;
  readonly #words = new Map<string, Shape | undefined>();

  constructor(reader: SchemaReader, raw: boolean) {
    this.#reader = reader;
    this.#raw = raw;
  }

  /** A shape for each type of value that meets the conditions. */
  shapes(parts: readonly Part[]): Shape[] {
    const types = typesOf(parts);
    const values = constants(parts);
    if (values) {
      const met = values.filter((value) => types.has(typeOf(value)) && this.#meets(value, parts));
      return met.length === 0 ? [] : [word(new OneOf(new Words(met.map((value) => this.#spelt(value)))))];
    }
    const shapes: (Shape | undefined)[] = [];
    if (types.has("null")) shapes.push(word(NULL));
    if (types.has("boolean")) shapes.push(word(BOOLEAN));
    if (types.has("integer")) shapes.push(this.#number(parts, !types.has("number")));
    if (types.has("string")) shapes.push(this.#text(parts));
    if (types.has("array")) shapes.push(this.#array(parts));
    if (types.has("object")) shapes.push(this.#object(parts));
    return shapes.filter((shape) => shape !== undefined);
  }

  /** As JSON.stringify spells it, on an ASCII-only vocabulary with every other character as \uXXXX. */
  #spelt(value: unknown): string {
    const text = JSON.stringify(value);
    if (this.#raw) return text;
    return text.replaceAll(/[^\0-\x7f]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, "0")}`);
  }

  /** Whether a value of an enum meets the other keywords of its type. */
  #meets(value: unknown, parts: readonly Part[]): boolean {
    if (typeof value === "number") {
      const { min, max, above, below, whole } = boundsOf(parts, false);
      const inside = (above ? value > min : value >= min) && (below ? value < max : value <= max);
      return inside && (!whole || Number.isInteger(value));
    }
    if (typeof value === "string") {
      const machine = this.#machine(parts);
      let state = machine?.start ?? -1;
      for (const char of value) state = state < 0 ? -1 : machine!.next(state, char.codePointAt(0)!);
      return state >= 0 && machine!.accepts(state);
    }
    const beside = typeof value === "object" && value !== null ? (Array.isArray(value) ? OF_ARRAYS : OF_OBJECTS) : [];
    for (const { schema, path } of parts)
      for (const name of beside)
        if (schema[name] !== undefined)
          refuse(`${path}/${name}`, "is not supported beside an enum or const with such values");
    return true;
  }

  #number(parts: readonly Part[], whole: boolean): Shape | undefined {
    const bounds = boundsOf(parts, whole);
    const { min, max, above, below } = bounds;
    if (min === -Infinity && max === Infinity) return word(bounds.whole ? INTEGER : NUMBER);
    return this.#once(`${bounds.whole} ${min} ${max} ${above} ${below}`, () => {
      this.#reader.work.spend(NUMBER_STEPS, parts[0].path);
      return numbers(bounds);
    });
  }

  #text(parts: readonly Part[]): Shape | undefined {
    const said = ["minLength", "maxLength", "pattern", "format"].map((name) => all(parts, name));
    if (said.every(({ length }) => length === 0)) return word(ANY_TEXT[this.#raw ? "raw" : "ascii"]);
    return this.#once(JSON.stringify(said), () => {
      const machine = this.#machine(parts);
      return machine && new Spelling(machine, this.#raw);
    });
  }

  /** A word that is asked for again and again, made once: so are its masks. */
  #once(name: string, make: () => Terminal | undefined): Shape | undefined {
    if (!this.#words.has(name)) {
      const terminal = make();
      this.#words.set(name, terminal && word(terminal));
    }
    return this.#words.get(name);
  }

  /** The machine of the texts that meet the conditions; undefined where there is none. */
  #machine(parts: readonly Part[]): CharMachine | undefined {
    const min = Math.max(0, ...all<number>(parts, "minLength"));
    const max = Math.min(Infinity, ...all<number>(parts, "maxLength"));
    if (min > max) return undefined;
    const { work } = this.#reader;
    const tables = parts.flatMap(({ schema, path }) =>
      (["pattern", "format"] as const).flatMap((name) => {
        const value = schema[name] as string | undefined;
        if (value === undefined) return [];
        const at = `${path}/${name}`;
        return [{ at, table: matching(parsePattern(name === "format" ? FORMATS[value] : value, at, work), at, work) }];
      }),
    );
    if (tables.length === 0) return anyText(min, max);
    const { at } = tables[0];
    const counted = min > 0 || max < Infinity ? [{ at, table: lengths(min, max, at) }] : [];
    const { table } = [...tables, ...counted].reduce((a, b) => ({ at, table: both(a.table, b.table, at, work) }));
    return table.empty ? undefined : table;
  }

  #array(parts: readonly Part[]): ArrayShape {
    const lists = parts.map(({ schema }) => (schema["prefixItems"] ?? []) as Schema[]);
    const items = (i: number): Located =>
      parts.flatMap(({ schema, path }, p): Located => {
        if (i < lists[p].length) return [[lists[p][i], `${path}/prefixItems/${i}`]];
        return schema["items"] === undefined ? [] : [[schema["items"] as Schema, `${path}/items`]];
      });
    const leading = Math.max(...lists.map(({ length }) => length), 0);
    return {
      kind: "array",
      first: Array.from({ length: leading }, (_, i) => this.#reader.shape(items(i))),
      rest: this.#reader.shape(items(Infinity)),
      min: Math.max(0, ...all<number>(parts, "minItems")),
      max: Math.min(Infinity, ...all<number>(parts, "maxItems")),
    };
  }

  #object(parts: readonly Part[]): ObjectShape {
    const listed = parts.map(({ schema }) => (schema["properties"] ?? {}) as Readonly<Record<string, Schema>>);
    const required = new Set(all<string[]>(parts, "required").flat());
    const keys = [...new Set([...listed.flatMap((own) => Object.keys(own)), ...required])];
    const valueOf = (key?: string): Located =>
      parts.flatMap(({ schema, path }, p): Located => {
        if (key !== undefined && Object.hasOwn(listed[p], key)) return [[listed[p][key], `${path}/properties/${key}`]];
        const others = schema["additionalProperties"] as Schema | undefined;
        return others === undefined ? [] : [[others, `${path}/additionalProperties`]];
      });
    const properties = keys.map((key) => ({
      key: this.#spelt(key),
      value: this.#reader.shape(valueOf(key)),
      required: required.has(key),
    }));
    const value = this.#reader.shape(valueOf());
    const extra = { key: keys.length === 0 ? ANY_TEXT[this.#raw ? "raw" : "ascii"] : this.#other(keys), value };
    return {
      kind: "object",
      properties,
      extra,
      extras: extras(parts, keys.length, required.size),
      keys: new Words([]),
      from: [],
    };
  }

  #other(keys: readonly string[]): Terminal {
    return new Spelling(otherText(keys), this.#raw);
  }
}

/** For a machine of numbers between two bounds. */
const NUMBER_STEPS = 80_000;

/** Keywords that a value of an enum would have to be checked against as a whole. */
const OF_ARRAYS = ["items", "prefixItems", "minItems", "maxItems"];
const OF_OBJECTS = ["properties", "required", "additionalProperties", "minProperties", "maxProperties"];

/** The bounds that all conditions set. */
function boundsOf(parts: readonly Part[], whole: boolean): Bounds {
  const least = Math.max(-Infinity, ...all<number>(parts, "minimum"));
  const most = Math.min(Infinity, ...all<number>(parts, "maximum"));
  const above = Math.max(-Infinity, ...all<number>(parts, "exclusiveMinimum"));
  const below = Math.min(Infinity, ...all<number>(parts, "exclusiveMaximum"));
  return {
    whole: whole || all<number>(parts, "multipleOf").length > 0, // which is 1
    min: Math.max(least, above),
    max: Math.min(most, below),
    above: above >= least && above > -Infinity,
    below: below <= most && below < Infinity,
  };
}

/** How many properties there must and may be besides the listed ones, where that can be said without counting those. */
function extras(parts: readonly Part[], listed: number, required: number): readonly [number, number] {
  const min = Math.max(0, ...all<number>(parts, "minProperties"));
  const max = Math.min(Infinity, ...all<number>(parts, "maxProperties"));
  if (listed === 0) return [min, max];
  // All that are required are written, and then those that are listed can be too many only if not all of them are.
  if (required === listed) return [Math.max(0, min - listed), max - listed];
  const path = parts.find(
    ({ schema }) => schema["minProperties"] !== undefined || schema["maxProperties"] !== undefined,
  );
  if (min <= required && max === Infinity) return [0, Infinity];
  return refuse(
    path!.path,
    "minProperties and maxProperties are not supported beside properties that are not required",
  );
}
