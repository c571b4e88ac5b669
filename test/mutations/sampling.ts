// sampling.ts — mutations of what happens between a row of logits and text: filters, draws, random numbers, stop strings.
import { type Mutation, of } from "./mutation.ts";

/** What must not pass in choosing a token and in ending a text. */
export const sampling: readonly Mutation[] = [
  ...of(
    "src/generate/sample.ts",
    ["generate/sample"],
    [
      ["top-p: a sum that meets the limit stays", "(sum += ascending[cut]) <= limit", "(sum += ascending[cut]) < limit"],
      ["top-p: all that tie at the cut stay", "(weight === least && equals-- > 0)", "weight === least"],
      ["top-p: of the whole row, not of what top-k left", "(1 - topP) * sumOf(weights)", "(1 - topP) * weights.length"],
      ["top-p: the largest goes as well", "while (cut < ascending.length - 1 &&", "while (cut < ascending.length &&"],
      ["min-p: a weight that meets its share goes", "filter((weight) => weight >= minP)", "filter((weight) => weight > minP)"],
      ["min-p before top-p", "if (topP < 1) filter(nucleus(weights, topP));", "if (minP > 0) filter((w) => w >= minP);\n  if (topP < 1) filter(nucleus(weights, topP));"],
      ["top-k: what ties with the k-th goes", "kept.filter((at) => scores[at] >= least)", "kept.filter((at) => scores[at] > least)"],
      ["top-k: one fewer", "kthLargest(scores, topK)", "kthLargest(scores, Math.max(1, topK - 1))"],
      ["temperature multiplies", "(scores[kept[i]] - top) / temperature", "(scores[kept[i]] - top) * temperature"],
      ["the penalty raises negative logits", "score < 0 ? score * repetitionPenalty", "score > 0 ? score * repetitionPenalty"],
      ["the penalty counts every repetition", "if (seen[id]) continue;", ""],
      ["a tiny penalty makes infinities", "Math.min(score / repetitionPenalty, Number.MAX_VALUE)", "score / repetitionPenalty"],
      ["greedy: the last of equal candidates", "ids[i] < ids[best]", "ids[i] > ids[best]"],
      ["candidates are drawn in the order they came", "if (ids) kept.sort((a, b) => ids[a] - ids[b]);", ""],
      ["logprob after penalty and temperature", "logprob: logits[at] - logSumExp", "logprob: scores[at] - logSumExp"],
      ["a penalty below 1 needs no whole row", "if (repetitionPenalty !== 1) return Infinity;", "if (repetitionPenalty > 1) return Infinity;"],
      ["NaN is taken for a logit", "if (!(logit < Infinity)) throw", "if (logit === Infinity) throw"],
      ["a row of -∞ only is drawn from", "if (top === -Infinity) throw", "if (logits.length === 0) throw"],
      ["do_sample of the checkpoint ignored", "generation.doSample ? (generation.temperature ?? 1) : 0", "0"],
      ["greedy unless a temperature is given", "filters ? generation.temperature || 1", "filters ? (generation.temperature ?? 0)"],
    ],
  ),
  ...of(
    "src/generate/random.ts",
    ["generate/random"],
    [
      ["xoshiro: rotated by another count", "rotate(Math.imul(state[1], 5), 7)", "rotate(Math.imul(state[1], 5), 8)"],
      ["xoshiro: the last word is not rotated", "state[3] = rotate(state[3], 11);", ""],
      ["the seed's words the other way round", "[a, a >> 32n, b, b >> 32n]", "[a >> 32n, a, b >> 32n, b]"],
      ["a float of 52 bits", "(this.uint32() >>> 6)", "((this.uint32() >>> 6) & ~1)"],
      ["seeds beyond 2^53 - 1", "!Number.isSafeInteger(seed)", "!Number.isInteger(seed)"],
    ],
  ),
  ...of(
    "src/generate/stop.ts",
    ["generate/stop"],
    [
      ["of stops that end together the shortest", "after === end && at < start", "after === end && at > start"],
      ["the stop that begins first, not the one complete first", "after < end ||", "at < start || end === Infinity ||"],
      ["all but the last character withheld", "Math.min(stop.length - 1, text.length)", "Math.min(stop.length - 2, text.length)"],
      ["text after the stop is passed on", 'if (this.#stopped !== undefined) return "";', ""],
      ["what was withheld is lost at the end", "const rest = this.#held;", 'const rest = "";'],
      ["an empty stop string is accepted", 'if (typeof stop === "string" && stop !== "") continue;', 'if (typeof stop === "string") continue;'],
    ],
  ),
]; // prettier-ignore
