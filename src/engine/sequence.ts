// sequence.ts — one text on its way through the model: its tokens, and how far their keys and values are in the cache.
// What is computed can be given up at any time and computed again from the tokens; that is how requests wait for memory.

import { type Candidates, PAGE } from "../../kernels/index.ts";
import { LlariatError, aborted } from "../error.ts";
import { dependsOnLength, effectiveLength } from "../rope/index.ts";
import type { Want } from "../model/forward.ts";
import { onAbort } from "../text/abort.ts";
import type { Angles } from "./angles.ts";
import { GONE, type PrefixCache, type PrefixPage, pagesBefore } from "./prefix.ts";

/**
 * What a step gives back for one row: the largest logits, or all of them [vocab], valid until the caller's next turn. Of hidden
 * rows: the sum [dim] of those that a step computes of a turn.
 */
export type Output = Candidates | Float32Array;

/** Tokens to compute, and what is wanted of them. Its functions are called between two steps and must not wait. */
export interface Turn {
  /** They follow the tokens the sequence has. */
  readonly ids: ArrayLike<number>;
  /**
   * Tokens that are guessed to follow `ids`, at most as many as are said to have room; asked for once, when the turn begins. A
   * step has room for all of `ids` before them, and drops the last of them where rows, memory or frequencies do not suffice.
   * What it computes of them are tokens of the sequence: who asked rewinds to before the first that was guessed wrong.
   */
  readonly draft?: (most: number) => readonly number[];
  /** Rows whose logits, or hidden states, are wanted: of the last of `ids` and each drafted token that was computed, or of each of all. */
  readonly rows: "last" | "all";
  readonly want: Want;
  /** Candidates wanted per row, with all that tie with the k-th. */
  readonly k: number;
  /** Called when the sequence gets its first pages, with the tokens that a known prefix spares it. */
  readonly onStart?: (cached: number) => void;
  /** Called after each chunk with the tokens of `ids` that are computed. */
  readonly onProgress?: (done: number) => void;
  /** Takes the outputs, one per wanted row (of hidden states one per step). The next turn, which then shares the next step, or undefined to rest. */
  readonly done: (outputs: readonly Output[]) => Turn | undefined;
  /** The turn cannot end, or one of its functions has thrown; the sequence is closed. */
  readonly failed: (reason: unknown) => void;
}

/** Who computes the turns of a sequence (scheduler.ts). */
export interface SequenceHost {
  submit(sequence: Sequence, turn: Turn): void;
  publish(sequence: Sequence): void;
  /** A sequence no longer uses these shared pages, of which it had `passed` the first. */
  letGo(...released: Parameters<PrefixCache["release"]>): void;
  close(sequence: Sequence): void;
}

/** What a sequence is opened with. */
export interface SequenceOptions {
  /** Most tokens it will have. */
  readonly capacity: number;
  readonly angles: Angles;
  /** Keys and values of equal beginnings may be shared with other sequences. */
  readonly shared: boolean;
  /** Most keys that any layer attends to, if all have a window. */
  readonly window?: number;
}

/** A sequence in the cache. `feed`, `rewind` and `close` are for who opened it; the rest is the engine's. */
export class Sequence {
  readonly capacity: number;
  readonly shared: boolean;
  #angles: Angles;
  readonly #host: SequenceHost;
  readonly #window: number | undefined;
  readonly #tokens: number[] = [];
  /** The n that tokens up to `end` were fed with; kept only if frequencies follow it, so that each token keeps its own. */
  readonly #lengths: { end: number; readonly n: number }[] | undefined;
  #length = 0;
  #pages: number[] = [];
  #prefix: PrefixPage[] = [];
  #passed = 0;
  /** The offsets of positions where they are not 0, 1, 2 …, each from a token on. */
  #offsets: { readonly from: number; readonly offset: number }[] = [];

  constructor(host: SequenceHost, { capacity, angles, window, shared }: SequenceOptions) {
    this.#host = host;
    this.#window = window;
    this.capacity = capacity;
    this.#angles = angles;
    this.shared = shared && angles.shared !== undefined;
    this.#lengths = angles.meaning !== "planned" && dependsOnLength(angles.rope) ? [] : undefined;
  }

