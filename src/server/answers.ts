// answers.ts — the answers to one request: checked, admitted, computed side by side, and handed over as they come.

import { LlariatError } from "../error.ts";
import type { Completion, GenerateOptions, Llama, Piece, Prompt } from "../index.ts";
import { onAbort } from "../text/abort.ts";
import { Admission, type Leave } from "./admission.ts";
import type { Core, Served } from "./core.ts";
import { toHttp } from "./error.ts";

/** A request: prompts, each answered `n` times; answer i · n + j is the j-th to prompt i. */
export interface Asked {
  readonly prompts: readonly Prompt[];
  readonly n: number;
  readonly options: GenerateOptions;
  /** How an answer comes to be; default: it is generated. It must call `options.onAllocate` as `generate` does. */
  readonly generate?: (llama: Llama, prompt: Prompt, options: GenerateOptions) => AsyncGenerator<Piece, Completion>;
}

/** What became of one of the answers: the next piece, or in the end the whole. */
export type Event =
  | { readonly index: number; readonly piece: Piece; readonly completion?: undefined }
  | { readonly index: number; readonly piece?: undefined; readonly completion: Completion };

interface Offer {
  readonly event: Event;
  readonly taken: () => void;
}

/**
 * The answers to a request. All prompts are checked first, then the request waits for its places, then it computes: the first
 * answer to each prompt, and when that has begun the others, which find the prompt known. Pieces are made as fast as they are
 * taken. Ends with the client's signal, within a step, and with the server's.
 */
export class Answers {
  /** Resolves when every prompt was found right and the request has a place or may wait for one; throws what is wrong. */
  readonly checked: Promise<void>;
  readonly #served: Served;
  readonly #asked: Asked;
  readonly #stop = new AbortController();
  readonly #over: () => void;
  readonly #offers: Offer[] = [];
  /** Places of this request, of which each answer takes one. */
  readonly #own: Admission;
  #wake: () => void = () => {};
  #failure: { readonly error: unknown } | undefined;
  #unchecked: number;
  #running: number;
  #leave: Leave = () => {};
  readonly #began = performance.now();
  #admit!: (entered: Promise<void>) => void;
  #refuse!: (error: unknown) => void;
  readonly #admitted = new Promise<void>((resolve, reject) => ([this.#admit, this.#refuse] = [resolve, reject]));
  #found!: () => void;
  #wrong!: (error: unknown) => void;

  /** Begins at once. `signal` is the client's. */
  constructor(core: Core, served: Served, asked: Asked, signal: AbortSignal) {
    this.#served = served;
    this.#asked = asked;
    const { prompts, n } = asked;
    const count = prompts.length * n;
    this.#own = new Admission(Math.min(count, served.admission.places), Infinity);
    this.#unchecked = count;
    this.#running = count;
    this.checked = new Promise<void>((resolve, reject) => ([this.#found, this.#wrong] = [resolve, reject]));
    // Who reads the events hears of it there.
    this.checked.catch(() => {});
    this.#admitted.catch(() => {});
    const unheard = [signal, core.stop.signal].map((each) => {
      if (each.aborted) this.#stop.abort(each.reason);
      return onAbort(each, () => this.#stop.abort(each.reason));
    });
    this.#over = () => unheard.forEach((off) => off());
    core.track(this.#run(prompts, n));
  }

  /** Ends what still runs. */
  end(): void {
    this.#stop.abort();
    for (const { taken } of this.#offers.splice(0)) taken();
  }

  /** Events in the order in which they come. Leaving the loop ends the request. */
  async *[Symbol.asyncIterator](): AsyncGenerator<Event, void, undefined> {
    try {
      for (;;) {
        if (this.#failure) throw this.#failure.error;
        const offer = this.#offers.shift();
        if (offer) {
          offer.taken();
          yield offer.event;
        } else if (this.#running === 0) return;
        else await new Promise<void>((resolve) => (this.#wake = resolve));
      }
    } finally {
      this.end();
    }
  }

  async #run(prompts: readonly Prompt[], n: number): Promise<void> {
    const all = prompts.flatMap((prompt, i) => {
      let begin!: () => void;
      const known = new Promise<void>((resolve) => (begin = resolve));
      return Array.from({ length: n }, (_, j) => this.#answer(i * n + j, prompt, { j, known, begin }));
    });
    await Promise.allSettled(all);
    this.#leave();
    this.#over();
    this.#served.metrics.request.observe((performance.now() - this.#began) / 1000);
  }

  async #answer(
    index: number,
    prompt: Prompt,
    { j, known, begin }: { readonly j: number; readonly known: Promise<void>; readonly begin: () => void },
  ): Promise<void> {
    const { options, generate } = this.#asked;
    const { seed } = options;
    const { llama, metrics } = this.#served;
    const { signal } = this.#stop;
    let leave: Leave = () => {};
    const own: GenerateOptions = {
      ...options,
      ...(seed !== undefined && { seed: seed + j }),
      signal,
      onAllocate: async () => {
        this.#check();
        await this.#admitted;
        if (j > 0) await known;
        leave = await this.#own.enter(1, signal);
      },
    };
    let last = 0;
    try {
      const pieces = generate ? generate(llama, prompt, own) : llama.generate(prompt, own);
      for (;;) {
        const next = await pieces.next();
        begin();
        if (next.done) {
          this.#served.failures = 0;
          metrics.done(next.value);
          await this.#offer({ index, completion: next.value });
          return;
        }
        const now = performance.now();
        if (last === 0) metrics.firstToken.observe((now - this.#began) / 1000);
        else metrics.betweenTokens.observe((now - last) / 1000);
        last = now;
        metrics.tokens.generated++;
        await this.#offer({ index, piece: next.value });
      }
    } catch (error) {
      this.#fail(error);
      metrics.ended(endOf(error));
    } finally {
      begin();
      leave();
      this.#running--;
      this.#wake();
    }
  }

  /** One more prompt is right; after the last the request goes for its places. Throws HttpError 429 where the queue is full. */
  #check(): void {
    if (--this.#unchecked > 0) return;
    const entered = this.#served.admission.enter(this.#own.places, this.#stop.signal);
    this.#found();
    const waited = performance.now();
    this.#admit(
      entered.then((leave) => {
        this.#leave = leave;
        this.#served.metrics.queue.observe((performance.now() - waited) / 1000);
      }),
    );
  }

  #offer(event: Event): Promise<void> {
    if (this.#stop.signal.aborted) return Promise.resolve();
    return new Promise((taken) => {
      this.#offers.push({ event, taken });
      this.#wake();
    });
  }

  /** The first failure is the request's; the others end with it. */
  #fail(error: unknown): void {
    if (this.#failure) return;
    this.#failure = { error };
    if (error instanceof LlariatError && error.code === "device") this.#served.failures++;
    this.#wrong(error);
    this.#refuse(error);
    this.end();
    this.#wake();
  }
}

/** How an answer ended that has failed, in a word. */
function endOf(error: unknown): string {
  const { status } = toHttp(error);
  if (status === 499) return "aborted";
  return status < 500 ? "refused" : "failed";
}
