// options.ts — the options of a public call, checked before anything starts: known names only, each of its kind.

import { type ErrorCode, LlariatError } from "../error.ts";
import { isSignal } from "./abort.ts";
import { isObject } from "./json.ts";
import { display, nearest, said, short } from "./wording.ts";

/**
 * What an option must be, as far as one can see without knowing what it is for; a list holds the words that it may be.
 * `callback`: a function whose end nobody waits for (`atOnce`). `any`: whoever reads it checks it.
 */
export type Kind = "any" | keyof typeof NEEDED | readonly string[];

/** Every option of a call by name; `Record<keyof Options, Kind>` makes the compiler see that none is forgotten. */
export type Kinds<Options> = Readonly<Record<keyof Required<Options>, Kind>>;

const NEEDED = {
  flag: "true or false",
  text: "a text",
  list: "a list without holes",
  function: "a function",
  callback: "a function",
  object: "an object",
  signal: "an AbortSignal",
  device: "a GPUDevice",
  "flag or text": "true, false or a text",
  "list or null": "a list without holes, or null",
} as const;

/**
 * Refuses options that are no object, names that are not known, and values of another kind; undefined counts as left out.
 * Gives back a copy that holds what was checked: each option is read once, so that none can be another thing later.
 * `within`: the option that these are part of, for the names in errors.
 * @throws LlariatError("request") naming the option, and the known name nearest to an unknown one.
 */
export function checkOptions<Options extends object>(
  options: unknown,
  kinds: Kinds<Options>,
  within?: string,
): Options {
  const at = (name: string) => (within === undefined ? name : `${within}.${name}`);
  return reading(within ?? "options", () => {
    if (!isObject(options)) {
      throw new LlariatError("request", `must be an object, got ${display(options)}`, { subject: within ?? "options" });
    }
    for (const name of Reflect.ownKeys(options)) {
      if (typeof name === "string" && Object.hasOwn(kinds, name)) continue;
      if (reading(at(String(name)), () => (options as Record<PropertyKey, unknown>)[name]) === undefined) continue;
      const known = nearest(String(name), Object.keys(kinds));
      const advice = known === undefined ? `known are ${Object.keys(kinds).join(", ")}` : `did you mean ${known}?`;
      throw new LlariatError("request", "there is no such option", { subject: at(short(String(name))), advice });
    }
    const copy: Record<string, unknown> = {};
    for (const [name, kind] of Object.entries<Kind>(kinds)) {
      const value = reading(at(name), () => options[name]);
      if (value === undefined) continue;
      if (kind !== "any" && !reading(at(name), () => isOf(value, kind))) {
        throw new LlariatError("request", `must be ${needed(kind)}, got ${display(value)}`, { subject: at(name) });
      }
      copy[name] = kind === "callback" ? atOnce(at(name), value as (...args: unknown[]) => unknown) : value;
    }
    return copy as Options;
  });
}

/**
 * Refuses what is no whole number from `least` to `most`, of `unit` if that is said.
 * @throws LlariatError("request") naming `subject`.
 */
export function checkWhole(
  subject: string,
  value: unknown,
  least: number,
  { most, unit }: { readonly most?: number; readonly unit?: string } = {},
): asserts value is number {
  if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= (most ?? Infinity)) return;
  const range = most === undefined ? `≥ ${least}` : `from ${least} to ${most}`;
  const needed = `a whole number${unit === undefined ? "" : ` of ${unit}`} ${range}`;
  throw new LlariatError("request", `must be ${needed}, got ${display(value)}`, { subject });
}

/**
 * Refuses what is no number from `least` to `most`.
 * @throws LlariatError("request") naming `subject`.
 */
export function checkNumber(
  subject: string,
  value: unknown,
  least = -Number.MAX_VALUE,
  most = Number.MAX_VALUE,
): asserts value is number {
  if (typeof value === "number" && value >= least && value <= most) return;
  const from = least === -Number.MAX_VALUE ? "" : ` from ${least}`;
  const to = most === Number.MAX_VALUE ? "" : ` to ${most}`;
  throw new LlariatError("request", `must be a number${from}${to}, got ${display(value)}`, { subject });
}

/**
 * Runs what reads a value of the caller's, whose getters, iterators and conversions may throw anything.
 * @throws LlariatError as it comes; anything else as LlariatError `code` that names `subject`.
 */
export function reading<T>(subject: string, read: () => T, code: ErrorCode = "request"): T {
  try {
    return read();
  } catch (cause) {
    if (cause instanceof LlariatError) throw cause;
    throw new LlariatError(code, `cannot be read: ${said(cause)}`, { subject, cause });
  }
}

/**
 * A function of the caller's that has done its work when it returns. A promise would be waited for by nobody, and its rejection
 * would end the process: one that comes back is refused, whatever becomes of it.
 * @throws LlariatError("request") naming `subject`; what the function throws.
 */
export function atOnce<Args extends unknown[], Answer>(
  subject: string,
  call: (...args: Args) => Answer,
): (...args: Args) => Answer {
  return (...args) => {
    const answer = call(...args);
    if (typeof answer !== "object" || answer === null) return answer;
    if (typeof reading(subject, () => (answer as { readonly then?: unknown }).then) !== "function") return answer;
    Promise.resolve(answer).catch(() => {});
    const advice = "give a function that is not async";
    throw new LlariatError("request", "must not return a promise, which nobody waits for", { subject, advice });
  };
}

const needed = (kind: Exclude<Kind, "any">): string => {
  if (typeof kind === "string") return NEEDED[kind];
  return kind.length === 1 ? kind[0] : `${kind.slice(0, -1).join(", ")} or ${kind.at(-1)}`;
};

function isOf(value: unknown, kind: Exclude<Kind, "any">): boolean {
  switch (kind) {
    case "flag":
      return typeof value === "boolean";
    case "text":
      return typeof value === "string";
    case "list":
      return Array.isArray(value) && isWhole(value);
    case "function":
    case "callback":
      // A class is called with `new` only.
      return typeof value === "function" && !/^class\b/.test(Function.prototype.toString.call(value));
    case "object":
      return isObject(value);
    case "signal":
      return isSignal(value);
    case "device":
      return isDevice(value);
    case "flag or text":
      return typeof value === "boolean" || typeof value === "string";
    case "list or null":
      return value === null || (Array.isArray(value) && isWhole(value));
    default:
      return typeof value === "string" && kind.includes(value);
  }
}

/** Whether a list has no holes: one of holes may be of any length, and take for ever. */
export function isWhole(list: readonly unknown[]): boolean {
  for (let i = 0; i < list.length; i++) if (!(i in list)) return false;
  return true;
}

/** Whatever acts as a device: one may be wrapped, and there may be several implementations in a process. */
function isDevice(value: unknown): boolean {
  if (!isObject(value)) return false;
  const { queue, limits, features, lost, createBuffer, addEventListener } = value;
  return (
    [queue, limits, features, lost].every((part) => typeof part === "object" && part !== null) &&
    [createBuffer, addEventListener].every((part) => typeof part === "function")
  );
}
