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
      ["greedy: the last of equal candidates", "ids[i] < ids[best]", "ids[i] > ids[best]"],
      ["candidates are drawn in the order they came", "if (ids) kept.sort((a, b) => ids[a] - ids[b]);", ""],
      ["logprob after penalty and temperature", "return { id: ids?.[at] ?? at, logprob: logits[at]", "return { id: ids?.[at] ?? at, logprob: scores[at]"],
      ["NaN is taken for a logit", "if (!(logit < Infinity)) throw", "if (logit === Infinity) throw"],
      ["a row of -∞ only is drawn from", "if (top === -Infinity) throw", "if (logits.length === 0) throw"],
    ],
  ),
  ...of(
    "src/generate/sampling.ts",
    ["generate/sampling"],
    [
      ["a penalty below 1 needs no whole row", "sampling.repetitionPenalty !== 1 ||", "sampling.repetitionPenalty > 1 ||"],
      ["do_sample of the checkpoint ignored", "generation.doSample ? (generation.temperature ?? 1) : 0", "0"],
      ["greedy unless a temperature is given", "filters ? generation.temperature || 1", "filters ? (generation.temperature ?? 0)"],
      ["a bias of any id", "id >= 0 && id < vocab &&", "id >= 0 &&"],
    ],
  ),
  ...of(
    "src/generate/penalties.ts",
    ["generate/penalties", "generate/sample"],
    [
      ["the penalty raises negative logits", "score < 0 ? score * penalty", "score > 0 ? score * penalty"],
      ["the penalty counts every repetition", "if (seen[id]) continue;", ""],
      ["a tiny penalty makes infinities", "Math.min(score / penalty, Number.MAX_VALUE)", "score / penalty"],
      ["penalties count the prompt", "for (let i = promptTokens; i < tokens.length; i++)", "for (let i = 0; i < tokens.length; i++)"],
      ["presence counts each time", "new Set(Array.prototype.slice.call(tokens, promptTokens) as number[])", "Array.prototype.slice.call(tokens, promptTokens) as number[]"],
      ["runs of one id fewer", "if (same === size - 1) yield", "if (same >= size - 2) yield"],
      ["barred ids come", "for (const id of barred) scores[id] = -Infinity;", ""],
    ],
  ),
  ...of(
    "src/generate/generate.ts",
    ["generate/generate"],
    [
      ["minNewTokens: one fewer", "this.#out.ids.length < this.#sampling.minNewTokens", "this.#out.ids.length + 1 < this.#sampling.minNewTokens"],
      ["the prompt's tokens count as the answer's", "promptTokens: this.#request.ids.length,", "promptTokens: 0 * this.#request.ids.length,"],
      ["ties beyond the candidates are left out", "count >= k && count <= CANDIDATES", "count >= k"],
      ["an answer with the others' seed", "seed: seed + i }", "seed: seed }"],
    ],
  ),
  ...of(
    "src/generate/generate.ts",
    ["generate/answers"],
    [
      ["the others go on after a failure", "    stop.abort();\n", ""],
      ["a continued message's answer is a text of its own", "isChat(prompt) && !options.chat?.continueFinalMessage", "isChat(prompt)"],
      ["what is aborted by onAllocate starts", "    checkAborted(signal, WHAT); // perhaps by onAllocate\n", ""],
    ],
  ),
  ...of(
    "src/generate/generate.ts",
    ["generate/speculate"],
    [
      ["speculation: a wrong guess is a token", "if (sequence.tokens[tokens.length - 1] !== tokens.at(-1)) break;", ""],
      ["speculation: what was guessed wrong stays in the cache", "    this.#forget(tokens.length - 1);\n", ""],
      ["speculation: an answer left half way leaves its draft to others", "    this.#forget(this.#tokens.length);\n", ""],
      ["speculation: guesses beyond the end", "Math.min(most, maxNewTokens - this.#out.ids.length - 1)", "most"],
      ["speculation: it goes on after the end", "      if (over) break;\n", ""],
    ],
  ),
  ...of(
    "src/generate/lookup.ts",
    ["generate/lookup"],
    [
      ["look-up: the farthest of equal matches", "size > (best?.size ?? 0)", "size >= (best?.size ?? 0)"],
      ["look-up: n-grams one shorter", "while (size < this.#ngramSize &&", "while (size < this.#ngramSize - 1 &&"],
      ["look-up: beyond the end nothing follows", "(i % period)", "i"],
      ["look-up: every place is looked at", "places > 0;", "places > -1e9;"],
    ],
  ),
  ...of(
    "src/generate/speculate.ts",
    ["generate/speculate"],
    [
      ["speculation: drafts do not grow", "Math.max(this.#length, 2 * accepted)", "this.#length"],
      ["speculation: drafts do not shrink", "this.#length = Math.max(1, this.#length >> 1);", ""],
      ["speculation: no rest after misses", "this.#rest = Math.min(LONGEST_REST, 2 ** this.#misses++);", ""],
      ["speculation: a hit does not end the rests", "if (accepted > 0) this.#misses = 0;", ""],
      ["speculation: rejected drafts are not counted", "this.counts.draftTokens += computed;", "this.counts.draftTokens += accepted;"],
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
      ["text after the stop is passed on", 'if (this.#stopped) return "";', ""],
      ["what was withheld is lost at the end", "const rest = this.#hidden === 0 ? this.#held", 'const rest = this.#hidden === 0 ? ""'],
      ["a part of a special token's name is a stop", "if (cutsToken(marks, at) || cutsToken(marks, after)) continue;", ""],
      ["a special token is given out", "if (marks[i] === VISIBLE) out", "out"],
      ["an empty stop string is accepted", 'if (typeof stop === "string" && stop !== "") continue;', 'if (typeof stop === "string") continue;'],
    ],
  ),
]; // prettier-ignore
