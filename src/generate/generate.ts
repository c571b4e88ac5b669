// generate.ts — one request: prompt in, tokens out.

import { CANDIDATES } from "../../kernels/index.ts";
import { type Row, checkSignal } from "../engine/batch.ts";
import { LlariatError } from "../error.ts";
import { dependsOnLength, describeRope } from "../rope/index.ts";
import { continuation } from "./continuation.ts";
import type { Completion, GenerateOptions, Piece, Prompt, RequestContext } from "./options.ts";
import { Random } from "./random.ts";
import { isChat, readRequest, stopStrings } from "./request.ts";
import { type Candidates, candidatesNeeded, sample, samplingOptions } from "./sample.ts";
import { StopMatcher } from "./stop.ts";

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
  const stops = stopStrings(options);
  if (stops.length > 0 && !tokenizer) {
    throw new LlariatError("request", "stop: the checkpoint has no tokenizer.json, so there is no text to look at");
  }
  const stop = new StopMatcher(stops);
  // An answer to messages is a text of its own; any other continues the prompt.
  const decoder = isChat(prompt) ? tokenizer?.streamDecoder() : tokenizer && continuation(tokenizer, ids);
  const random = new Random(sampling.seed);
  const needed = candidatesNeeded(sampling, config.vocab);
  const k = needed <= CANDIDATES ? needed : Infinity;
  const eos = new Set(context.eosIds);
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
