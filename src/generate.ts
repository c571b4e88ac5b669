// generate.ts — one request: prompt in, tokens out.

import { CANDIDATES } from "../kernels/index.ts";
import type { Tokenizer, Message } from "../tokenizer/index.ts";
import type { RopeAngles } from "./angles.ts";
import { type Batch, type Row, checkSignal } from "./batch.ts";
import type { GenerationConfig } from "./config.ts";
import { continuation } from "./continuation.ts";
import type { Engine } from "./engine.ts";
import { LlariatError } from "./error.ts";
import { Random } from "./random.ts";
import { isChat, readRequest } from "./request.ts";
import { type Rope, type RopeScaling, dependsOnLength, describeRope } from "./rope.ts";
import {
  type Candidates,
  type SamplingOptions,
  StopMatcher,
  candidatesNeeded,
  sample,
  samplingOptions,
} from "./sample.ts";

/** Text, chat messages, or token ids taken as they are. */
export type Prompt = string | readonly Message[] | readonly number[] | Uint32Array;

/** Options of one request. What is left out comes from the checkpoint's generation_config.json, then from these defaults. */
export interface GenerateOptions extends SamplingOptions {
  /** Most tokens to generate; exactly this many with `ignoreEos`. Default: 256, or what is left of the context. */
  readonly maxNewTokens?: number;
  /** Generation ends before the first of these strings, which is not given out. */
  readonly stop?: string | readonly string[];
  /** Go on after an end-of-sequence token. */
  readonly ignoreEos?: boolean;
  /** Report each token's log-probability under the model (before temperature and filters). */
  readonly logprobs?: boolean;
  /** Ends the request at once, also during prefill, with LlariatError("aborted"). */
  readonly signal?: AbortSignal;
  /** RoPE scaling of this request; null or "none" for none; left out, the model's own. */
  readonly ropeScaling?: RopeScaling | "none" | null;
  /** What length-dependent angles mean while generating (src/angles.ts). Default "planned". */
  readonly ropeAngles?: RopeAngles;
  /** The n of `planned` angles. Default: prompt plus maxNewTokens. */
  readonly ropeLength?: number;
  /** Accept a prompt beyond the context that the RoPE setting is meant for. */
  readonly allowBeyond?: boolean;
  /** Template name, tools and variables for chat messages. */
  readonly chat?: {
    readonly templateName?: string;
    readonly tools?: unknown[];
    readonly variables?: Record<string, unknown>;
  };
  /** Use keys and values of an earlier request that began with the same tokens under the same RoPE setting. Default true. */
  readonly reusePrefix?: boolean;
  /**
   * Called once, before anything is allocated, with the tokens that prompt and answer may have together and the bytes of
   * their keys and values. What it throws ends the request.
   */
  readonly onAllocate?: (need: { readonly tokens: number; readonly kvBytes: number }) => void;
  /** Prompt tokens computed so far. */
  readonly onPrefill?: (done: number, total: number) => void;
}

/** One generated token. `text` is what became certain with it: empty inside a character or a possible stop string. */
export interface Piece {
  readonly id: number;
  readonly text: string;
  readonly logprob?: number;
}

/** The effective RoPE setting of a request. */
export type EffectiveRope = ReturnType<typeof describeRope> & {
  /** Total length the frequencies were computed for (`planned`), else the final length. */
  readonly n: number;
  readonly angles: RopeAngles;
};

/** A finished request. */
export interface Completion {
  readonly text: string;
  /** Every generated id, an end-of-sequence token included. */
  readonly ids: number[];
  readonly logprobs?: number[];
  /** `stop`: end of sequence or a stop string; `length`: maxNewTokens reached. */
  readonly finishReason: "stop" | "length";
  /** `cachedTokens` of the prompt were not computed again. */
  readonly usage: { readonly promptTokens: number; readonly cachedTokens: number; readonly completionTokens: number };
  /** Milliseconds. `firstTokenMs` counts from the call; `prefillMs` is the prompt, `decodeMs` all later tokens. */
  readonly timing: {
    readonly firstTokenMs: number;
    readonly prefillMs: number;
    readonly decodeMs: number;
    readonly prefillTokensPerSecond: number;
    /** Of the tokens after the first; 0 if there is none. */
    readonly decodeTokensPerSecond: number;
  };
  readonly rope: EffectiveRope;
}

/** What a request needs of the loaded model. */
export interface RequestContext {
  readonly engine: Engine;
  readonly batch: Batch;
  readonly tokenizer: Tokenizer | undefined;
  readonly rope: Rope;
  readonly generation: GenerationConfig;
  readonly maxContext: number | undefined;
}

