/// <reference lib="esnext.disposable" preserve="true" />
// llariat — Llama on WebGPU. The platform's entry point (src/node, src/browser) exports this and says where files and
// devices come from.

import { type CacheName, caches } from "../kernels/index.ts";
import type { Tokenizer } from "../tokenizer/index.ts";
import type { FileSet } from "./checkpoint/bytes.ts";
import { callersFiles, isFileSet } from "./checkpoint/callers.ts";
import type { GenerationConfig } from "./checkpoint/generation.ts";
import { checkPrompts, tokenizerNotes, tokenizerOf } from "./checkpoint/tokenizer.ts";
import type { CheckpointTokenizer, PromptKind } from "./checkpoint/tokenizer.ts";
import { openCheckpoint } from "./model/checkpoint.ts";
import type { ModelConfig } from "./model/families.ts";
import { type AskedVariants, readVariants } from "./device/asked.ts";
import type { AdapterInfo } from "./device/handle.ts";
import type { Engine } from "./engine/engine.ts";
import { loadEngine } from "./engine/load.ts";
import { Placement, type PlacementWay, type Reload } from "./engine/placement.ts";
import { Scheduler } from "./engine/scheduler.ts";
import { LlariatError } from "./error.ts";
import { type EmbedOptions, embed } from "./generate/embed.ts";
import { answers, request } from "./generate/generate.ts";
import { type LogitsOptions, type ScoreOptions, logits, score } from "./generate/logits.ts";
import type { Completion, GenerateOptions, Piece, Prompt, RequestContext } from "./generate/options.ts";
import { type Quantize, readQuantize } from "./model/quantize.ts";
import type { LoadProgress, WeightSource } from "./model/weights.ts";
import { endOfText } from "./generate/request.ts";
import { platform } from "./platform.ts";
import type { Rope } from "./rope/index.ts";
import { type Kinds, checkOptions, checkWhole, reading } from "./text/options.ts";

export { type ByteSource, type FileSet } from "./checkpoint/bytes.ts";
export { type UrlOptions, urlFiles } from "./checkpoint/http.ts";
export { memoryFiles } from "./checkpoint/memory.ts";
export type { PromptKind } from "./checkpoint/tokenizer.ts";
export type { GenerationConfig } from "./checkpoint/generation.ts";
export type { FamilyName, ModelConfig } from "./model/families.ts";
export { type ErrorCode, type ErrorDetails, type Hint, LlariatError } from "./error.ts";
export type { EmbedOptions } from "./generate/embed.ts";
export type { LogitsOptions, ScoreOptions } from "./generate/logits.ts";
export type {
  Completion,
  EffectiveRope,
  GenerateOptions,
  Ids,
  Piece,
  Prompt,
  ResponseFormat,
} from "./generate/options.ts";
export type { TokenMask } from "./grammar/index.ts";
export type { AskedVariants } from "./device/asked.ts";
export type { AdapterInfo } from "./device/handle.ts";
export type { Reload } from "./engine/placement.ts";
export type { CacheName } from "../kernels/index.ts";
export {
  type Rope,
  type RopeAngles,
  type RopeCommon,
  type RopeChoice,
  type RopeDialect,
  type RopeScaling,
  describeRope,
  frequencies,
  maxContext,
  parseRope,
  parseRopeScaling,
} from "./rope/index.ts";
export type { Likely } from "./generate/sample.ts";
export type { SamplingOptions } from "./generate/sampling.ts";
export type { HeldAs, Quantize, QuantizeOptions } from "./model/quantize.ts";
export type { SpeculateOptions } from "./generate/speculate.ts";
export type { LoadProgress } from "./model/weights.ts";
export { type Message, Tokenizer } from "../tokenizer/index.ts";

