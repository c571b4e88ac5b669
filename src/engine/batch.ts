// batch.ts — gathers what requests ask for at the same time into steps: prompts in chunks, decoding rows side by side.

import { CANDIDATE_STRIDE } from "../../kernels/index.ts";
import type { Engine, StepOutputs } from "./engine.ts";
import { LlariatError } from "../error.ts";
import type { Segment, Sequence } from "./step.ts";

/** Feed `ids` to a sequence and give back what is wanted of them. */
export interface Work {
  readonly sequence: Sequence;
  readonly ids: ArrayLike<number>;
  /** Total length that decides length-dependent frequencies. */
  readonly n: number;
  /** Rows whose logits are wanted. */
  readonly rows: "last" | "all";
  /** Candidates per row, or Infinity for whole rows of logits. */
  readonly k: number;
  readonly signal?: AbortSignal;
  /** Called after each chunk with the tokens computed so far. */
  readonly onProgress?: (done: number) => void;
}

/** One output row: whole logits, or candidates as topk.ts lays them out (count, largest, log Σ e^logit, 0, pairs). */
export type Row =
  | { readonly kind: "logits"; readonly logits: Float32Array }
  | { readonly kind: "candidates"; readonly words: Uint32Array };

/** Turns of the microtask queue between an answer and the next question of a consumer that awaits each piece. */
const MICROTASKS = 16;

interface Pending {
  readonly work: Work;
  done: number;
  readonly rows: Row[];
  readonly resolve: (rows: Row[]) => void;
  readonly reject: (reason: unknown) => void;
}

/**
 * Collects work and runs it in steps. Rows of different sequences do not influence each other, so a request gets the
 * same tokens alone and in company.
 */
export class Batch {
  readonly #engine: Engine;
  #pending: Pending[] = [];
  #running = false;

  constructor(engine: Engine) {
    this.#engine = engine;
  }

  /** Resolves with one Row per wanted row when the last of `ids` is computed. Rejects at once when the signal aborts. */
  submit(work: Work): Promise<Row[]> {
    const { signal } = work;
    if (signal?.aborted) return Promise.reject(aborted(signal));
    return new Promise<Row[]>((resolve, reject) => {
      const stop = () => {
        this.#pending = this.#pending.filter((other) => other !== entry);
        reject(aborted(signal!));
      };
      const settled = <T>(settle: (value: T) => void) => {
        return (value: T) => {
          signal?.removeEventListener("abort", stop);
          settle(value);
        };
      };
      const entry: Pending = { work, done: 0, rows: [], resolve: settled(resolve), reject: settled(reject) };
      signal?.addEventListener("abort", stop, { once: true });
      this.#pending.push(entry);
      void this.#run();
    });
  }

  async #run(): Promise<void> {
    if (this.#running) return;
    this.#running = true;
    while (this.#pending.length > 0) {
      // Requests that were answered by the last step ask for their next token within a few microtasks: wait for them, so
      // that they share a step.
      for (let turn = 0; turn < MICROTASKS; turn++) await Promise.resolve();
      const chosen = this.#choose();
      if (chosen.length === 0) continue;
      try {
        await this.#step(chosen);
      } catch (error) {
        for (const { entry } of chosen) {
          this.#pending = this.#pending.filter((other) => other !== entry);
          entry.reject(error);
        }
      }
    }
    this.#running = false;
  }

  // Short work first (decoding), then as much of the prompts as there is room for; one place is kept for a prompt.
  #choose(): { entry: Pending; segment: Segment }[] {
    const { maxRows, maxOutputs, maxSequences } = this.#engine;
    let [rows, outputs] = [maxRows, maxOutputs];
    const left = (entry: Pending) => entry.work.ids.length - entry.done;
    const prompts = this.#pending.filter((entry) => left(entry) > 1);
    const singles = this.#pending.filter((entry) => left(entry) === 1);
    const places = Math.min(maxSequences, rows, outputs) - Number(prompts.length > 0);
    const chosen: { entry: Pending; segment: Segment }[] = [];
    const sequences = new Set<Sequence>();
    for (const entry of [...singles.slice(0, places), ...prompts]) {
      const { sequence, ids, n, rows: wanted, k } = entry.work;
      if (chosen.length === maxSequences || rows === 0 || outputs === 0) break;
      if (sequences.has(sequence)) continue;
      const count = Math.min(left(entry), rows, wanted === "all" ? outputs : rows);
      const last = entry.done + count === ids.length;
      const list = wanted === "all" ? Array.from({ length: count }, (_, i) => i) : last ? [count - 1] : [];
      sequences.add(sequence);
      chosen.push({
        entry,
        segment: { sequence, ids, from: entry.done, count, n, outputs: list, k: Number.isFinite(k) ? k : 1 },
      });
      rows -= count;
      outputs -= list.length;
    }
    return chosen;
  }

  async #step(chosen: readonly { entry: Pending; segment: Segment }[]): Promise<void> {
    const whole = chosen.some(({ entry, segment }) => segment.outputs.length > 0 && entry.work.k === Infinity);
    const segments = chosen.map(({ segment }) => segment);
    const outputs = await this.#engine.step(segments, whole ? "logits" : "candidates");
    let index = 0;
    for (const { entry, segment } of chosen) {
      for (let i = 0; i < segment.outputs.length; i++)
        entry.rows.push(row(outputs, index++, this.#engine.config.vocab));
      entry.done += segment.count;
      try {
        entry.work.onProgress?.(entry.done);
      } catch (error) {
        // The callback is the request's own; the others of this step are not to suffer from it.
        this.#pending = this.#pending.filter((other) => other !== entry);
        entry.reject(error);
        continue;
      }
      if (entry.done === entry.work.ids.length) {
        this.#pending = this.#pending.filter((other) => other !== entry);
        entry.resolve(entry.rows);
      }
    }
  }
}

function row(outputs: StepOutputs, index: number, vocab: number): Row {
  if (outputs.kind === "none") throw new LlariatError("kernel", "a step that was asked for logits gave none");
  if (outputs.kind === "logits") {
    const first = index * outputs.stride;
    return { kind: "logits", logits: outputs.values.subarray(first, first + vocab) };
  }
  const first = index * CANDIDATE_STRIDE;
  return { kind: "candidates", words: outputs.words.subarray(first, first + CANDIDATE_STRIDE) };
}

const aborted = (signal: AbortSignal): LlariatError =>
  new LlariatError("aborted", "the request was aborted by its signal", { cause: signal.reason });

/** Throws `aborted` if the signal has fired: before anything is allocated for a request. */
export function checkSignal(signal: AbortSignal | undefined): void {
  if (signal?.aborted) throw aborted(signal);
}
