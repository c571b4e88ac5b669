// stop.ts — ends a text before the first stop string, while it is still coming in pieces.

import { LlariatError } from "../error.ts";
import { display } from "../text/wording.ts";

/**
 * Passes text through until a stop string is complete in it. Text that may be the beginning of a stop string is withheld
 * until that is decided, so no part of the stop string is ever given out. Which one ends the text does not depend on how it
 * is cut into pieces: the one that is complete first, and of several complete at the same character the longest.
 */
export class StopMatcher {
  readonly #stops: readonly string[];
  #held = "";
  #stopped: string | undefined;

  /** @throws LlariatError("request") for an empty stop string or something that is no string. */
  constructor(stops: readonly string[]) {
    checkStops(stops);
    this.#stops = [...stops];
  }

  /** Whether a stop string was found; later pieces are swallowed. */
  get stopped(): boolean {
    return this.#stopped !== undefined;
  }

  /** The stop string that was found. */
  get found(): string | undefined {
    return this.#stopped;
  }

  /** Takes the next piece of text and returns what has become certain: not part of a stop string, and before it. */
  push(piece: string): string {
    if (this.#stopped !== undefined) return "";
    const text = this.#held + piece;
    let [end, start] = [Infinity, 0];
    for (const stop of this.#stops) {
      const at = text.indexOf(stop);
      if (at < 0) continue;
      const after = at + stop.length;
      if (after < end || (after === end && at < start)) [end, start, this.#stopped] = [after, at, stop];
    }
    const certain = this.#stopped === undefined ? text.length - this.#pending(text) : start;
    this.#held = this.#stopped === undefined ? text.slice(certain) : "";
    return text.slice(0, certain);
  }

  /** The text is over: returns what was withheld and did not become a stop string. */
  end(): string {
    const rest = this.#held;
    this.#held = "";
    return rest;
  }

  /** Length of the longest end of `text` that a stop string begins with. */
  #pending(text: string): number {
    let longest = 0;
    for (const stop of this.#stops)
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--)
        if (text.endsWith(stop.slice(0, length))) longest = length;
    return longest;
  }
}

/** @throws LlariatError("request") for an empty stop string or something that is no string. */
export function checkStops(stops: readonly string[]): void {
  for (const stop of stops) {
    if (typeof stop === "string" && stop !== "") continue;
    const got = display(stop);
    throw new LlariatError("request", `must be texts of at least one character, got ${got}`, { subject: "stop" });
  }
}
