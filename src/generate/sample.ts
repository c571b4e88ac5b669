// sample.ts — from one row of logits to one token, in the order of transformers' generate: biases and penalties, temperature,
// top-k, top-p, min-p, typical-p. Each filter renormalises over what the earlier ones left.
// Everything is computed in f64 from the f32 logits, and a draw walks the kept ids in ascending order: the same logits,
// options and seed give the same id, from a whole row as from a list of candidates.

import type { Candidates } from "../../kernels/index.ts";
import { LlariatError } from "../error.ts";
import { type History, penalised } from "./penalties.ts";
import type { Random } from "./random.ts";
import { type Sampling, changesScores } from "./sampling.ts";

/** A row of logits: all of them [vocab], or at least as many of the largest as `candidatesNeeded` says, with all that tie. */
export type Row = Float32Array | Omit<Candidates, "count">;

/** An id and its natural log-probability under the model itself. */
export interface Likely {
  readonly id: number;
  readonly logprob: number;
}

/**
 * Draws the next token from a row: all logits [vocab] or candidates. logprob is the natural logarithm of the id's probability
 * under the model itself: the softmax of the unchanged logits, before bias, penalties, temperature and filters. The arguments
 * stay as they are.
 * @throws LlariatError("kernel") if a logit is NaN or +∞, if all are -∞, or if the options need more than candidates.
 */
export function sample(row: Row, sampling: Sampling, history: History, random: Random): Likely {
  const { ids, logits, logSumExp } = open(row, sampling, history);
  const scores = ids ? new Float64Array(logits) : penalised(logits, sampling, history);
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
  history: History,
): { ids: Uint32Array; probabilities: Float64Array } {
  const { ids, logits } = open(row, sampling, history);
  const scores = ids ? new Float64Array(logits) : penalised(logits, sampling, history);
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
function open(row: Row, sampling: Sampling, { barred, allowed }: History): Opened {
  const whole = row instanceof Float32Array;
  const logits = whole ? row : row.logits;
  const ids = whole ? undefined : row.ids;
  if (!whole && (changesScores(sampling) || barred || allowed || (sampling.topK === 0 && sampling.temperature > 0)))
    throw new LlariatError(
      "kernel",
      `sampling with penalties or without topK needs a whole row, got ${row.ids.length} logits`,
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
  return { ids, logits, logSumExp: sumOfExponentials(row) };
}

const notFinite = (got: string) =>
  new LlariatError(
    "kernel",
    `logits: got ${got}, needed numbers; the weights overflow or a kernel fails on this device, try another adapter`,
  );

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
  const { temperature, topK, topP, minP, typicalP } = sampling;
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
  if (typicalP < 1) filter(typical(weights, typicalP));
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

/**
 * Locally typical sampling (Meister et al. 2022, arXiv 2202.00666, eq. 7) as transformers has it: ids in the order of how far
 * their information is from the entropy, up to the one with which their probability reaches `mass`, and what is as far.
 */
function typical(weights: Float64Array, mass: number): (weight: number) => boolean {
  const total = sumOf(weights);
  const information = (weight: number) => -Math.log(weight / total);
  let entropy = 0;
  for (const weight of weights) if (weight > 0) entropy += (weight / total) * information(weight);
  const distance = (weight: number) => Math.abs(information(weight) - entropy);
  const nearest = weights.filter((weight) => weight > 0).sort((a, b) => distance(a) - distance(b));
  let [sum, last] = [0, 0];
  while (last < nearest.length - 1 && (sum += nearest[last] / total) < mass) last++;
  const most = distance(nearest[last]);
  return (weight) => weight > 0 && distance(weight) <= most;
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

/** log softmax(row)[target] in f64. */
export const logProbability = (row: Float32Array, target: number): number => row[target] - sumOfExponentials(row);

/** The `count` most likely ids of a row under the model itself, the most likely first, of equal ones the smaller id. */
export function mostLikely(row: Row, count: number): Likely[] {
  const whole = row instanceof Float32Array;
  const logits = whole ? row : row.logits;
  const idOf = (at: number) => (whole ? at : row.ids[at]);
  const best: number[] = [];
  for (let at = 0; at < logits.length; at++) {
    const before = (other: number) =>
      logits[other] > logits[at] || (logits[other] === logits[at] && idOf(other) < idOf(at));
    if (best.length === count && before(best[count - 1])) continue;
    let place = best.length;
    while (place > 0 && !before(best[place - 1])) place--;
    best.splice(place, 0, at);
    if (best.length > count) best.pop();
  }
  const logSumExp = whole ? sumOfExponentials(row) : row.logSumExp;
  return best.map((at) => ({ id: idOf(at), logprob: logits[at] - logSumExp }));
}

/** log Σ e^logit in f64, with the largest logit taken out first. */
function sumOfExponentials(row: Float32Array): number {
  let max = -Infinity;
  for (const value of row) if (value > max) max = value;
  let sum = 0;
  for (const value of row) sum += Math.exp(value - max);
  return max + Math.log(sum);
}
