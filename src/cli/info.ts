// info.ts — `llariat info`: what a checkpoint holds and what it needs, from its headers, without loading it; only
// where a tied model's files hold embedding and head are these two read, and compared.

import { type CacheName, caches } from "../../kernels/index.ts";
import { tokenizerNotes, tokenizerOf } from "../checkpoint/tokenizer.ts";
import type { CheckpointTokenizer } from "../checkpoint/tokenizer.ts";
import { endOfText } from "../generate/request.ts";
import { LIMITS } from "../device/limits.ts";
import type { Checkpoint } from "../model/checkpoint.ts";
import { openCheckpoint } from "../model/checkpoint.ts";
import { defaultCache, kvBytes, windowOf } from "../engine/kvcache.ts";
import { LlariatError, printable } from "../error.ts";
import type { Tokenizer } from "../../tokenizer/index.ts";
import { describeRope } from "../rope/index.ts";
import type { Quantize } from "../model/quantize.ts";
import { weightBytes } from "../model/weights.ts";
import { requestDevice } from "../node/gpu.ts";
import { formatBytes } from "./progress.ts";
import type { Command, Option } from "./command.ts";
import { table } from "./command.ts";
import {
  cacheName,
  cacheOptions,
  checkpointFiles,
  checkpointPaths,
  quantizeOf,
  quantizeOption,
  sourceOptions,
} from "./load.ts";
import { type ScalingList, describeScalings, readScalings, ropeListOptions, scalingTable } from "./rope.ts";

const options = {
  ...sourceOptions,
  ...cacheOptions,
  ...quantizeOption,
  ...ropeListOptions,
  json: { help: "print one JSON object" },
} as const satisfies Record<string, Option>;

/** `llariat info`. */
export const info: Command = {
  name: "info",
  summary: "what a checkpoint holds, what it needs, and the adapter it would run on",
  usage: ["--model DIR_OR_FILE… [--quantize FORMAT] [--rope-scaling LIST] [--adapter NAME] [--json]"],
  options,
  async run(args, { stdout, signal }) {
    const paths = checkpointPaths(args);
    const scalings = readScalings(args);
    const kvCache = cacheName(args) ?? defaultCache;
    const quantize = quantizeOf(args);
    const files = await checkpointFiles(paths);
    let facts: Facts;
    try {
      facts = checkpointFacts(await openCheckpoint(files, signal), scalings, { kvCache, quantize });
    } finally {
      await files.close();
    }
    // A machine without an adapter still gets to know its checkpoint.
    const device = await requestDevice({ adapter: args.text("adapter") }).then(
      (gpu) => {
        const limits = Object.fromEntries(SHOWN.map((limit) => [limit, gpu.device.limits[limit]]));
        gpu.release();
        return { adapter: gpu.adapter, limits, notes: gpu.notes };
      },
      (error: unknown) => {
        if (error instanceof LlariatError) return error;
        throw error;
      },
    );
    const failed = device instanceof LlariatError;
    if (args.has("json")) stdout.write(`${JSON.stringify({ ...facts, ...(failed ? {} : device) })}\n`);
    else stdout.write(report(facts) + (failed ? "" : adapterReport(device.adapter, device.limits, device.notes)));
    if (failed) throw device;
  },
};

/** Limits that decide what fits: those that are asked for, and the largest grid. */
const SHOWN = [...LIMITS, "maxComputeWorkgroupsPerDimension"] as const satisfies readonly (keyof GPUSupportedLimits)[];

function checkpointFacts(
  checkpoint: Checkpoint,
  scalings: ScalingList,
  { kvCache, quantize }: { readonly kvCache: CacheName; readonly quantize?: Quantize },
) {
  const { config } = checkpoint;
  const tensors = [...checkpoint.tensors.values()].map(({ name, dtype, shape, start, end, source }) => ({
    name,
    dtype,
    shape,
    bytes: end - start,
    file: source.name,
  }));
  const kvPerToken = kvBytes(config, 1, caches[kvCache]);
  const window = windowOf(config);
  const kvBytesOf = (tokens: number) => kvPerToken * Math.min(tokens, window ?? Infinity);
  const tokenizer = tokenizerOf(checkpoint.texts);
  const { rope } = config;
  return {
    model: checkpoint.describe,
    config,
    generation: checkpoint.generation,
    rope: describeRope(rope),
    ropeScalings: describeScalings(scalings, rope, kvBytesOf),
    eosIds: endOfText(checkpoint.eosIds, tokenizer.tokenizer),
    tied: checkpoint.tied,
    tokenizer: tokenizerFacts(tokenizer),
    tensors,
    parameters: checkpoint.parameters,
    fileBytes: checkpoint.bytes,
    gpuBytes: {
      weights: weightBytes(checkpoint, quantize),
      kvCache,
      kvPerToken,
      ...(window !== undefined && { kvWindow: window }),
    },
    checkpointNotes: [...checkpoint.notes, ...tokenizerNotes(tokenizer, checkpoint.texts, config.vocab)],
  };
}

