// generate.ts — one request: prompt in, tokens out. Tokens are drawn inside the scheduler's loop and handed over through a
// bounded queue.

import { CANDIDATES, type Candidates } from "../../kernels/index.ts";
import type { Output, Sequence, Turn } from "../engine/sequence.ts";
import { LlariatError, aborted, checkAborted } from "../error.ts";
import { dependsOnLength, describeRope, effectiveLength } from "../rope/index.ts";
import { onAbort, orAborted } from "../text/abort.ts";
import { checkOptions, checkWhole } from "../text/options.ts";
import { type TextStream, continuation } from "./continuation.ts";
import { GENERATE_OPTIONS, type GenerateOptions, type Piece, type Prompt, type RequestContext } from "./options.ts";
import type { Completion } from "./options.ts";
import { AnswerMask } from "./mask.ts";
import { Queue } from "./queue.ts";
import { Random } from "./random.ts";
import { checkRequest, endingIds, isChat, readRequest, stopStrings, topLogprobs } from "./request.ts";
import { type Likely, mostLikely, sample } from "./sample.ts";
import { type Sampling, candidatesNeeded, samplingOptions } from "./sampling.ts";
import { Speculation } from "./speculate.ts";
import { StopMatcher } from "./stop.ts";

/**
 * Pieces that may wait for a consumer before its request rests. Enough that one who awaits something per piece never holds
 * the step up; few enough that little is computed in vain for one who leaves.
 */
const AHEAD = 16;

/** Answers to one prompt; all are begun at once. OpenAI's API gives 128. */
const MOST_ANSWERS = 1024;

const WHAT = "computing a request";

/** The request of a generator, once it has begun; nothing here leads back to the generator. */
interface Begun {
  generation?: Generation;
}

/** Ends the requests of generators that nobody has any more: dropped half way, they would keep their pages for ever. */
const dropped = new FinalizationRegistry<Begun>(({ generation }) => generation?.close());

/**
 * Runs a request, giving out pieces; its return value is the whole. A generator that is dropped half way gives back what it
 * holds when it is collected; to leave the loop, or to call `return()`, does so at once.
 */
export function request(
  context: RequestContext,
  prompt: Prompt,
  options: GenerateOptions = {},
): AsyncGenerator<Piece, Completion, undefined> {
  const begun: Begun = {};
  const pieces = run(begun, context, prompt, options);
  dropped.register(pieces, begun);
  return pieces;
}

async function* run(
  begun: Begun,
  context: RequestContext,
  prompt: Prompt,
  options: GenerateOptions,
): AsyncGenerator<Piece, Completion, undefined> {
  const generation = new Generation(context, prompt, options);
  begun.generation = generation;
  try {
    await generation.start();
    for (;;) {
      const piece = await generation.pieces.next();
      if (!piece) return generation.completion();
      yield piece;
    }
  } finally {
    generation.close();
    begun.generation = undefined;
  }
}

/** Several answers to one prompt: the others begin when the first has computed it, and find it known. */
export async function answers(
  context: RequestContext,
  prompt: Prompt,
  given: GenerateOptions & { readonly n: number },
): Promise<Completion[]> {
  const { n, ...options } = checkOptions<typeof given>(given, { n: "any", ...GENERATE_OPTIONS });
  checkWhole("n", n, 1, { most: MOST_ANSWERS });
  const { seed, signal, onAllocate: _, onPrefill: __, ...common } = checkRequest(options);
  // Who fails ends the others: nobody would see their answers.
  const stop = new AbortController();
  const relay = () => stop.abort(signal!.reason);
  if (signal?.aborted) relay();
  const over = onAbort(signal, relay);
  const complete = async (own: GenerateOptions, computed?: () => void): Promise<Completion> => {
    const pieces = request(context, prompt, { ...own, signal: stop.signal });
    for (;;) {
      const next = await pieces.next();
      computed?.();
      if (next.done) return next.value;
    }
  };
  let computed!: () => void;
  const known = new Promise<void>((resolve) => (computed = resolve));
  const all = [complete(options, computed)];
  try {
    await Promise.race([known, all[0]]);
    for (let i = 1; i < n; i++) all.push(complete({ ...common, ...(seed !== undefined && { seed: seed + i }) }));
    return await Promise.all(all);
  } catch (error) {
    stop.abort();
    await Promise.allSettled(all);
    throw error;
  } finally {
    over();
  }
}

