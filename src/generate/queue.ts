// queue.ts — pieces between the loop that makes them and the consumer that reads them: bounded, so that one who does not
// read stops its own request and nobody else's.

/** A first-in, first-out queue with one reader. */
export class Queue<T> {
  /** Items from which on `full`: the maker is to rest until the reader has come half-way. */
  readonly #most: number;
  readonly #items: T[] = [];
  readonly #onRoom: () => void;
  #ended = false;
  #failure: { readonly reason: unknown } | undefined;
  #wake: (() => void) | undefined;
  #resting = false;

  /** `onRoom` is called when a queue that was `full` has room again. */
  constructor(most: number, onRoom: () => void) {
    this.#most = most;
    this.#onRoom = onRoom;
  }

  /** Whether the maker is to rest now; `onRoom` wakes it. */
  get full(): boolean {
    this.#resting = this.#items.length >= this.#most;
    return this.#resting;
  }

  /** Adds an item. */
  push(item: T): void {
    this.#items.push(item);
    this.#wake?.();
  }

  /** Nothing comes after what is in it. */
  end(): void {
    this.#ended = true;
    this.#wake?.();
  }

  /** What is in it is void; the reader gets the reason. */
  fail(reason: unknown): void {
    if (this.#ended) return;
    this.#failure ??= { reason };
    this.#wake?.();
  }

  /** The next item, or undefined at the end. Throws what `fail` was given. */
  async next(): Promise<T | undefined> {
    for (;;) {
      if (this.#failure) throw this.#failure.reason;
      if (this.#items.length > 0) break;
      if (this.#ended) return undefined;
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
    const item = this.#items.shift();
    if (this.#resting && this.#items.length <= this.#most / 2) {
      this.#resting = false;
      this.#onRoom();
    }
    return item;
  }
}
