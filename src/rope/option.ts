// option.ts — the command line's spelling of a RoPE setting.

import { isObject, parseJson } from "../text/json.ts";
import { display } from "../text/wording.ts";
import { checkNames } from "./names.ts";
import type { RopeScaling } from "./parse.ts";
import type { Dict } from "./values.ts";
import { refuse } from "./values.ts";

const WHERE = "--rope-scaling";

/**
 * Reads one of: `none` · `TYPE` · `TYPE:ITEM,ITEM,…` · a JSON object as in a config · `@FILE` holding one. An ITEM is a
 * number (the factor), `key=value` with a JSON value, or `@FILE`, a JSON file whose keys are added:
 *   dynamic:2    yarn:4,beta_fast=32    longrope:@factors.json,factor=4    {"rope_type": "linear", "factor": 2}
 * `readFile` returns the text of a file; without it `@FILE` is refused. null means unscaled. Names are checked here,
 * values by parseRopeScaling, which needs the model.
 * @throws LlariatError("rope") naming the part; whatever readFile throws.
 */
export function parseRopeOption(text: string, readFile?: (path: string) => string): RopeScaling | null {
  const option = text.trim();
  if (option === "none") return null;
  const values = option.startsWith("{")
    ? object(option, WHERE)
    : option.startsWith("@")
      ? file(option.slice(1), readFile)
      : typed(option, readFile);
  checkNames({ where: WHERE, values, request: true });
  return values;
}

/**
 * Splits a list of settings: `none,dynamic:2,yarn:4,beta_fast=32` are three. A comma inside a list or an object does not
 * separate; a number, `key=value`, or `@FILE` after a setting with a colon belongs to the setting before it.
 */
export function splitRopeOptions(text: string): string[] {
  const items = [""];
  let [depth, quoted] = [0, false];
  for (const [i, char] of [...text].entries()) {
    if (char === '"' && text[i - 1] !== "\\") quoted = !quoted;
    if (!quoted && (char === "[" || char === "{")) depth++;
    if (!quoted && (char === "]" || char === "}")) depth--;
    if (char === "," && depth === 0 && !quoted) items.push("");
    else items[items.length - 1] += char;
  }
  const settings: string[] = [];
  for (const item of items.map((each) => each.trim())) {
    const before = settings.at(-1);
    const continues =
      /^(\w+\s*=|[+-]?[\d.]+(e[+-]?\d+)?$)/i.test(item) || (item.startsWith("@") && before?.includes(":"));
    if (before !== undefined && continues) settings[settings.length - 1] += `,${item}`;
    else settings.push(item);
  }
  return settings;
}

function typed(option: string, readFile?: (path: string) => string): Dict {
  const colon = option.indexOf(":");
  const type = (colon < 0 ? option : option.slice(0, colon)).trim();
  if (type === "") refuse(WHERE, `got ${display(option)}; write none, TYPE or TYPE:FACTOR, for example dynamic:2`);
  // without a prototype, so that __proto__ is an unknown key like any other
  const values: Record<string, unknown> = Object.assign(Object.create(null), { rope_type: type });
  const add = (key: string, value: unknown) => {
    if (Object.hasOwn(values, key) && values[key] !== value)
      refuse(WHERE, `${key} is given twice, as ${display(values[key])} and as ${display(value)}`);
    values[key] = value;
  };
  if (colon < 0) return values;
  // commas inside a [list] do not separate items
  for (const item of option.slice(colon + 1).split(/,(?![^[]*\])/)) {
    const part = item.trim();
    const equals = part.indexOf("=");
    if (part.startsWith("@")) {
      for (const [key, value] of Object.entries(file(part.slice(1), readFile)))
        add(key === "type" ? "rope_type" : key, value);
    } else if (equals > 0) {
      const [key, value] = [part.slice(0, equals).trim(), part.slice(equals + 1).trim()];
      add(key === "type" ? "rope_type" : key, json(value, `${WHERE}: ${key}`));
    } else if (part !== "" && Number.isFinite(Number(part))) {
      add("factor", Number(part));
    } else {
      refuse(WHERE, `${display(part)} in ${display(option)} is neither a factor, nor key=value, nor @FILE`);
    }
  }
  return values;
}

function file(path: string, readFile?: (path: string) => string): Dict {
  if (!readFile) return refuse(WHERE, `@${path} names a file, and files cannot be read here; give the JSON itself`);
  if (path === "") return refuse(WHERE, `@ must be followed by the path of a JSON file`);
  return object(readFile(path), `${WHERE}: ${path}`);
}

function object(text: string, where: string): Dict {
  const value = parseJson(text, where, "rope");
  return isObject(value)
    ? value
    : refuse(where, `must be a JSON object like {"rope_type": "yarn", "factor": 4}, got ${display(value)}`);
}

function json(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return refuse(where, `must be a number, true, false, null or a [list], got ${display(text)}`);
  }
}
