// generate.ts — `llariat generate`: a prompt in, text out, token by token.

import { LlariatError, checkAborted } from "../error.ts";
import { checkRequest, isChat } from "../generate/request.ts";
import type { Completion, GenerateOptions, Llama, Prompt } from "../index.ts";
import { formatBytes, startProgress } from "./progress.ts";
import { colorsOf } from "./colors.ts";
import type { Arguments, Command, Option, Terminal } from "./command.ts";
import { inUsage, usageError } from "./command.ts";
import { checkpointPaths, load, loadOptions } from "./load.ts";
import { type NamedScaling, applyScaling, readAngles, readLength, readScaling, ropeOptions } from "./rope.ts";

const options = {
  ...loadOptions,
  prompt: { kind: "text", value: "TEXT|-", help: "the prompt; - reads it from standard input" },
  chat: { help: "apply the checkpoint's chat template; the prompt is the user's message" },
  system: { kind: "text", value: "TEXT", help: "the system message (implies --chat)" },
  user: { kind: "text", value: "TEXT|-", help: "the user's message (implies --chat)" },
  ids: { kind: "text", value: "LIST", help: "the prompt as token ids: 1,15043,3186" },
  "max-new-tokens": {
    kind: "integer",
    value: "N",
    help: "most tokens to generate (default 256, or the checkpoint's own)",
  },
  "min-new-tokens": { kind: "integer", value: "N", help: "forbid the end of the answer until it has N tokens" },
  "ignore-eos": { help: "go on after an end-of-sequence token" },
  stop: {
    kind: "text",
    value: "TEXT",
    multiple: true,
    help: "end before this text, which may name special tokens; may be given several times",
  },
  "stop-ids": { kind: "text", value: "LIST", help: "end with any of these token ids: 2,128009" },
  temperature: { kind: "number", value: "X", help: "0 takes the likeliest token; higher is more varied" },
  "top-k": { kind: "integer", value: "N", help: "sample from the N likeliest tokens; 0 is off" },
  "top-p": { kind: "number", value: "X", help: "sample from the likeliest tokens that make up X of the probability" },
  "min-p": { kind: "number", value: "X", help: "drop tokens less likely than X times the likeliest" },
  "typical-p": { kind: "number", value: "X", help: "keep the tokens nearest to the expected information, X of them" },
  "repetition-penalty": {
    kind: "number",
    value: "X",
    help: "above 1 makes tokens that were there already less likely",
  },
  "frequency-penalty": { kind: "number", value: "X", help: "taken off a token's logit each time the answer has it" },
  "presence-penalty": { kind: "number", value: "X", help: "taken off the logits of tokens that the answer has, once" },
  "no-repeat-ngram-size": { kind: "integer", value: "N", help: "no run of N tokens comes twice; 0 is off" },
  "logit-bias": {
    kind: "text",
    value: "ID:X",
    multiple: true,
    help: "add X to the logit of a token; -Infinity forbids it; may be given several times",
  },
  seed: { kind: "integer", value: "N", help: "the same seed gives the same text" },
  speculate: { help: "guess from the text so far and compute several tokens a step: the same text in fewer steps" },
  ...ropeOptions,
  "allow-beyond": { help: "accept a prompt longer than the RoPE setting is meant for" },
  json: { help: "print one JSON object at the end instead of a stream" },
} as const satisfies Record<string, Option>;

/** `llariat generate`. */
export const generate: Command = {
  name: "generate",
  summary: "continue a prompt, or answer a chat message",
  usage: [
    "--model DIR_OR_FILE… --prompt TEXT|- [options]",
    "--model DIR_OR_FILE… --chat --user TEXT|- [--system TEXT] [options]",
  ],
  options,
  notes:
    "What is left out comes from the checkpoint's generation_config.json. Text goes to standard output, everything else\n" +
    "to standard error. A checkpoint without a tokenizer takes --ids and prints ids. Ctrl-C ends the answer at once.",
  async run(args, terminal) {
    // Everything about the arguments is settled before a byte of the model is read.
    const paths = checkpointPaths(args);
    const scaling = readScaling(args.text("rope-scaling"));
    const request = requestOptions(args, scaling);
    inUsage(() => checkRequest(request));
    const prompt = await readPrompt(args, terminal);
    const quiet = args.has("quiet");
    const kind = typeof prompt === "string" ? "text" : isChat(prompt) ? "messages" : "ids";
    const llama = await load(paths, args, terminal, (rope) => scaling && applyScaling(scaling, rope), kind);
    try {
      await answer(llama, prompt, request, terminal, { json: args.has("json"), quiet });
    } finally {
      llama.close();
    }
  },
};

/** What the options of `llariat generate` ask of a request; what is not given is left out. Throws a usage error. */
export function requestOptions(args: Arguments, scaling: NamedScaling | undefined): GenerateOptions {
  const [ropeAngles, ropeLength] = [readAngles(args), readLength(args)];
  return {
    ...args.given("maxNewTokens", "minNewTokens", "temperature", "topK", "topP", "minP", "typicalP"),
    ...args.given("repetitionPenalty", "frequencyPenalty", "presencePenalty", "noRepeatNgramSize", "seed"),
    ...(args.has("stop") && { stop: args.texts("stop") }),
    ...(args.has("stop-ids") && { stopIds: idList("stop-ids", args.text("stop-ids")!) }),
    ...(args.has("logit-bias") && { logitBias: readBiases(args.texts("logit-bias")) }),
    ...(args.has("ignore-eos") && { ignoreEos: true }),
    ...(args.has("speculate") && { speculate: true }),
    ...(args.has("allow-beyond") && { allowBeyond: true }),
    ...(ropeAngles !== undefined && { ropeAngles }),
    ...(ropeLength !== undefined && { ropeLength }),
    ...(scaling && { ropeScaling: scaling.setting }),
  };
}

