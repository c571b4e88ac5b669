// jinja/filters/pprint.ts — pprint: values over several lines where one of 80 characters is too short (Python's pformat).

import { deeper, spend } from "../budget.ts";
import { compare } from "../compare.ts";
import { Fault } from "../fault.ts";
import { joined, repr } from "../print.ts";
import { pointCount } from "../slices.ts";
import { quote, splitLines } from "../text.ts";
import { Dict, Tuple, typeName } from "../values.ts";
import type { Value } from "../values.ts";
import { define } from "./define.ts";

const WIDTH = 80;

/** Python's _safe_key: values that have no order are sorted by the name of their type. */
function before([a]: [Value, Value], [b]: [Value, Value]): number {
  try {
    return compare("<", a, b) ? -1 : compare("<", b, a) ? 1 : 0;
  } catch (error) {
    if (!(error instanceof Fault) || error.kind === "Limit") throw error;
    const [x, y] = [typeName(a), typeName(b)];
    return x < y ? -1 : x > y ? 1 : 0;
  }
}

/** The entries of a dict by their keys. */
function sorted(dict: Dict): [Value, Value][] {
  spend(8 * dict.size);
  return dict.entries().sort(before);
}

const flat = (value: Value): string => repr(value, sorted);

/** Items one below the other, inside a bracket that stands at `indent`. */
const below = (shown: readonly string[], indent: number): string => joined(shown, `,\n${" ".repeat(indent + 1)}`);

/** One value; `indent` is where it begins, `allowance` what must still fit behind it, `level` how deep it stands. */
function format(value: Value, indent: number, allowance: number, level: number): string {
  const line = flat(value);
  const room = WIDTH - indent - allowance;
  if (pointCount(line) <= room) return line;
  return deeper(() => {
    if (value instanceof Dict && value.size > 0) {
      const entries = sorted(value);
      const shown = entries.map(([key, each], i) => {
        const head = `${flat(key)}: `;
        const last = i === entries.length - 1;
        return head + format(each, indent + 1 + pointCount(head), last ? allowance + 1 : 1, level + 1);
      });
      return `{${below(shown, indent)}}`;
    }
    const items = Array.isArray(value) ? (value as readonly Value[]) : value instanceof Tuple ? value.items : undefined;
    if (items && items.length > 0) {
      const [open, close] = Array.isArray(value) ? ["[", "]"] : ["(", items.length === 1 ? ",)" : ")"];
      const shown = items.map((item, i) =>
        format(item, indent + 1, i === items.length - 1 ? allowance + close.length : 1, level + 1),
      );
      return `${open}${below(shown, indent)}${close}`;
    }
    return typeof value === "string" && value !== "" ? formatText(value, indent, allowance, level) : line;
  });
}

/** A long text as several literals, one below the other. */
function formatText(text: string, given: number, givenAllowance: number, level: number): string {
  const [indent, allowance] = level === 1 ? [given + 1, givenAllowance + 1] : [given, givenAllowance];
  const chunks: string[] = [];
  const lines = splitLines(text, true);
  const most = WIDTH - indent;
  for (const [i, line] of lines.entries()) {
    const lastLine = i === lines.length - 1;
    const whole = quote(line);
    if (pointCount(whole) <= (lastLine ? most - allowance : most)) {
      chunks.push(whole);
      continue;
    }
    // words with the white space after them
    const parts = line.match(/\S*\s*/gu)!.filter((part) => part !== "");
    let current = "";
    for (const [j, part] of parts.entries()) {
      spend(8 + current.length);
      const candidate = current + part;
      const room = lastLine && j === parts.length - 1 ? most - allowance : most;
      if (pointCount(quote(candidate)) > room) {
        if (current !== "") chunks.push(quote(current));
        current = part;
      } else current = candidate;
    }
    if (current !== "") chunks.push(quote(current));
  }
  if (chunks.length === 1) return chunks[0];
  const shown = joined(chunks, `\n${" ".repeat(indent)}`);
  return level === 1 ? `(${shown})` : shown;
}

/** The filter of this file. */
export const PPRINT_FILTERS = [define("pprint", ["value"], ([value]) => format(value, 0, 0, 1))];
