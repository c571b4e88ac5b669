// scheduler.ts — who computes next: it owns the loop of steps. Prompts go in chunks, the next tokens of all others beside
// them; whoever finds no memory waits, and the youngest gives way.

import { LlariatError } from "../error.ts";
import type { Angles } from "./angles.ts";
import { Between } from "./between.ts";
import type { Engine } from "./engine.ts";
import type { Chosen, Entry, OpenOptions } from "./entry.ts";
import { addDraft, cutDraft, decodes, draftRoom, newEntry, segmentOf } from "./entry.ts";
import type { Recovery } from "./placement.ts";
import type { PrefixPage } from "./prefix.ts";
import { type Output, Sequence, type Turn } from "./sequence.ts";
import { MAX_SINGLES } from "./step.ts";

/** What the scheduler asks of whoever computes its steps. */
export type StepEngine = Pick<Engine, "memory" | "maxRows" | "maxOutputs" | "maxSequences" | "prepare" | "step">;

/**
 * Collects the turns of all sequences and runs them in steps, one after another. Rows of different sequences do not influence
 * each other, so a sequence gets the same outputs alone and in company.
 */
export class Scheduler<E extends StepEngine = Engine> {
  #engine: E;
  readonly #placement: Recovery<E> | undefined;
  readonly #entries = new Map<Sequence, Entry>();
  #opened = 0;
  #served = 0;
  #running = false;
  /** Whether the last step that had to choose between hidden rows and logits took hidden rows. */
  #pooling = false;
  #closed: LlariatError | undefined;
  readonly #between = new Between();

  /** With `placement` the loss of the device is an interruption: everybody goes on with the engine that it gives. */
  constructor(engine: E, placement?: Recovery<E>) {
    this.#engine = engine;
    this.#placement = placement;
  }

  /** After the loss of a device it is another. */
  get engine(): E {
    return this.#engine;
  }

  /**
   * Opens an empty sequence; nothing is allocated before its first turn.
   * @throws LlariatError("context") for a capacity that this device, or the limit on keys and values, cannot hold.
   */
  open(options: OpenOptions): Sequence {
    const { capacity, shared = false } = options;
    const { memory } = this.engine;
    const angles = this.#angles(options);
    const sequence = new Sequence(this, { capacity, angles, shared, window: memory.window });
    memory.add(sequence);
    this.#entries.set(sequence, newEntry(sequence, options, this.#opened++));
    return sequence;
  }