/** Runs a request, giving out pieces; its return value is the whole. */
export async function* request(
  context: RequestContext,
  prompt: Prompt,
  options: GenerateOptions = {},
): AsyncGenerator<Piece, Completion, undefined> {
  const started = performance.now();
  const { engine, batch, tokenizer, generation } = context;
  const { config } = engine;
  const { signal } = options;
  const sampling = samplingOptions(options, generation);
  const { ids, rope, maxNewTokens, capacity, meaning, planned } = readRequest(context, prompt, options);
  const stops = typeof options.stop === "string" ? [options.stop] : (options.stop ?? []);
  if (stops.length > 0 && !tokenizer) {
    throw new LlariatError("request", "stop: the checkpoint has no tokenizer.json, so there is no text to look at");
  }
  const stop = new StopMatcher(stops);
  // An answer to messages is a text of its own; any other continues the prompt.
  const decoder = isChat(prompt) ? tokenizer?.streamDecoder() : tokenizer && continuation(tokenizer, ids);
  const random = new Random(sampling.seed);
  const needed = candidatesNeeded(sampling, config.vocab);
  const k = needed <= CANDIDATES ? needed : Infinity;
  const eos = new Set(generation.eosIds ?? config.eosIds);
  const out = { text: "", ids: [] as number[], logprobs: [] as number[] };
  let finishReason: Completion["finishReason"] = "length";
  const history = Array.from(ids);

  checkSignal(signal);
  options.onAllocate?.({ tokens: capacity, kvBytes: engine.kvBytes(capacity) });
  const known = options.reusePrefix === false ? undefined : ids;
  const sequence = await engine.open({ capacity, rope, meaning, planned, ids: known });
  const cachedTokens = sequence.length;
  const opened = performance.now();
  let firstToken = 0;
  try {
    // Every length-dependent frequency of the prompt is the whole prompt's, whatever the chunks.
    const feed = async (next: Uint32Array, onProgress?: (done: number) => void): Promise<Row> => {
      const n = sequence.length + next.length;
      const [row] = await batch.submit({ sequence, ids: next, n, rows: "last", k, signal, onProgress });
      if (row.kind === "logits" || isComplete(row, k)) return row;
      // More ties with the k-th candidate than there is room for: ask for the whole row. Its keys are in the cache, so the
      // last token is computed once more at its own position.
      sequence.length--;
      const last = next.subarray(next.length - 1);
      return (await batch.submit({ sequence, ids: last, n, rows: "last", k: Infinity, signal }))[0];
    };
    const { onPrefill } = options;
    let row = await feed(
      ids.subarray(cachedTokens),
      onPrefill && ((done) => onPrefill(cachedTokens + done, ids.length)),
    );
    if (known) engine.publish(sequence, ids);
    for (;;) {
      const { id, logprob } = sample(rowCandidates(row), sampling, history, random);
      firstToken ||= performance.now();
      history.push(id);
      out.ids.push(id);
      const ended = eos.has(id) && !options.ignoreEos;
      const last = ended || out.ids.length === maxNewTokens;
      let text = decoder ? stop.push(decoder.push(id)) : "";
      if (last && decoder) text += stop.push(decoder.end()) + stop.end();
      out.text += text;
      if (options.logprobs) out.logprobs.push(logprob);
      yield { id, text, ...(options.logprobs && { logprob }) };
      if (ended || stop.stopped) finishReason = "stop";
      if (last || stop.stopped) break;
      row = await feed(Uint32Array.of(id));
    }
  } finally {
    if (known) engine.publish(sequence, history);
    engine.release(sequence);
  }
  const decodeMs = performance.now() - firstToken;
  const prefillMs = firstToken - opened;
  return {
    text: out.text,
    ids: out.ids,
    ...(options.logprobs && { logprobs: out.logprobs }),
    finishReason,
    usage: { promptTokens: ids.length, cachedTokens, completionTokens: out.ids.length },
    timing: {
      firstTokenMs: firstToken - started,
      prefillMs,
      decodeMs,
      prefillTokensPerSecond: (1000 * (ids.length - cachedTokens)) / prefillMs,
      decodeTokensPerSecond: out.ids.length > 1 ? (1000 * (out.ids.length - 1)) / decodeMs : 0,
    },
    rope: {
      ...describeRope(rope),
      n: meaning === "planned" && dependsOnLength(rope) ? planned : ids.length + out.ids.length,
      angles: meaning,
    },
  };
}

const isComplete = (row: Row & { kind: "candidates" }, k: number): boolean =>
  row.words[0] >= k && row.words[0] <= CANDIDATES;

/** A row as the sampler takes it: whole logits, or candidates. */
function rowCandidates(row: Row): Float32Array | Candidates {
  if (row.kind === "logits") return row.logits;
  const [count] = row.words;
  const floats = new Float32Array(row.words.buffer, row.words.byteOffset, row.words.length);
  return {
    ids: Uint32Array.from({ length: count }, (_, i) => row.words[4 + 2 * i]),
    logits: Float32Array.from({ length: count }, (_, i) => floats[5 + 2 * i]),
    logSumExp: floats[2],
  };
}
