// engines.ts — llariat and its peers behind one function: a prompt of ids, then so many greedy tokens, timed.
// The packages of the peers are found in the folder they were installed in and have no types here: each is described by what
// is used of it.

import { readFileSync, mkdirSync, rmSync, symlinkSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism } from "node:os";
import { basename, join } from "node:path";
import { pathToFileURL } from "node:url";
import { Llama } from "../../src/node/index.ts";

/** Milliseconds to the first token and for those after it, and all of them. */
export interface Run {
  readonly first: number;
  readonly rest: number;
  readonly ids: number[];
}

/** A loaded model. */
export interface Engine {
  /** Computes the prompt anew each time; `steps` tokens after the first. */
  readonly run: (ids: readonly number[], steps: number) => Promise<Run>;
  /** Where it computes, as it says itself. */
  readonly adapter: string;
  readonly driver?: string;
}

/** What to load. */
export interface Spec {
  readonly engine: "llariat" | "llama.cpp" | "onnxruntime" | "transformers.js";
  readonly on: "gpu" | "cpu";
  /** Of the weights: f16, f32, q4_0 or int4. */
  readonly format: string;
  /** The checkpoint's folder, and what was made of it for this engine. */
  readonly model: string;
  readonly file: string;
  /** Where the packages of the peers are. */
  readonly packages: string;
  readonly adapter?: string;
}

const threads = availableParallelism();

async function llariat({ model, format, adapter }: Spec): Promise<Engine> {
  const quantize = format === "q4_0" || format === "q8_0" ? format : undefined;
  const llama = await Llama.load(model, quantize ? { adapter, quantize } : { adapter });
  const facts = llama.adapter;
  return {
    adapter: facts?.name ?? "",
    driver: (facts as { driver?: string } | undefined)?.driver ?? "",
    async run(prompt, steps) {
      const start = performance.now();
      let first = 0;
      const ids: number[] = [];
      // The same prompt comes again and again: it must be computed again.
      const options = { maxNewTokens: steps + 1, ignoreEos: true, temperature: 0, reusePrefix: false };
      for await (const { id } of llama.generate(prompt, options)) {
        first ||= performance.now();
        ids.push(id);
      }
      return { first: first - start, rest: performance.now() - first, ids };
    },
  };
}

interface LlamaCpp {
  readonly getLlama: (options: object) => Promise<{
    loadModel(options: object): Promise<{
      createContext(options: object): Promise<{
        getSequence(): {
          clearHistory(): Promise<void>;
          evaluate(ids: number[], options: object): AsyncIterable<number>;
        };
      }>;
    }>;
    getGpuDeviceNames(): Promise<string[]>;
  }>;
}

async function llamaCpp({ file, on, packages }: Spec): Promise<Engine> {
  const { getLlama } = await imported<LlamaCpp>(packages, "node-llama-cpp");
  const llama = await getLlama({
    gpu: on === "gpu" ? "vulkan" : false,
    build: "never",
    maxThreads: threads,
    logLevel: "error",
  });
  const model = await llama.loadModel({ modelPath: file, gpuLayers: on === "gpu" ? "max" : 0 });
  const context = await model.createContext({
    contextSize: 1024,
    batchSize: 512,
    threads: { ideal: threads, min: threads },
  });
  const sequence = context.getSequence();
  const names = on === "gpu" ? await llama.getGpuDeviceNames() : [];
  // Its Vulkan backend passes over devices that are CPUs without a word and computes without any.
  if (on === "gpu" && names.length === 0) throw new Error("llama.cpp took no Vulkan device");
  return {
    adapter: names.join(),
    async run(prompt, steps) {
      await sequence.clearHistory();
      const start = performance.now();
      let first = 0;
      const ids: number[] = [];
      for await (const id of sequence.evaluate([...prompt], { temperature: 0, yieldEogToken: true })) {
        first ||= performance.now();
        if (ids.push(id) > steps) break;
      }
      return { first: first - start, rest: performance.now() - first, ids };
    },
  };
}

interface OrtTensor {
  getData(): Promise<ArrayLike<number>>;
  dispose?(): void;
}
interface Ort {
  readonly Tensor: new (type: string, data: unknown, dims: number[]) => OrtTensor;
  readonly InferenceSession: {
    create(file: string, options: object): Promise<{ run(feeds: object): Promise<Record<string, OrtTensor>> }>;
  };
}

async function onnxruntime({ file, model, on, packages }: Spec): Promise<Engine> {
  const ort = requireFrom(packages)("onnxruntime-node") as Ort;
  const config = JSON.parse(readFileSync(join(model, "config.json"), "utf8")) as Record<string, number>;
  const { num_hidden_layers: layers, num_key_value_heads: kvHeads, head_dim: headDim } = config;
  const names = Array.from({ length: layers }, (_, i) => [`${i}.key`, `${i}.value`]).flat();
  const gpu = on === "gpu";
  const session = await ort.InferenceSession.create(file, {
    executionProviders: [gpu ? "webgpu" : "cpu"],
    intraOpNumThreads: threads,
    graphOptimizationLevel: "all",
    logSeverityLevel: 3,
    // Keys and values stay where they were computed.
    ...(gpu && { preferredOutputLocation: Object.fromEntries(names.map((name) => [`present.${name}`, "gpu-buffer"])) }),
  });
  const f16 = gpu;
  const step = async (ids: readonly number[], past: Record<string, OrtTensor> | undefined, total: number) => {
    const feeds: Record<string, OrtTensor> = {
      input_ids: new ort.Tensor("int64", BigInt64Array.from(ids, BigInt), [1, ids.length]),
      attention_mask: new ort.Tensor("int64", new BigInt64Array(total).fill(1n), [1, total]),
    };
    const none = f16 ? new Uint16Array(0) : new Float32Array(0);
    for (const name of names) {
      const type = f16 ? "float16" : "float32";
      feeds[`past_key_values.${name}`] = past?.[name] ?? new ort.Tensor(type, none, [1, kvHeads, 0, headDim]);
    }
    const out = await session.run(feeds);
    for (const tensor of gpu && past ? Object.values(past) : []) tensor.dispose?.();
    const present = Object.fromEntries(names.map((name) => [name, out[`present.${name}`]]));
    return { id: argmax(await out["logits"].getData()), present };
  };
  return {
    adapter: gpu ? "webgpu" : "",
    async run(prompt, steps) {
      const start = performance.now();
      let { id, present } = await step(prompt, undefined, prompt.length);
      const first = performance.now();
      const ids = [id];
      for (let i = 0; i < steps; i++) {
        ({ id, present } = await step([id], present, prompt.length + i + 1));
        ids.push(id);
      }
      for (const tensor of gpu ? Object.values(present) : []) tensor.dispose?.();
      return { first: first - start, rest: performance.now() - first, ids };
    },
  };
}

