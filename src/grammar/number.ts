// number.ts — numbers as JSON writes them (RFC 8259 section 6), between two bounds: a machine that compares digit by digit.
// Written without exponent where there is a bound other than 0, and beside a bound that is excluded of so few digits that none
// is that bound in 64 bits; exponents otherwise stay where every number is finite.

import { trim } from "./chars.ts";
import { Table } from "./terminal.ts";

/** Bounds of a number. */
export interface Bounds {
  /** Without a point. */
  readonly whole: boolean;
  readonly min: number;
  readonly max: number;
  /** `min` (`max`) itself is not allowed. */
  readonly above: boolean;
  readonly below: boolean;
}

/** Digits before the point: JSON.stringify writes no more without an exponent (ECMA-262 6.1.6.1.20). */
const INT_DIGITS = 21;
/** Digits after it: 1e-6 is the smallest that is written without exponent, and 17 digits tell all numbers apart. */
const FRACTION_DIGITS = 23;
/** Digits that are exact in 64 bits whatever they are. */
const EXACT_DIGITS = 15;
/** Bounds from here on say nothing: 21 digits before the point, and exponents below 280, stay under it. */
const BEYOND = 1e301;
const PLAIN = 1e21;

/** Digits of a bound that is not negative: those before and after the point, without needless zeros. */
interface Decimal {
  readonly int: string;
  readonly fraction: string;
  /** The bound itself is not allowed. */
  readonly open: boolean;
}

function decimal(value: number, open: boolean): Decimal {
  const [digits, exponent = "0"] = String(value).split("e");
  const [before, after = ""] = digits.split(".");
  const shift = Number(exponent);
  const all = shift < 0 ? "0".repeat(-shift) + before + after : before + after.padEnd(shift, "0");
  const point = shift < 0 ? before.length : before.length + shift;
  return {
    int: all.slice(0, point).replace(/^0+(?=\d)/, ""),
    fraction: all.slice(point).replace(/0+$/, ""),
    open,
  };
}

/** How the digits so far compare with a bound's at the same places: -1, 0 or 1; `int` is of those before the point, by length first. */
type Order = -1 | 0 | 1;
const compared = (a: string, b: string): Order => (a < b ? -1 : a > b ? 1 : 0);

/** Digits of a number so far, as far as it matters. */
interface Digits {
  readonly part: "start" | "zero" | "int" | "point" | "fraction";
  /** How many of this part there are. */
  readonly count: number;
  readonly low: Order;
  readonly high: Order;
}

/** What numbers without a sign may be. */
interface Span {
  readonly low: Decimal;
  readonly high: Decimal | undefined;
  readonly intDigits: number;
  readonly fractionDigits: number;
}

function digit({ low, high, intDigits, fractionDigits }: Span, digits: Digits, char: string): Digits | undefined {
  const { part, count } = digits;
  const inFraction = part === "point" || part === "fraction";
  if (part === "zero" || count >= (inFraction ? fractionDigits : intDigits)) return undefined;
  const compare = (bound: Decimal | undefined, so: Order): Order => {
    if (so !== 0 || bound === undefined) return so;
    return compared(char, (inFraction ? bound.fraction : bound.int)[count] ?? "0");
  };
  const next = inFraction ? "fraction" : part === "start" && char === "0" ? "zero" : "int";
  return { part: next, count: count + 1, low: compare(low, digits.low), high: compare(high, digits.high) };
}

/** The order once there are no more digits before the point: the longer number is the larger. */
const settled = ({ int }: Decimal, count: number, so: Order): Order =>
  count === int.length ? so : count < int.length ? -1 : 1;

function point({ low, high, fractionDigits }: Span, { part, count, low: a, high: b }: Digits): Digits | undefined {
  if ((part !== "zero" && part !== "int") || fractionDigits === 0) return undefined;
  return { part: "point", count: 0, low: settled(low, count, a), high: high ? settled(high, count, b) : b };
}

/** Whether a number may end after these digits. */
function ends({ low, high }: Span, digits: Digits): boolean {
  const { part, count } = digits;
  if (part === "start" || part === "point") return false;
  const whole = part !== "fraction";
  const than = (bound: Decimal, so: Order): Order => {
    const first = whole ? settled(bound, count, so) : so;
    if (first !== 0) return first;
    return bound.fraction.length > (whole ? 0 : count) ? -1 : 0;
  };
  const lower = than(low, digits.low);
  if (lower < 0 || (lower === 0 && low.open)) return false;
  if (high === undefined) return true;
  const upper = than(high, digits.high);
  return upper < 0 || (upper === 0 && !high.open);
}

