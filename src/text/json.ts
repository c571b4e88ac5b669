// json.ts — JSON from files nobody checked: unlike JSON.parse it refuses duplicate keys (the last would silently win),
// nesting and counts that would cost more memory than the file, and it says where.

import { LlariatError } from "../error.ts";
import type { ErrorCode } from "../error.ts";

/** What JSON can say. */
export type Json = null | boolean | number | string | Json[] | JsonObject;
/** Without a prototype, so that a key named __proto__ or constructor is a key like any other. */
export type JsonObject = { [key: string]: Json };

/** Checkpoint files nest 4 deep; 64 leaves room and keeps the recursion far from the stack's end. */
const MAX_DEPTH = 64;
/** The largest published index has about 10⁵ entries of one value each; a header has 7 values per tensor. */
const MAX_VALUES = 4_000_000;
/**
 * What costs most of a file, in time and memory. The largest published vocabularies have 2¹⁸ pieces, 2 · 2¹⁸ merges of a
 * list each, and 10⁴ added tokens of 7 keys.
 */
const MAX_LISTS = 1_000_000;
const MAX_KEYS = 1_000_000;

const NUMBER = /-?(?:0|[1-9]\d*)(?:\.\d+)?(?:[eE][+-]?\d+)?/y;
const [QUOTE, BACKSLASH, COMMA, COLON] = [0x22, 0x5c, 0x2c, 0x3a];
const [OPEN_OBJECT, CLOSE_OBJECT, OPEN_ARRAY, CLOSE_ARRAY] = [0x7b, 0x7d, 0x5b, 0x5d];

/** Words that are values. */
const WORDS: readonly (readonly [string, Json])[] = [
  ["true", true],
  ["false", false],
  ["null", null],
];
/** What Python's json module writes and reads besides, and JSON does not have. */
const PYTHON_WORDS: typeof WORDS = [...WORDS, ["NaN", NaN], ["Infinity", Infinity], ["-Infinity", -Infinity]];

/**
 * Parses one JSON document. Throws LlariatError `code` with `name` and the character position for anything that is not
 * JSON (RFC 8259), for duplicate keys in one object, for nesting below 64 levels, and above 4 million values, a million
 * keys or `lists` lists and objects.
 */
export const parseJson = (text: string, name: string, code: ErrorCode, lists = MAX_LISTS): Json =>
  parse(text, name, code, WORDS, lists);

/**
 * As parseJson, for files that Python writes (config.json and its like): also NaN, Infinity and -Infinity, which may stand
 * in a field that nobody reads. Whoever reads a number must check that it is one.
 */
export const parsePythonJson = (text: string, name: string, code: ErrorCode): Json =>
  parse(text, name, code, PYTHON_WORDS, MAX_LISTS);

function parse(text: string, name: string, code: ErrorCode, words: typeof WORDS, maxLists: number): Json {
  let at = 0;
  let values = 0;
  let lists = 0;
  let keys = 0;

  const fail = (got: string, needed: string): never => {
    throw new LlariatError(
      code,
      `${name}: got ${got} at character ${at}, needed ${needed}; the file is damaged or not JSON`,
    );
  };
  const here = () => (at < text.length ? JSON.stringify(text[at]) : "the end of the text");
  const skipSpace = () => {
    for (; ; at++) {
      const c = text.charCodeAt(at);
      if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return c; // NaN at the end
    }
  };

  function string(): string {
    const start = at++;
    let plain = true;
    for (; ; at++) {
      const c = text.charCodeAt(at);
      if (c === QUOTE) break;
      if (c === BACKSLASH) {
        plain = false;
        at++;
      } else if (!(c >= 0x20)) fail(here(), "the closing quote of a string");
    }
    at++;
    if (plain) return text.slice(start + 1, at - 1);
    try {
      return JSON.parse(text.slice(start, at)) as string; // one string literal: the escapes are JSON.parse's business
    } catch {
      at = start;
      return fail("a string with a wrong escape", String.raw`\" \\ \/ \b \f \n \r \t or \uXXXX`);
    }
  }

  function object(depth: number): JsonObject {
    const out = Object.create(null) as JsonObject;
    at++;
    if (skipSpace() === CLOSE_OBJECT) {
      at++;
      return out;
    }
    for (;;) {
      if (skipSpace() !== QUOTE) fail(here(), "a key in quotes");
      if (++keys > MAX_KEYS) fail(`more than ${MAX_KEYS} keys`, "fewer");
      const keyAt = at;
      const key = string();
      if (key in out) {
        at = keyAt;
        fail(`the key ${show(key)} a second time`, "every key once in an object");
      }
      if (skipSpace() !== COLON) fail(here(), "a colon after a key");
      at++;
      out[key] = value(depth + 1);
      const c = skipSpace();
      if (c !== COMMA && c !== CLOSE_OBJECT) fail(here(), "a comma or } in an object");
      at++;
      if (c === CLOSE_OBJECT) return out;
    }
  }

  function array(depth: number): Json[] {
    const out: Json[] = [];
    at++;
    if (skipSpace() === CLOSE_ARRAY) {
      at++;
      return out;
    }
    for (;;) {
      out.push(value(depth + 1));
      const c = skipSpace();
      if (c !== COMMA && c !== CLOSE_ARRAY) fail(here(), "a comma or ] in an array");
      at++;
      if (c === CLOSE_ARRAY) return out;
    }
  }

  function value(depth: number): Json {
    if (depth > MAX_DEPTH) fail(`nesting deeper than ${MAX_DEPTH} levels`, "less");
    if (++values > MAX_VALUES) fail(`more than ${MAX_VALUES} values`, "fewer");
    const c = skipSpace();
    if (c === QUOTE) return string();
    if ((c === OPEN_OBJECT || c === OPEN_ARRAY) && ++lists > maxLists) {
      fail(`more than ${maxLists} lists and objects`, "fewer");
    }
    if (c === OPEN_OBJECT) return object(depth);
    if (c === OPEN_ARRAY) return array(depth);
    for (const [word, meaning] of words) {
      if (text.startsWith(word, at)) {
        at += word.length;
        return meaning;
      }
    }
    NUMBER.lastIndex = at;
    const digits = NUMBER.exec(text)?.[0];
    if (digits === undefined) return fail(here(), "a JSON value");
    at += digits.length;
    return Number(digits);
  }

  const result = value(1);
  skipSpace();
  if (at < text.length) fail(here(), "nothing after the value");
  return result;
}

/** Whether a parsed value is an object with keys (not null, not an array). */
export const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** A value for an error sentence: JSON, or Python's NaN and Infinity, cut at 60 characters. */
export function show(value: unknown): string {
  if (value === undefined) return "nothing";
  if (typeof value === "number") return String(value);
  // A long list or text from a hostile file is cut before it is printed, not after.
  const long = Array.isArray(value) && value.length > 12;
  const small = typeof value === "string" ? value.slice(0, 80) : long ? value.slice(0, 12) : value;
  const text = isObject(small) ? `an object with ${Object.keys(small).length} keys` : JSON.stringify(small);
  return text.length > 60 || long ? `${text.slice(0, Math.min(57, text.length - 1))}…` : text;
}
