// engine.ts — a model on a device: its tensors, its recordings by plan, and steps over the sequences of its cache.

import {
  CANDIDATE_STRIDE,
  PAGE,
  SPLIT,
  type StepLayout,
  type DeviceFacts,
  type Tensor,
  stepLayout,
  stride,
} from "../../kernels/index.ts";
import { AngleTable, type RopeAngles } from "./angles.ts";
import type { LlamaConfig } from "../checkpoint/config.ts";
import { LlariatError } from "../error.ts";
import type { Gpu, Recording } from "../device/gpu.ts";
import { tensorBytes } from "../../kernels/index.ts";
import { KvCache } from "./kvcache.ts";
import { type Activations, type Plan, forward } from "../model/forward.ts";
import { PrefixCache } from "./prefix.ts";
import type { Rope } from "../rope/index.ts";
import { type Segment, type Sequence, StepWriter } from "./step.ts";
import type { Weights } from "../model/weights.ts";

/** Rows up to which reading each weight once per row beats a tile that is mostly empty (bench/kernels.ts). */
const FEW = 4;

/** Sequences in one step. */
const SEQUENCES = 16;

/** Host and device memory that the logits of one step may take. */
const LOGITS_BYTES = 32 << 20;

/** Rows per step: a prompt is computed in chunks of this size, so that it can be cancelled and activations stay small. */
const defaultRows = (target: DeviceFacts): number => (target.variants === "shuffle" ? 256 : 512);

/** What a step gives back per output: candidates as topk.ts lays them out, or whole rows of logits. */
export type StepOutputs =
  | { readonly kind: "candidates"; readonly words: Uint32Array }
  | { readonly kind: "logits"; readonly values: Float32Array; readonly stride: number }
  | { readonly kind: "none" };

/** Runs steps one after another; owns the GPU tensors of one model. */
export class Engine {
  readonly gpu: Gpu;
  readonly config: LlamaConfig;
  readonly weights: Weights;
  readonly kv: KvCache;
  readonly angles: AngleTable;
  readonly prefixes = new PrefixCache();
  readonly maxRows: number;
  readonly maxOutputs: number;
  readonly maxSequences = SEQUENCES;
  readonly #layout: StepLayout;
  #activations: Activations;
  #writer: StepWriter;
  #recordings = new Map<string, Promise<Recording>>();
  #queue: Promise<unknown> = Promise.resolve();

