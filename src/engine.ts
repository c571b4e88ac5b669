// engine.ts — a model on a device: its tensors, its recordings by plan, and steps over the sequences of its cache.

import {
  CANDIDATE_STRIDE,
  PAGE,
  SPLIT,
  type StepLayout,
  type Target,
  type Tensor,
  stepLayout,
  stride,
} from "../kernels/index.ts";
import { AngleTable, type RopeAngles } from "./angles.ts";
import type { LlamaConfig } from "./config.ts";
import { LlariatError } from "./error.ts";
import { type Gpu, type Recording, tensorBytes } from "./gpu.ts";
import { KvCache } from "./kvcache.ts";
import { type Activations, type Plan, forward } from "./llama.ts";
import type { Rope } from "./rope.ts";
import { type Segment, type Sequence, StepWriter } from "./step.ts";
import type { Weights } from "./weights.ts";

/** Rows up to which reading each weight once per row beats a tile that is mostly empty (bench/kernels.ts). */
const FEW = 4;

/** Sequences in one step. */
const SEQUENCES = 16;

/** Host and device memory that the logits of one step may take. */
const LOGITS_BYTES = 32 << 20;

/** Rows per step: a prompt is computed in chunks of this size, so that it can be cancelled and activations stay small. */
const defaultRows = (target: Target): number => (target.style === "subgroup" ? 256 : 512);

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
  readonly maxRows: number;
  readonly maxOutputs: number;
  readonly maxSequences = SEQUENCES;
  readonly #layout: StepLayout;
  #activations: Activations;
  #writer: StepWriter;
  #recordings = new Map<string, Promise<Recording>>();
  #queue: Promise<unknown> = Promise.resolve();

  constructor(gpu: Gpu, config: LlamaConfig, weights: Weights, maxRows = defaultRows(gpu.target)) {
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
    this.kv = new KvCache(gpu, config);
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
   * Opens an empty sequence of at most `capacity` tokens; its pages and angles are allocated here, so that nothing is
   * while generating. `planned` is the n of `planned` angles. Throws `device` where memory does not suffice.
   */
  open(options: {
    capacity: number;
    rope: Rope;
    meaning: RopeAngles;
    planned: number;
    /** The caller will set `sequence.angles.offset`. */
    gaps?: boolean;
  }): Promise<Sequence> {
    return this.#exclusive(async () => {
      const { capacity, rope, meaning, planned, gaps = false } = options;
      const { device } = this.gpu;
      device.pushErrorScope("out-of-memory");
      let opened: { sequence: Sequence; grown: boolean };
      try {
        const { pages, grown } = this.kv.take(capacity);
        try {
          const table = this.angles.take({ rope, meaning, rows: capacity, planned, gaps });
          opened = { sequence: { pages, angles: table.angles, length: 0, capacity }, grown: grown || table.grown };
        } catch (error) {
          this.kv.release(pages);
          throw error;
        }
        if (this.#growPartial(capacity)) opened.grown = true;
        if (this.#growStep()) opened.grown = true;
        this.#activations = { ...this.#activations, table: this.angles.tensor };
        if (opened.grown) this.#recordings.clear();
      } finally {
        const failure = await device.popErrorScope();
        if (failure) {
          const need = `${this.kvBytes(capacity)} bytes of keys and values for ${capacity} tokens`;
          // oxlint-disable-next-line no-unsafe-finally -- running on with buffers that do not exist would be worse
          throw new LlariatError("device", `the GPU is out of memory: ${need}; ask for fewer new tokens`);
        }
      }
      return opened.sequence;
    });
  }

  /** Gives a sequence's pages and angles back. */
  release(sequence: Sequence): void {
    this.kv.release(sequence.pages);
    this.angles.release(sequence.angles);
  }

  /** Computes the segments' rows in one step; on return their keys and values are in the cache. */
  step(segments: readonly Segment[], want: "candidates" | "logits"): Promise<StepOutputs> {
    return this.#exclusive(async () => {
      const rows = segments.reduce((sum, { count }) => sum + count, 0);
      const outputs = segments.reduce((sum, segment) => sum + segment.outputs.length, 0);
      const plan: Plan = {
        rows: rows <= FEW ? "few" : "many",
        outputs: outputs <= FEW ? "few" : "many",
        attention:
          rows <= SEQUENCES && (rows <= FEW || segments.every(({ count }) => count === 1)) ? "decode" : "prefill",
        rawKeys: segments.some(({ sequence }) => sequence.angles.rawKeys),
        candidates: want === "candidates",
      };
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

  /** The dispatches of a plan, as recorded: for tests that interpret them and for benches that time them. */
  dispatches(plan: Plan): { dispatches: Parameters<Gpu["record"]>[0]; layout: StepLayout; writer: StepWriter } {
    const list: Parameters<Gpu["record"]>[0][number][] = [];
    const { config, weights, gpu } = this;
    const model = { config, weights, activations: this.#activations, kv: this.kv.layers, step: this.#layout };
    forward((dispatch) => list.push(...[dispatch].flat()), { ...model, target: gpu.target }, plan);
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
      partial: make("partial", [SEQUENCES * heads, headDim + 2]),
      table: this.angles.tensor,
    };
  }

  // Parts of decode attention for the longest sequence: [decode rows · heads · parts, headDim + 2], rows unpadded.
  #growPartial(capacity: number): boolean {
    const { heads, headDim } = this.config;
    const { partial } = this.#activations;
    const shape = [SEQUENCES * heads * Math.ceil(capacity / SPLIT), headDim + 2];
    if (tensorBytes({ ...partial, shape }) <= tensorBytes(partial)) return false;
    this.gpu.destroy(partial);
    const tensor = { ...partial, shape };
    this.gpu.create(tensor, "activations");
    this.#activations = { ...this.#activations, partial: tensor };
    return true;
  }

  // The page tables of a full step: every page in use once, more where sequences share pages.
  #growStep(): boolean {
    const bytes = (this.#layout.pageAt + this.kv.pages) * 4;
    if (bytes <= this.#writer.bytes) return false;
    this.#writer = new StepWriter(this.#layout, this.kv.pages);
    this.gpu.createStep(this.#writer.bytes);
    return true;
  }

  /** Longest sequence that one binding per layer can hold on this device. */
  get maxTokens(): number {
    const { kvHeads, headDim } = this.config;
    const pageBytes = 4 * PAGE * stride(kvHeads * headDim);
    return Math.floor(this.gpu.maxBindingBytes / pageBytes) * PAGE;
  }
}
