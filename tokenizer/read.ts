// read.ts — the fields of a file nobody checked: each is what it should be, or the error says where, what came, what was
// needed. Every reader takes `where`, the path of the value inside its file.

import { LlariatError } from "../src/error.ts";
import { isObject, parsePythonJson } from "../src/text/json.ts";
import { display } from "../src/text/wording.ts";

/** A JSON object whose values nobody checked. */
export type Fields = Readonly<Record<string, unknown>>;

/** The largest published vocabularies have 2^18 pieces; ids index arrays, so an absurd id must not size one. */
export const MAX_VOCABULARY = 1 << 22;
/** Published files nest a Sequence in a Sequence at most; a bound keeps recursion away from the stack's end. */
export const MAX_NESTING = 16;

/** Throws LlariatError "tokenizer" with one sentence. */
export function refuse(sentence: string, cause?: unknown): never {
  throw new LlariatError("tokenizer", sentence, cause === undefined ? undefined : { cause });
}

/** Throws LlariatError "tokenizer" for a character of the text that the vocabulary has nothing for. */
export function refuseCharacter(char: string): never {
  const code = char.codePointAt(0)!.toString(16).toUpperCase().padStart(4, "0");
  return refuse(
    `the text has the character U+${code} (${JSON.stringify(char)}), for which the vocabulary has neither a piece nor ` +
      `bytes nor an unknown token; leave it out`,
  );
}

const shown = (value: unknown): string => (value === undefined ? "nothing" : display(value));

const needs = (where: string, value: unknown, needed: string): never =>
  refuse(`${where}: got ${shown(value)}, needed ${needed}`);

/** A JSON document given as text or already parsed; `file` is its name in errors. */
export function document(source: unknown, file: string): Fields {
  return fields(typeof source === "string" ? parsePythonJson(source, file, "tokenizer") : source, file);
}

/** An object that is no list. */
export function fields(value: unknown, where: string): Fields {
  return isObject(value) ? value : needs(where, value, "an object");
}

/** A list of anything. */
export function list(value: unknown, where: string): readonly unknown[] {
  return Array.isArray(value) ? value : needs(where, value, "a list");
}

/** A string. */
export function text(value: unknown, where: string): string {
  return typeof value === "string" ? value : needs(where, value, "a string");
}

/** A string or, where the key is absent or null, undefined. */
export function optionalText(value: unknown, where: string): string | undefined {
  return value === undefined || value === null ? undefined : text(value, where);
}

/** true or false; `absent` stands for a missing or null key. */
export function flag(value: unknown, where: string, absent?: boolean): boolean {
  if ((value === undefined || value === null) && absent !== undefined) return absent;
  return typeof value === "boolean" ? value : needs(where, value, "true or false");
}

/** A whole number from 0 to below `limit`. */
export function count(value: unknown, where: string, limit: number): number {
  const fine = typeof value === "number" && Number.isInteger(value) && value >= 0 && value < limit;
  return fine ? value : needs(where, value, `a whole number from 0 to ${limit - 1}`);
}

/** A number that is neither NaN nor infinite. */
export function number(value: unknown, where: string): number {
  return typeof value === "number" && Number.isFinite(value) ? value : needs(where, value, "a number");
}

/** One of the names in `choices`. */
export function choice<T extends string>(value: unknown, where: string, choices: readonly T[]): T {
  return choices.find((name) => name === value) ?? needs(where, value, choices.join(" or "));
}

/** Exactly one character (code point). */
export function character(value: unknown, where: string): string {
  const got = text(value, where);
  return [...got].length === 1 ? got : needs(where, value, "one character");
}

/** The bytes a string spells in base64. */
export function base64(value: unknown, where: string): Uint8Array {
  try {
    return Uint8Array.from(atob(text(value, where)), (char) => char.charCodeAt(0));
  } catch (cause) {
    if (cause instanceof LlariatError) throw cause;
    return needs(where, value, "base64");
  }
}

/** Published files have up to ten; a text goes through all of them, each inside the one before. */
const MAX_STEPS = 256;

/** A list of steps. With those of the lists in them it has at most 256, the bound of the stack where they call each other. */
export function stepsOf(value: unknown, where: string, key: string): readonly unknown[] {
  const steps = list(value, where);
  let count = 0;
  const left = [steps];
  for (let inner = left.pop(); inner !== undefined; inner = left.pop()) {
    count += inner.length;
    if (count > MAX_STEPS) refuse(`${where} has more than ${MAX_STEPS} steps, needed at most that`);
    for (const step of inner) if (isObject(step) && Array.isArray(step[key])) left.push(step[key]);
  }
  return steps;
}

/** Reads one kind of step; `depth` counts the Sequences around it. */
export type Reader<T> = (json: Fields, where: string, depth: number) => T;

/** Reads `json` with the reader that its "type" names; another name is refused with the ones there are. */
export function byType<T>(
  json: unknown,
  where: string,
  readers: Readonly<Record<string, Reader<T>>>,
  depth: number,
): T {
  if (depth > MAX_NESTING) refuse(`${where} is nested ${depth} deep, needed at most ${MAX_NESTING}`);
  const object = fields(json, where);
  const type = text(object["type"], `${where}.type`);
  if (!Object.hasOwn(readers, type)) {
    refuse(`${where}: ${shown(type)} is not supported, needed one of ${Object.keys(readers).join(", ")}`);
  }
  return readers[type](object, where, depth);
}
