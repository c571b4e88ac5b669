// command.ts — what a command of the command line is, how its arguments are read, and how its help is written.

import { parseArgs } from "node:util";
import { LlariatError } from "../error.ts";
import { nearest } from "../text/wording.ts";
import type { Colors } from "./colors.ts";

/** One option. `kind` is what its value must be; without it the option is a switch. */
export interface Option {
  readonly kind?: "text" | "number" | "integer";
  /** May be given several times. */
  readonly multiple?: boolean;
  /** The word for its value in the help. */
  readonly value?: string;
  readonly help: string;
}

/** What a command talks to. */
export interface Terminal {
  readonly stdin: NodeJS.ReadableStream;
  readonly stdout: NodeJS.WritableStream & { isTTY?: boolean };
  readonly stderr: NodeJS.WritableStream & { isTTY?: boolean; columns?: number };
  /** Fires at the first Ctrl-C; whatever runs then ends with LlariatError("aborted"). */
  readonly signal: AbortSignal;
}

/** A command: `llariat NAME …`. A new one is a file beside this one and a line in index.ts. */
export interface Command {
  readonly name: string;
  /** Half a line for the list of commands. */
  readonly summary: string;
  /** Lines of the synopsis, without the command's name. */
  readonly usage: readonly string[];
  readonly options: Readonly<Record<string, Option>>;
  /** Further paragraphs of the help. */
  readonly notes?: string;
  /** Throws a usage error for arguments that do not fit together, before anything is loaded; else LlariatError. */
  run(args: Arguments, terminal: Terminal): Promise<void>;
}

const USAGE = Symbol("usage");

/** An error in the arguments: the command ends with exit code 2 and points to its help. */
export const usageError = (message: string): LlariatError => asUsage(new LlariatError("request", message));

/** Marks an error as one in the arguments. */
export const asUsage = (error: LlariatError): LlariatError => Object.assign(error, { [USAGE]: true });

/** What the arguments alone make wrong is a usage error too: runs `read` and marks what it throws. */
export function inUsage<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw error instanceof LlariatError ? asUsage(error) : error;
  }
}

/** Was this error made by `usageError` or marked by `inUsage`? */
export const isUsageError = (error: unknown): boolean => typeof error === "object" && error !== null && USAGE in error;

const UNDECIDED = Symbol("undecided");

/** Marks an error that says no more than that tries were too few: the command ends with exit code 3. */
export const asUndecided = (error: LlariatError): LlariatError => Object.assign(error, { [UNDECIDED]: true });

/** Was this error marked by `asUndecided`? */
export const isUndecided = (error: unknown): boolean =>
  typeof error === "object" && error !== null && UNDECIDED in error;

/** Arguments that were given, by option name, with their kinds checked. */
export class Arguments {
  readonly #values: ReadonlyMap<string, readonly string[]>;
  /** What is no option, in order. */
  readonly rest: readonly string[];

  constructor(values: ReadonlyMap<string, readonly string[]>, rest: readonly string[]) {
    this.#values = values;
    this.rest = rest;
  }

  /** Was the option given? */
  has(name: string): boolean {
    return this.#values.has(name);
  }

  /** Every value of an option that may be given several times. */
  texts(name: string): readonly string[] {
    return this.#values.get(name) ?? [];
  }

  /** The option's value; undefined if it was not given. */
  text(name: string): string | undefined {
    return this.#values.get(name)?.[0];
  }

  /** The option's value as a number; undefined if it was not given. */
  number(name: string): number | undefined {
    const text = this.text(name);
    return text === undefined ? undefined : Number(text);
  }

  /** Those of these settings of the library whose options, numbers, were given. */
  given<Setting extends string>(...settings: readonly Setting[]): Partial<Record<Setting, number>> {
    const values = settings.map((setting) => [setting, this.number(optionName(setting))] as const);
    return Object.fromEntries(values.filter(([, value]) => value !== undefined)) as Partial<Record<Setting, number>>;
  }
}

/** The option for a setting of the library: `top-k` for `topK`. */
export const optionName = (setting: string): string =>
  setting.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

/**
 * Reads a command's arguments. `help` is allowed everywhere.
 * @throws a usage error for an unknown option, a missing, doubled or malformed value.
 */