/** Ids in a list; throws a usage error naming the option. */
function idList(option: string, text: string): number[] {
  const list = text.split(/[\s,]+/).filter(Boolean);
  const bad = list.find((id) => !/^\d+$/.test(id));
  if (bad !== undefined || list.length === 0) {
    throw usageError(`--${option} needs whole numbers, got "${bad ?? text}"`);
  }
  return list.map(Number);
}

/** `--logit-bias ID:X`, any number of times. */
function readBiases(texts: readonly string[]): Record<number, number> {
  return Object.fromEntries(
    texts.map((text) => {
      const [, id, bias] = /^(\d+):([-+]?(?:Infinity|[\d.]+(?:e[-+]?\d+)?))$/i.exec(text) ?? [];
      if (bias === undefined) throw usageError(`--logit-bias needs ID:X, for example 5:-Infinity, got "${text}"`);
      return [id, Number(bias)];
    }),
  );
}

async function readPrompt(args: Arguments, terminal: Terminal): Promise<Prompt> {
  const [prompt, system, user, ids] = ["prompt", "system", "user", "ids"].map((name) => args.text(name));
  const chat = args.has("chat") || system !== undefined || user !== undefined;
  const given = [prompt, user, ids].filter((text) => text !== undefined).length;
  if (given === 0)
    throw usageError(chat ? "--chat needs --user TEXT" : "needs --prompt TEXT, --user TEXT or --ids LIST");
  if (given > 1) throw usageError("--prompt, --user and --ids exclude each other");
  if (ids !== undefined) {
    if (chat) throw usageError("--ids and --chat exclude each other");
    return idList("ids", ids);
  }
  let content = (prompt ?? user)!;
  if (content === "-") content = await readAll(terminal);
  if (!chat) return content;
  return [...(system === undefined ? [] : [{ role: "system", content: system }]), { role: "user", content }];
}

/** Standard input to its end, as UTF-8. */
async function readAll({ stdin, signal }: Terminal): Promise<string> {
  const chunks: Uint8Array[] = [];
  const stop = (): unknown => (stdin as Partial<{ destroy(): void }>).destroy?.();
  signal.addEventListener("abort", stop);
  try {
    for await (const chunk of stdin) chunks.push(typeof chunk === "string" ? Buffer.from(chunk) : chunk);
  } catch (cause) {
    if (!signal.aborted) throw new LlariatError("source", `standard input: ${(cause as Error).message}`, { cause });
  } finally {
    signal.removeEventListener("abort", stop);
  }
  checkAborted(signal, "reading the prompt");
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(Buffer.concat(chunks));
  } catch (cause) {
    throw new LlariatError("source", "standard input: got bytes that are not UTF-8, needed UTF-8 text", { cause });
  }
}

type Style = { readonly json: boolean; readonly quiet: boolean };

async function answer(
  llama: Llama,
  prompt: Prompt,
  request: GenerateOptions,
  terminal: Terminal,
  style: Style,
): Promise<void> {
  const { stdout, stderr, signal } = terminal;
  const prefill = startProgress(stderr, "prompt", (tokens) => `${tokens} tokens`);
  const onPrefill = style.quiet || !stderr.isTTY ? undefined : prefill.update;
  const text: string[] = [];
  const ids: number[] = [];
  let done: Completion | undefined;
  try {
    const onAllocate: GenerateOptions["onAllocate"] = ({ tokens, kvBytes }) => {
      if (!style.quiet) stderr.write(`KV cache: ${formatBytes(kvBytes)} for ${tokens} tokens\n`);
    };
    const pieces = llama.generate(prompt, { ...request, signal, onPrefill, onAllocate });
    for (;;) {
      const next = await pieces.next();
      if (ids.length === 0) prefill.end();
      if (next.done) {
        done = next.value;
        break;
      }
      ids.push(next.value.id);
      text.push(next.value.text);
      if (!style.json) stdout.write(llama.tokenizer ? next.value.text : `${ids.length > 1 ? " " : ""}${next.value.id}`);
    }
  } catch (error) {
    prefill.end();
    // What was generated is the person's, also after Ctrl-C.
    if (style.json && signal.aborted)
      stdout.write(`${JSON.stringify({ text: text.join(""), ids, finishReason: "aborted" })}\n`);
    else if (!style.json && ids.length > 0) stdout.write("\n");
    throw error;
  }
  if (style.json) {
    stdout.write(`${JSON.stringify({ ...done, adapter: llama.adapter?.description, notes: llama.notes })}\n`);
    return;
  }
  if (ids.length > 0 && !text.join("").endsWith("\n")) stdout.write("\n");
  if (!style.quiet) stderr.write(`${colorsOf(stderr).dim(summary(done))}\n`);
}

/** One line of figures about a finished request. */
export function summary({ usage, timing, finishReason }: Completion): string {
  const rate = (tokens: number): string => `${tokens.toFixed(tokens < 10 ? 2 : 1)} tokens/s`;
  const count = (tokens: number): string => `${tokens} token${tokens === 1 ? "" : "s"}`;
  return [
    `prompt ${count(usage.promptTokens)}, ${rate(timing.prefillTokensPerSecond)}`,
    `first token after ${(timing.firstTokenMs / 1000).toFixed(2)} s`,
    `answer ${count(usage.completionTokens)}${usage.completionTokens > 1 ? `, ${rate(timing.decodeTokensPerSecond)}` : ""}`,
    ...(timing.tokensPerStep ? [`${timing.tokensPerStep.toFixed(2)} tokens a step`] : []),
    finishReason === "length" ? "cut at --max-new-tokens" : "ended by itself",
  ].join(" · ");
}