  #angles({ capacity, rope, meaning, planned, gaps = false }: OpenOptions): Angles {
    const { memory } = this.engine;
    memory.checkCapacity(capacity);
    return memory.angles.take({ rope, meaning, rows: gaps ? capacity : 0, planned, gaps });
  }

  /** Takes a turn of a sequence that rests. Used by Sequence. */
  submit(sequence: Sequence, turn: Turn): void {
    const entry = this.#entries.get(sequence);
    if (this.#closed || !entry) {
      turn.failed(this.#closed ?? new LlariatError("closed", "this sequence is closed; open another"));
      return;
    }
    if (entry.turn) throw new LlariatError("kernel", "a sequence was fed before its last turn had ended");
    this.#begin(entry, turn);
    this.#start();
  }

  /** Shares whole pages of what is computed. Used by Sequence. */
  publish(sequence: Sequence): void {
    if (this.#entries.has(sequence)) this.engine.memory.publish(sequence);
  }

  /** Takes shared pages back that a sequence no longer uses. Used by Sequence. */
  letGo(pages: readonly PrefixPage[], passed: number): void {
    this.engine.memory.prefixes.release(pages, passed);
  }

  /** Ends a sequence and gives back what it holds. Used by Sequence. */
  close(sequence: Sequence): void {
    const entry = this.#entries.get(sequence);
    if (!entry) return;
    this.#entries.delete(sequence);
    // The loop may hold the entry while it makes memory for another: it has nothing to compute any more.
    [entry.turn, entry.started] = [undefined, false];
    this.engine.memory.release(sequence);
  }

  /** Runs `work` between two steps: after the one under way, before the next. */
  between<T>(work: () => Promise<T>): Promise<T> {
    const done = this.#between.add(work);
    this.#start();
    return done;
  }

  /** Fails every turn, now and later. */
  end(reason: LlariatError): void {
    this.#closed = reason;
    this.#between.fail(reason);
    for (const entry of this.#entries.values()) this.#fail(entry, reason);
  }

  /** Starts the loop, unless it runs. */
  #start(): void {
    if (this.#running) return;
    this.#running = true;
    void this.#run();
  }

  /** The loop, as long as there is something to do. Whatever is thrown at it, it can be started again. */
  async #run(): Promise<void> {
    try {
      await this.#loop();
    } catch (error) {
      // Nobody may wait for a loop that has ended.
      for (const entry of this.#active()) this.#fail(entry, error);
    } finally {
      this.#running = false;
    }
    if (this.#between.waits || this.#active().length > 0) this.#start();
  }

  #begin(entry: Entry, turn: Turn): void {
    entry.from = entry.sequence.tokens.length;
    entry.sequence.push(turn.ids);
    entry.turn = turn;
    [entry.outputs, entry.given] = [[], 0];
    entry.drafted = 0;
    addDraft(entry, turn.draft?.(draftRoom(this.#active(), this.engine)) ?? []);
  }

  async #loop(): Promise<void> {
    await Promise.resolve(); // requests of the same moment share the first step
    for (let passes = 0; ;) {
      if (this.#placement?.lost && (this.#between.waits || this.#active().length > 0)) {
        await this.#move(this.#placement);
        passes = 0;
      }
      if (this.#between.waits) await this.#between.run((error) => this.#interrupted(error));
      await this.#admit();
      const chosen = await this.#choose();
      const active = this.#active();
      if (chosen.length > 0) await this.#step(chosen);
      else if (active.length === 0 && !this.#between.waits) break;
      // Whoever waits does so for another that goes on. Should all wait, the oldest is told, rather than all for ever.
      passes = chosen.length > 0 ? 0 : passes + 1;
      if (passes > this.#entries.size + 1 && active.length > 0) this.#fail(active[0], this.engine.memory.full());
    }
  }

  /** Goes on with another engine: everybody has lost their pages, as if they had given way, and comes again. */
  async #move(placement: Recovery<E>): Promise<void> {
    try {
      this.#engine = await placement.replace();
    } catch (error) {
      this.#between.fail(error);
      for (const entry of this.#active()) this.#fail(entry, error);
      return;
    }
    for (const entry of this.#entries.values()) {
      const { sequence, options, started, again } = entry;
      Object.assign(entry, { started: false, again: again || started, short: -1 });
      try {
        sequence.move(this.#angles(options));
        this.engine.memory.add(sequence);
        cutDraft(entry, 0);
      } catch (error) {
        this.#fail(entry, error); // this device cannot hold it
      }
    }
  }

  /** Whether what was thrown comes of the loss of the device, after which everybody goes on. */
  async #interrupted(error: unknown): Promise<boolean> {
    return this.#placement !== undefined && (await this.#placement.causes(error));
  }

  /** Entries with a turn, the oldest first. */
  #active(): Entry[] {
    return [...this.#entries.values()].filter(({ turn }) => turn);
  }

  /** Starts those that wait, the oldest first, as long as all their tokens fit beside those of who has started. */
  async #admit(): Promise<void> {
    const { memory } = this.engine;
    for (const entry of this.#active().filter(({ started }) => !started)) {
      const { sequence, turn } = entry;
      if (!turn) continue; // it was closed while memory was made for another
      while (!memory.fits(sequence.tokens.length, this.#promised())) {
        const resting = this.#victim(entry, true);
        if (resting) this.#preempt(resting);
        else if (this.#mayWait(entry)) return; // and nobody younger overtakes it
        else break; // there is nobody to wait for: its own first chunk will say what is missing
      }
      await this.#guarded(entry, async () => {
        const cached = await memory.begin(sequence);
        if (entry.turn !== turn) return false;
        entry.started = true;
        if (!entry.again) turn.onStart?.(cached);
        return true;
      });
    }
  }

  /** Pages that those who have started need beyond what they hold, for tokens they have already. */
  #promised(): number {
    const { memory } = this.engine;
    return this.#active().reduce(
      (sum, { started, sequence: { tokens, pages, passed } }) =>
        sum + (started ? Math.max(0, memory.need(tokens.length) - (pages.length - passed)) : 0),
      0,
    );
  }

  // Single rows first, then as much of the prompts as there is room for; one place is kept for a prompt.
  async #choose(): Promise<Chosen[]> {
    const { maxRows, maxOutputs, maxSequences } = this.engine;
    let [rows, outputs] = [maxRows, maxOutputs];
    const active = this.#turns(this.#active().filter(({ started }) => started));
    const singles = active.filter(decodes);
    const prompts = active.filter((entry) => !decodes(entry));
    singles.sort((a, b) => a.served - b.served || a.age - b.age);
    const places = Math.min(maxSequences, rows, outputs) - Number(prompts.length > 0);
    // Prompts keep half of the rows, whatever is drafted.
    const each = Math.floor(Math.min(MAX_SINGLES, outputs, rows >> Number(prompts.length > 0)) / singles.length);
    const chosen: Chosen[] = [];
    for (const entry of [...singles, ...prompts]) {
      if (chosen.length === maxSequences || rows === 0 || outputs === 0) break;
      const { sequence, turn } = entry;
      if (!turn || !entry.started) continue; // it gave way, or is over, while memory was made for another
      if (decodes(entry)) {
        if (chosen.length >= places) continue;
        cutDraft(entry, Math.max(0, Math.min(each, rows, outputs, sequence.chunk(Infinity).count) - 1));
      }
      const most = turn.rows === "all" && turn.want !== "hidden" ? Math.min(rows, outputs) : rows;
      if (!(await this.#room(entry, () => sequence.length + sequence.chunk(most).count))) continue;
      const segment = segmentOf(entry, turn, sequence.chunk(most));
      chosen.push({ entry, turn, segment });
      rows -= segment.count;
      outputs -= segment.outputs.length;
    }
    return chosen.filter((each) => this.#goesOn(each));
  }

  /** Hidden rows and logits come of different recordings: a step has one kind, and where both are wanted they take turns. */
  #turns(active: Entry[]): Entry[] {
    const hidden = active.filter(({ turn }) => turn?.want === "hidden");
    if (hidden.length === 0 || hidden.length === active.length) return active;
    this.#pooling = !this.#pooling;
    return this.#pooling ? hidden : active.filter((entry) => !hidden.includes(entry));
  }

  /** Makes room for an entry's first `tokens` tokens, if need be of others that are younger or rest; not for its draft. */
  #room(entry: Entry, tokens: () => number): Promise<boolean> {
    const { sequence } = entry;
    const { memory } = this.engine;
    return this.#guarded(entry, async () => {
      if (entry.short === memory.released && !this.#victim(entry) && this.#mayWait(entry)) return false;
      for (;;) {
        // What cannot give way must not come to wait halfway: it takes all that it will need.
        const short = await memory.reserve(sequence, sequence.pinned ? sequence.capacity : tokens());
        if (!this.#entries.has(sequence)) return false;
        if (!short) return true;
        if (entry.drafted > 0) {
          cutDraft(entry, 0);
          continue;
        }
        const victim = this.#victim(entry);
        entry.short = memory.released;
        if (victim) this.#preempt(victim);
        else if (this.#mayWait(entry)) return false;
        else throw short;
      }
    });
  }

  /** Runs what may throw for reasons of one entry; that entry fails then, and no other. */
  async #guarded(entry: Entry, work: () => Promise<boolean>): Promise<boolean> {
    try {
      return (await work()) && this.#entries.has(entry.sequence);
    } catch (error) {
      if (!(await this.#interrupted(error))) this.#fail(entry, error);
      return false;
    }
  }

  /** Who gives its pages up for `entry`: the youngest that rests, else the youngest of those younger than it. */
  #victim(entry: Entry, restingOnly = false): Entry | undefined {
    const able = [...this.#entries.values()].filter(
      (other) => other !== entry && other.sequence.pages.length > 0 && !other.sequence.pinned,
    );
    const resting = able.findLast(({ turn }) => !turn);
    if (resting || restingOnly) return resting;
    return able.findLast(({ age }) => age > entry.age);
  }

  /** Whether others go first, which will give their pages back: the oldest of all never waits. */
  #mayWait(entry: Entry): boolean {
    const goesFirst = (other: Entry) =>
      other.age < entry.age || (other.sequence.pinned && other.sequence.pages.length > 0);
    return this.#active().some((other) => other !== entry && other.started && goesFirst(other));
  }

  #preempt(entry: Entry): void {
    this.engine.memory.giveUp(entry.sequence);
    cutDraft(entry, 0);
    entry.started = false;
    entry.again = true;
  }

  #fail(entry: Entry, reason: unknown): void {
    const { turn } = entry;
    entry.turn = undefined;
    try {
      this.close(entry.sequence);
    } finally {
      try {
        turn?.failed(reason);
      } catch {
        // It has been told, and what it throws at its end is nothing to the others.
      }
    }
  }

  async #step(all: readonly Chosen[]): Promise<void> {
    const { engine } = this;
    let chosen = all;
    try {
      for (;;) {
        const segments = chosen.map(({ segment }) => segment);
        const whole = chosen.some(({ turn, segment }) => segment.outputs.length > 0 && turn.want === "logits");
        const want = chosen[0].turn.want === "hidden" ? "hidden" : whole ? "logits" : "candidates";
        const recording = await engine.prepare(segments, want);
        // Kernels may have been compiled; who was closed meanwhile has no pages to write to.
        const alive = chosen.filter((each) => this.#goesOn(each));
        if (alive.length < chosen.length) {
          chosen = alive;
          if (chosen.length === 0) return;
          continue;
        }
        const outputs = await engine.step(segments, want, recording);
        let first = 0;
        for (const each of chosen) {
          const own = outputs.slice(first, (first += each.segment.outputs.length));
          if (this.#goesOn(each)) this.#take(each, own);
        }
        return;
      }
    } catch (error) {
      if (await this.#interrupted(error)) return;
      for (const each of chosen) if (this.#goesOn(each)) this.#fail(each.entry, error);
    }
  }

  /** Whether the turn that was chosen is still its entry's, and has not given its pages up for another. */
  #goesOn({ entry, turn }: Chosen): boolean {
    return entry.turn === turn && entry.started && this.#entries.has(entry.sequence);
  }

  /** Hands a step's outputs to whom they belong. What its functions throw is its own end, and nobody else's. */
  #take({ entry, turn, segment }: Chosen, outputs: readonly Output[]): void {
    const { sequence } = entry;
    entry.served = ++this.#served;
    entry.outputs.push(...outputs);
    entry.given += outputs.length * (turn.want === "hidden" ? segment.k : 1);
    try {
      const done = sequence.length - entry.from;
      if (done > 0) turn.onProgress?.(done);
      if (entry.turn !== turn || sequence.pending > 0) return;
      entry.turn = undefined;
      this.#placement?.progressed();
      const next = turn.done(entry.outputs);
      if (next && this.#entries.has(sequence)) this.#begin(entry, next);
    } catch (error) {
      entry.turn = turn;
      this.#fail(entry, error);
    }
  }
}