  /** Its range of the rotary table. */
  get angles(): Angles {
    return this.#angles;
  }

  /** Every token fed, computed or not. Read only. */
  get tokens(): readonly number[] {
    return this.#tokens;
  }

  /** Tokens whose keys and values are in the cache. */
  get length(): number {
    return this.#length;
  }

  /** Tokens that are not computed, or no longer. */
  get pending(): number {
    return this.#tokens.length - this.#length;
  }

  /** Pool pages that hold positions 0 …, in order; `GONE` those that every window has passed. */
  get pages(): readonly number[] {
    return this.#pages;
  }

  /** The first of its pages that it has given up because no later token attends to them. */
  get passed(): number {
    return this.#passed;
  }

  /** The first of its pages, as far as they are shared with other sequences (prefix.ts). */
  get prefix(): readonly PrefixPage[] {
    return this.#prefix;
  }

  /** Its keys and values are not given up for others: with gaps between positions they would come again run by run. */
  get pinned(): boolean {
    return this.#offsets.length > 0;
  }

  /**
   * Computes `ids` after the tokens it has; one output per wanted row, of hidden states one per step. At most `capacity` tokens in all.
   * @throws LlariatError("device") where memory does not suffice, "closed" if the model is closed; `signal` rejects at once.
   */
  feed(
    ids: ArrayLike<number>,
    options: Partial<Pick<Turn, "rows" | "want" | "k" | "onProgress">> & { signal?: AbortSignal } = {},
  ): Promise<readonly Output[]> {
    const { signal, rows = "last", want = "logits", k = 1, onProgress } = options;
    return new Promise((resolve, reject) => {
      const stop = () => {
        this.close();
        reject(aborted(signal!, "computing a request"));
      };
      if (signal?.aborted) return stop();
      const over = onAbort(signal, stop);
      this.submit({
        ids,
        rows,
        want,
        k,
        onProgress,
        done(outputs) {
          over();
          resolve(outputs);
          return undefined;
        },
        failed(reason) {
          over();
          reject(reason);
        },
      });
    });
  }

  /** As `feed`, for a turn that says what comes after it. */
  submit(turn: Turn): void {
    this.#host.submit(this, turn);
  }

