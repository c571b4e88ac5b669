// sample.ts — from one row of logits to one token, in the order of transformers' generate: repetition penalty,
// temperature, top-k, top-p, min-p. Each filter renormalises over what the earlier ones left.
// Everything is computed in f64 from the f32 logits, and a draw walks the kept ids in ascending order: the same logits,
// options and seed give the same id, from a whole row as from a list of candidates.

import type { Candidates } from "../../kernels/index.ts";
import { LlariatError } from "../error.ts";
import type { Random } from "./random.ts";
import { checkSeed } from "./random.ts";
import { display } from "../text/wording.ts";

/**
 * How the next token is chosen. Greedy unless something asks for sampling: `temperature` above 0, one of `topK`, `topP`,
 * `minP` that filters, or do_sample in the checkpoint's generation_config.json. What is left out comes from that file,
 * then from the defaults given here.
 */
export interface SamplingOptions {
  /** Divides the logits; 0 is greedy, the first of the largest. Default when sampling: 1. */
  readonly temperature?: number;
  /** Keep the k largest logits and what ties with the k-th; 0 keeps all. Default when sampling: 50, as in transformers. */
  readonly topK?: number;
  /** Keep the most probable ids that together exceed this probability, at least one. Default: 1, all. */
  readonly topP?: number;
  /** Keep ids at least this probable relative to the most probable one. Default: 0, all. */
  readonly minP?: number;
  /**
   * Divides the positive and multiplies the negative logits of every id in the prompt and the text so far, each once; also
   * when greedy. Default: 1, none.
   */
  readonly repetitionPenalty?: number;
  /** Starts the random numbers: the same seed repeats the text. Default: another one each time. */
  readonly seed?: number;
}

/** Sampling options with every default filled in; temperature 0 is greedy, topK 0 is off. */
export type Sampling = Readonly<Required<Omit<SamplingOptions, "seed">>> & Pick<SamplingOptions, "seed">;

/** A row of logits: all of them [vocab], or at least as many of the largest as `candidatesNeeded` says, with all that tie. */
type Row = Float32Array | Omit<Candidates, "count">;

type Defaults = Omit<SamplingOptions, "seed"> & { readonly doSample?: boolean };

/**
 * Checks the options and fills in what is left out, see SamplingOptions. `generation` is the checkpoint's parsed
 * generation_config.json, already checked.
 * @throws LlariatError("request") naming the option.
 */
export function samplingOptions(options: SamplingOptions, generation: Defaults = {}): Sampling {
  const { temperature, topK, topP, minP, repetitionPenalty, seed } = options;
  check("temperature", temperature, (value) => value >= 0, "a number ≥ 0 (0 is greedy)");
  check("topK", topK, (value) => Number.isSafeInteger(value) && value >= 0, "a whole number ≥ 0 (0 keeps all)");
  check("topP", topP, (value) => value >= 0 && value <= 1, "a number from 0 to 1 (1 keeps all)");
  check("minP", minP, (value) => value >= 0 && value <= 1, "a number from 0 to 1 (0 keeps all)");
  check("repetitionPenalty", repetitionPenalty, (value) => value > 0, "a number above 0 (1 is none)");
  if (seed !== undefined) checkSeed(seed);

  const filters = (topK ?? 0) > 0 || (topP ?? 1) < 1 || (minP ?? 0) > 0;
  // A file that says temperature 0 means greedy; asking for a filter asks for more than that.
  const inherited = filters ? generation.temperature || 1 : generation.doSample ? (generation.temperature ?? 1) : 0;
  return Object.freeze({
    temperature: temperature ?? inherited,
    topK: topK ?? generation.topK ?? 50,
    topP: topP ?? generation.topP ?? 1,
    minP: minP ?? generation.minP ?? 0,
    repetitionPenalty: repetitionPenalty ?? generation.repetitionPenalty ?? 1,
    ...(seed !== undefined && { seed }),
  });
}

function check(name: string, value: unknown, valid: (value: number) => boolean, needed: string): void {
  if (value === undefined || (typeof value === "number" && Number.isFinite(value) && valid(value))) return;
  throw new LlariatError("request", `must be ${needed}, got ${display(value)}`, { subject: name });
}

/**
 * How many of the largest logits (with all ties of the last) decide a draw: 1 for greedy, k for top-k, Infinity for the
 * whole row: a penalty may change the order, and without top-k every id has its share of the sum.
 */
export function candidatesNeeded({ temperature, topK, repetitionPenalty }: Sampling, vocab: number): number {
  if (repetitionPenalty !== 1) return Infinity;
  if (temperature === 0) return 1;
  return topK === 0 ? Infinity : Math.min(topK, vocab);
}

