// pool.ts — an engine without a GPU whose cache is real: each slot holds a digest of all tokens before it, read from the slot
// before, so that a wrong page, a page too early given away, a wrong copy or wrong frequencies change every later token.
import { LlariatError } from "../../src/error.ts";
import { PAGE, type Tensor, tensorBytes } from "../../kernels/index.ts";
import type { Recording } from "../../src/device/gpu.ts";
import { type MemoryDevice, type MemoryLimits, SequenceMemory } from "../../src/engine/memory.ts";
import type { Scheduler, StepEngine } from "../../src/engine/scheduler.ts";
import type { Output, Sequence } from "../../src/engine/sequence.ts";
import type { Segment } from "../../src/engine/step.ts";
import { type Rope, type RopeAngles, parseRope, parseRopeScaling } from "../../src/rope/index.ts";

export const VOCAB = 50;
const SHAPE = { layers: 1, heads: 1, kvHeads: 1, headDim: 4, rope: { headDim: 4 } };
const own = parseRope({ head_dim: 4, rope_theta: 10_000, max_position_embeddings: 64 });

/** Settings by what they do while a text grows. */
export const ropes = { fixed: own, dynamic: parseRopeScaling({ rope_type: "dynamic", factor: 2 }, own) };

/** A digest of a token with the frequencies `key`, after the digest of those before it (FNV-1a, 32 bits). */
function digest(before: number, token: number, key: string): number {
  let hash = before ^ 0x811c9dc5;
  for (const code of [token, ...Array.from(key, (char) => char.charCodeAt(0))]) {
    hash = Math.imul(hash ^ code, 0x01000193) >>> 0;
  }
  return hash;
}

/** What a token takes from the digests before it: the last and, with a window, the first in it. */
function attended(at: (position: number) => number, position: number, window = Infinity): number {
  const first = position + 1 - window;
  const last = position === 0 ? 0 : at(position - 1);
  return first > 0 ? last ^ Math.imul(at(first), 3) : last;
}

/** A device that remembers what the slots hold, and whose memory ends where it is told. */
class Device implements MemoryDevice {
  readonly memory = { weights: 0, kv: 0, activations: 0 };
  readonly maxBindingBytes = 1 << 30;
  slots: number[] = [];
  /** Most pages there is memory for. */
  pages = Infinity;
  resized = 0;
  /** Called while memory is made. */
  during: () => void = () => {};
  copies = 0;

  create(): void {}
  check(): void {}

  async resize(tensors: readonly Tensor[]): Promise<LlariatError | undefined> {
    await Promise.resolve();
    this.during();
    const keys = tensors.find(({ name }) => name === "keys.0");
    if (keys && keys.shape[0] > this.pages * PAGE) return new LlariatError("device", "the GPU is out of memory");
    this.resized++;
    if (!keys) return undefined;
    this.slots = Array.from({ length: keys.shape[0] }, (_, i) => this.slots[i] ?? NaN);
    this.memory.kv = 2 * tensorBytes(keys);
    return undefined;
  }

  copyWithin(tensors: readonly Tensor[], from: number, to: number, bytes: number): void {
    const slot = (at: number) => (at / tensorBytes({ ...tensors[0], shape: [1, SHAPE.headDim] })) | 0;
    this.slots.copyWithin(slot(to), slot(from), slot(from) + slot(bytes));
    this.copies++;
  }
}

/** Limits on memory, rows and outputs of a step, and windows: one of all layers, or of each. */
type PoolOptions = MemoryLimits & {
  readonly rows?: number;
  readonly outputs?: number;
  readonly window?: number;
  readonly windows?: readonly (number | null)[];
};

/** An engine over such a device; `steps` are the segments' sizes, `log` the sequences, of each step. */
export class PoolEngine implements StepEngine {
  readonly device = new Device();
  readonly memory: SequenceMemory;
  readonly maxSequences = 16;
  readonly maxRows: number;
  readonly maxOutputs: number;
  readonly steps: (readonly Segment[])[] = [];
  /** Called before a step is computed. */
  before: () => void | Promise<void> = () => {};

  readonly #window: number | undefined;

