// embed.ts — a vector per text: hidden states of its tokens after the final norm, pooled. Nothing is generated.

import { checkAborted } from "../error.ts";
import { type Rope, type RopeChoice, parseRopeScaling } from "../rope/index.ts";
import { onAbort, orAborted } from "../text/abort.ts";
import { type Kinds, checkOptions, checkWhole } from "../text/options.ts";
import type { GenerateOptions, Prompt, RequestContext } from "./options.ts";
import { checkLength, promptIds, promptList } from "./request.ts";

/** Options of `embed`. */
export interface EmbedOptions {
  /**
   * `mean`: the mean of the hidden states of all tokens, special ones included; `last`: that of the last token. Which one a model
   * was trained for, its card says. Default `mean`.
   */
  readonly pooling?: "mean" | "last";
  /** Make each vector one of length 1. Default true. */
  readonly normalize?: boolean;
  /** RoPE scaling; null or "none" for none; left out, the model's own. */
  readonly ropeScaling?: RopeChoice;
  /**
   * The n of frequencies that depend on the length. Default: the tokens of each text. With one for all, texts of different
   * lengths have the same frequencies.
   */
  readonly ropeLength?: number;
  /** Accept texts beyond the context that the RoPE setting is meant for. */
  readonly allowBeyond?: boolean;
  /** Of the chat template, for texts that are messages. */
  readonly chat?: GenerateOptions["chat"];
  /**
   * Called once, before anything is allocated, with the tokens of all texts and the bytes of their keys and values. What it throws
   * ends the call. A promise is waited for, until the signal fires, so that a queue may stand here.
   */
  readonly onAllocate?: (need: { readonly tokens: number; readonly kvBytes: number }) => unknown;
  /** Ends the call at once, with LlariatError("aborted"). */
  readonly signal?: AbortSignal;
}

const EMBED_OPTIONS: Kinds<EmbedOptions> = {
  pooling: ["mean", "last"],
  normalize: "flag",
  ropeScaling: "any",
  ropeLength: "any",
  allowBeyond: "flag",
  chat: "object",
  onAllocate: "function",
  signal: "signal",
};

const WHAT = "computing embeddings";

/**
 * A vector per prompt, in their order: Float32Array [dim], the caller's. Prompts are computed together, several to a step, and
 * each gets what it gets alone, but for rounding. Throws `request` or `context` before anything is computed.
 */
export async function embed(
  context: RequestContext,
  prompts: readonly Prompt[],
  given: EmbedOptions = {},
): Promise<Float32Array[]> {
  const options = checkOptions<EmbedOptions>(given, EMBED_OPTIONS);
  const {
    pooling = "mean",
    normalize = true,
    ropeScaling,
    ropeLength,
    allowBeyond,
    chat,
    onAllocate,
    signal,
  } = options;
  if (ropeLength !== undefined) checkWhole("ropeLength", ropeLength, 1, { unit: "tokens" });
  const rope = parseRopeScaling(ropeScaling, context.rope);
  const texts = promptList(prompts, (prompt) => {
    const ids = promptIds(context, prompt, chat);
    checkLength(context, rope, ids.length, allowBeyond);
    return ids;
  });
  checkAborted(signal, WHAT);
  if (onAllocate) {
    const { memory } = context.scheduler.engine;
    const sum = (of: (tokens: number) => number): number => texts.reduce((total, ids) => total + of(ids.length), 0);
    const need = { tokens: sum((tokens) => tokens), kvBytes: sum((tokens) => memory.bytes(tokens)) };
    await orAborted(() => onAllocate(need), signal, WHAT);
    checkAborted(signal, WHAT); // perhaps by onAllocate
  }
  const found: Float32Array[] = [];
  // Who fails ends the others, and so does the caller.
  const stop = new AbortController();
  const over = onAbort(signal, () => stop.abort(signal!.reason));
  let next = 0;
  const lane = async (): Promise<void> => {
    while (next < texts.length) {
      const i = next++;
      const sum = await pooled(context, texts[i], { pooling, rope, planned: ropeLength, signal: stop.signal });
      found[i] = finish(sum, pooling === "mean" ? texts[i].length : 1, normalize);
    }
  };
  // Twice as many as a step takes, so that the next are at hand when some end.
  const lanes = Array.from({ length: Math.min(texts.length, 2 * context.scheduler.engine.maxSequences) }, lane);
  try {
    await Promise.all(lanes);
    return found;
  } catch (error) {
    stop.abort();
    await Promise.allSettled(lanes);
    throw error;
  } finally {
    over();
  }
}

/** The sum of the hidden states that are wanted of a text, [dim], step by step in f64. */
async function pooled(
  { scheduler }: RequestContext,
  ids: Uint32Array,
  how: { pooling: "mean" | "last"; rope: Rope; planned: number | undefined; signal: AbortSignal },
): Promise<Float64Array> {
  const { pooling, rope, signal } = how;
  const sequence = scheduler.open({
    capacity: ids.length,
    rope,
    meaning: "planned",
    planned: how.planned ?? ids.length,
  });
  try {
    const sums = await sequence.feed(ids, { rows: pooling === "mean" ? "all" : "last", want: "hidden", signal });
    const sum = new Float64Array(scheduler.engine.config.dim);
    for (const part of sums) (part as Float32Array).forEach((value, i) => (sum[i] += value));
    return sum;
  } finally {
    sequence.close();
  }
}

/** The vector of a sum of `rows` hidden states. One of length 0 stays as it is. */
function finish(sum: Float64Array, rows: number, normalize: boolean): Float32Array {
  const length = normalize ? Math.sqrt(sum.reduce((total, value) => total + value * value, 0)) : rows;
  return Float32Array.from(sum, (value) => value / (length || 1));
}