/** The largest, of f32 or of halves as their bits: these are in order once negative ones are turned round. */
function argmax(values: ArrayLike<number>): number {
  const bits = values instanceof Uint16Array;
  let [best, at] = [-Infinity, 0];
  for (let i = 0; i < values.length; i++) {
    const value = bits && values[i] >= 0x8000 ? 0x8000 - values[i] : values[i];
    if (value > best) [best, at] = [value, i];
  }
  return at;
}

interface Transformers {
  readonly env: { allowRemoteModels: boolean; localModelPath: string };
  readonly BaseStreamer: new () => object;
  readonly Tensor: new (type: string, data: unknown, dims: number[]) => object;
  readonly AutoModelForCausalLM: {
    from_pretrained(name: string, options: object): Promise<{ generate(options: object): Promise<unknown> }>;
  };
}

/** Its names for how weights are stored are part of the file's name. */
const DTYPES: Readonly<Record<string, readonly [string, string]>> = {
  "gpu f16": ["fp16", "_fp16"],
  "gpu int4": ["q4f16", "_q4f16"],
  "cpu f32": ["fp32", ""],
  "cpu int4": ["q4", "_q4"],
};

async function transformersJs({ file, model, on, format, packages }: Spec): Promise<Engine> {
  const t = await imported<Transformers>(packages, "@huggingface/transformers");
  const [dtype, suffix] = DTYPES[`${on} ${format}`];
  // The layout of folders that it expects, of links.
  const root = `${file}.folder`;
  rmSync(root, { recursive: true, force: true });
  mkdirSync(join(root, "m/onnx"), { recursive: true });
  for (const name of ["config.json", "generation_config.json", "tokenizer.json", "tokenizer_config.json"]) {
    symlinkSync(join(model, name), join(root, "m", name));
  }
  symlinkSync(file, join(root, `m/onnx/model${suffix}.onnx`));
  symlinkSync(`${file}.data`, join(root, "m/onnx", `${basename(file)}.data`));
  t.env.allowRemoteModels = false;
  t.env.localModelPath = root;
  const device = on === "gpu" ? "webgpu" : "cpu";
  const options = { device, dtype, session_options: { intraOpNumThreads: threads } };
  const loaded = await t.AutoModelForCausalLM.from_pretrained("m", options);
  class Stamps extends t.BaseStreamer {
    readonly times: number[] = [];
    readonly ids: number[] = [];
    put(value: { flat(): unknown[] }): void {
      this.times.push(performance.now());
      this.ids.push(Number(value.flat().at(-1)));
    }
    end(): void {}
  }
  return {
    adapter: on === "gpu" ? "webgpu" : "",
    async run(prompt, steps) {
      const streamer = new Stamps();
      const start = performance.now();
      await loaded.generate({
        input_ids: new t.Tensor("int64", BigInt64Array.from(prompt, BigInt), [1, prompt.length]),
        attention_mask: new t.Tensor("int64", new BigInt64Array(prompt.length).fill(1n), [1, prompt.length]),
        max_new_tokens: steps + 1,
        min_new_tokens: steps + 1,
        do_sample: false,
        streamer,
      });
      const { times, ids } = streamer; // the prompt comes first
      return { first: times[1] - start, rest: times.at(-1)! - times[1], ids: ids.slice(1) };
    },
  };
}

const requireFrom = (packages: string): NodeJS.Require => createRequire(join(packages, "package.json"));
const imported = async <T>(packages: string, name: string): Promise<T> => {
  // Their entry for modules is not the one for require: the folder's own resolution, without that.
  const folder = join(packages, "node_modules", name);
  const about = JSON.parse(readFileSync(join(folder, "package.json"), "utf8")) as { exports?: unknown; main?: string };
  return (await import(pathToFileURL(join(folder, entry(about.exports) ?? about.main ?? "index.js")).href)) as T;
};

/** The file of an `exports` field for `import` in Node. */
function entry(exports: unknown): string | undefined {
  if (typeof exports === "string") return exports;
  if (typeof exports !== "object" || exports === null) return undefined;
  const of = exports as Record<string, unknown>;
  for (const key of [".", "node", "import", "default"]) {
    if (key in of) return entry(of[key]);
  }
  return undefined;
}

/** Loads a model in an engine. */
export const openEngine = (spec: Spec): Promise<Engine> =>
  ({ llariat, "llama.cpp": llamaCpp, onnxruntime, "transformers.js": transformersJs })[spec.engine](spec);