/** One request under way. */
class Generation {
  readonly pieces: Queue<Piece>;
  readonly #options: GenerateOptions;
  readonly #request: ReturnType<typeof readRequest>;
  readonly #sampling: Sampling;
  readonly #random: Random;
  readonly #endings: ReadonlySet<number>;
  /** Names of the special tokens that a stop string may be about. */
  readonly #named: ReadonlyMap<number, string>;
  readonly #top: number;
  readonly #stop: StopMatcher;
  readonly #decoder: TextStream | undefined;
  readonly #scheduler: RequestContext["scheduler"];
  /** Opened by `start`. */
  #sequence: Sequence | undefined;
  readonly #speculation: Speculation | undefined;
  readonly #mask: AnswerMask | undefined;
  /** Prompt and answer so far. The sequence has not been fed the last token yet, and may have been fed a draft. */
  readonly #tokens: number[];
  /** Candidates that are needed for a draw and its report; undefined: whole rows of logits. */
  readonly #k: number | undefined;
  readonly #out = { text: "", ids: [] as number[], logprobs: [] as number[], top: [] as Likely[][] };
  readonly #times = { called: performance.now(), started: 0, first: 0, last: 0 };
  /** Stops waiting for the signal. */
  #over = (): void => {};
  #finishReason: Completion["finishReason"] = "length";
  #cachedTokens = 0;
  /** The next turn waits for the consumer. */
  #rests = false;

  /** Checks everything that can be checked; nothing is taken yet. */
  constructor(context: RequestContext, prompt: Prompt, given: GenerateOptions) {
    const options = checkRequest(given);
    const { scheduler, tokenizer, generation } = context;
    const { config } = scheduler.engine;
    this.#scheduler = scheduler;
    this.#options = options;
    this.#sampling = samplingOptions(options, generation, config.vocab);
    this.#request = readRequest(context, prompt, options);
    const { ids } = this.#request;
    const stops = stopStrings(options);
    if (stops.length > 0 && !tokenizer) {
      const problem = `there is no text to look at: ${context.tokenizerProblem!.message}`;
      throw new LlariatError("request", problem, { subject: "stop" });
    }
    this.#stop = new StopMatcher(stops);
    // An answer to messages is a text of its own; any other continues the prompt.
    const ownText = isChat(prompt) && !options.chat?.continueFinalMessage;
    this.#decoder = ownText ? tokenizer?.streamDecoder() : tokenizer && continuation(tokenizer, ids);
    this.#random = new Random(this.#sampling.seed);
    this.#top = topLogprobs(options);
    const needed = Math.max(candidatesNeeded(this.#sampling, config.vocab), Math.min(this.#top, config.vocab));
    this.#k = needed <= CANDIDATES ? needed : undefined;
    this.#endings = endingIds(context, options);
    this.#mask = AnswerMask.of(context, options, this.#endings);
    const specials = (tokenizer?.specialIds ?? []).map((id) => [id, tokenizer!.idToToken(id) ?? ""] as const);
    this.#named = new Map(specials.filter(([, name]) => name && stops.some((stop) => stop.includes(name))));
    checkAborted(options.signal, WHAT);
    this.#tokens = [...ids];
    const { speculate = false } = options;
    this.#speculation = speculate === false ? undefined : new Speculation(speculate === true ? {} : speculate);
    this.#speculation?.push(ids);
    this.pieces = new Queue(AHEAD, () => this.#resume());
  }

  /** Asks `onAllocate`, opens a sequence, which takes no memory yet, and hands the prompt to the scheduler. */
  async start(): Promise<void> {
    const { ids, rope, capacity, meaning, planned } = this.#request;
    const { signal, onPrefill, onAllocate, reusePrefix } = this.#options;
    const scheduler = this.#scheduler;
    const need = { tokens: capacity, kvBytes: scheduler.engine.memory.bytes(capacity) };
    if (onAllocate) await orAborted(() => onAllocate(need), signal, WHAT);
    checkAborted(signal, WHAT); // perhaps by onAllocate
    this.#sequence = scheduler.open({ capacity, rope, meaning, planned, shared: reusePrefix !== false });
    this.#over = onAbort(signal, () => this.#fail(aborted(signal!, WHAT)));
    this.#sequence.submit({
      ...this.#turn(ids),
      onStart: (cached) => {
        this.#cachedTokens = cached;
        this.#times.started = performance.now();
      },
      onProgress: onPrefill && ((done) => onPrefill(done, ids.length)),
    });
  }

  /** Gives back what the request holds; what it has computed of its tokens stays known to others. */
  close(): void {
    this.#over();
    this.#forget(this.#tokens.length);
    this.#sequence?.close();
  }

  #fail(reason: unknown): void {
    this.pieces.fail(reason);
    this.close();
  }

