// engine.ts — a model on a device: its tensors, its recordings by plan, and steps over the sequences of its cache.

import {
  CANDIDATE_STRIDE,
  type StepLayout,
  type Tensor,
  readCandidates,
  LOW_ROWS,
  rowClass,
  stepLayout,
  stepRows,
  stride,
} from "../../kernels/index.ts";
import type { ModelConfig } from "../model/families.ts";
import type { Gpu, Recording } from "../device/gpu.ts";
import { type Activations, type Plan, type Want, forward } from "../model/forward.ts";
import type { Weights } from "../model/weights.ts";
import { type MemoryLimits, SequenceMemory } from "./memory.ts";
import type { Output } from "./sequence.ts";
import { MAX_SINGLES, type Segment, StepWriter, splitSegments } from "./step.ts";

/** Host and device memory that the logits of one step may take. */
const LOGITS_BYTES = 32 << 20;

/** What nearly every request begins with: its prompt, then one token after another. `many` rows are as many as a step has. */
const likely = (many: number): readonly Plan[] =>
  (["prefill", "decode"] as const).map((attention) => ({
    rows: attention === "prefill" ? many : 1,
    outputs: 1,
    attention,
    rawKeys: false,
    want: "candidates",
  }));

/** How to run a model. */
export interface EngineOptions extends MemoryLimits {
  /** Rows per step. */
  readonly maxRows?: number;
}

/** Runs steps one after another; owns the GPU tensors of one model. The weights may come to the device after it is made. */
export class Engine {
  readonly gpu: Gpu;
  readonly config: ModelConfig;
  readonly weights: Weights;
  readonly memory: SequenceMemory;
  readonly maxRows: number;
  readonly maxOutputs: number;
  /** Sequences in one step. */
  readonly maxSequences = MAX_SINGLES;
  readonly #layout: StepLayout;
  readonly #activations: Omit<Activations, "partials" | "table">;
  #writer: StepWriter;
  /** The end of a step that gives nothing back to wait for. */
  #unread: Promise<void> | undefined;
  readonly #recordings = new Map<string, Promise<Recording>>();

  constructor(gpu: Gpu, config: ModelConfig, weights: Weights, options: EngineOptions = {}) {
    this.gpu = gpu;
    this.config = config;
    this.weights = weights;
    this.maxRows = options.maxRows ?? stepRows(gpu.facts);
    const { maxSequences } = this;
    this.maxOutputs = Math.max(
      maxSequences,
      Math.min(this.maxRows, Math.floor(LOGITS_BYTES / (4 * stride(config.vocab)))),
    );
    this.#layout = stepLayout({
      rows: this.maxRows,
      outputs: this.maxOutputs,
      sequences: maxSequences,
      fills: maxSequences,
      headDim: config.headDim,
      rotaryDim: config.rope.headDim,
    });
    this.memory = new SequenceMemory(gpu, { ...config, maxRows: this.maxRows }, options, () => this.#rebind());
    this.#activations = this.#createActivations();
    this.#writer = new StepWriter(this.#layout, 64);
    gpu.createStep(this.#writer.bytes);
  }

  /** Has compiled, before the first step and its weights are there, what it will most likely need. Throws as `Gpu.warm` does. */
  async warm(): Promise<void> {
    await this.gpu.warm(
      likely(this.maxRows).flatMap((plan) => this.dispatches(plan).dispatches),
      this.#writer.one(),
    );
  }

  /** The recording that a step of these segments replays; compiled where it is the first of its plan. */
  prepare(segments: readonly Segment[], want: Want): Promise<Recording> {
    return this.#recording(this.plan(segments, want));
  }

  /**
   * Computes the segments' rows in one step, and gives one output per wanted row, in the segments' order. `recording` is what
   * `prepare` gave for them. It is submitted, and the tokens count as cached, before this returns: whatever is submitted later
   * runs after it. Resolves when its outputs have arrived; a step without outputs, when the one before it has ended, so that
   * the device has the next at hand and yet no more than one waits: a prompt can be cancelled between its chunks.
   */
  async step(segments: readonly Segment[], want: Want, recording: Recording): Promise<Output[]> {
    const count = segments.reduce((sum, segment) => sum + segment.outputs.length, 0);
    const { shape, data } = this.#writer.write(segments);
    const { candidates, logits, final: hidden } = this.#activations;
    const tensor = { candidates, logits, hidden }[want];
    const wide = stride(tensor.shape[1]);
    const result = this.gpu.run(recording, shape, data, count === 0 ? undefined : { tensor, bytes: 4 * wide * count });
    for (const segment of segments) segment.sequence.advance(segment.count);
    const before = this.#unread;
    this.#unread = count === 0 ? this.gpu.submitted() : undefined;
    this.#unread?.catch(() => {}); // whoever submits next hears of it
    const bytes = await result;
    await before;
    if (!bytes) return [];
    const words = new Uint32Array(bytes);
    return Array.from({ length: count }, (_, i) =>
      want === "candidates" ? readCandidates(words, i) : new Float32Array(bytes, 4 * wide * i, tensor.shape[1]),
    );
  }

  /** Which kernels a step of these segments takes. */
  plan(segments: readonly Segment[], want: Want): Plan {
    const rows = segments.reduce((sum, { count }) => sum + count, 0);
    const outputs = segments.reduce((sum, segment) => sum + segment.outputs.length, 0);
    const { alone, tiled } = splitSegments(segments);
    return {
      rows: rowClass(rows) ?? Math.min(rows <= LOW_ROWS ? LOW_ROWS : Infinity, this.maxRows),
      outputs: rowClass(outputs) ?? this.maxOutputs,
      attention: tiled.length === 0 ? "decode" : alone.length === 0 ? "prefill" : "both",
      rawKeys: segments.some(({ sequence }) => sequence.angles.rawKeys),
      want,
    };
  }

  /** The dispatches of a plan, as recorded: for tests that interpret them and for benches that time them. */
  dispatches(plan: Plan): { dispatches: Parameters<Gpu["record"]>[0]; layout: StepLayout; writer: StepWriter } {
    const list: Parameters<Gpu["record"]>[0][number][] = [];
    const { config, weights, gpu, memory } = this;
    const activations = { ...this.#activations, partials: memory.partials, table: memory.angles.tensor };
    const model = { config, weights, activations, kv: memory.kv.layers, step: this.#layout, device: gpu.facts };
    forward((dispatch) => list.push(...[dispatch].flat()), model, plan);
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

  /** Tensors that recordings bind have been replaced. */
  #rebind(): void {
    this.#recordings.clear();
    // The page tables of a full step: sequences may share pages, so each may have a table as long as the pool.
    const pages = this.memory.kv.pages * this.maxSequences;
    if ((this.#layout.pageAt + pages) * 4 <= this.#writer.bytes) return;
    this.#writer = new StepWriter(this.#layout, pages);
    this.gpu.createStep(this.#writer.bytes);
  }

  #createActivations(): Omit<Activations, "partials" | "table"> {
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
      ahead: make("ahead", [2, dim]),
      qkv: make("qkv", [rows, (heads + 2 * kvHeads) * headDim]),
      attended: make("attended", [rows, heads * headDim]),
      gateUp: make("gateUp", [rows, 2 * hidden]),
      gated: make("gated", [rows, hidden]),
      picked: make("picked", [outputs, dim]),
      final: make("final", [outputs, dim]),
      logits: make("logits", [outputs, vocab]),
      candidates: make("candidates", [outputs, CANDIDATE_STRIDE], "u32"),
    };
  }
}
