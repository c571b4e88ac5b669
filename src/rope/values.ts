// values.ts — checked reading of single values from a RoPE setting. `name` in every function is where the value stands,
// for the error: "config.json: rope_scaling.factor" or "ropeScaling.factor".

import { type ErrorCode, LlariatError } from "../error.ts";
import { display } from "../text/wording.ts";

/** Throws LlariatError "rope", or another code for what is no RoPE setting; `subject` is where the value stands. */
export const refuse = (subject: string, problem: string, code: ErrorCode = "rope"): never => {
  throw new LlariatError(code, problem, { subject });
};

/** What a number must be. */
export interface Range {
  readonly least?: number;
  readonly above?: number;
  readonly most?: number;
  readonly whole?: true;
  /** Continues the error: what the value means or what to do. */
  readonly hint?: string;
  /** Of the error; default "rope". */
  readonly code?: ErrorCode;
}

/** A finite number in the range. */
export function number(name: string, value: unknown, range: Range = {}): number {
  const { least = -Infinity, above = -Infinity, most = Infinity, whole } = range;
  if (
    typeof value === "number" &&
    Number.isFinite(value) &&
    value >= least &&
    value > above &&
    value <= most &&
    (!whole || Number.isSafeInteger(value))
  )
    return value;
  const bounds = [
    least > -Infinity ? `≥ ${least}` : above > -Infinity ? `above ${above}` : "",
    most < Infinity ? `≤ ${most}` : "",
  ].filter(Boolean);
  const kind = [whole ? "a whole number" : "a number", bounds.join(" and ")].filter(Boolean).join(" ");
  const quoted = typeof value === "string" && value.trim() !== "" && Number.isFinite(Number(value));
  const advice = quoted ? "write it without quotes" : range.hint;
  return refuse(name, `must be ${kind}, got ${display(value)}${advice ? `; ${advice}` : ""}`, range.code);
}

/** A list of `count` numbers above 0, as an own frozen copy. */
export function positives(name: string, value: unknown, count: number): readonly number[] {
  if (!Array.isArray(value))
    return refuse(name, `must be a list of ${count} numbers (head_dim / 2), got ${display(value)}`);
  if (value.length !== count)
    return refuse(
      name,
      `must have ${count} numbers (head_dim / 2), got ${value.length}; use the list made for this model`,
    );
  // Array.from, not map: a hole in the list is a missing number
  return Object.freeze(Array.from(value, (item: unknown, i) => number(`${name}[${i}]`, item, { above: 0 })));
}

/** A config or a setting as parsed. */
export type Dict = Readonly<Record<string, unknown>>;

/** The value of a key, undefined where it is absent or null: configs write null for "not given". */
export const given = (values: Dict, key: string): unknown => values[key] ?? undefined;
