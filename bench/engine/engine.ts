// engine.ts — the whole engine on a random checkpoint: loading, first token, prompts and answers at several depths, answers
// side by side, what a token costs the host, memory.
//   node --import tsx bench/engine/engine.ts [--shape smollm2-135m] [--dtype f16] [--depths 0,4096] [--batch 1,8] [--profile]
// Decoding is greedy and end of sequence ignored. A prompt's rate is its length / time to the first token.

import { PAGE } from "../../kernels/index.ts";
import type { FloatKind } from "../../kernels/formats/floats.ts";
import { Llama } from "../../src/node/index.ts";
import { SHAPES, randomFiles } from "../../test/tools/checkpoint.ts";
import { type Bench, benchArguments, openBench, runBench } from "../harness.ts";
import { limits } from "../limits.ts";
import { checkpointFolder } from "../loading.ts";
import { type Result, timing } from "../result.ts";
import { type PlainOptions, measureFirst } from "./first.ts";
import { type Calls, perToken } from "./host.ts";
import { measureLoad } from "./load.ts";
import { profile } from "./profile.ts";
import { type Subject, measureAnswer, measureBatch, measurePrompt } from "./speed.ts";

const PARTS = ["first", "load", "speed", "batch", "host", "memory"] as const;

const USAGE = `node --import tsx bench/engine/engine.ts   (npm run bench:engine -- …)
  --shape ${Object.keys(SHAPES).join("|")}; several with commas; default by the device
  --dtype f16|bf16|f32   of the checkpoint, default f16
  --quantize none,q8_0,q4_0   while loading; default none,q4_0
  --prompt N             tokens of the timed prompt, default 512
  --tokens N             tokens to decode, default 128; with --quick 32
  --depths N,N           tokens that are in the cache before, default 0,4096,16384; with --quick 0,4096
  --batch N,N            sequences side by side, default 1,8,32
  --trials N             default 5
  --parts ${PARTS.join()}   default all
  --profile              also the share of each kernel in a step
  --model DIR            a checkpoint folder instead of a random one
  --adapter NAME  --variants shuffle|tiled  --json FILE  --save  --minutes N  --quick`;

/** What a CPU computes in minutes, and what a GPU is for; a 7B in f16 takes 13.5 GB of disk. */
const [SMALL, LARGE] = ["smollm2-135m,bench-15m", "llama-7b,tinyllama-1.1b,smollm2-135m"];

interface Options {
  readonly prompt: number;
  readonly tokens: number;
  readonly depths: readonly number[];
  readonly batches: readonly number[];
  readonly trials: number;
  readonly parts: ReadonlySet<string>;
  readonly profile: boolean;
}

/** Prefixes that the benchmark makes known must stay known between two trials. */
const IDLE_BYTES = 2 ** 40;

async function measure(
  bench: Bench,
  { name, format, model }: { name: string; format: string; model: string },
  load: PlainOptions,
  options: Options,
): Promise<void> {
  const { trials, parts } = options;
  const { variants } = bench.gpu.facts;
  const about = { bench: "engine", model: name, format, variants } as const;
  const say = (kernel: string, rest: Partial<Result>) => bench.report({ ...about, kernel, shape: name, ...rest });

  if (parts.has("first")) measureFirst(model, load, say);
  const llama = await measureLoad(
    bench,
    model,
    { ...load, idleKvBytes: IDLE_BYTES },
    parts.has("load") ? trials : 1,
    say,
  );
  try {
    const subject: Subject = { bench, llama, trials, say };
    for (const depth of parts.has("speed") ? options.depths : []) {
      if (bench.isLate(`${name} ${format} at depth ${depth}`)) break;
      await measurePrompt(subject, options.prompt, depth);
      await measureAnswer(subject, options.tokens, depth);
      if (depth > 0) await llama.trim();
    }
    for (const batch of parts.has("batch") ? options.batches : []) {
      if (bench.isLate(`${name} ${format}, ${batch} side by side`)) break;
      await measureBatch(subject, options.tokens, batch);
      await llama.trim();
    }
    if (parts.has("memory")) {
      const { weights, activations } = llama.memory;
      say("GPU memory, weights", { bytes: weights });
      say("GPU memory, keys and values of a token", { bytes: llama.engine.memory.kv.pageBytes / PAGE });
      say("GPU memory, activations", { bytes: activations });
    }
    if (options.profile) await profile(bench, llama, options.prompt, say);
  } finally {
    llama.close();
  }
}

