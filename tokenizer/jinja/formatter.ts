// jinja/formatter.ts — str.format: fields in braces, with attributes, items, conversions and nested specifications.

import { checkLength, spend, spendReading } from "./budget.ts";
import { fault } from "./fault.ts";
import { repr, str } from "./print.ts";
import { asciiOnly } from "./text.ts";
import type { Value } from "./values.ts";

/** What fields may do with values. */
export interface FieldAccess {
  /** value.name */
  readonly attribute: (value: Value, name: string) => Value;
  /** value[key] */
  readonly item: (value: Value, key: Value) => Value;
  /** format(value, spec) */
  readonly print: (value: Value, spec: string) => string;
}

/** What !r, !s and !a make of a value. */
const CONVERSIONS: Readonly<Record<string, (value: Value) => string>> = {
  r: (value) => repr(value),
  s: str,
  a: (value) => asciiOnly(repr(value)),
};
/** string.Formatter lets a specification hold fields, but those no more. */
const MAX_NESTING = 2;

/** text.format(*args, **named); `find` gives named arguments. Throws Faults as Python's Formatter does. */
export function formatText(
  text: string,
  args: readonly Value[],
  find: (name: string) => Value,
  access: FieldAccess,
): string {
  spendReading(text.length);
  // What numbers the fields: nothing yet, their own numbers, or their order.
  const state: { numbering?: "given" | "counted"; next: number } = { next: 0 };
  const positional = (index: number): Value =>
    index < args.length
      ? args[index]
      : fault("IndexError", `Replacement index ${index} out of range for positional args tuple`);
  const field = (given: string): Value => {
    let name = given;
    // Only a name that is nothing else than a number, or empty, decides who counts.
    if (name === "" || /^\d+$/.test(name)) {
      const numbering = name === "" ? "counted" : "given";
      if (numbering === "counted" && state.numbering === "given") {
        fault("ValueError", "cannot switch from manual field specification to automatic field numbering");
      }
      if (numbering === "given" && state.next > 0) {
        fault("ValueError", "cannot switch from automatic field numbering to manual field specification");
      }
      state.numbering = numbering;
      if (name === "") name = String(state.next++);
    }
    const first = /^[^.[]*/.exec(name)![0];
    let result = /^\d+$/.test(first) ? positional(Number(first)) : find(first);
    let rest = name.slice(first.length);
    while (rest !== "") {
      const dotted = /^\.([^.[]+)/.exec(rest);
      const indexed = dotted ? null : /^\[([^\]]+)\](?=[.[]|$)/.exec(rest);
      if (!dotted && !indexed) {
        const open = rest.startsWith("[") && !rest.includes("]");
        fault("ValueError", open ? "Missing ']' in format string" : "Empty attribute in format string");
      }
      result = dotted
        ? access.attribute(result, dotted[1])
        : access.item(result, /^\d+$/.test(indexed![1]) ? BigInt(indexed![1]) : indexed![1]);
      rest = rest.slice((dotted ?? indexed!)[0].length);
    }
    return result;
  };
  const run = (format: string, nesting: number): string => {
    if (nesting < 0) fault("ValueError", "Max string recursion exceeded");
    let out = "";
    for (let at = 0; at < format.length;) {
      spend(4);
      const brace = format.slice(at).search(/[{}]/);
      if (brace < 0) return out + format.slice(at);
      out += format.slice(at, at + brace);
      at += brace;
      if (format[at] === format[at + 1]) {
        out += format[at];
        at += 2;
        continue;
      }
      if (format[at] === "}") fault("ValueError", "Single '}' encountered in format string");
      const end = closing(format, at);
      const inner = format.slice(at + 1, end);
      // The name ends at a ! or : outside of brackets.
      const [, name, conversion, spec] = /^((?:\[[^\]]*\]?|[^[!:])*)(?:!([^:]*))?(?::(.*))?$/s.exec(inner)!;
      if (name.includes("{")) fault("ValueError", "unexpected '{' in field name");
      if (conversion !== undefined && !Object.hasOwn(CONVERSIONS, conversion)) {
        fault("ValueError", `Unknown conversion specifier ${conversion}`);
      }
      let result = field(name);
      if (conversion !== undefined) result = CONVERSIONS[conversion](result);
      out += access.print(result, spec === undefined ? "" : run(spec, nesting - 1));
      checkLength(out.length);
      at = end + 1;
    }
    return out;
  };
  return run(text, MAX_NESTING);
}

/** Where the brace that opens at `at` closes. */
function closing(format: string, at: number): number {
  let depth = 0;
  for (let i = at; i < format.length; i++) {
    if (format[i] === "{") depth++;
    else if (format[i] === "}" && --depth === 0) return i;
  }
  return fault(
    "ValueError",
    at === format.length - 1 ? "Single '{' encountered in format string" : "expected '}' before end of string",
  );
}