/** What text becomes ids by; where nothing does, why. */
function tokenizerFacts({ tokenizer, problem }: CheckpointTokenizer) {
  if (problem) return { problem: problem.message };
  const { kind, vocabSize, specialTokens, specialIds, chatTemplates } = tokenizer;
  return { kind, vocabSize, specialTokens, specialIds, chatTemplates, ...templateProblem(tokenizer) };
}

/** Why the chat template that is there cannot be used. */
function templateProblem(tokenizer: Tokenizer): { templateProblem?: string } {
  if (!tokenizer.hasChatTemplate) return {};
  try {
    tokenizer.checkChatTemplate();
    return {};
  } catch (error) {
    if (error instanceof LlariatError) return { templateProblem: error.message };
    throw error;
  }
}

/** A table of what files say. */
const shown = (rows: readonly (readonly [string, string])[]): string =>
  table(rows.map(([name, value]) => [printable(name), printable(value)]));

type Facts = ReturnType<typeof checkpointFacts>;

function report(facts: Facts): string {
  const { config, rope, gpuBytes } = facts;
  // What ends a text is decided by three files; the config's part of it alone would mislead.
  const { rope: _, eosIds: __, ...shape } = config;
  const generation = { ...facts.generation, eosIds: facts.eosIds };
  const values = (record: object): [string, string][] =>
    Object.entries(record)
      .filter(([, value]) => value !== undefined)
      .map(([name, value]) => [name, typeof value === "object" ? JSON.stringify(value) : String(value)]);
  const widths = [Math.max(...facts.tensors.map(({ name }) => name.length)), 4, 16] as const;
  const tensors = facts.tensors
    .map(({ name, dtype, shape: dims, bytes }) => {
      const cells = [
        printable(name).padEnd(widths[0]),
        dtype.padEnd(widths[1]),
        `[${dims.join(", ")}]`.padEnd(widths[2]),
      ];
      return `  ${cells.join("  ")}  ${formatBytes(bytes)}\n`;
    })
    .join("");
  const { kvWindow = Infinity } = gpuBytes;
  const held = Math.min(rope.maxContext, kvWindow);
  const of = held < rope.maxContext ? `the window of ${held} tokens, and those of a step` : `${held} tokens`;
  const needs = [
    ["parameters", `${facts.parameters.toLocaleString("en-US")}${facts.tied ? " (the head is the embedding)" : ""}`],
    ["files", formatBytes(facts.fileBytes)],
    ["weights on the GPU", `${formatBytes(gpuBytes.weights)} (${gpuBytes.weights} bytes)`],
    [
      "keys and values",
      `${gpuBytes.kvPerToken} bytes per token, ${formatBytes(gpuBytes.kvPerToken * held)} for ${of} (${gpuBytes.kvCache})`,
    ],
  ] as const;
  const notes = facts.checkpointNotes.map((note) => `note: ${printable(note)}\n`).join("");
  return (
    `${printable(facts.model)}\n\nconfig\n${shown(values(shape))}\ngeneration\n${shown(values(generation))}\nrope\n${shown(values(rope))}\n` +
    `rope scalings: the context each is meant for, and tokens per turn (λ) of some of the ${rope.headDim / 2} pairs\n` +
    `${scalingTable(facts.ropeScalings)}\n` +
    `tensors (${facts.tensors.length})\n${tensors}\nneeds\n${shown(needs)}\ntokenizer\n${shown(tokenizerRows(facts.tokenizer))}${notes}`
  );
}

function tokenizerRows(facts: Facts["tokenizer"]): readonly (readonly [string, string])[] {
  if ("problem" in facts) return [["none", `ids in, ids out: ${facts.problem}`]];
  const { kind, vocabSize, specialTokens, specialIds, chatTemplates, templateProblem } = facts;
  const templates = chatTemplates.length > 0 ? chatTemplates.join(", ") : "none: messages cannot be prompts";
  return [
    ["kind", kind],
    ["vocabulary", `${vocabSize.toLocaleString("en-US")} tokens, ${specialIds.length} of them special`],
    ...Object.entries(specialTokens),
    ["chat templates", templateProblem === undefined ? templates : `${templates}; ${templateProblem}`],
  ];
}

function adapterReport(adapter: object, limits: Readonly<Record<string, number>>, notes: readonly string[]): string {
  const rows = Object.entries({ ...adapter, ...limits }).map(
    ([name, value]) => [name, Array.isArray(value) ? value.join(" ") : String(value)] as const,
  );
  return `\nadapter\n${shown(rows)}${notes.map((note) => `note: ${printable(note)}\n`).join("")}`;
}
