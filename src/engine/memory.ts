// memory.ts — what sequences take on the device: pages of keys and values, rows of the rotary table, parts of attention.
// It follows use: a sequence gets pages as its text grows, tensors grow by doubling up to what the open sequences could need,
// and what is kept only in case it is wanted again goes first when memory is short.

import { type CacheName, PAGE, SPLIT, caches, type Tensor, stride, tensorBytes } from "../../kernels/index.ts";
import type { Gpu } from "../device/gpu.ts";
import { LlariatError } from "../error.ts";
import type { ModelConfig } from "../model/families.ts";
import type { Rope } from "../rope/index.ts";
import { AngleTable, LEAST_ROWS } from "./angles.ts";
import { GROW_PAGES, KvCache, defaultCache, type KvShape, pagesFor, windowOf } from "./kvcache.ts";
import { PrefixCache } from "./prefix.ts";
import type { Sequence } from "./sequence.ts";
import { MAX_SINGLES } from "./step.ts";

/** How keys and values are held, and bounds on them in bytes. */
export interface MemoryLimits {
  /** How a token's keys and values lie; default: as they are computed. */
  readonly kvCache?: CacheName;
  /** Most that the pool may take; default: what a binding holds and the device gives. */
  readonly maxKvBytes?: number;
  /**
   * The pool grows rather than evict known prefixes, as long as those that nobody uses stay below this. Default: 64 MiB or an
   * eighth of the weights, whichever is more: what a conversation or two need, and little beside the model.
   */
  readonly idleKvBytes?: number;
}

/** A model and its steps, as far as its memory depends on them. */
export type MemoryShape = KvShape &
  Pick<ModelConfig, "heads" | "windows"> & {
    readonly rope: Pick<Rope, "headDim">;
    /** Most tokens of a step. */
    readonly maxRows: number;
  };

/** What memory asks of a device. */
export type MemoryDevice = Pick<Gpu, "create" | "resize" | "copyWithin" | "check" | "maxBindingBytes" | "memory">;

/** Table rows and parts of attention come for this many tokens at a time, as the pool's pages do. */
const GROW_TOKENS = GROW_PAGES * PAGE;

/** The tensors that grow with the sequences of one model, and who has which part of them. */
export class SequenceMemory {
  readonly kv: KvCache;
  readonly prefixes: PrefixCache;
  /** Most keys that any layer attends to; undefined unless all have a window. Pages before it are given back. */
  readonly window: number | undefined;
  readonly angles: AngleTable;
  /** Parts of decode attention: [rows that stand alone · heads · parts of the longest sequence, headDim + 2] f32. */
  partials: Tensor;
  /** Most pages the pool may have. */
  readonly maxPages: number;
  /** How often pages were given up: while it stays the same, what did not fit does not fit. */
  released = 0;
  readonly #gpu: MemoryDevice;
  readonly #config: MemoryShape;
  readonly #idleKvBytes: number | undefined;
  readonly #replaced: () => void;
  readonly #open = new Set<Sequence>();

  /** `replaced` is called when tensors have other buffers: recordings that bind them are void. */
  constructor(gpu: MemoryDevice, config: MemoryShape, limits: MemoryLimits, replaced: () => void) {
    this.#gpu = gpu;
    this.#config = config;
    this.#replaced = replaced;
    this.window = windowOf(config);
    this.prefixes = new PrefixCache(this.window);
    this.kv = new KvCache(gpu, config, caches[limits.kvCache ?? defaultCache]);
    this.angles = new AngleTable(gpu, config.rope.headDim);
    this.partials = this.#parts(SPLIT);
    gpu.create(this.partials, "activations");
    const { pageBytes, maxPages } = this.kv;
    this.maxPages = Math.min(maxPages, Math.floor((limits.maxKvBytes ?? Infinity) / pageBytes));
    this.#idleKvBytes = limits.idleKvBytes;
  }

