// jinja/globals.ts — the functions that every template finds: range, dict, namespace, cycler, joiner, and what transformers
// adds, raise_exception and strftime_now.

import { checkLength, spend, spendText } from "./budget.ts";
import { items, iterate } from "./compare.ts";
import { fault, typeError } from "./fault.ts";
import { str } from "./print.ts";
import { bind, signature } from "./signature.ts";
import { asIndex } from "./slices.ts";
import { Callable, Dict, Namespace, Range, Special, Undefined, textOf, typeName } from "./values.ts";
import type { Keywords, Value } from "./values.ts";

/** Jinja2's sandbox.MAX_RANGE. */
const MAX_RANGE = 100_000;

function range(args: readonly Value[], keywords: Keywords): Range {
  if (keywords.size > 0) typeError("range() takes no keyword arguments");
  if (args.length === 0) typeError("range expected at least 1 argument, got 0");
  if (args.length > 3) typeError(`range expected at most 3 arguments, got ${args.length}`);
  const [first, second, step = 1n] = args.map((value) => {
    const index = asIndex(value);
    return index ?? typeError(`'${typeName(value)}' object cannot be interpreted as an integer`);
  });
  const made = second === undefined ? new Range(0n, first, 1n) : new Range(first, second, step);
  if (made.length > MAX_RANGE) {
    fault("OverflowError", `Range too big. The sandbox blocks ranges larger than MAX_RANGE (${MAX_RANGE}).`);
  }
  return made;
}

/** dict(mapping or pairs, **keywords). */
function dict(args: readonly Value[], keywords: Keywords): Dict {
  if (args.length > 1) typeError(`dict expected at most 1 argument, got ${args.length}`);
  const made = new Dict();
  if (args[0] instanceof Dict) spend(8 * args[0].size);
  if (args.length === 1) {
    const [from] = args;
    if (from instanceof Undefined) return from.fail();
    if (from instanceof Dict) for (const [key, value] of from.entries()) made.set(key, value);
    else {
      let i = 0;
      for (const pair of iterate(from)) {
        spend(8);
        const parts = [
          ...(items(pair) ?? typeError(`cannot convert dictionary update sequence element #${i} to a sequence`)),
        ];
        if (parts.length !== 2) {
          fault("ValueError", `dictionary update sequence element #${i} has length ${parts.length}; 2 is required`);
        }
        made.set(parts[0], parts[1]);
        i++;
      }
    }
  }
  spend(8 * keywords.size);
  for (const [key, value] of keywords) made.set(key, value);
  return made;
}

function namespace(args: readonly Value[], keywords: Keywords): Namespace {
  const made = new Namespace();
  for (const [key, value] of dict(args, keywords).entries()) made.attributes.set(textOf(key) ?? str(key), value);
  return made;
}

/** cycler(…): its items again and again. */
class Cycler extends Special {
  readonly type = "Cycler";
  readonly #items: readonly Value[];
  #at = 0;

  constructor(given: readonly Value[]) {
    super();
    if (given.length === 0) fault("RuntimeError", "at least one item has to be provided");
    this.#items = given;
  }

  attribute(name: string): Value | undefined {
    switch (name) {
      case "current":
        return this.#items[this.#at];
      case "items":
        return this.#items;
      case "pos":
        return BigInt(this.#at);
      case "reset":
        return new Callable(name, () => {
          this.#at = 0;
          return null;
        });
      case "next":
        return new Callable(name, () => {
          const current = this.#items[this.#at];
          this.#at = (this.#at + 1) % this.#items.length;
          return current;
        });
    }
    return undefined;
  }

  print(): string {
    return "<jinja2.utils.Cycler object>";
  }
}

/** joiner(sep): nothing the first time, then the separator. */
class Joiner extends Special {
  readonly type = "Joiner";
  readonly #separator: Value;
  #used = false;

  constructor(separator: Value) {
    super();
    this.#separator = separator;
  }

  attribute(name: string): Value | undefined {
    return name === "sep" ? this.#separator : name === "used" ? this.#used : undefined;
  }

  print(): string {
    return "<jinja2.utils.Joiner object>";
  }

  override invoke(args: readonly Value[], keywords: Keywords): Value {
    if (args.length + keywords.size > 0) typeError(`joiner takes no arguments, ${args.length + keywords.size} given`);
    const used = this.#used;
    this.#used = true;
    return used ? this.#separator : "";
  }
}

const JOINER = signature("joiner", [["sep", ", "]]);
const ONE = (name: string, parameter: string) => signature(name, [parameter]);

/** The globals of a rendering; `strftime` prints the present as a format says. */
export function globals(strftime: (format: string) => string): Map<string, Value> {
  const raise = ONE("raise_exception", "message");
  const now = ONE("strftime_now", "format");
  return new Map<string, Value>([
    ["range", new Callable("range", range)],
    ["dict", new Callable("dict", dict, "type")],
    ["namespace", new Callable("jinja2.utils.Namespace", namespace, "type")],
    ["cycler", new Callable("jinja2.utils.Cycler", (args) => new Cycler(args), "type")],
    [
      "joiner",
      new Callable("jinja2.utils.Joiner", (args, keywords) => new Joiner(bind(JOINER, args, keywords)[0]), "type"),
    ],
    ["lipsum", new Callable("lipsum", () => typeError("lipsum() prints random text, which no prompt is made of"))],
    [
      "raise_exception",
      new Callable("raise_exception", (args, keywords) => fault("TemplateError", str(bind(raise, args, keywords)[0]))),
    ],
    [
      "strftime_now",
      new Callable("strftime_now", (args, keywords) => {
        const [format] = bind(now, args, keywords);
        if (format instanceof Undefined) return format.fail();
        const text = textOf(format) ?? typeError(`strftime() argument 1 must be str, not ${typeName(format)}`);
        // The longest directive of two units, %c, is six others and 24 units of text.
        checkLength(12 * text.length);
        spend(100 * text.length);
        const shown = strftime(text);
        spendText(shown.length);
        return shown;
      }),
    ],
  ]);
}
