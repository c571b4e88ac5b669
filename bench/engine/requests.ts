// requests.ts — greedy requests of random ids, timed token by token, and prompts that the cache is made to know.

import type { Completion, GenerateOptions, Llama } from "../../src/index.ts";
import { cpuMs } from "../harness.ts";
import { type Timing, timing } from "../result.ts";

/** Token ids: a step of 7919 (prime) visits the vocabulary evenly. Prompts of different seeds share no prefix. */
export const tokenIds = (count: number, vocab: number, seed = 0): Uint32Array =>
  Uint32Array.from({ length: count }, (_, i) => (13 + seed + 7919 * i) % vocab);

/** Wall clock and CPU time. */
export interface Mark {
  readonly ms: number;
  readonly cpu: number;
}

/** Now. */
export const mark = (): Mark => ({ ms: performance.now(), cpu: cpuMs() });

/** A greedy request: marks at its start and at each of its tokens, and what came of it. */
export async function decoded(
  llama: Llama,
  ids: Uint32Array,
  maxNewTokens: number,
  options: Pick<GenerateOptions, "reusePrefix"> = {},
): Promise<{ readonly marks: Mark[]; readonly whole: Completion }> {
  const marks = [mark()];
  const greedy = { maxNewTokens, ignoreEos: true, temperature: 0, allowBeyond: true };
  const pieces = llama.generate(ids, { ...greedy, ...options });
  for (;;) {
    const next = await pieces.next();
    if (next.done) return { marks, whole: next.value };
    marks.push(mark());
  }
}

/** Times of trials, each between two marks. */
export class Trials {
  readonly #isSoftware: boolean;
  readonly #marks: Mark[] = [];

  constructor(isSoftware: boolean) {
    this.#isSoftware = isSoftware;
  }

  /** One trial of `runs` equal pieces of work. */
  add(from: Mark, to: Mark, runs: number): void {
    this.#marks.push({ ms: (to.ms - from.ms) / runs, cpu: (to.cpu - from.cpu) / runs });
  }

  /** Of one piece of work. */
  get timing(): Timing {
    const cpu = this.#marks.reduce((sum, each) => sum + each.cpu, 0) / this.#marks.length;
    return { ...timing(this.#marks.map(({ ms }) => ms)), ...(this.#isSoftware && { cpuMs: cpu }) };
  }
}

/**
 * Makes the cache know `ids` without computing them: their keys and values are what the pool happens to hold, zeros as a
 * rule. Times do not depend on them, and sixteen thousand tokens of prompt need not be waited for.
 */
export async function pretendKnown(llama: Llama, ids: Uint32Array): Promise<void> {
  const { scheduler, rope } = llama;
  const capacity = ids.length + 1;
  const sequence = scheduler.open({ capacity, rope, meaning: "planned", planned: capacity, shared: true });
  sequence.push(ids);
  const short = await scheduler.engine.memory.reserve(sequence, ids.length);
  if (short) throw short;
  sequence.advance(ids.length);
  sequence.close(); // what it has computed stays known
}