/** How to load a checkpoint. Nobody waits for its callbacks: one that returns a promise ends the loading, as one that throws does. */
export interface LoadOptions {
  /** A device of the caller's, who keeps it and destroys it after `close()`. Default: one is requested and owned. */
  readonly device?: GPUDevice;
  /** Which adapter to request; the words depend on the platform. Ignored with `device`. */
  readonly adapter?: string;
  /**
   * Called once with what config.json says, before a device is requested and a byte of weights is read. What it throws ends
   * the loading.
   */
  readonly onConfig?: (config: ModelConfig) => void;
  /**
   * What prompts will be. For "text" and "messages" a checkpoint whose tokenizer or chat template is missing or cannot be
   * used is refused before a device is requested and a byte of weights is read. Default: "ids", and a text is refused when
   * it comes.
   */
  readonly prompts?: PromptKind;
  /**
   * What the loss of the device is. "fail", the default: the end; every request fails, and so does every later one. "reload":
   * an interruption. At the next step a device is opened again, the weights are uploaded again, and running requests go on from
   * their tokens, with the same ones as without the loss. The files are read again: those that `load` opened stay open until
   * `close()`, a FileSet of the caller's must stay so. After several tries in vain requests fail with code `device`; a
   * later one tries again. Not with a `device` of the caller's.
   */
  readonly onDeviceLost?: "fail" | "reload";
  /** With `onDeviceLost: "reload"`, called before each try. What it throws ends the tries, and the running requests get it. */
  readonly onReload?: (reload: Reload) => void;
  /** Called after each piece of the weights that has been handed to the GPU, also when they are uploaded again. */
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly signal?: AbortSignal;
  /** Longest prompt plus answer that any request may have, in tokens. Default: no bound but the device's. */
  readonly maxContext?: number;
  /**
   * Most bytes of keys and values that all requests may hold together; the youngest wait for more. Default: what the device
   * gives. A request that could never fit is refused.
   */
  readonly maxKvBytes?: number;
  /**
   * Bytes of keys and values of prefixes that nobody uses now, up to which the pool grows rather than forget the oldest.
   * Default: 64 MiB, or an eighth of the weights if that is more. They always give way to requests when memory is short.
   */
  readonly idleKvBytes?: number;
  /**
   * How keys and values are held. "f32", the default: as they are computed. "f16": half the memory and half of what a token reads of
   * it; elements are rounded to 11 bits, those beyond ±65504 become that. "q8": 9/32 of the memory; codes of 8 bits, 32 to a step.
   * README has what each does to answers.
   */
  readonly kvCache?: CacheName;
  /**
   * Formats that matrices are made into while they are loaded: "q8_0" or "q4_0" (whole numbers of 8 or 4 bits, 32 to a scale;
   * the numbers are ggml's), "f16", or "none", the default: as the files store them. An object says it apart for the matrices
   * of the blocks (`weights`), the `embedding` and the `output` matrix. Norms and biases stay f32.
   */
  readonly quantize?: Quantize;
  /**
   * Variants of kernels instead of those known or measured to be faster: "shuffle" or "tiled" for all, or a variant by kernel as
   * `llariat tune` names them. Default: in Node what the environment's LLARIAT_VARIANTS says (`linear=matmul_tiled,…`).
   */
  readonly variants?: AskedVariants;
  /** Rows per step instead of what suits the device: for tests and benchmarks. */
  readonly chunkRows?: number;
}

const LOAD_OPTIONS: Kinds<LoadOptions> = {
  device: "device",
  adapter: "text",
  onConfig: "callback",
  prompts: ["ids", "text", "messages"],
  onDeviceLost: ["fail", "reload"],
  onReload: "callback",
  onProgress: "callback",
  signal: "signal",
  maxContext: "any",
  maxKvBytes: "any",
  idleKvBytes: "any",
  kvCache: Object.keys(caches),
  quantize: "any",
  variants: "any",
  chunkRows: "any",
};

/** Bytes on the GPU. */
export interface Memory {
  readonly weights: number;
  readonly kv: number;
  readonly activations: number;
}

/** A checkpoint on a device. Several requests may run at the same time; they share steps. */
export class Llama {
  readonly config: ModelConfig;
  readonly generation: GenerationConfig;
  /** Absent where the checkpoint has neither tokenizer.json nor a tokenizer.model that can be read: ids in, ids out. */
  readonly tokenizer: Tokenizer | undefined;
  /** The checkpoint's own RoPE setting. */
  readonly rope: Rope;
  readonly #context: RequestContext;
  readonly #placement: Placement<Engine>;
  readonly #notes: readonly string[];
  /** The files, where they are ours and are read again after the loss of a device. */
  readonly #files: FileSet | undefined;
  #closed = false;

