// measure.ts — what the measuring commands have in common: the engine they ask, settings as lists, texts from files.

import { basename, resolve } from "node:path";
import { checkPrompts, readTexts, tokenizerOf } from "../checkpoint/tokenizer.ts";
import { readConfig } from "../model/checkpoint.ts";
import { parseConfigRope } from "../model/config.ts";
import { LlariatError } from "../error.ts";
import type { Llama } from "../index.ts";
import { type ChatFrame, type Engine, type Scaling, parseScaling, viaUrl } from "../retrieval/index.ts";
import { type Rope, parseRopeScaling } from "../rope/index.ts";
import { splitRopeOptions } from "../rope/index.ts";
import { singleName } from "../checkpoint/names.ts";
import { isAddress } from "../node/sources.ts";
import { completionsUrl } from "../retrieval/client.ts";
import type { Arguments, Option, Terminal } from "./command.ts";
import { asUsage, inUsage, usageError } from "./command.ts";
import { chatEngine, chatText } from "./chat.ts";
import { readText } from "./files.ts";
import { checkpointFiles, checkpointPaths, load, loadOptions } from "./load.ts";
import { version } from "./version.ts";

/** Options of every measuring command. */
export const measureOptions = {
  ...loadOptions,
  "rope-scaling": {
    kind: "text",
    value: "LIST",
    multiple: true,
    help: "settings to compare, separated by commas: own, none, dynamic:2, yarn:4,beta_fast=32, … (default own)",
  },
} as const satisfies Record<string, Option>;

/** Options of the commands that ask prompts made from a seed. */
export const promptOptions = {
  seed: { kind: "text", value: "TEXT", help: "the same seed gives the same prompts (default 0)" },
  batch: { kind: "integer", value: "N", help: "prompts decoded together (default 4)" },
  speculate: {
    help: "guess answers from their prompts and compute several tokens a step: the same answers in fewer steps",
  },
} as const satisfies Record<string, Option>;

/** Options of the commands that can measure a server. */
export const viaOptions = {
  via: {
    kind: "text",
    value: "URL",
    help: "ask an OpenAI-compatible server; --model then only gives tokenizer and config",
  },
  "server-model": { kind: "text", value: "NAME", help: "the name the server knows the model by" },
} as const satisfies Record<string, Option>;

/** The settings named by --rope-scaling. Throws a usage error for what is none. */
export function readScalings(args: Arguments): Scaling[] {
  const texts = args.texts("rope-scaling").flatMap(splitRopeOptions);
  return (texts.length > 0 ? texts : ["own"]).map((text) => inUsage(() => parseScaling(text, readText)));
}

/** The items of a list option, however often it is given: `--prompt-len 2000,4000 --prompt-len 1.5x`. */
export const list = (args: Arguments, name: string): string[] | undefined =>
  args.has(name)
    ? args
        .texts(name)
        .flatMap((text) => text.split(","))
        .map((item) => item.trim())
        .filter((item) => item !== "")
    : undefined;

/** A list of numbers. Throws a usage error naming the option and the item. */
export const numbers = (args: Arguments, name: string): number[] | undefined =>
  list(args, name)?.map((item) => {
    const value = Number(item);
    if (!Number.isFinite(value)) throw usageError(`--${name} needs numbers separated by commas, got "${item}"`);
    return value;
  });

/** The command as it can be typed again. */
const command = (): string =>
  [
    "llariat",
    ...process.argv.slice(2).map((word) => (/^[\w./:=,@%+-]+$/.test(word) ? word : JSON.stringify(word))),
  ].join(" ");

/** An engine, ready to be asked. */
export interface Opened<E> {
  readonly engine: E;
  /** Of the model, for reports. */
  readonly name: string;
  /** Goes into the report. */
  readonly environment: Readonly<Record<string, unknown>>;
  /** With --chat: the frame of prompts. */
  readonly chat?: ChatFrame;
  readonly close: () => void;
}

/** Loads the model. `check` is called with its RoPE setting before a byte of weights is read, and may throw. */
export async function openModel(
  args: Arguments,
  terminal: Terminal,
  check: (rope: Rope) => void,
): Promise<Opened<Llama>> {
  const paths = checkpointPaths(args);
  const llama = await load(paths, args, terminal, check);
  return {
    engine: llama,
    name: modelName(paths),
    environment: { engine: `llariat ${version()}`, adapter: llama.adapter?.description ?? "", command: command() },
    close: () => llama.close(),
  };
}

/** The model, or with --via a server, which alone decides how it computes. */
export async function openEngine(
  args: Arguments,
  terminal: Terminal,
  check: (rope: Rope) => void,
): Promise<Opened<Engine>> {
  const url = args.text("via");
  if (url === undefined) {
    const opened = await openModel(args, terminal, check);
    if (!args.has("chat")) return args.has("speculate") ? { ...opened, engine: speculating(opened.engine) } : opened;
    try {
      return { ...opened, ...chatEngine(opened.engine, args.has("speculate")) };
    } catch (error) {
      opened.close();
      throw error;
    }
  }
  if (args.has("speculate")) throw usageError("--speculate and --via exclude each other");
  inUsage(() => completionsUrl(url));
  const paths = checkpointPaths(args);
  const files = await checkpointFiles(paths);
  try {
    const config = await readConfig(files, terminal.signal);
    const found = tokenizerOf(await readTexts(files, terminal.signal));
    checkPrompts(found, "text");
    const rope = parseConfigRope(config);
    check(rope);
    const model = args.text("server-model");
    const key = process.env["LLARIAT_API_KEY"];
    const engine = viaUrl({
      url,
      rope,
      tokenizer: found.tokenizer!,
      ...(model === undefined ? {} : { model }),
      ...(key === undefined ? {} : { key }),
    });
    const environment = { engine: `llariat ${version()} via ${url}`, command: command() };
    const chat = args.has("chat") ? { chat: chatText(found.tokenizer) } : {};
    return { engine, name: model ?? modelName(paths), environment, close: () => {}, ...chat };
  } finally {
    await files.close();
  }
}

/** A model whose answers are guessed ahead. */
const speculating = (llama: Llama): Engine => ({
  tokenizer: llama.tokenizer,
  rope: llama.rope,
  complete: (prompt, options) => llama.complete(prompt, { ...options, speculate: true }),
});

/** The checkpoint folder's name. */
export function modelName([path]: readonly string[]): string {
  const full = isAddress(path) ? new URL(path).pathname : resolve(path);
  return basename(singleName(full) !== undefined ? resolve(full, "..") : full);
}

/** Throws a usage error for a setting that does not suit the model. */
export function checkScalings(scalings: readonly Scaling[], rope: Rope): void {
  for (const { label, ropeScaling } of scalings) {
    try {
      parseRopeScaling(ropeScaling, rope);
    } catch (error) {
      if (!(error instanceof LlariatError)) throw error;
      const { code, subject, problem, advice } = error;
      throw asUsage(new LlariatError(code, problem, { subject: `${subject} of ${label}`, advice, cause: error }));
    }
  }
}