  /** Asked at each use: the weights may still be on their way when this is made. */
  get #idlePages(): number {
    const idle = this.#idleKvBytes ?? Math.max(64 << 20, this.#gpu.memory.weights / 8);
    return Math.floor(idle / this.kv.pageBytes);
  }

  /** Longest sequence: what the bindings of this device, and the pool, can hold of its keys, angles and parts. */
  get maxTokens(): number {
    const { headDim } = this.#config.rope;
    const limit = this.#gpu.maxBindingBytes;
    const rows = Math.floor(limit / (4 * stride(headDim)));
    const parts = Math.floor(limit / tensorBytes(this.#parts(SPLIT)));
    const tokens = this.need(Infinity) <= this.maxPages ? Infinity : this.maxPages * PAGE;
    return Math.min(tokens, rows, parts * SPLIT);
  }

  /** Most pages that a sequence of `tokens` tokens holds at a time: with a window those of a step and of what it attends to. */
  need(tokens: number): number {
    const all = pagesFor(tokens);
    return this.window === undefined ? all : Math.min(all, pagesFor(this.window - 1 + this.#config.maxRows) + 1);
  }

  /** Refuses a sequence that could never be held. Throws `context` saying what the bound is. */
  checkCapacity(tokens: number): void {
    if (tokens <= this.maxTokens) return;
    const limited = this.maxPages < this.kv.maxPages && this.maxTokens === this.maxPages * PAGE;
    const most = limited ? "within maxKvBytes one sequence" : "one sequence on this device";
    const problem = `${tokens} tokens are asked for, ${most} holds ${this.maxTokens} at most`;
    const other = limited ? "load with a larger maxKvBytes" : "use another adapter";
    throw new LlariatError("context", problem, { advice: `use a shorter prompt or fewer new tokens, or ${other}` });
  }

  /** A sequence that may ask for memory. */
  add(sequence: Sequence): void {
    this.#open.add(sequence);
  }

  /** Bytes of keys and values that a sequence of `tokens` tokens holds at a time, in whole pages. */
  bytes(tokens: number): number {
    return this.need(tokens) * this.kv.pageBytes;
  }

  /** Whether `tokens` tokens fit beside what sequences hold and `promised` pages more. */
  fits(tokens: number, promised: number): boolean {
    const held = this.kv.pages - this.kv.freePages - this.prefixes.idle;
    return held + promised + this.need(tokens) <= this.maxPages;
  }

  /** Lets a sequence without pages start with what is known of its tokens; how many of them that spares. */
  async begin(sequence: Sequence): Promise<number> {
    const { shared } = sequence.angles;
    if (!sequence.shared || shared === undefined) return 0;
    const { pages, passed, begun } = this.prefixes.match(shared, sequence.tokens);
    sequence.adopt(pages, passed);
    if (!begun || (await this.#makeRoom(sequence, 1, sequence.length + begun.tokens))) return sequence.length;
    if (!this.#open.has(sequence)) return 0;
    const [page] = this.kv.take(1);
    const pageBytes = this.kv.pageBytes / this.kv.layers.length / 2;
    const tensors = this.kv.layers.flatMap(({ keys, values }) => [keys, values]);
    if (page !== begun.page) this.#gpu.copyWithin(tensors, begun.page * pageBytes, page * pageBytes, pageBytes);
    sequence.adopt(pages, passed, { page, tokens: begun.tokens });
    return sequence.length;
  }

  /**
   * Gives a sequence what its first `tokens` tokens need, after it has given back what its windows have passed; one that is
   * closed meanwhile gets nothing. Where memory does not suffice: nothing, and the error that says so.
   */
  async reserve(sequence: Sequence, tokens: number): Promise<LlariatError | undefined> {
    this.#gpu.check();
    const { own, prefix } = sequence.pass();
    if (own.length + prefix.length > 0) this.released++;
    this.kv.release(own);
    this.prefixes.pass(prefix);
    const count = pagesFor(tokens) - sequence.pages.length;
    const short = await this.#makeRoom(sequence, count, tokens);
    if (!short && this.#open.has(sequence)) sequence.extend(this.kv.take(count));
    return short;
  }

  /** Lets others use what a sequence has computed; with `tail` also a page that is not full, into which it writes no more. */
  publish(sequence: Sequence, tail = false): void {
    const { angles, pages, prefix, length, tokens } = sequence;
    if (!sequence.shared || angles.shared === undefined) return;
    const freed: number[] = [];
    sequence.share(this.prefixes.publish(angles.shared, tokens.slice(0, length), pages, prefix, { tail, freed }));
    this.kv.release(freed);
  }

  /** Takes a sequence's pages; what others could use of them stays known until the memory is needed. */
  giveUp(sequence: Sequence): void {
    this.publish(sequence, true);
    this.released++;
    const { own, prefix, passed } = sequence.giveUp();
    this.kv.release(own);
    this.prefixes.release(prefix, passed);
  }

  /** The sequence is over. */
  release(sequence: Sequence): void {
    if (!this.#open.delete(sequence)) return;
    this.giveUp(sequence);
    this.angles.release(sequence.angles);
  }

  /** Forgets prefixes that nobody uses, and gives back what the open sequences do not hold. */
  async trim(): Promise<void> {
    for (;;) {
      const page = this.prefixes.evict();
      if (page === undefined) break;
      this.kv.release([page]);
    }
    const longest = [...this.#open].reduce((most, { pages }) => Math.max(most, pages.length * PAGE), SPLIT);
    const error = await this.#resize(this.kv.usedEnd, Math.max(LEAST_ROWS, this.angles.rows), this.#parts(longest));
    if (error) throw error;
  }

  /** Makes room for `count` pages more, and for the angles and the parts of `tokens` tokens of a sequence. */
  async #makeRoom(sequence: Sequence, count: number, tokens: number): Promise<LlariatError | undefined> {
    const { kv, angles, prefixes } = this;
    while (count > kv.freePages && prefixes.idle > this.#idlePages) kv.release([prefixes.evict()!]);
    const wide = (now: number) =>
      Math.min(sequence.capacity, Math.max(Math.ceil(tokens / GROW_TOKENS) * GROW_TOKENS, now));
    const { rows: held } = sequence.angles.region;
    const undo = angles.fit(sequence.angles, wide(0) > held ? wide(2 * held) : held);
    const rows = angles.rows > angles.tensor.shape[0] ? Math.max(angles.rows, GROW_TOKENS) : angles.tensor.shape[0];
    const needed = this.#parts(wide(0)).shape[0] > this.partials.shape[0];
    const parts = needed ? this.#parts(wide(2 * this.#partTokens)) : this.partials;
    let short: LlariatError | undefined;
    for (const pages of this.#sizes(count)) {
      short = await this.#resize(pages, rows, parts);
      if (!short) return undefined;
    }
    // No more than there is: what is kept only in case it is wanted again goes.
    while (count > kv.freePages && prefixes.idle > 0) kv.release([prefixes.evict()!]);
    if (count <= kv.freePages) short = await this.#resize(kv.pages, rows, parts);
    else short ??= this.full();
    if (short) undo();
    return short;
  }

  /** Sizes of a pool that has `count` pages free, the most generous first; none if the limit does not allow it. */
  #sizes(count: number): number[] {
    const { pages, freePages } = this.kv;
    const least = pages + Math.max(0, count - freePages);
    if (least === pages) return [pages];
    if (least > this.maxPages) return [];
    // Doubling, so that a long text copies the pool seldom; never beyond what the open sequences could come to need.
    const demand = [...this.#open].reduce((sum, { capacity }) => sum + this.need(capacity), this.prefixes.idle);
    const generous = Math.max(least, Math.min(2 * pages, demand));
    const rounded = [generous, least].map((size) => Math.ceil(size / GROW_PAGES) * GROW_PAGES);
    return [...new Set([...rounded.map((size) => Math.min(size, this.maxPages)), least])];
  }

  /** Brings the tensors to these sizes, all or none. */
  async #resize(pages: number, rows: number, partials: Tensor): Promise<LlariatError | undefined> {
    const { kv, angles } = this;
    const layers = pages === kv.pages ? undefined : kv.sized(pages);
    const table = rows === angles.tensor.shape[0] ? undefined : angles.sized(rows);
    const parts = partials.shape[0] === this.partials.shape[0] ? undefined : partials;
    const tensors = [...(layers ?? []).flatMap(({ keys, values }) => [keys, values]), table, parts];
    const changed = tensors.filter((tensor) => tensor !== undefined);
    if (changed.length === 0) return undefined;
    const error = await this.#gpu.resize(changed);
    if (error) return error;
    if (layers) kv.adopt(layers);
    if (table) angles.tensor = table;
    if (parts) this.partials = parts;
    this.#replaced();
    return undefined;
  }

  /** The error of who finds no page. */
  full(): LlariatError {
    const bytes = this.maxPages * this.kv.pageBytes;
    const what = `keys and values may take ${bytes} bytes (${this.maxPages * PAGE} tokens) and all are in use`;
    return new LlariatError("device", `${what}; ask for fewer new tokens or fewer requests at a time`);
  }

  /** Tokens that `partials` is large enough for. */
  get #partTokens(): number {
    return (this.partials.shape[0] / (MAX_SINGLES * this.#config.heads)) * SPLIT;
  }

  #parts(tokens: number): Tensor {
    const { heads, headDim } = this.#config;
    return { name: "partials", dtype: "f32", shape: [MAX_SINGLES * heads * Math.ceil(tokens / SPLIT), headDim + 2] };
  }
}