  private constructor(
    context: RequestContext,
    placement: Placement<Engine>,
    notes: readonly string[],
    files: FileSet | undefined,
  ) {
    this.#context = context;
    this.#placement = placement;
    this.#notes = notes;
    this.#files = files;
    this.config = context.scheduler.engine.config;
    this.generation = context.generation;
    this.tokenizer = context.tokenizer;
    this.rope = context.rope;
  }

  /**
   * Loads a checkpoint as Hugging Face publishes it: a FileSet, or what names one on this platform (the URL of a folder; in
   * Node a path; in a browser File objects). Weights stream to the GPU; host memory stays small.
   * @throws LlariatError: `request` for an option, `source`, `config`, `checkpoint` or `tokenizer` for the files (`template`, too, if `prompts` asks for one), `device` for the adapter or its
   * memory, `aborted` for the signal. Nothing stays allocated then.
   */
  static async load(source: unknown, given: LoadOptions = {}): Promise<Llama> {
    const options = checkOptions<LoadOptions>(given, LOAD_OPTIONS);
    const variants = readVariants(options.variants) ?? platform().variants?.();
    const { signal, maxContext, chunkRows, maxKvBytes, idleKvBytes } = options;
    for (const [name, value, least, unit] of [
      ["maxContext", maxContext, 1, "tokens"],
      ["chunkRows", chunkRows, 1, "tokens"],
      ["maxKvBytes", maxKvBytes, 1, "bytes"],
      ["idleKvBytes", idleKvBytes, 0, "bytes"],
    ] as const) {
      if (value !== undefined) checkWhole(name, value, least, { unit });
    }
    const quantize = readQuantize(options.quantize);
    const reloads = options.onDeviceLost === "reload";
    if (reloads && options.device) {
      const problem =
        "reload needs a device that was opened by load, got one of the caller's, who alone can open another";
      throw new LlariatError("request", problem, { subject: "onDeviceLost", advice: "leave out device" });
    }
    const isOwn = reading("source", () => isFileSet(source));
    const files = isOwn ? callersFiles(source as FileSet) : await platform().files(source);
    let placement: Placement<Engine> | undefined;
    let kept: FileSet | undefined;
    try {
      let found!: CheckpointTokenizer;
      const checkpoint = await openCheckpoint(files, signal, (config, texts) => {
        options.onConfig?.(config);
        found = tokenizerOf(texts);
        checkPrompts(found, options.prompts ?? "ids");
      });
      const { config, generation, eosIds, texts } = checkpoint;
      const { tokenizer } = found;
      const { describe, tensors, tied } = checkpoint;
      placement = new Placement(placementWay({ describe, config, tensors, tied }, { ...options, quantize, variants }));
      const engine = await placement.open(signal);
      const context = {
        scheduler: new Scheduler(engine, reloads ? placement : undefined),
        tokenizer,
        tokenizerProblem: found.problem,
        rope: config.rope,
        generation,
        eosIds: endOfText(eosIds, tokenizer),
        maxContext,
      };
      const notes = [...checkpoint.notes, ...tokenizerNotes(found, texts, config.vocab)];
      if (reloads && !isOwn) kept = files;
      return new Llama(context, placement, notes, kept);
    } catch (error) {
      placement?.close();
      throw error;
    } finally {
      if (!isOwn && !kept) await files.close();
    }
  }

  /** Of the device the model is on now. Absent with a device of the caller's, and while a lost one has not come back. */
  get adapter(): AdapterInfo | undefined {
    return this.#placement.adapter;
  }