  /** `window`: a slot's digest follows from that of the slot before it and of the first in its window. */
  constructor(options: PoolOptions = {}) {
    const { rows = 40, outputs = 40, window, windows = [window ?? null], ...limits } = options;
    this.maxRows = rows;
    this.maxOutputs = outputs;
    this.#window = window;
    this.memory = new SequenceMemory(this.device, { ...SHAPE, maxRows: rows, windows }, limits, () => {});
  }

  async prepare(): Promise<Recording> {
    await this.before();
    return [];
  }

  async step(segments: readonly Segment[]): Promise<Output[]> {
    this.steps.push(segments.map((segment) => ({ ...segment })));
    const { slots } = this.device;
    const outputs: Output[] = [];
    for (const { sequence, count, n, outputs: wanted } of segments) {
      const { angles, length, pages, tokens } = sequence;
      const slot = (position: number) => pages[Math.floor(position / PAGE)] * PAGE + (position % PAGE);
      const found = Array.from({ length: count }, (_, i) => {
        const position = length + i;
        const before = attended((at) => slots[slot(at)], position, this.#window);
        const value = digest(before, tokens[position], angles.setting(n).key);
        slots[slot(position)] = value;
        return value;
      });
      for (const row of wanted) outputs.push(Float32Array.of(found[row] % VOCAB));
      sequence.advance(count);
    }
    await new Promise((resolve) => setImmediate(resolve));
    return outputs;
  }
}

/** A text to be continued. */
export interface Text {
  readonly prompt: readonly number[];
  readonly count: number;
  readonly rope?: Rope;
  readonly meaning?: RopeAngles;
  readonly shared?: boolean;
  /** Guesses at most `most` tokens that follow the answer so far. */
  readonly draft?: (answer: readonly number[], most: number) => readonly number[];
}

/** What it must become, from the definition: each token with the n of the turn it was fed in. */
export function expected(text: Text, window?: number): number[] {
  const { prompt, count, rope = ropes.fixed, meaning = "planned" } = text;
  const planned = prompt.length + count;
  const { memory } = new PoolEngine();
  const angles = memory.angles.take({ rope, meaning, rows: 0, planned, gaps: false });
  const all: number[] = [];
  const feed = (id: number, n: number) => {
    all.push(
      digest(
        attended((position) => all[position], all.length, window),
        id,
        angles.setting(n).key,
      ),
    );
  };
  for (const id of prompt) feed(id, prompt.length);
  return Array.from({ length: count }, (_, i) => {
    const id = all[all.length - 1] % VOCAB;
    feed(id, prompt.length + i + 1);
    return id;
  });
}

/** Generates inside the loop, as a request does; `onToken` may end it by answering false. */
export function generate(
  scheduler: Scheduler<PoolEngine>,
  { prompt, count, rope = ropes.fixed, meaning = "planned", shared = true, draft }: Text,
  onToken: (sequence: Sequence, tokens: readonly number[]) => boolean | undefined = () => undefined,
): { sequence: Sequence; done: Promise<number[]>; cached: () => number } {
  const capacity = prompt.length + count;
  const sequence = scheduler.open({ capacity, rope, meaning, planned: capacity, shared });
  const tokens: number[] = [];
  let cached = -1;
  const done = new Promise<number[]>((resolve, failed) => {
    const turn = (ids: readonly number[]) => ({
      ids,
      rows: "last" as const,
      want: "logits" as const,
      k: 1,
      failed,
      onStart: (known: number) => {
        if (cached >= 0) throw new Error("started twice");
        cached = known;
      },
      done(rows: readonly Output[]) {
        if (tokens.length === 0) sequence.publish();
        for (const row of rows) {
          const [id] = row as Float32Array;
          const end = prompt.length + tokens.push(id);
          if (tokens.length === count || onToken(sequence, tokens) === false) {
            sequence.close();
            resolve(tokens);
            return undefined;
          }
          if (sequence.tokens[end - 1] !== id) break;
        }
        const fed = prompt.length + tokens.length - 1;
        if (sequence.tokens.length > fed) sequence.rewind(fed);
        const next = turn(tokens.slice(-1));
        return draft
          ? { ...next, draft: (most: number) => draft(tokens, Math.min(most, count - tokens.length - 1)) }
          : next;
      },
    });
    sequence.submit(turn(prompt));
  });
  done.catch(() => {}); // a test that has failed already does not wait for it
  return { sequence, done, cached: () => cached };
}
