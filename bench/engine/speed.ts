// speed.ts — tokens per second of a loaded model: a prompt (pp) and an answer (tg) at a depth, and answers side by side.

import { PAGE, tensorBytes } from "../../kernels/index.ts";
import type { Llama } from "../../src/index.ts";
import { LlariatError } from "../../src/error.ts";
import type { Bench } from "../harness.ts";
import { ratesOf } from "../limits.ts";
import type { Result, Timing } from "../result.ts";
import { type Mark, Trials, decoded, pretendKnown, tokenIds } from "./requests.ts";

/** Tokens before the first that is decoded at depth 0: peers are measured after as many. */
export const DECODE_AFTER = 128;

/** Prompts of one run must not begin alike, or the second would be known: each takes the next. */
let seeds = 0;

/** A loaded model under measurement. */
export interface Subject {
  readonly bench: Bench;
  readonly llama: Llama;
  readonly trials: number;
  readonly say: (kernel: string, rest: Partial<Result>) => void;
}

/** Weights that multiply the activations of every row, and of every output row. */
function weightsOf({ config }: Llama): { perRow: number; perOutput: number; attention: number } {
  const { dim, hidden, heads, kvHeads, headDim, layers, vocab } = config;
  const block = dim * (2 * heads + 2 * kvHeads) * headDim + 3 * dim * hidden;
  return { perRow: block * layers, perOutput: vocab * dim, attention: heads * headDim * layers };
}

/** Bytes of weights that a decoded token reads: of an embedding that is not the output matrix as well, one row. */
function bytesRead({ engine, config }: Llama): number {
  const { weights } = engine;
  if (weights.embed === weights.head) return weights.bytes;
  const embed = weights.embed.pieces.flatMap(({ tensors }) => Object.values(tensors));
  const bytes = embed.reduce((sum, tensor) => sum + tensorBytes(tensor), 0);
  return weights.bytes - bytes + bytes / config.vocab;
}

/** Bytes of keys and values that a decoded token reads after `length` others. */
const cacheBytes = ({ engine }: Llama, length: number): number => (engine.memory.kv.pageBytes / PAGE) * length;

/** Prompts of `depth` tokens that are known and `own` that are not; throws if less is known. */
async function prompts({ llama }: Subject, depth: number, own: number): Promise<() => Uint32Array> {
  const { vocab } = llama.config;
  const known = tokenIds(depth, vocab, seeds++);
  if (depth > 0) await pretendKnown(llama, known);
  return () => Uint32Array.from([...known, ...tokenIds(own, vocab, seeds++)]);
}

/** What a token of a prompt costs beyond the first `depth`: pp`prompt`. */
export async function measurePrompt(subject: Subject, prompt: number, depth: number): Promise<void> {
  const { bench, llama, trials } = subject;
  const next = await prompts(subject, depth, prompt);
  const found = new Trials(bench.adapter.isSoftware);
  for (let i = 0; i <= trials; i++) {
    const marks = await marksOf(llama, next(), 1, depth);
    if (i > 0) found.add(marks[0], marks[1], 1);
  }
  const { perRow, perOutput, attention } = weightsOf(llama);
  const keys = prompt * depth + (prompt * (prompt + 1)) / 2;
  const flops = 2 * prompt * perRow + 2 * perOutput + 4 * attention * keys;
  const bytes = bytesRead(llama) + cacheBytes(llama, depth + prompt);
  await rates(subject, `pp${prompt}`, found.timing, { bytes, flops, bound: "flops" }, prompt, { depth });
}

/** What a decoded token costs after `depth` others, or at depth 0 after 128: tg`tokens`. */
export async function measureAnswer(subject: Subject, tokens: number, depth: number): Promise<void> {
  const { bench, llama, trials } = subject;
  const own = depth === 0 ? DECODE_AFTER : 1;
  const next = await prompts(subject, depth, own);
  const found = new Trials(bench.adapter.isSoftware);
  for (let i = 0; i <= trials; i++) {
    const marks = await marksOf(llama, next(), i === 0 ? 2 : tokens + 1, depth);
    if (i > 0) found.add(marks[1], marks.at(-1)!, tokens);
  }
  const { perRow, perOutput, attention } = weightsOf(llama);
  const length = depth + own + tokens / 2;
  const flops = 2 * (perRow + perOutput) + 4 * attention * length;
  const bytes = bytesRead(llama) + cacheBytes(llama, length);
  await rates(subject, `tg${tokens}`, found.timing, { bytes, flops, bound: "bytes" }, 1, { depth });
}

/** Decoding of `batch` sequences side by side, each after a prompt of 128: the time is that of a token of each of them. */
export async function measureBatch(subject: Subject, tokens: number, batch: number): Promise<void> {
  const { bench, llama, trials } = subject;
  const next = await Promise.all(Array.from({ length: batch }, () => prompts(subject, DECODE_AFTER - 1, 1)));
  // They do not begin together: as many tokens more as there are others to begin, and two to compile.
  const most = tokens * trials + batch + 2;
  const all = await Promise.all(next.map(async (prompt) => (await decoded(llama, prompt(), most)).marks));
  // Of what came while all were decoding, so many parts, one after another.
  const from = Math.max(...all.map((marks) => marks[2].ms));
  const to = Math.min(...all.map((marks) => marks.at(-1)!.ms));
  const inside = all.flat().filter(({ ms }) => ms >= from && ms <= to);
  inside.sort((a, b) => a.ms - b.ms);
  const part = Math.floor((inside.length - 1) / trials);
  const found = new Trials(bench.adapter.isSoftware);
  for (let i = 0; i < trials; i++) found.add(inside[i * part], inside[(i + 1) * part], part / batch);
  const { perRow, perOutput, attention } = weightsOf(llama);
  const length = DECODE_AFTER + most / 2;
  const flops = batch * (2 * (perRow + perOutput) + 4 * attention * length);
  const bytes = bytesRead(llama) + batch * cacheBytes(llama, length);
  await rates(subject, `tg${tokens}`, found.timing, { bytes, flops, bound: "bytes" }, batch, { batch, depth: 0 });
}

/** `decoded`, of a prompt whose first `depth` tokens must be known, but for a page. */
async function marksOf(llama: Llama, ids: Uint32Array, tokens: number, depth: number): Promise<Mark[]> {
  const { marks, whole } = await decoded(llama, ids, tokens);
  const { cachedTokens } = whole.usage;
  if (cachedTokens >= depth - PAGE) return marks;
  throw new LlariatError("kernel", `of ${depth} tokens before the timed ones only ${cachedTokens} were known`);
}

async function rates(
  { bench, say }: Subject,
  kernel: string,
  found: Timing,
  work: Parameters<typeof ratesOf>[1],
  tokens: number,
  rest: Partial<Result>,
): Promise<void> {
  const tokensPerSecond = (1000 * tokens) / found.ms;
  say(kernel, { ...found, tokensPerSecond, ...(await ratesOf(bench, work, found)), ...rest });
}
