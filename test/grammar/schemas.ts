// schemas.ts — random JSON schemas from a seed, each with a maker of random values that meet it; and what the tests of the grammar share.
import { readFileSync } from "node:fs";
import { Tokenizer } from "../../tokenizer/index.ts";

/** A whole number from 0 on, below the one that is given. */
export type Next = (below: number) => number;

/** A schema, and a value that meets it, made anew each time; its properties are in the order of the schema. */
export interface Made {
  readonly schema: unknown;
  readonly value: () => unknown;
}

const WORDS = ["a", "bb", "name", "é", "日本", "👍", 'q"q', "back\\slash", "tab\t", "", "id", "0"];
const FORMATS = {
  date: ["2024-02-28", "1999-12-31"],
  time: ["23:59:59Z", "00:00:00.125+05:30"],
  "date-time": ["2024-01-31T12:00:00Z"],
  uuid: ["123e4567-e89b-12d3-a456-426614174000"],
  ipv4: ["192.168.0.1", "255.255.255.255"],
  email: ["a.b@example.org"],
  hostname: ["example.org", "a-1"],
};
const PATTERNS: readonly (readonly [string, readonly string[]])[] = [
  ["^[A-Z]{2,4}-\\d+$", ["AB-1", "ABCD-123"]],
  ["^(?:yes|no|maybe)$", ["yes", "maybe"]],
  ["ab+c", ["abc", "xxabbbcyy"]],
  ["^\\p{L}{1,5}$", ["né", "日本"]],
  ['^[^\\s"]+$', ["word", "👍"]],
  ["^(?!.*--)[a-z-]{1,6}$", ["a-b", "abc"]],
  ["^$|^x", ["", "xyz"]],
  ["[0-9]$", ["a1", "7"]],
  [".", ["z"]],
];

