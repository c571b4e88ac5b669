// copy.ts — a schema of a caller's, copied once and bounded: nothing of it can be another thing later, and none is endless.

import type { Json } from "../text/json.ts";
import { reading } from "../text/options.ts";
import { display } from "../text/wording.ts";
import { OPTION, refuse } from "./work.ts";

/** Values of one schema; the largest published have some thousands. */
const MAX_VALUES = 20_000;
const MAX_DEPTH = 64;
/** Characters of all texts and keys. */
const MAX_CHARACTERS = 400_000;

/** A copy of what JSON can say. Throws LlariatError "request" for anything else, and for too much of it. */
export function copied(schema: unknown): Json {
  let [values, characters] = [0, 0];
  const count = (text: string, path: string): string => {
    characters += text.length;
    if (characters > MAX_CHARACTERS) refuse(path, `has more than ${MAX_CHARACTERS} characters`, "use a smaller schema");
    return text;
  };
  const copy = (value: unknown, path: string, depth: number): Json => {
    if (++values > MAX_VALUES) refuse("", `has more than ${MAX_VALUES} values`, "use a smaller schema");
    if (depth > MAX_DEPTH) refuse(path.slice(0, 200), `is nested deeper than ${MAX_DEPTH} levels`);
    if (value === null || typeof value === "boolean") return value;
    if (typeof value === "number" && Number.isFinite(value)) return value;
    if (typeof value === "string") return count(value, path);
    if (Array.isArray(value)) {
      if (value.length > MAX_VALUES) refuse(path, `has ${value.length} items, needed at most ${MAX_VALUES}`);
      return Array.from({ length: value.length }, (_, i) => copy(value[i], `${path}/${i}`, depth + 1));
    }
    const plain =
      typeof value === "object" && [null, Object.prototype].includes(Object.getPrototypeOf(value) as object);
    if (!plain) return refuse(path, `must be what JSON can say, got ${display(value)}`);
    const out = Object.create(null) as Record<string, Json>;
    for (const [key, own] of Object.entries(value)) {
      // What JSON.stringify leaves out: zod and its like write keys of undefined.
      if (own !== undefined) out[count(key, path)] = copy(own, `${path}/${pointer(key)}`, depth + 1);
    }
    return out;
  };
  return reading(`${OPTION}.schema`, () => copy(schema, "", 1));
}

/** A key in a JSON pointer (RFC 6901). */
export const pointer = (key: string): string => key.replaceAll("~", "~0").replaceAll("/", "~1");
