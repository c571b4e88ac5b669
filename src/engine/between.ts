// between.ts — work that needs the engine to itself: it waits for the end of the step under way.

/** A piece of work, and who waits for it. */
interface Waiting {
  readonly work: () => Promise<unknown>;
  readonly done: (value: unknown) => void;
  readonly failed: (reason: unknown) => void;
}

/** The work that waits for the time between two steps. */
export class Between {
  #waiting: Waiting[] = [];

  /** Whether there is any. */
  get waits(): boolean {
    return this.#waiting.length > 0;
  }

  /** Adds work; resolves with what it gives once it has run, and rejects with what it throws. */
  add<T>(work: () => Promise<T>): Promise<T> {
    return new Promise((done, failed) => {
      this.#waiting.push({ work, done: done as (value: unknown) => void, failed });
    });
  }

  /** Runs what waits, one after another. `again` says of an error that the work is to be run once more, the next time. */
  async run(again: (error: unknown) => Promise<boolean>): Promise<void> {
    for (let count = this.#waiting.length; count > 0; count--) {
      const each = this.#waiting.shift();
      if (!each) return; // it was failed meanwhile
      try {
        each.done(await each.work());
      } catch (error) {
        if (await again(error)) this.#waiting.push(each);
        else each.failed(error);
      }
    }
  }

  /** Fails what waits. */
  fail(reason: unknown): void {
    for (const { failed } of this.#waiting.splice(0)) failed(reason);
  }
}