/** As deep as a 7B and as narrow as the kernels take, so that the device is not what a token waits for. */
const DEEP = { ...SHAPES["llama-7b"], dim: 64, heads: 2, kvHeads: 2, headDim: 32, hidden: 128, vocab: 512 };

/** What a decoded token costs the host: neither time nor calls depend on the width of the model. */
async function measureHost(bench: Bench, trials: number): Promise<void> {
  const llama = await Llama.load(randomFiles({ shape: DEEP, dtype: "f16" }), { device: bench.gpu.device });
  try {
    const { ms, calls } = await perToken(llama, bench.gpu.device, trials);
    const shape = `a token of ${DEEP.layers} layers`;
    bench.report({ bench: "engine", kernel: "host time", shape, ...timing(ms) });
    for (const [kernel, count] of Object.entries(calls satisfies Calls)) {
      bench.report({ bench: "engine", kernel, shape, count });
    }
  } finally {
    llama.close();
  }
}

async function main(): Promise<void> {
  const text = { type: "string" } as const;
  const values = benchArguments(USAGE, {
    shape: text,
    dtype: text,
    quantize: text,
    prompt: text,
    tokens: text,
    depths: text,
    batch: text,
    trials: text,
    parts: text,
    model: text,
    profile: { type: "boolean" } as const,
  });
  const { adapter, variants, quick = false } = values;
  const numbers = (name: "prompt" | "tokens" | "trials" | "depths" | "batch", otherwise: string): number[] =>
    (values[name] ?? otherwise).split(",").map((word) => {
      const value = Number(word);
      if (Number.isInteger(value) && value >= (name === "depths" ? 0 : 1)) return value;
      throw new TypeError(`--${name}: got ${word}, needed a whole number from ${name === "depths" ? 0 : 1}`);
    });
  const oneOf = (
    name: "shape" | "dtype" | "parts" | "quantize",
    otherwise: string,
    known: readonly string[],
  ): string[] => {
    const words = (values[name] ?? otherwise).split(",");
    const unknown = words.find((word) => !known.includes(word));
    if (unknown !== undefined) throw new TypeError(`--${name}: got ${unknown}, needed ${known.join(", ")}`);
    return words;
  };
  const [dtype] = oneOf("dtype", "f16", ["f16", "bf16", "f32"]) as FloatKind[];
  const options: Options = {
    prompt: numbers("prompt", "512")[0],
    tokens: numbers("tokens", quick ? "32" : "128")[0],
    depths: numbers("depths", quick ? "0,4096" : "0,4096,16384"),
    batches: numbers("batch", "1,8,32"),
    trials: numbers("trials", "5")[0],
    parts: new Set(oneOf("parts", PARTS.join(), PARTS)),
    profile: values.profile ?? false,
  };
  const load: PlainOptions = { adapter, variants: variants as PlainOptions["variants"] };
  const bench = await openBench(values);
  try {
    await limits(bench);
    const usual = quick ? "smollm2-135m" : bench.adapter.isSoftware ? SMALL : LARGE;
    const shapes = oneOf("shape", usual, Object.keys(SHAPES));
    if (options.parts.has("host")) await measureHost(bench, options.trials);
    const models = values.model
      ? [{ name: values.model.split("/").at(-1)!, format: "as stored", model: values.model }]
      : shapes.map((name) => ({ name, format: dtype, model: undefined }));
    const ways = oneOf("quantize", "none,q4_0", ["none", "q8_0", "q4_0"]) as ("none" | "q8_0" | "q4_0")[];
    for (const { name, format: stored, model } of models) {
      for (const quantize of ways) {
        const format = quantize === "none" ? stored : quantize;
        if (bench.isLate(`${name} ${format}`)) continue;
        const folder = model ?? (await checkpointFolder(name, dtype));
        const way = quantize === "none" ? load : { ...load, quantize };
        await measure(bench, { name, format, model: folder }, way, options);
      }
    }
  } finally {
    bench.close();
  }
}

await runBench(main);
