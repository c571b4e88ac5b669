// fields.ts — the fields of a checkpoint's JSON files, each read within its bounds or refused by name.

import { LlariatError } from "../error.ts";
import { isObject, show } from "../text/json.ts";

/**
 * The fields of one JSON object, read with their bounds; null counts as absent, as it does in transformers. Every reader throws
 * LlariatError "config" naming file and field, what it holds and what is needed.
 */
export class Fields {
  readonly all: Readonly<Record<string, unknown>>;
  readonly file: string;

  constructor(json: unknown, file: string) {
    if (!isObject(json)) throw new LlariatError("config", `${file}: got ${show(json)}, needed a JSON object`);
    this.all = json;
    this.file = file;
  }

  /** The value; undefined where it is absent or null. */
  get(key: string): unknown {
    return Object.hasOwn(this.all, key) ? (this.all[key] ?? undefined) : undefined;
  }

  /** The error for a field, to be thrown: what it holds, and what is needed. */
  bad(key: string, needed: string): LlariatError {
    return new LlariatError("config", `${this.file}: ${key}: got ${show(this.get(key))}, needed ${needed}`);
  }

  /** A whole number from `least` to `most`; without `fallback` it must be there. */
  integer(key: string, least: number, most: number, fallback?: number): number {
    const value = this.get(key) ?? fallback;
    if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
    throw this.bad(
      key,
      most === Number.MAX_SAFE_INTEGER ? `an integer from ${least}` : `an integer from ${least} to ${most}`,
    );
  }

  /** A number from `least` to `most`; undefined where it is absent and has no `fallback`. */
  number(key: string, least: number, most: number, fallback?: number): number | undefined {
    const value = this.get(key) ?? fallback;
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isFinite(value) && value >= least && value <= most) return value;
    throw this.bad(
      key,
      most === Infinity ? `a number ${least === 0 ? "≥" : ">"} 0` : `a number from ${least} to ${most}`,
    );
  }

  /** True or false; `fallback` where it is absent. */
  flag(key: string, fallback = false): boolean {
    const value = this.get(key) ?? fallback;
    if (typeof value === "boolean") return value;
    throw this.bad(key, "true or false");
  }

  /** A token id, a list of ids, or null. Absent is `absent`; -1, which some configs write for "none", is dropped. */
  ids(key: string, absent: readonly number[]): number[] {
    if (!Object.hasOwn(this.all, key)) return [...absent];
    const value = this.all[key];
    const list: unknown[] = value === null || value === undefined ? [] : Array.isArray(value) ? value : [value];
    if (!list.every((id) => Number.isSafeInteger(id) && (id as number) >= -1 && (id as number) < 2 ** 32)) {
      throw this.bad(key, "a token id or a list of token ids");
    }
    return [...new Set((list as number[]).filter((id) => id >= 0))];
  }
}
