// engine.ts — the whole engine on a random checkpoint: loading, first token, prompt and decoding speed, memory.
//   node --import tsx bench/engine.ts [--shape smollm2-135m] [--dtype f16] [--prompt 512] [--tokens 128] [--quick] [--profile]
// Prefill is prompt length / time to the first token (its logits alone are computed, as when generating). Decoding is
// greedy, one sequence, end of sequence ignored, after a prompt of 128 tokens. First tokens are those of a fresh process,
// with the driver's shader cache off and then filled; their prompt of 16 tokens leaves little to compute but much to compile.

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { FloatKind } from "../kernels/formats/floats.ts";
import { Llama } from "../src/node/index.ts";
import type { Plan } from "../src/model/forward.ts";
import { SHAPES } from "../test/tools/checkpoint.ts";
import {
  type Bench,
  type Result,
  type Timing,
  benchArguments,
  cpuMs,
  openBench,
  round,
  runBench,
  timing,
} from "./harness.ts";
import { limits, ratesOf } from "./limits.ts";
import { checkpointFolder, peakArrayBuffers } from "./loading.ts";
import { work } from "./work.ts";

const here = fileURLToPath(import.meta.url);

const USAGE = `node --import tsx bench/engine.ts   (npm run bench:engine -- …)
  --shape ${Object.keys(SHAPES).join("|")}; several with commas; default bench-15m,smollm2-135m
  --dtype f16|bf16|f32   default f16
  --prompt N             tokens of the timed prompt, default 512
  --tokens N             tokens to decode, default 128; with --quick 24
  --trials N             default 5; with --quick 3
  --profile              also the share of each kernel in a step
  --model DIR            a checkpoint folder instead of a random one
  --adapter NAME  --variants shuffle|tiled  --json FILE  --quick`;

/** Prompt before decoding: peers are measured after as many tokens. */
const DECODE_AFTER = 128;
const FIRST_PROMPT = 16;

interface Options {
  readonly adapter?: string;
  readonly variants?: "shuffle" | "tiled";
  readonly json?: string;
  readonly prompt: number;
  readonly tokens: number;
  readonly trials: number;
  readonly profile: boolean;
}

/** Token ids: a step of 7919 (prime) visits the vocabulary evenly. Prompts of different seeds share no prefix. */
const tokenIds = (count: number, vocab: number, seed = 0): Uint32Array =>
  Uint32Array.from({ length: count }, (_, i) => (13 + seed + 7919 * i) % vocab);

/** Wall clock and CPU time. */
interface Mark {
  readonly ms: number;
  readonly cpu: number;
}
const mark = (): Mark => ({ ms: performance.now(), cpu: cpuMs() });

/** Marks at the start of a greedy request and at each of its tokens. */
async function pieces(llama: Llama, ids: Uint32Array, maxNewTokens: number): Promise<Mark[]> {
  const marks = [mark()];
  const request = { maxNewTokens, ignoreEos: true, temperature: 0, allowBeyond: true };
  for await (const _ of llama.generate(ids, request)) marks.push(mark());
  return marks;
}