/** After an `e`: "e 1" and "e 2" are a first digit, "e two" two digits that a third may follow, "e all" as many as may be. */
type Exponent = "e" | "e sign" | "e 1" | "e 2" | "e other" | "e two" | "e all";
type State = "first" | Exponent | { readonly span: Span; readonly digits: Digits };

/** Exponents of up to 2 digits, and up to 279. */
function exponent(state: Exponent, char: string): State | undefined {
  if (char === "+" || char === "-") return state === "e" ? "e sign" : undefined;
  if (!/\d/.test(char)) return undefined;
  switch (state) {
    case "e":
    case "e sign":
      return char === "1" ? "e 1" : char === "2" ? "e 2" : "e other";
    case "e 1":
      return "e two";
    case "e 2":
      return char < "8" ? "e two" : "e all";
    case "e other":
    case "e two":
      return "e all";
    default:
      return undefined;
  }
}

function spansOf({ whole, min, max, above, below }: Bounds) {
  const free = !whole && [min, max].every((bound) => bound === 0 || Math.abs(bound) >= BEYOND) && !(above || below);
  // Rounding keeps numbers within a bound that they may reach, and may take them to one that they may not.
  const open = [...(above ? [min] : []), ...(below ? [max] : [])].filter(
    (bound) => bound !== 0 && Math.abs(bound) < PLAIN,
  );
  const exact = open.map((bound) => {
    const { int, fraction } = decimal(Math.abs(bound), true);
    return Math.max(EXACT_DIGITS - int.length, fraction.length);
  });
  const digits = { intDigits: INT_DIGITS, fractionDigits: whole ? 0 : Math.min(FRACTION_DIGITS, ...exact) };
  const most = (bound: number, open: boolean) => (bound >= BEYOND ? undefined : decimal(bound, open));
  const plus: Span | undefined =
    max < 0 ? undefined : { ...digits, low: decimal(Math.max(min, 0), above && min >= 0), high: most(max, below) };
  const minus: Span | undefined =
    min >= 0
      ? undefined
      : {
          ...digits,
          low: decimal(Math.max(-max, 0), (below && max <= 0) || (whole && max >= 0)),
          high: most(-min, above),
        };
  return { plus, minus, free };
}

const key = (state: State, spans: readonly Span[]): string =>
  typeof state === "string"
    ? state
    : `${spans.indexOf(state.span)} ${state.digits.part} ${state.digits.count} ${state.digits.low} ${state.digits.high}`;

/** No digits yet. */
const NONE: Digits = { part: "start", count: 0, low: 0, high: 0 };

/** The numbers of a schema, or undefined where there is none. */
export function numbers(bounds: Bounds): Table | undefined {
  const { plus, minus, free } = spansOf(bounds);
  const spans = [plus, minus].filter((span) => span !== undefined);
  const after = (state: State, char: string): State | undefined => {
    if (state === "first") {
      if (char === "-") return minus && { span: minus, digits: NONE };
      return plus && after({ span: plus, digits: NONE }, char);
    }
    if (typeof state === "string") return exponent(state, char);
    if (char === "-" || char === "+") return undefined;
    const { span, digits } = state;
    if (char === "e") return free && digits.part !== "start" && digits.part !== "point" ? "e" : undefined;
    const next = char === "." ? point(span, digits) : digit(span, digits, char);
    return next && { span, digits: next };
  };
  const order: State[] = ["first"];
  const ids = new Map<string, number>();
  const rows: Int32Array[] = [];
  for (let i = 0; i < order.length; i++) {
    const row = new Int32Array(256).fill(-1);
    for (const char of "0123456789.-+e") {
      const next = after(order[i], char);
      if (next === undefined) continue;
      const name = key(next, spans);
      if (!ids.has(name)) ids.set(name, order.push(next) - 1);
      row[char.charCodeAt(0)] = ids.get(name)!;
      if (char === "e") row["E".charCodeAt(0)] = ids.get(name)!;
    }
    rows.push(row);
  }
  const done = order.map((state) =>
    typeof state === "string" ? !["first", "e", "e sign"].includes(state) : ends(state.span, state.digits),
  );
  const table = new Int32Array(256 * rows.length);
  for (const [i, row] of rows.entries()) table.set(row, 256 * i);
  const end = Uint8Array.from(done, Number);
  return trim(table, end, 256)[0] ? new Table(table, end) : undefined;
}
