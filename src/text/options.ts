// options.ts — the options of a public call, checked before anything starts: known names only, each of its kind.

import { LlariatError } from "../error.ts";
import { display, nearest } from "./wording.ts";

/** What an option must be, as far as one can see without knowing what it is for. `any`: whoever reads it checks it. */
export type Kind = "any" | "flag" | "function" | "object" | "signal";

/** Every option of a call by name; `Record<keyof Options, Kind>` makes the compiler see that none is forgotten. */
export type Kinds<Options> = Readonly<Record<keyof Required<Options>, Kind>>;

const NEEDED: Readonly<Record<Exclude<Kind, "any">, string>> = {
  flag: "true or false",
  function: "a function",
  object: "an object",
  signal: "an AbortSignal",
};

/**
 * Refuses options that are no object, names that are not known, and values of another kind; undefined counts as left out.
 * @throws LlariatError("request") naming the option, and the known name nearest to an unknown one.
 */
export function checkOptions<Options>(options: unknown, kinds: Kinds<Options>): void {
  if (typeof options !== "object" || options === null || Array.isArray(options)) {
    throw new LlariatError("request", `must be an object, got ${display(options)}`, { subject: "options" });
  }
  for (const name of Reflect.ownKeys(options)) {
    const value = (options as Record<PropertyKey, unknown>)[name];
    if (typeof name === "symbol" || !Object.hasOwn(kinds, name)) {
      if (value === undefined) continue;
      const known = nearest(String(name), Object.keys(kinds));
      const advice = known === undefined ? `known are ${Object.keys(kinds).join(", ")}` : `did you mean ${known}?`;
      throw new LlariatError("request", "there is no such option", { subject: String(name), advice });
    }
    const kind = (kinds as Record<string, Kind>)[name];
    if (kind === "any" || value === undefined || isOf(value, kind)) continue;
    throw new LlariatError("request", `must be ${NEEDED[kind]}, got ${display(value)}`, { subject: name });
  }
}

function isOf(value: unknown, kind: Exclude<Kind, "any">): boolean {
  if (kind === "flag") return typeof value === "boolean";
  if (kind === "function") return typeof value === "function";
  if (typeof value !== "object" || value === null) return false;
  if (kind === "object") return !Array.isArray(value);
  const signal = value as Partial<AbortSignal>;
  return typeof signal.aborted === "boolean" && typeof signal.addEventListener === "function";
}