/** Random schemas of at most `depth` levels. */
export function randomSchemas(next: Next) {
  const pick = <T>(list: readonly T[]): T => list[next(list.length)];
  const number = (): Made => {
    const whole = next(2) === 0;
    const low = next(400) - 200;
    const high = low + 1 + next(300);
    const part = () => (whole ? 0 : next(100) / 100);
    const inside = () => low + 1 + next(high - low - 1 || 1) - 0;
    const form = next(6);
    const type = whole ? "integer" : "number";
    if (form === 0)
      return { schema: { type }, value: () => (whole ? next(2 ** 31) - 2 ** 30 : (next(2 ** 31) - 2 ** 30) / 1024) };
    if (form === 1) return { schema: { type, minimum: low }, value: () => low + next(5000) + part() };
    if (form === 2) return { schema: { type, maximum: high + 0.5 }, value: () => high - next(5000) };
    if (form === 3) return { schema: { type, exclusiveMinimum: low, exclusiveMaximum: high + 2 }, value: inside };
    if (form === 4) return { schema: { type, minimum: low + part(), maximum: high + 1 + part() }, value: inside };
    return { schema: { type, minimum: 0 }, value: () => next(1000) + part() };
  };
  const string = (): Made => {
    const form = next(6);
    const text = (least: number, most: number) =>
      Array.from({ length: least + next(most - least + 1) }, () => pick([...'aé日👍\n "'])).join("");
    if (form === 0) return { schema: { type: "string" }, value: () => pick(WORDS) };
    if (form === 1) {
      const [min, extra] = [next(4), next(6)];
      return {
        schema: { type: "string", minLength: min, maxLength: min + extra },
        value: () => text(min, min + extra),
      };
    }
    if (form === 2) return { schema: { type: "string", minLength: 2 }, value: () => text(2, 9) };
    if (form === 3) {
      const [pattern, values] = pick(PATTERNS);
      return { schema: { type: "string", pattern }, value: () => pick(values) };
    }
    if (form === 4) {
      const [format, values] = pick(Object.entries(FORMATS));
      return { schema: { type: "string", format }, value: () => pick(values) };
    }
    const [pattern, values] = pick(PATTERNS.slice(0, 2));
    const kept = values.filter(({ length }) => length <= 5 && length >= 2);
    return { schema: { type: "string", pattern, minLength: 2, maxLength: 5 }, value: () => pick(kept) };
  };
  const constant = (): Made => {
    const values = [
      ...new Set(Array.from({ length: 1 + next(4) }, () => pick<unknown>([...WORDS, 1, 12, -0.5, true, null]))),
    ];
    return next(3) === 0
      ? { schema: { const: values[0] }, value: () => values[0] }
      : { schema: { enum: values }, value: () => pick(values) };
  };
  const plain = (): Made => {
    switch (next(6)) {
      case 0:
        return { schema: { type: "boolean" }, value: () => next(2) === 0 };
      case 1:
        return { schema: { type: "null" }, value: () => null };
      case 2:
        return constant();
      case 3:
        return number();
      default:
        return string();
    }
  };
  const object = (depth: number): Made => {
    const keys = [...new Set(Array.from({ length: next(5) }, () => pick(WORDS)))];
    // Keys of digits come first in any object of JavaScript, so a value could not have them in the order of the schema.
    const own = keys
      .filter((key) => !/^\d+$/.test(key))
      .map((key) => ({ key, made: any(depth - 1), required: next(2) === 0 }));
    const extra = next(3);
    const others = extra === 2 ? any(depth - 1) : undefined;
    const additional = extra === 0 ? false : extra === 1 ? undefined : others!.schema;
    const schema = {
      type: "object",
      properties: Object.fromEntries(own.map(({ key, made }) => [key, made.schema])),
      required: own.filter(({ required }) => required).map(({ key }) => key),
      ...(additional !== undefined && { additionalProperties: additional }),
    };
    const value = () => {
      const out: Record<string, unknown> = {};
      for (const { key, made, required } of own) if (required || next(2) === 0) out[key] = made.value();
      if (others) for (const key of ["extra", "more é"].slice(0, next(3))) out[key] = others.value();
      return out;
    };
    return { schema, value };
  };
  const array = (depth: number): Made => {
    const items = any(depth - 1);
    const first = Array.from({ length: next(3) }, () => any(depth - 1));
    const min = next(3);
    const max = min + 1 + next(3);
    const bounded = next(2) === 0;
    const schema = {
      type: "array",
      ...(first.length > 0 && { prefixItems: first.map(({ schema }) => schema) }),
      items: items.schema,
      ...(min > 0 && { minItems: min }),
      ...(bounded && { maxItems: max }),
    };
    const value = () => Array.from({ length: min + next(max - min + 1) }, (_, i) => (first[i] ?? items).value());
    return { schema, value };
  };
  const any = (depth: number): Made => {
    if (depth <= 0) return plain();
    switch (next(8)) {
      case 0:
      case 1:
      case 2:
        return object(depth);
      case 3:
      case 4:
        return array(depth);
      case 5: {
        const branches = Array.from({ length: 1 + next(3) }, () => any(depth - 1));
        return { schema: { anyOf: branches.map(({ schema }) => schema) }, value: () => pick(branches).value() };
      }
      case 6: {
        const made = any(depth - 1);
        return { schema: { allOf: [made.schema, {}], description: "d" }, value: made.value };
      }
      default:
        return plain();
    }
  };
  return any;
}

/** A value as JSON, with or without a space after each `:` and `,` and before it. */
export function written(value: unknown, next: Next): string {
  const space = () => (next(2) === 0 ? " " : "");
  const write = (value: unknown): string => {
    if (Array.isArray(value))
      return `[${value.map(write).reduce((a, b, i) => (i === 0 ? b : `${a},${space()}${b}`), "")}]`;
    if (typeof value !== "object" || value === null) return JSON.stringify(value);
    const entries = Object.entries(value).map(([key, own]) => `${JSON.stringify(key)}:${space()}${write(own)}`);
    return `{${entries.reduce((a, b, i) => (i === 0 ? b : `${a},${space()}${b}`), "")}}`;
  };
  return space() + write(value);
}

/** A tokenizer of test/fixtures/tokenizers. */
export function tokenizerOf(name: string): Tokenizer {
  const text = (file: string) =>
    readFileSync(new URL(`../fixtures/tokenizers/${name}/${file}`, import.meta.url), "utf8");
  return Tokenizer.fromFiles({ tokenizerJson: text("tokenizer.json"), tokenizerConfig: text("tokenizer_config.json") });
}

/** The ids whose bits are set. */
export function idsOf(mask: Uint32Array): number[] {
  const ids: number[] = [];
  for (const [i, word] of mask.entries())
    for (let bit = 0; bit < 32; bit++) if ((word >>> bit) & 1) ids.push(32 * i + bit);
  return ids;
}