  #resume(): void {
    if (!this.#rests) return;
    this.#rests = false;
    this.#sequence!.submit(this.#next());
  }

  /** Ids that must not come yet. */
  get #barred(): Iterable<number> | undefined {
    return this.#out.ids.length < this.#sampling.minNewTokens ? this.#endings : undefined;
  }

  /** Feeds `ids` and draws from the logits of the last. */
  #turn(ids: ArrayLike<number>): Turn {
    const k = this.#barred || this.#mask ? undefined : this.#k;
    this.#mask?.prepare();
    return {
      ids,
      rows: "last",
      want: k === undefined ? "logits" : "candidates",
      k: k ?? 1,
      done: (rows) => this.#take(rows),
      failed: (reason) => this.#fail(reason),
    };
  }

  /** Feeds the token that was drawn last, and perhaps a draft of what follows it. */
  #next(): Turn {
    const turn = this.#turn(this.#tokens.slice(-1));
    const speculation = this.#speculation;
    if (!speculation) return turn;
    const draft = (most: number): readonly number[] => {
      const ids = speculation.draft(this.#draftable(most));
      return this.#mask ? this.#mask.draft(ids) : ids;
    };
    return { ...turn, draft };
  }

  /** Of `most` drafted tokens those that can be of use: the answer has room for them, and they have the last token's frequencies. */
  #draftable(most: number): number {
    const { rope, meaning, maxNewTokens } = this.#request;
    const { length } = this.#tokens;
    let count = Math.min(most, maxNewTokens - this.#out.ids.length - 1);
    if (meaning === "planned" || !dependsOnLength(rope)) return count;
    while (count > 0 && effectiveLength(rope, length + count) !== effectiveLength(rope, length)) count--;
    return count;
  }

  /**
   * Takes the logits of the last token and of each drafted one: a drafted token's count as long as the token itself was drawn. Says
   * what to feed next: nothing at the end, or while nobody reads.
   */
  #take(rows: readonly Output[]): Turn | undefined {
    const [sequence, tokens] = [this.#sequence!, this.#tokens];
    const { length } = tokens;
    if (length === this.#request.ids.length) sequence.publish(); // the prompt, for whoever begins with it while this one generates
    let [over, unsure, accepted] = [false, false, 0];
    for (const row of rows) {
      unsure = !(row instanceof Float32Array) && !isComplete(row, this.#k!);
      if (unsure) break;
      over = this.#draw(row);
      if (sequence.tokens[tokens.length - 1] !== tokens.at(-1)) break;
      accepted++;
      if (over) break;
    }
    this.#forget(tokens.length - 1);
    if (length > this.#request.ids.length) this.#speculation?.took(rows.length - 1, accepted);
    if (over) {
      this.close();
      this.pieces.end();
      return undefined;
    }
    // More ties with the k-th candidate than there is room for: ask for the whole row. The last token is computed once more at
    // its own position.
    if (unsure) return { ...this.#turn(tokens.slice(-1)), want: "logits" };
    if (!this.pieces.full) return this.#next();
    this.#rests = true;
    return undefined;
  }

  /** Forgets what was fed beyond these tokens: a draft that was not drawn, which nobody else is to know of either. */
  #forget(kept: number): void {
    if (this.#sequence && this.#sequence.tokens.length > kept) this.#sequence.rewind(kept);
  }

  /** Draws the next token and hands it over; whether it is the last. */
  #draw(row: Output): boolean {
    const [out, tokens] = [this.#out, this.#tokens];
    const allowed = this.#mask?.allowed();
    const history = { tokens, promptTokens: this.#request.ids.length, barred: this.#barred, allowed };
    const { id, logprob } = sample(row, this.#sampling, history, this.#random);
    this.#times.last = performance.now();
    this.#times.first ||= this.#times.last;
    out.ids.push(id);
    tokens.push(id);
    this.#speculation?.push([id]);
    const ended = this.#endings.has(id) || (this.#mask?.accept(id) ?? false);
    const last = ended || out.ids.length === this.#request.maxNewTokens;
    let text = this.#decoder ? this.#stop.push(this.#decoder.push(id)) : "";
    const name = this.#named.get(id);
    if (name !== undefined) text += this.#stop.pushSpecial(name);
    if (last && this.#decoder) text += this.#stop.push(this.#decoder.end()) + this.#stop.end();
    out.text += text;
    if (this.#options.logprobs) out.logprobs.push(logprob);
    if (this.#top > 0) out.top.push(mostLikely(row, this.#top));
    const report = {
      ...(this.#options.logprobs && { logprob }),
      ...(this.#top > 0 && { topLogprobs: out.top.at(-1)! }),
    };
    this.pieces.push({ id, text, ...report });
    if (ended || this.#stop.stopped) this.#finishReason = "stop";
    return last || this.#stop.stopped;
  }

  /** What came of it, once the pieces have ended. */
  completion(): Completion {
    const { ids, rope, meaning, planned } = this.#request;
    const out = this.#out;
    const { called, started, first, last } = this.#times;
    const [prefillMs, decodeMs] = [first - started, last - first];
    const later = out.ids.length - 1;
    const { steps = later, ...drafts } = this.#speculation?.counts ?? {};
    return {
      text: out.text,
      ids: out.ids,
      ...(this.#options.logprobs && { logprobs: out.logprobs }),
      ...(this.#top > 0 && { topLogprobs: out.top }),
      finishReason: this.#finishReason,
      usage: {
        promptTokens: ids.length,
        cachedTokens: this.#cachedTokens,
        completionTokens: out.ids.length,
        ...drafts,
      },
      timing: {
        firstTokenMs: first - called,
        prefillMs,
        decodeMs,
        prefillTokensPerSecond: (1000 * (ids.length - this.#cachedTokens)) / prefillMs,
        decodeTokensPerSecond: later > 0 ? (1000 * later) / decodeMs : 0,
        ...(this.#speculation && { tokensPerStep: later > 0 ? later / steps : 0 }),
      },
      rope: {
        ...describeRope(rope),
        n: meaning === "planned" && dependsOnLength(rope) ? planned : ids.length + out.ids.length,
        angles: meaning,
      },
    };
  }
}

const isComplete = ({ count }: Candidates, k: number): boolean => count >= k && count <= CANDIDATES;
