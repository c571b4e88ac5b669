// serve.ts — `llariat serve`: loaded models behind OpenAI's API, until Ctrl-C.

import { printable } from "../error.ts";
import type { Llama } from "../index.ts";
import { readLimits } from "../server/options.ts";
import { onAbort } from "../text/abort.ts";
import { checkWhole } from "../text/options.ts";
import { type Arguments, type Command, type Option, type Terminal, inUsage, usageError } from "./command.ts";
import { cacheOptions, load, quantizeOption, sourceOptions } from "./load.ts";
import { modelName } from "./measure.ts";

const options = {
  ...sourceOptions,
  model: {
    kind: "text",
    value: "[NAME=]DIR",
    multiple: true,
    help: "a checkpoint folder, its http address or one file of weights, and the name that requests say (default the folder's); may be given several times",
  },
  port: { kind: "integer", value: "N", help: "where to listen (default 8080; 0 for any that is free)" },
  host: { kind: "text", value: "NAME", help: "the address to listen on (default 127.0.0.1, this machine alone)" },
  "api-key": {
    kind: "text",
    value: "KEY",
    multiple: true,
    help: "a key that requests must bring (default: LLARIAT_API_KEY, else none)",
  },
  "max-concurrent": { kind: "integer", value: "N", help: "answers computed at a time, per model (default 16)" },
  queue: { kind: "integer", value: "N", help: "requests that may wait, per model; more get status 429 (default 128)" },
  context: { kind: "integer", value: "N", help: "longest prompt plus answer in tokens" },
  ...quantizeOption,
  ...cacheOptions,
  cors: {
    kind: "text",
    value: "ORIGIN",
    multiple: true,
    help: "an origin whose pages may ask, * for any (default none)",
  },
  quiet: { help: "nothing on standard error but errors" },
} as const satisfies Record<string, Option>;

const EXAMPLES = `
Examples
  llariat serve --model models/kv-llama

  curl http://127.0.0.1:8080/v1/chat/completions -H 'content-type: application/json' -d '{
    "messages": [{ "role": "user", "content": "What is a llama?" }],
    "rope_scaling": { "rope_type": "yarn", "factor": 4 }, "stream": true }'

  // OpenAI's client
  const client = new OpenAI({ baseURL: "http://127.0.0.1:8080/v1", apiKey: "none" });
  await client.chat.completions.create({ model: "kv-llama", messages });

  // The AI SDK
  const provider = createOpenAICompatible({ name: "llariat", baseURL: "http://127.0.0.1:8080/v1" });
  await generateText({ model: provider("kv-llama"), prompt: "What is a llama?" });`;

/** `llariat serve`. */
export const serve: Command = {
  name: "serve",
  summary: "answer requests over HTTP, as OpenAI's API does",
  usage: ["--model DIR [--model NAME=DIR …] [--port 8080] [--host 127.0.0.1] [--api-key KEY] [options]"],
  options,
  notes:
    "Requests take rope_scaling, rope_angles and allow_beyond, and the setting in effect comes back as rope. A device that is\n" +
    `lost is opened again, and what ran goes on. Ctrl-C finishes what runs, a second one stops.\n${EXAMPLES}`,
  async run(args, terminal) {
    const sources = readModels(args);
    const settings = readServing(args);
    const llamas: Record<string, Llama> = {};
    try {
      for (const [name, path] of sources) llamas[name] = await loadServed(name, path, args, terminal);
      await listen(llamas, settings, terminal);
    } finally {
      for (const llama of Object.values(llamas)) llama.close();
    }
  },
};

/** Name and path of each --model. Throws a usage error for none and for a name that comes twice. */
function readModels(args: Arguments): ReadonlyMap<string, string> {
  const given = [...args.texts("model"), ...args.rest];
  if (given.length === 0) throw usageError("needs --model DIR");
  const models = new Map<string, string>();
  for (const text of given) {
    const [, own, path] = /^([^/\\=:]+)=(.+)$/s.exec(text) ?? [undefined, undefined, text];
    const name = own ?? inUsage(() => modelName([path]));
    if (models.has(name)) throw usageError(`--model: two are called ${name}; write --model NAME=${path}`);
    models.set(name, path);
  }
  return models;
}

/** What the options say of the server, checked before anything is loaded. Throws a usage error. */
function readServing(args: Arguments) {
  const { port = 8080, ...limits } = args.given("port", "maxConcurrent", "queue");
  const keys = args.has("api-key") ? args.texts("api-key") : [process.env["LLARIAT_API_KEY"] ?? ""].filter(Boolean);
  const cors = args.texts("cors").includes("*") ? true : args.texts("cors");
  const serving = { ...limits, apiKey: keys, cors };
  inUsage(() => {
    checkWhole("port", port, 0, { most: 65_535 });
    if (args.has("context")) checkWhole("context", args.number("context"), 1, { unit: "tokens" });
    readLimits(serving);
  });
  return { serving, port, host: args.text("host") ?? "127.0.0.1" };
}

async function loadServed(name: string, path: string, args: Arguments, terminal: Terminal): Promise<Llama> {
  const quiet = args.has("quiet");
  return load([path], args, terminal, () => {}, "text", {
    maxContext: args.number("context"),
    onDeviceLost: "reload",
    onReload({ reason, attempt }) {
      if (!quiet)
        terminal.stderr.write(`${name}: the GPU device was lost (${reason}); opening it again, try ${attempt}\n`);
    },
  });
}

/** Serves until the signal fires, then finishes what runs. */
async function listen(
  llamas: Readonly<Record<string, Llama>>,
  { serving, port, host }: ReturnType<typeof readServing>,
  { stdout, stderr, signal }: Terminal,
): Promise<void> {
  const { serve: start } = await import("../node/server.ts");
  const onError = (error: unknown): unknown =>
    stderr.write(`llariat: ${printable(error instanceof Error ? (error.stack ?? error.message) : String(error))}\n`);
  const server = start({ ...serving, models: llamas, onError });
  const address = await server.listen({ port, host });
  stdout.write(`llariat serve: ${address}\n`);
  for (const [name, { config, adapter }] of Object.entries(llamas)) {
    const on = adapter === undefined ? "" : `, ${adapter.name}`;
    stdout.write(`  ${printable(name)}: ${config.maxPositions} tokens${printable(on)}\n`);
  }
  await new Promise<void>((resolve) => {
    // As whoever runs containers ends a process.
    process.once("SIGTERM", resolve);
    if (signal.aborted) resolve();
    onAbort(signal, resolve);
  });
  stderr.write("finishing what runs; Ctrl-C again stops\n");
  await server.close();
}