  /**
   * Forgets the tokens from `length` on. Pages that others use as well are not written again: they are let go. Where the
   * next token's window reaches back to pages that are given up, all of it is computed again.
   */
  rewind(length: number): void {
    if (!(length >= 0 && length <= this.#tokens.length)) {
      throw new LlariatError("kernel", `rewind: needs 0 … ${this.#tokens.length} tokens, got ${length}`);
    }
    this.#tokens.length = length;
    if (this.#lengths) {
      const kept = this.#lengths.findIndex(({ end }) => end >= length);
      if (kept >= 0) this.#lengths[kept].end = length;
      if (kept >= 0) this.#lengths.length = kept + 1;
    }
    this.#length = Math.min(this.#length, length);
    const shared = this.#prefix.length;
    if (shared * PAGE > this.#length) this.#letGo(Math.floor(this.#length / PAGE));
    if (this.#passed > pagesBefore(this.#length, this.#window)) this.#letGo(0);
    this.angles.rewind(this.#length);
  }

  /** Keeps `kept` of the shared pages, and those of its own, to write to them again after that. */
  #letGo(kept: number): void {
    const own = this.#pages.slice(this.#prefix.length).filter((page) => page !== GONE);
    this.#host.letGo(this.#prefix.splice(kept), Math.max(0, this.#passed - kept));
    this.#pages = [...this.#pages.slice(0, kept), ...own];
    this.#passed = Math.min(this.#passed, kept);
    this.#length = kept * PAGE;
  }

  /** Lets others use what is computed of its tokens, in whole pages. */
  publish(): void {
    if (this.shared) this.#host.publish(this);
  }

  /** Gives everything back. A step under way may still write to its pages; later steps that use them run after it. */
  close(): void {
    this.#host.close(this);
  }

  /** The position of the next token is `position`, not the number of tokens: for layouts with gaps. */
  at(position: number): void {
    const from = this.#tokens.length;
    this.angles.offset = position - from;
    this.#offsets = [...this.#offsets.filter((run) => run.from < from), { from, offset: position - from }];
  }

  /** Adds tokens to be computed. */
  push(ids: ArrayLike<number>): void {
    if (this.#tokens.length + ids.length > this.capacity) {
      const got = `${this.#tokens.length} + ${ids.length} tokens`;
      throw new LlariatError("kernel", `a sequence opened for ${this.capacity} tokens got ${got}; open it for more`);
    }
    for (let i = 0; i < ids.length; i++) this.#tokens.push(ids[i]);
    const end = this.#tokens.length;
    this.#lengths?.push({ end, n: end + this.angles.offset });
  }

  /** The next tokens that can be computed in one go, and the total length n that their frequencies are for. */
  chunk(most: number): { count: number; n: number } {
    const lengths = this.#lengths;
    if (this.#offsets.length > 0) {
      // After a loss of pages runs come again, each with its own offset.
      const next = this.#offsets.find(({ from }) => from > this.#length);
      this.angles.offset = this.#offsets.findLast(({ from }) => from <= this.#length)?.offset ?? 0;
      most = Math.min(most, (next?.from ?? Infinity) - this.#length);
    }
    if (!lengths) return { count: Math.min(this.pending, most), n: this.#tokens.length };
    // After a loss of pages, tokens that came one by one go on together as long as their frequencies are the same.
    const effective = (i: number) => effectiveLength(this.angles.rope, lengths[i].n);
    let i = lengths.findIndex(({ end }) => end > this.#length);
    while (i + 1 < lengths.length && effective(i + 1) === effective(i)) i++;
    return { count: Math.min(lengths[i].end - this.#length, most), n: lengths[i].n };
  }

  /** `count` tokens more are in the cache, or on their way there. */
  advance(count: number): void {
    this.#length += count;
  }

  /** Takes pages of the pool; they come after those it has. */
  extend(pages: readonly number[]): void {
    this.#pages.push(...pages);
  }

  /** Starts with pages that hold its first tokens: shared ones, and of its own a copy of `copied` tokens. */
  adopt(prefix: readonly PrefixPage[], passed: number, own?: { page: number; tokens: number }): void {
    this.#prefix = [...prefix];
    this.#passed = passed;
    this.#pages = prefix.map(({ page }, i) => (i < passed ? GONE : page!));
    if (own) this.#pages.push(own.page);
    this.#length = prefix.length * PAGE + (own?.tokens ?? 0);
  }

  /** These pages, after those that are shared already, belong to the prefixes now. */
  share(pages: readonly PrefixPage[]): void {
    this.#prefix.push(...pages);
  }

  /** Gives the pages up that no window reaches from here on: its own, and of the shared ones its part. */
  pass(): { own: number[]; prefix: PrefixPage[] } {
    const from = this.#passed;
    const to = Math.max(from, pagesBefore(this.#length, this.#window));
    const prefix = this.#prefix.slice(from, to);
    const own = this.#pages.slice(Math.max(from, this.#prefix.length), to);
    this.#pages.fill(GONE, from, to);
    this.#passed = to;
    return { own, prefix };
  }

  /** Goes on in another cache, which holds nothing of it yet, with a range of that cache's table. */
  move(angles: Angles): void {
    this.giveUp();
    this.#angles = angles;
  }

  /** Gives its pages up: what it was computed into. Its tokens stay, to be computed again. */
  giveUp(): { own: number[]; prefix: PrefixPage[]; passed: number } {
    const { length } = this.#prefix;
    const own = this.#pages.slice(Math.max(length, this.#passed));
    const given = { own, prefix: this.#prefix, passed: this.#passed };
    [this.#pages, this.#prefix, this.#passed, this.#length] = [[], [], 0, 0];
    this.angles.rewind(0);
    return given;
  }
}