  /** Sentences that a person should see, such as that the adapter is software. */
  get notes(): readonly string[] {
    return [...this.#placement.notes, ...this.#notes];
  }

  /** Bytes on the GPU now. */
  get memory(): Memory {
    return { ...this.engine.gpu.memory };
  }

  /** Bytes of keys and values that one sequence of `tokens` tokens holds at a time; where every layer has a window, no more than it reaches. */
  kvBytes(tokens: number): number {
    checkWhole("tokens", tokens, 0);
    return this.engine.memory.bytes(tokens);
  }

  /**
   * The engine underneath, for tests and benchmarks; its interface may change in any version.
   * @internal
   */
  get engine(): Engine {
    return this.#context.scheduler.engine;
  }

  /**
   * The loop of steps, for tests and benchmarks; its interface may change in any version.
   * @internal
   */
  get scheduler(): Scheduler {
    return this.#context.scheduler;
  }

  /**
   * Gives back the memory that running requests do not hold: known prefixes are forgotten, and keys, values and angles shrink
   * to what is in use. The next requests allocate anew.
   */
  async trim(): Promise<void> {
    this.#open();
    const { scheduler } = this.#context;
    await scheduler.between(() => scheduler.engine.memory.trim());
  }

  /** Generates token by token. Breaking out of the loop ends the request and frees its cache. */
  generate(prompt: Prompt, options: GenerateOptions = {}): AsyncGenerator<Piece, Completion, undefined> {
    this.#open();
    return request(this.#context, prompt, options);
  }

  /**
   * `n` answers to one prompt, which is computed once; they are generated side by side. With a `seed` the i-th answer has
   * seed + i. Where frequencies follow the length (`ropeAngles`), or with `reusePrefix: false`, each computes the prompt itself.
   */
  async completions(prompt: Prompt, options: GenerateOptions & { readonly n: number }): Promise<Completion[]> {
    this.#open();
    return answers(this.#context, prompt, options);
  }

  /** Generates to the end. */
  async complete(prompt: Prompt, options: GenerateOptions = {}): Promise<Completion> {
    const pieces = this.generate(prompt, options);
    for (;;) {
      const next = await pieces.next();
      if (next.done) return next.value;
    }
  }

  /**
   * Logits of a prompt, computed in one pass with nothing cached before: Float32Array [ids.length or 1, vocab], the
   * caller's. Length-dependent RoPE uses ids.length. Any length that fits the device is computed.
   */
  async logits(ids: readonly number[] | Uint32Array, options: LogitsOptions = {}): Promise<Float32Array> {
    this.#open();
    return logits(this.#context, ids, options);
  }

  /**
   * Natural log-probabilities of a text under the model: Float64Array [ids.length − 1], of ids[1] after ids[0], and so on.
   * The same numbers as from `logits`, without holding more than one step's logits in memory.
   */
  async score(ids: readonly number[] | Uint32Array, options: ScoreOptions = {}): Promise<Float64Array> {
    this.#open();
    return score(this.#context, ids, options);
  }

  /**
   * Embeddings: a vector per prompt, Float32Array [config.dim], the caller's. The hidden states of a text's tokens after the final
   * norm (in transformers `last_hidden_state`), their mean or that of the last token, as a vector of length 1. Prompts are computed
   * together, several to a step; each gets what it gets alone, but for rounding.
   */
  async embed(prompts: readonly Prompt[], options: EmbedOptions = {}): Promise<Float32Array[]> {
    this.#open();
    return embed(this.#context, prompts, options);
  }

  /**
   * Frees every buffer of the model, and the device if it was requested by `load`. Requests in flight fail. In a worker thread
   * of Node: close, then let the worker end by itself; `worker.terminate()` and `process.exit()` in it, while the GPU computes
   * or compiles, end the whole process.
   */
  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#placement.close();
    this.scheduler.end(closedError());
    void this.#files?.close().catch(() => {}); // nobody reads them any more
  }

  /** `close()`, at the end of the block of a `using` declaration. */
  [Symbol.dispose](): void {
    this.close();
  }

  #open(): void {
    if (this.#closed) throw closedError();
  }
}

/** How the weights come to a device, the first time and after each loss. It holds nothing else of the checkpoint. */
function placementWay(source: WeightSource, options: LoadOptions): PlacementWay<Engine> {
  const { device, adapter, onDeviceLost, onReload, onProgress, chunkRows, maxKvBytes, idleKvBytes } = options;
  const { kvCache, quantize, variants } = options;
  const { store } = platform();
  const place = { onProgress, variants, store, quantize, maxRows: chunkRows, maxKvBytes, idleKvBytes, kvCache };
  const reloads = onDeviceLost === "reload";
  return {
    async open() {
      if (device) return { device, notes: [], release: () => {} };
      return platform().requestDevice({ adapter, ...(reloads && { log: () => {} }) });
    },
    load: (on, signal) => loadEngine(on, source, { ...place, signal }),
    ...(reloads && { onReload: onReload ?? (() => {}) }),
  };
}

const closedError = () => new LlariatError("closed", "this model is closed; load it again");
