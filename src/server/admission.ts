// admission.ts — who may compute now: so many at a time, a queue of bounded length behind them, first come first served.

import { aborted } from "../error.ts";
import { onAbort } from "../text/abort.ts";
import { later } from "./error.ts";

/** Gives a place back; may be called again. */
export type Leave = () => void;

interface Waiting {
  readonly weight: number;
  readonly enter: () => void;
}

/** A number of places, and who waits for some of them. */
export class Admission {
  readonly places: number;
  readonly #most: number;
  readonly #waiting: Waiting[] = [];
  #taken = 0;

  /** `places` in all; at most `queue` wait. */
  constructor(places: number, queue: number) {
    this.places = places;
    this.#most = queue;
  }

  /** Places that are taken. */
  get running(): number {
    return this.#taken;
  }

  /** Requests that wait. */
  get waiting(): number {
    return this.#waiting.length;
  }

  /**
   * Takes `weight` places, no more than there are, as soon as they are free and nobody else came before; resolves to what gives
   * them back.
   * Rejects with LlariatError "aborted", and the place in the queue is free then.
   * @throws HttpError 429, not as a promise, where too many wait.
   */
  enter(weight: number, signal: AbortSignal): Promise<Leave> {
    const taken = Math.min(weight, this.places);
    const free = this.#waiting.length === 0 && this.#taken + taken <= this.places;
    if (!free && this.#waiting.length >= this.#most) {
      const problem = `the server is busy: ${this.#taken} of ${this.places} places are taken and ${this.waiting} requests wait`;
      throw later(429, `${problem}; try again later`, "queue_full");
    }
    const leave = this.#leave(taken);
    if (free) {
      this.#taken += taken;
      return Promise.resolve(leave);
    }
    return new Promise((resolve, reject) => {
      const over = onAbort(signal, () => {
        this.#waiting.splice(this.#waiting.indexOf(waiting), 1);
        reject(aborted(signal, "waiting for a place"));
        this.#next();
      });
      const waiting: Waiting = {
        weight: taken,
        enter: () => {
          over();
          resolve(leave);
        },
      };
      this.#waiting.push(waiting);
    });
  }

  #leave(weight: number): Leave {
    let held = true;
    return () => {
      if (!held) return;
      held = false;
      this.#taken -= weight;
      this.#next();
    };
  }

  /** Lets in who waits, in their order: one that needs many places is not overtaken by those that need few. */
  #next(): void {
    for (let next = this.#waiting[0]; next && this.#taken + next.weight <= this.places; next = this.#waiting[0]) {
      this.#waiting.shift();
      this.#taken += next.weight;
      next.enter();
    }
  }
}