/** Times between two marks. */
class Trials {
  readonly #bench: Bench;
  readonly #marks: Mark[] = [];
  constructor(bench: Bench) {
    this.#bench = bench;
  }
  add(from: Mark, to: Mark, runs: number): void {
    this.#marks.push({ ms: (to.ms - from.ms) / runs, cpu: (to.cpu - from.cpu) / runs });
  }
  get timing(): Timing {
    const cpu = this.#marks.reduce((sum, each) => sum + each.cpu, 0) / this.#marks.length;
    return { ...timing(this.#marks.map(({ ms }) => ms)), ...(this.#bench.adapter.isSoftware && { cpuMs: cpu }) };
  }
}

/** What a fresh process needs to its first and second token; runs in a child (`--child`). */
async function firstToken(model: string, options: Pick<Options, "adapter" | "variants">): Promise<void> {
  const started = performance.now();
  const llama = await Llama.load(model, options);
  const loaded = performance.now();
  const at: number[] = [];
  const request = { maxNewTokens: 2, ignoreEos: true, temperature: 0 };
  for await (const _ of llama.generate(tokenIds(FIRST_PROMPT, llama.config.vocab), request)) at.push(performance.now());
  console.log(JSON.stringify({ load: loaded - started, first: at[0] - loaded, second: at[1] - at[0] }));
  llama.close();
}

function measureFirst(model: string, options: Options, cached: boolean): Record<"load" | "first" | "second", number> {
  const words = ["--child", "--model", model, ...(options.adapter ? ["--adapter", options.adapter] : [])];
  // Mesa's switch and NVIDIA's; other drivers keep their cache, and what is printed for an empty one is then not true.
  const off = { MESA_SHADER_CACHE_DISABLE: "true", __GL_SHADER_DISK_CACHE: "0" };
  const output = execFileSync(
    process.execPath,
    ["--import", "tsx", here, ...words, ...(options.variants ? ["--variants", options.variants] : [])],
    { encoding: "utf8", env: { ...process.env, ...(cached ? {} : off) }, stdio: ["ignore", "pipe", "ignore"] },
  );
  return JSON.parse(output.trim().split("\n").at(-1)!) as Record<"load" | "first" | "second", number>;
}

async function measure(bench: Bench, name: string, dtype: string, model: string, options: Options): Promise<void> {
  const { prompt, tokens, trials } = options;
  const { copyGbs, matmulGflops } = await limits(bench);
  const { variants } = bench.gpu.facts;
  const about = { bench: "engine", shape: name, format: dtype, variants } as const;
  const say = (kernel: string, rest: Partial<Result>) => bench.report({ ...about, kernel, ...rest });

  for (const cached of [false, true]) {
    if (cached) measureFirst(model, options, true); // fills it
    const found = measureFirst(model, options, cached);
    const state = cached ? "filled" : "empty";
    say(`load, ${state} shader cache`, timing([found.load]));
    say(`first token, ${state} cache`, timing([found.first]));
    say(`second token, ${state} cache`, timing([found.second]));
  }

  const loads: number[] = [];
  let highest = 0;
  const load = async (): Promise<Llama> => {
    const start = performance.now();
    const { result, peak } = await peakArrayBuffers((look) =>
      Llama.load(model, { device: bench.gpu.device, variants, onProgress: look }),
    );
    loads.push(performance.now() - start);
    highest = Math.max(highest, peak);
    return result;
  };
  for (let i = 1; i < trials; i++) (await load()).close();
  const llama = await load();
  try {
    const { weights } = llama.memory;
    const found = timing(loads);
    say("load", { ...found, bytes: weights, gbs: round(weights / found.ms / 1e6) });
    say("load, peak ArrayBuffers", { bytes: highest });

    const { config, engine } = llama;
    const prefill = new Trials(bench);
    for (let i = 0; i <= trials; i++) {
      const marks = await pieces(llama, tokenIds(prompt, config.vocab, i), 1);
      if (i > 0) prefill.add(marks[0], marks[1], 1);
    }
    const decode = new Trials(bench);
    for (let i = 0; i <= trials; i++) {
      const marks = await pieces(llama, tokenIds(DECODE_AFTER, config.vocab, i), i === 0 ? 2 : tokens + 1);
      if (i > 0) decode.add(marks[1], marks.at(-1)!, tokens);
    }

    // Weights that multiply activations: every one twice per token of the prompt, once read per decoded token.
    const { dim, hidden, heads, kvHeads, headDim, layers, vocab } = config;
    const block = dim * (2 * heads + 2 * kvHeads) * headDim + 3 * dim * hidden;
    const flops = 2 * prompt * block * layers + 2 * vocab * dim + 2 * prompt * prompt * heads * headDim * layers;
    const pp = prefill.timing;
    const gflops = flops / pp.ms / 1e6;
    say(`pp${prompt}`, {
      ...pp,
      tokensPerSecond: round((1000 * prompt) / pp.ms),
      gflops: round(gflops),
      percent: round((100 * gflops) / matmulGflops, 3),
    });
    const tg = decode.timing;
    const gbs =
      (weights * (block * layers + vocab * dim)) /
      (block * layers + vocab * dim * (engine.weights.head === engine.weights.embed ? 1 : 2)) /
      tg.ms /
      1e6;
    say(`tg${tokens}`, {
      ...tg,
      tokensPerSecond: round(1000 / tg.ms),
      gbs: round(gbs),
      percent: round((100 * gbs) / copyGbs, 3),
    });
    say("GPU memory, weights", { bytes: weights });
    say("GPU memory, keys and values", { bytes: llama.memory.kv });
    say("GPU memory, activations", { bytes: llama.memory.activations });
    if (options.profile) await profile(bench, llama, name, dtype, prompt);
  } finally {
    llama.close();
  }
}

/** Share of each kernel: a prefill step of the largest size at the start, decode steps after 128 and `prompt` tokens. */
async function profile(bench: Bench, llama: Llama, name: string, format: string, prompt: number): Promise<void> {
  const { engine } = llama;
  const { gpu } = engine;
  const chunk = Math.min(engine.maxRows, prompt);
  const capacity = Math.max(prompt, DECODE_AFTER) + 1;
  const sequence = llama.scheduler.open({ capacity, rope: llama.rope, meaning: "planned", planned: capacity });
  sequence.push(tokenIds(capacity, llama.config.vocab));
  const short = await engine.memory.reserve(sequence, capacity);
  if (short) throw short;
  const common = { outputs: "few", rawKeys: false, candidates: true } as const;
  const cases: [string, Plan, number, number][] = [
    [`prefill ${chunk}`, { ...common, rows: "many", attention: "prefill" }, 0, chunk],
    [`decode at ${DECODE_AFTER}`, { ...common, rows: "few", attention: "decode" }, DECODE_AFTER, 1],
    [`decode at ${prompt}`, { ...common, rows: "few", attention: "decode" }, prompt, 1],
  ];
  for (const [what, plan, from, count] of cases) {
    const { dispatches, writer } = engine.dispatches(plan);
    const recording = await gpu.record(dispatches);
    sequence.advance(from - sequence.length); // the keys before are what the cache happens to hold: times do not depend on them
    const segment = { sequence, count, n: from + count, outputs: [count - 1], k: 1 };
    const { shape, data } = writer.write([segment]);
    const whole = await bench.time(recording, shape, data, { gpu });
    bench.report({ bench: "engine", kernel: what, shape: name, format, variants: gpu.facts.variants, ...whole });
    const lengths = Array.from({ length: count }, (_, i) => from + i + 1);
    for (const share of await bench.profile(gpu, recording, shape, data)) {
      const { kind, count, dispatch, ...times } = share;
      const one = work(dispatch, shape, lengths);
      const rates = await ratesOf(bench, { ...one, bytes: one.bytes * count, flops: one.flops * count }, times);
      const part = `${round((100 * times.best) / whole.best, 3)} % of ${what}, ${count} ×`;
      bench.report({ bench: "engine", kernel: kind, shape: part, format, ...times, ...rates });
    }
  }
  sequence.close();
}

async function main(): Promise<void> {
  const text = { type: "string" } as const;
  const flag = { type: "boolean" } as const;
  const values = benchArguments(USAGE, {
    shape: text,
    dtype: text,
    prompt: text,
    tokens: text,
    trials: text,
    model: text,
    profile: flag,
    child: flag,
  });
  const { adapter, variants, quick = false } = values;
  const number = (name: "prompt" | "tokens" | "trials", otherwise: number): number => {
    const value = Number(values[name] ?? otherwise);
    if (Number.isInteger(value) && value >= 1) return value;
    throw new TypeError(`--${name}: got ${values[name]}, needed a whole number from 1`);
  };
  const dtype = (values.dtype ?? "f16") as FloatKind;
  const shapes = (values.shape ?? "bench-15m,smollm2-135m").split(",");
  const unknown = shapes.find((name) => !(name in SHAPES));
  if (unknown !== undefined) throw new TypeError(`--shape: got ${unknown}, needed ${Object.keys(SHAPES).join(", ")}`);
  if (!["f16", "bf16", "f32"].includes(dtype)) throw new TypeError(`--dtype: got ${dtype}, needed f16, bf16 or f32`);
  const options: Options = {
    adapter,
    variants: variants as Options["variants"],
    json: values.json,
    prompt: number("prompt", 512),
    tokens: number("tokens", quick ? 24 : 128),
    trials: number("trials", quick ? 3 : 5),
    profile: values.profile ?? false,
  };
  if (values.child) {
    await firstToken(values.model!, options);
    return;
  }
  const bench = await openBench(options);
  try {
    if (values.model) await measure(bench, values.model.split("/").at(-1)!, "as stored", values.model, options);
    else for (const name of shapes) await measure(bench, name, dtype, await checkpointFolder(name, dtype), options);
  } finally {
    bench.close();
  }
}

await runBench(main);