/**
 * Draws the next token from a row: all logits [vocab] or candidates. `history` are the ids of the prompt and the text so
 * far, each below vocab. logprob is the natural logarithm of the id's probability under the model itself: the softmax of
 * the unchanged logits, before penalty, temperature and filters. Neither argument is changed.
 * @throws LlariatError("kernel") if a logit is NaN or +∞, if all are -∞, or if the options need more than candidates.
 */
export function sample(
  row: Row,
  sampling: Sampling,
  history: ArrayLike<number>,
  random: Random,
): { id: number; logprob: number } {
  const { ids, logits, logSumExp } = open(row, sampling);
  const scores = penalised(logits, sampling, history);
  const at = sampling.temperature === 0 ? largest(scores, ids) : draw(weigh(scores, ids, sampling), random);
  return { id: ids?.[at] ?? at, logprob: logits[at] - logSumExp };
}

/**
 * The distribution that `sample` draws from: the ids the filters keep, ascending, and their probabilities. For greedy, the
 * one id.
 * @throws as `sample`.
 */
export function distribution(
  row: Row,
  sampling: Sampling,
  history: ArrayLike<number>,
): { ids: Uint32Array; probabilities: Float64Array } {
  const { ids, logits } = open(row, sampling);
  const scores = penalised(logits, sampling, history);
  if (sampling.temperature === 0) {
    const at = largest(scores, ids);
    return { ids: Uint32Array.of(ids?.[at] ?? at), probabilities: Float64Array.of(1) };
  }
  const { kept, weights, total } = weigh(scores, ids, sampling);
  return { ids: kept.map((at) => ids?.[at] ?? at), probabilities: weights.map((weight) => weight / total) };
}

interface Opened {
  /** undefined: the index is the id. */
  readonly ids: Uint32Array | undefined;
  readonly logits: Float32Array;
  readonly logSumExp: number;
}

/** Checks the row and brings both of its forms into one. */
function open(row: Row, sampling: Sampling): Opened {
  const whole = row instanceof Float32Array;
  const logits = whole ? row : row.logits;
  const ids = whole ? undefined : row.ids;
  if (!whole && candidatesNeeded(sampling, row.ids.length) === Infinity)
    throw new LlariatError(
      "kernel",
      `sampling needs the whole row of logits (repetitionPenalty ${sampling.repetitionPenalty}, topK ${sampling.topK}), ` +
        `got ${row.ids.length} candidates`,
    );
  let top = -Infinity;
  for (let i = 0; i < logits.length; i++) {
    const logit = logits[i];
    if (!(logit < Infinity)) throw notFinite(`${logit} for id ${ids?.[i] ?? i}`);
    if (logit > top) top = logit;
  }
  if (top === -Infinity) throw notFinite(logits.length === 0 ? "none" : "-Infinity for every id");
  if (!whole) {
    if (!Number.isFinite(row.logSumExp)) throw notFinite(`a sum of ${row.logSumExp}`);
    return { ids, logits, logSumExp: row.logSumExp };
  }
  let sum = 0;
  for (let i = 0; i < logits.length; i++) sum += Math.exp(logits[i] - top);
  return { ids, logits, logSumExp: top + Math.log(sum) };
}

const notFinite = (got: string) =>
  new LlariatError(
    "kernel",
    `logits: got ${got}, needed numbers; the weights overflow or a kernel fails on this device, try another adapter`,
  );

/** Scores in f64: the logits after the repetition penalty (Keskar et al. 2019, CTRL, section 4.1, for both signs). */
function penalised(logits: Float32Array, { repetitionPenalty }: Sampling, history: ArrayLike<number>): Float64Array {
  const scores = new Float64Array(logits);
  if (repetitionPenalty === 1) return scores; // so a list of candidates never gets past here
  const seen = new Uint8Array(scores.length);
  for (let i = 0; i < history.length; i++) {
    const id = history[i];
    if (seen[id]) continue;
    seen[id] = 1;
    const score = scores[id];
    // A tiny penalty must not make an infinity, which would leave no difference between two such ids.
    scores[id] = score < 0 ? score * repetitionPenalty : Math.min(score / repetitionPenalty, Number.MAX_VALUE);
  }
  return scores;
}

/** Index of the largest score; of equal ones that of the smallest id. */
function largest(scores: Float64Array, ids: Uint32Array | undefined): number {
  let best = 0;
  for (let i = 1; i < scores.length; i++)
    if (scores[i] > scores[best] || (ids && scores[i] === scores[best] && ids[i] < ids[best])) best = i;
  return best;
}