  constructor(gpu: Gpu, config: LlamaConfig, weights: Weights, maxRows = defaultRows(gpu.facts)) {
    this.gpu = gpu;
    this.config = config;
    this.weights = weights;
    this.maxRows = maxRows;
    this.maxOutputs = Math.max(
      SEQUENCES,
      Math.min(this.maxRows, Math.floor(LOGITS_BYTES / (4 * stride(config.vocab)))),
    );
    this.#layout = stepLayout({
      rows: this.maxRows,
      outputs: this.maxOutputs,
      sequences: SEQUENCES,
      fills: SEQUENCES,
      headDim: config.headDim,
    });
    this.kv = new KvCache(gpu, config, () => this.prefixes.evict());
    this.angles = new AngleTable(gpu, config.headDim);
    this.#activations = this.#createActivations();
    this.#writer = new StepWriter(this.#layout, 64);
    gpu.createStep(this.#writer.bytes);
  }

  /** Bytes of keys and values for `tokens` tokens. */
  kvBytes(tokens: number): number {
    return this.kv.bytes(tokens);
  }

  /**
   * Opens a sequence of at most `capacity` tokens; its pages and angles are allocated here, so that nothing is while
   * generating. It starts empty, or with the longest prefix of `ids` that is known under the same frequencies. `planned`
   * is the n of `planned` angles. Throws `context` for more than `maxTokens`, `device` where memory does not suffice; then
   * nothing has changed.
   */
  open(options: {
    capacity: number;
    rope: Rope;
    meaning: RopeAngles;
    planned: number;
    /** The caller will set `sequence.angles.offset`. */
    gaps?: boolean;
    /** The prompt, if computed prefixes of it may be used. */
    ids?: ArrayLike<number>;
  }): Promise<Sequence> {
    return this.#exclusive(async () => {
      const { capacity, rope, meaning, planned, gaps = false, ids = [] } = options;
      this.gpu.check();
      if (capacity > this.maxTokens) {
        const most = `one sequence on this device holds ${this.maxTokens} at most`;
        throw new LlariatError("context", `${capacity} tokens are asked for, ${most}; use fewer, or another adapter`);
      }
      const angles = this.angles.take({ rope, meaning, rows: capacity, planned, gaps });
      const prefix = angles.shared === undefined ? [] : this.prefixes.match(angles.shared, ids);
      const length = prefix.length * PAGE;
      try {
        await this.#makeRoom(capacity, capacity - length);
      } catch (error) {
        this.angles.release(angles);
        this.prefixes.release(prefix);
        throw error;
      }
      const pages = [...prefix.map(({ page }) => page), ...this.kv.take(capacity - length)];
      return { pages, angles, length, capacity, prefix };
    });
  }

  /** Grows what is too small for a sequence of `capacity` tokens, of which `tokens` need pages; all of it or nothing. */
  async #makeRoom(capacity: number, tokens: number): Promise<void> {
    const layers = this.kv.lacking(tokens);
    const table = this.angles.lacking();
    const { partials } = this.#activations;
    const larger = { ...partials, shape: partialsShape(this.config, capacity) };
    const parts = tensorBytes(larger) > tensorBytes(partials) ? larger : undefined;
    const tensors = [...(layers ?? []).flatMap(({ keys, values }) => [keys, values]), table, parts].filter(
      (tensor) => tensor !== undefined,
    );
    if (tensors.length === 0) return;
    await this.gpu.grow(tensors);
    if (layers) this.kv.adopt(layers);
    if (table) this.angles.tensor = table;
    this.#activations = { ...this.#activations, partials: parts ?? partials, table: this.angles.tensor };
    this.#recordings.clear();
    // The page tables of a full step: sequences may share pages, so each may have a table as long as the pool.
    const pages = this.kv.pages * SEQUENCES;
    if ((this.#layout.pageAt + pages) * 4 <= this.#writer.bytes) return;
    this.#writer = new StepWriter(this.#layout, pages);
    this.gpu.createStep(this.#writer.bytes);
  }

  /** Lets later requests use what `sequence` has computed; `ids` are its tokens from the start. */
  publish(sequence: Sequence, ids: ArrayLike<number>): void {
    const { angles, pages, prefix, length } = sequence;
    if (angles.shared === undefined) return;
    const computed = Array.from({ length: Math.min(length, ids.length) }, (_, i) => ids[i]);
    prefix.push(...this.prefixes.publish(angles.shared, computed, pages, prefix));
  }

  /** Gives a sequence's pages and angles back. */
  release({ pages, prefix, angles }: Sequence): void {
    this.kv.release(pages.slice(prefix.length));
    this.prefixes.release(prefix);
    this.angles.release(angles);
  }

  /** Computes the segments' rows in one step; on return their keys and values are in the cache. */
  step(segments: readonly Segment[], want: "candidates" | "logits"): Promise<StepOutputs> {
    return this.#exclusive(async () => {
      const outputs = segments.reduce((sum, segment) => sum + segment.outputs.length, 0);
      const plan = this.plan(segments, want);
      const recording = await this.#recording(plan);
      const { shape, data } = this.#writer.write(segments);
      const { candidates, logits } = this.#activations;
      const tensor = want === "candidates" ? candidates : logits;
      const rowBytes = 4 * stride(tensor.shape[1]);
      const read = outputs === 0 ? undefined : { tensor, bytes: outputs * rowBytes };
      const result = this.gpu.run(recording, shape, data, read);
      for (const { sequence, count } of segments) sequence.length += count;
      const bytes = await result;
      if (!bytes) return { kind: "none" };
      return want === "candidates"
        ? { kind: "candidates", words: new Uint32Array(bytes) }
        : { kind: "logits", values: new Float32Array(bytes), stride: rowBytes / 4 };
    });
  }

  /** Which kernels a step of these segments takes. */
  plan(segments: readonly Segment[], want: "candidates" | "logits"): Plan {
    const rows = segments.reduce((sum, { count }) => sum + count, 0);
    const outputs = segments.reduce((sum, segment) => sum + segment.outputs.length, 0);
    const alone = rows <= FEW || segments.every(({ count }) => count === 1);
    return {
      rows: rows <= FEW ? "few" : "many",
      outputs: outputs <= FEW ? "few" : "many",
      attention: rows <= SEQUENCES && alone ? "decode" : "prefill",
      rawKeys: segments.some(({ sequence }) => sequence.angles.rawKeys),
      candidates: want === "candidates",
    };
  }

  /** The dispatches of a plan, as recorded: for tests that interpret them and for benches that time them. */
  dispatches(plan: Plan): { dispatches: Parameters<Gpu["record"]>[0]; layout: StepLayout; writer: StepWriter } {
    const list: Parameters<Gpu["record"]>[0][number][] = [];
    const { config, weights, gpu } = this;
    const model = { config, weights, activations: this.#activations, kv: this.kv.layers, step: this.#layout };
    forward((dispatch) => list.push(...[dispatch].flat()), { ...model, device: gpu.facts }, plan);
    return { dispatches: list, layout: this.#layout, writer: this.#writer };
  }

  #recording(plan: Plan): Promise<Recording> {
    const key = Object.values(plan).join();
    let recording = this.#recordings.get(key);
    if (!recording) {
      recording = this.gpu.record(this.dispatches(plan).dispatches);
      this.#recordings.set(key, recording);
      recording.catch(() => this.#recordings.delete(key));
    }
    return recording;
  }

  // One at a time: steps share the step buffer and the activations, and opening a sequence may replace tensors.
  #exclusive<T>(work: () => Promise<T>): Promise<T> {
    const result = this.#queue.then(work);
    this.#queue = result.catch(() => {});
    return result;
  }

  #createActivations(): Activations {
    const { dim, hidden, heads, kvHeads, headDim, vocab } = this.config;
    const { maxRows: rows, maxOutputs: outputs } = this;
    const make = (name: string, shape: number[], dtype: "f32" | "u32" = "f32"): Tensor => {
      const tensor = { name, dtype, shape };
      this.gpu.create(tensor, "activations");
      return tensor;
    };
    return {
      x: make("x", [rows, dim]),
      h: make("h", [rows, dim]),
      qkv: make("qkv", [rows, (heads + 2 * kvHeads) * headDim]),
      attended: make("attended", [rows, heads * headDim]),
      gateUp: make("gateUp", [rows, 2 * hidden]),
      gated: make("gated", [rows, hidden]),
      picked: make("picked", [outputs, dim]),
      final: make("final", [outputs, dim]),
      logits: make("logits", [outputs, vocab]),
      candidates: make("candidates", [outputs, CANDIDATE_STRIDE], "u32"),
      partials: make("partials", partialsShape(this.config, SPLIT)),
      table: this.angles.tensor,
    };
  }

  /** Longest sequence that the bindings of this device can hold: its keys, its angles, its parts of attention. */
  get maxTokens(): number {
    const { config } = this;
    const limit = this.gpu.maxBindingBytes;
    const partBytes = 4 * stride(config.headDim + 2) * SEQUENCES * config.heads;
    return Math.min(
      this.kv.maxPages * PAGE,
      Math.floor(limit / (4 * stride(config.headDim))),
      Math.floor(limit / partBytes) * SPLIT,
    );
  }
}

/** Parts of decode attention when the longest sequence has `tokens` tokens: [decode rows · heads · parts, headDim + 2]. */
const partialsShape = ({ heads, headDim }: LlamaConfig, tokens: number): number[] => [
  SEQUENCES * heads * Math.ceil(tokens / SPLIT),
  headDim + 2,
];