export function readArguments(command: Command, argv: readonly string[]): Arguments {
  const options = Object.fromEntries(
    Object.entries({ ...command.options, ...HELP }).map(([name, { kind }]) => [
      name,
      { type: kind === undefined ? ("boolean" as const) : ("string" as const), multiple: true, ...SHORT[name] },
    ]),
  );
  // Not strict: its own messages are paragraphs; the checks below say the same in a sentence.
  const { tokens } = parseArgs({ args: [...argv], options, strict: false, allowPositionals: true, tokens: true });
  const values = new Map<string, string[]>();
  const rest: string[] = [];
  for (const token of tokens) {
    if (token.kind === "positional") rest.push(token.value);
    if (token.kind !== "option") continue;
    const option = { ...command.options, ...HELP }[token.name] as Option | undefined;
    if (option === undefined) throw usageError(`unknown option ${token.rawName}${similar(token.name, command)}`);
    const given = values.get(token.name) ?? [];
    values.set(token.name, given);
    given.push(readValue(`--${token.name}`, option, token.value, token.inlineValue === true));
    if (given.length > 1 && !option.multiple) throw usageError(`--${token.name} is given twice`);
  }
  return new Arguments(values, rest);
}

function readValue(name: string, option: Option, value: string | undefined, inline: boolean): string {
  if (option.kind === undefined) {
    if (value !== undefined) throw usageError(`${name} is a switch and takes no value, got "${value}"`);
    return "";
  }
  if (value === undefined) throw usageError(`${name} needs a value (${option.value ?? option.kind})`);
  if (!inline && option.kind === "text" && /^--?[a-z]/.test(value)) {
    throw usageError(`${name} needs a value, got the option ${value}; if that is the value, write ${name}=${value}`);
  }
  if (option.kind === "text") return value;
  const number = Number(value);
  if (value.trim() === "" || !Number.isFinite(number)) throw usageError(`${name} needs a number, got "${value}"`);
  if (option.kind === "integer" && !Number.isSafeInteger(number)) {
    throw usageError(`${name} needs a whole number, got "${value}"`);
  }
  return value;
}

const HELP: Readonly<Record<string, Option>> = { help: { help: "show this help" } };
const SHORT: Readonly<Record<string, { short: string }>> = {
  help: { short: "h" },
  model: { short: "m" },
  prompt: { short: "p" },
};

/** ", did you mean --x?" for the known option nearest to a mistyped one, or of which one is the beginning of the other. */
function similar(name: string, command: Command): string {
  const names = Object.keys(command.options);
  const known = nearest(name, names) ?? names.find((each) => each.startsWith(name) || name.startsWith(each));
  return known ? `; did you mean --${known}?` : "";
}

/** The help of one command. */
export function commandHelp(command: Command, colors: Colors): string {
  const options = Object.entries({ ...command.options, ...HELP }).map(([name, option]) => {
    const short = SHORT[name] ? `-${SHORT[name].short}, ` : "    ";
    const value = option.kind !== undefined ? ` ${option.value ?? "N"}` : "";
    return [`${short}--${name}${value}`, option.help] as const;
  });
  const synopsis = command.usage.map((line) => `  llariat ${command.name} ${line}`).join("\n");
  const notes = command.notes === undefined ? "" : `\n${command.notes}\n`;
  return `${command.summary}\n\n${colors.bold("Usage")}\n${synopsis}\n\n${colors.bold("Options")}\n${table(options)}${notes}`;
}

/** Two columns, the second folded at 100 characters. */
export function table(rows: readonly (readonly [string, string])[]): string {
  const width = Math.max(...rows.map(([left]) => left.length)) + 2;
  return rows
    .map(([left, right]) => {
      const lines = [""];
      for (const word of right.split(" ")) {
        const last = lines.at(-1)!;
        if (width + last.length + word.length > 97 && last) lines.push(word);
        else lines[lines.length - 1] = last ? `${last} ${word}` : word;
      }
      return `  ${left.padEnd(width)}${lines.join(`\n${" ".repeat(width + 2)}`)}\n`;
    })
    .join("");
}