interface Weighed {
  /** Indices that are kept, by ascending id. */
  readonly kept: Uint32Array;
  /** e^((score - largest) / temperature), one per index; the largest is 1. */
  readonly weights: Float64Array;
  readonly total: number;
}

/** Temperature and filters. */
function weigh(scores: Float64Array, ids: Uint32Array | undefined, sampling: Sampling): Weighed {
  const { temperature, topK, topP, minP } = sampling;
  const top = scores[largest(scores, ids)];
  let kept = new Uint32Array(scores.length);
  for (let i = 0; i < kept.length; i++) kept[i] = i;
  if (ids) kept.sort((a, b) => ids[a] - ids[b]);
  if (topK > 0 && topK < scores.length) {
    const least = kthLargest(scores, topK);
    kept = kept.filter((at) => scores[at] >= least);
  }
  // Plain loops: a whole row of 128 k logits passes here once per token.
  let weights = new Float64Array(kept.length);
  for (let i = 0; i < kept.length; i++) weights[i] = Math.exp((scores[kept[i]] - top) / temperature);
  const filter = (keep: (weight: number) => boolean) => {
    let count = 0;
    for (let i = 0; i < kept.length; i++) {
      if (!keep(weights[i])) continue;
      kept[count] = kept[i];
      weights[count++] = weights[i];
    }
    [kept, weights] = [kept.subarray(0, count), weights.subarray(0, count)];
  };
  if (topP < 1) filter(nucleus(weights, topP));
  if (minP > 0) filter((weight) => weight >= minP); // relative to the largest, whose weight is 1
  return { kept, weights, total: sumOf(weights) };
}

function sumOf(values: Float64Array): number {
  let sum = 0;
  for (const value of values) sum += value;
  return sum;
}

/** The k-th largest value (1 ≤ k ≤ length), by a min-heap of the k largest so far. */
function kthLargest(values: Float64Array, k: number): number {
  const heap = values.slice(0, k).sort(); // ascending order is a heap
  for (let i = k; i < values.length; i++) {
    const value = values[i];
    if (value <= heap[0]) continue;
    let at = 0;
    for (;;) {
      let child = 2 * at + 1;
      if (child >= k) break;
      if (child + 1 < k && heap[child + 1] < heap[child]) child++;
      if (heap[child] >= value) break;
      heap[at] = heap[child];
      at = child;
    }
    heap[at] = value;
  }
  return heap[0];
}

/**
 * Top-p (Holtzman et al. 2019) as transformers has it: in ascending order, weights are dropped while their running sum is at
 * most 1 - p of the total, but never the largest. Of equal weights at the cut the first, with the smaller ids, are kept;
 * transformers leaves that open. Returns a test to be called once per weight, in order.
 */
function nucleus(weights: Float64Array, topP: number): (weight: number) => boolean {
  const limit = (1 - topP) * sumOf(weights);
  // All weights up to limit / count together are within the limit: they go, and need not be sorted.
  const small = limit / weights.length;
  let sum = 0;
  for (const weight of weights) if (weight <= small) sum += weight;
  const ascending = weights.filter((weight) => weight > small).sort();
  let cut = 0;
  while (cut < ascending.length - 1 && (sum += ascending[cut]) <= limit) cut++;
  // Only if all weights are equal and p is 0 none is above `small`; then one of them stays.
  const least = ascending.length > 0 ? ascending[cut] : weights[0];
  let equals = ascending.length > 0 ? ascending.subarray(cut).lastIndexOf(least) + 1 : 1;
  return (weight) => weight > least || (weight === least && equals-- > 0);
}

/** Index drawn with probability weight / total: the first whose running sum exceeds a uniform number times the total. */
function draw({ kept, weights, total }: Weighed, random: Random): number {
  const target = random.float() * total;
  let sum = 0;
  for (let i = 0; i < weights.length; i++) {
    sum += weights[i];
    if (target < sum) return kept[i];
  }
  // Rounding of target up to the total itself: the last id that can be drawn at all.
  return kept[weights.findLastIndex((weight) => weight > 0)];
}

/** log softmax(row)[target] in f64, with the largest logit taken out first. */
export function logProbability(row: Float32Array, target: number): number {
  let max = -Infinity;
  for (const value of row) if (value > max) max = value;
  let sum = 0;
  for (const value of row) sum += Math.exp(value - max);
  return row[target] - max - Math.log(sum);
}
