// load.ts — what every command that runs a model has in common: which model, which adapter, and the wait for it.

import { type CacheName, caches } from "../../kernels/index.ts";
import type { FileSet } from "../checkpoint/bytes.ts";
import type { PromptKind } from "../checkpoint/tokenizer.ts";
import { printable } from "../error.ts";
import type { Llama, LoadOptions } from "../index.ts";
import { type Quantize, readQuantize } from "../model/quantize.ts";
import type { Rope } from "../rope/index.ts";
import { sourceFiles } from "../node/sources.ts";
import { formatBytes, startProgress } from "./progress.ts";
import type { Arguments, Option, Terminal } from "./command.ts";
import { inUsage, usageError } from "./command.ts";

/** Options that choose the checkpoint. */
export const sourceOptions = {
  model: {
    kind: "text",
    value: "DIR_OR_FILE…",
    multiple: true,
    help: "a checkpoint folder as Hugging Face publishes it, its http address, one file of weights, or all files by name",
  },
  adapter: {
    kind: "text",
    value: "NAME",
    help: "part of a GPU's name, or software, lavapipe, swiftshader (default: LLARIAT_ADAPTER, else the fastest)",
  },
} as const satisfies Record<string, Option>;

/** How keys and values are held. */
export const cacheOptions = {
  "kv-cache": { kind: "text", value: "NAME", help: "keys and values in f32, f16 or q8 (default f32)" },
} as const satisfies Record<string, Option>;

/** The option that says in which formats matrices are held. */
export const quantizeOption = {
  quantize: {
    kind: "text",
    value: "FORMAT",
    help: "hold matrices as q8_0, q4_0 or f16, or e.g. weights=q4_0,embedding=q8_0,output=q8_0 (default: as the files store them)",
  },
} as const satisfies Record<string, Option>;

/** Options that load a model. */
export const loadOptions = {
  ...sourceOptions,
  ...cacheOptions,
  ...quantizeOption,
  "max-context": { kind: "integer", value: "N", help: "longest prompt plus answer in tokens" },
  quiet: { help: "nothing on standard error but errors" },
} as const satisfies Record<string, Option>;

/** The paths named by --model and whatever follows them, at least one. Throws a usage error for none. */
export function checkpointPaths(args: Arguments): readonly string[] {
  if (!args.has("model") && args.rest.length > 0) {
    throw usageError(`got "${args.rest[0]}" without an option before it; needs --model DIR_OR_FILE`);
  }
  const paths = [...args.texts("model"), ...args.rest];
  if (paths.length === 0) throw usageError("needs --model DIR_OR_FILE");
  return paths;
}

/** The cache format named by --kv-cache; undefined without it. Throws a usage error for what is none. */
export function cacheName(args: Arguments): CacheName | undefined {
  const name = args.text("kv-cache");
  if (name !== undefined && !Object.hasOwn(caches, name)) {
    throw usageError(`--kv-cache: got "${name}", needed ${Object.keys(caches).join(", ")}`);
  }
  return name as CacheName | undefined;
}

/** What --quantize says: one format, or formats by kind of matrix. Throws a usage error for what is neither. */
export function quantizeOf(args: Arguments): Quantize | undefined {
  const text = args.text("quantize");
  if (text === undefined) return undefined;
  return inUsage(() => {
    if (!text.includes("=")) return readQuantize(text);
    const parts = text.split(",").map((part) => part.split("="));
    const twice = parts.find(([name], i) => parts.findIndex(([other]) => other === name) < i);
    if (twice) throw usageError(`--quantize: ${printable(twice[0])} is given twice`);
    return readQuantize(Object.fromEntries(parts.map(([name, ...value]) => [name, value.join("=")])));
  });
}

/** A folder, one file or an address, or several files. The caller closes it. */
export const checkpointFiles = (paths: readonly string[]): Promise<FileSet> =>
  sourceFiles(paths.length === 1 ? paths[0] : paths);

/**
 * Loads the model with progress on standard error, and says there what it runs on. `check` is called with its RoPE setting
 * before a byte of weights is read, and may throw, so that nobody waits for them in vain; so does a checkpoint that cannot
 * take `prompts` of that kind. `more`: what the command asks of `load` besides. The caller closes the model.
 */
export async function load(
  paths: readonly string[],
  args: Arguments,
  { stderr, signal }: Terminal,
  check: (rope: Rope) => void,
  prompts: PromptKind = "text",
  more: LoadOptions = {},
): Promise<Llama> {
  const quiet = args.has("quiet");
  const { Llama } = await import("../node/index.ts");
  const progress = startProgress(stderr, "loading", formatBytes);
  const quantize = quantizeOf(args);
  let llama: Llama;
  try {
    llama = await Llama.load(paths.length === 1 ? paths[0] : paths, {
      adapter: args.text("adapter"),
      maxContext: args.number("max-context"),
      kvCache: cacheName(args),
      quantize,
      signal,
      onConfig: ({ rope }) => check(rope),
      prompts,
      ...(!quiet && { onProgress: ({ loadedBytes, totalBytes }) => progress.update(loadedBytes, totalBytes) }),
      ...more,
    });
  } finally {
    progress.end();
  }
  if (!quiet) {
    if (llama.adapter) stderr.write(`adapter: ${printable(llama.adapter.description)}\n`);
    for (const note of llama.notes) stderr.write(`note: ${printable(note)}\n`);
  }
  return llama;
}
