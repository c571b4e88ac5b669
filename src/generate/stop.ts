// stop.ts — ends a text before the first stop string, while it is still coming in pieces.

import { LlariatError } from "../error.ts";
import { display } from "../text/wording.ts";

/** How a character of the text counts: given out, or of a special token, which only a stop string may name. */
const VISIBLE = "v";

/**
 * Passes text through until a stop string is complete in it. Text that may be the beginning of a stop string is withheld
 * until that is decided, so no part of the stop string is ever given out. Which one ends the text does not depend on how it
 * is cut into pieces: the one that is complete first, and of several complete at the same character the longest.
 * A special token is no text, yet a stop string may name it, as a whole: `</s>`, `\n<|eot_id|>`.
 */
export class StopMatcher {
  readonly #stops: readonly string[];
  #held = "";
  /** One character per character of what is held: VISIBLE, or another one per special token. */
  #marks = "";
  #hidden = 0;
  #stopped = false;

  /** @throws LlariatError("request") for an empty stop string or something that is no string. */
  constructor(stops: readonly string[]) {
    checkStops(stops);
    this.#stops = [...stops];
  }

  /** Whether a stop string was found; later pieces are swallowed. */
  get stopped(): boolean {
    return this.#stopped;
  }

  /** Takes the next piece of text and returns what has become certain: not part of a stop string, and before it. */
  push(piece: string): string {
    return this.#push(piece, VISIBLE);
  }

  /** Takes a special token by its name; it is never given out. */
  pushSpecial(name: string): string {
    // Two marks in turn tell neighbouring tokens apart.
    return this.#push(name, this.#hidden++ % 2 === 0 ? "x" : "y");
  }

  #push(piece: string, mark: string): string {
    if (this.#stopped) return "";
    const text = this.#held + piece;
    const marks = this.#marks + mark.repeat(piece.length);
    let [end, start] = [Infinity, 0];
    for (const stop of this.#stops) {
      for (let at = text.indexOf(stop); at >= 0; at = text.indexOf(stop, at + 1)) {
        const after = at + stop.length;
        if (cutsToken(marks, at) || cutsToken(marks, after)) continue;
        if (after < end || (after === end && at < start)) [end, start] = [after, at];
        break;
      }
    }
    this.#stopped = end < Infinity;
    const certain = this.#stopped ? start : text.length - this.#pending(text, marks);
    this.#held = this.#stopped ? "" : text.slice(certain);
    this.#marks = this.#stopped ? "" : marks.slice(certain);
    return this.#hidden === 0 ? text.slice(0, certain) : visible(text.slice(0, certain), marks);
  }

  /** The text is over: returns what was withheld and did not become a stop string. */
  end(): string {
    const rest = this.#hidden === 0 ? this.#held : visible(this.#held, this.#marks);
    this.#held = this.#marks = "";
    return rest;
  }

  /** Length of the longest end of `text` that a stop string begins with. */
  #pending(text: string, marks: string): number {
    let longest = 0;
    for (const stop of this.#stops)
      for (let length = Math.min(stop.length - 1, text.length); length > longest; length--)
        if (text.endsWith(stop.slice(0, length)) && !cutsToken(marks, text.length - length)) longest = length;
    return longest;
  }
}

/** Whether position `at` lies inside a special token. */
const cutsToken = (marks: string, at: number): boolean =>
  at > 0 && at < marks.length && marks[at] !== VISIBLE && marks[at] === marks[at - 1];

/** The characters of a text that are given out. */
function visible(text: string, marks: string): string {
  let out = "";
  for (let i = 0; i < text.length; i++) if (marks[i] === VISIBLE) out += text[i];
  return out;
}

/** @throws LlariatError("request") for an empty stop string or something that is no string. */
export function checkStops(stops: readonly string[]): void {
  for (const stop of stops) {
    if (typeof stop === "string" && stop !== "") continue;
    const got = display(stop);
    throw new LlariatError("request", `must be texts of at least one character, got ${got}`, { subject: "stop" });
  }
}
