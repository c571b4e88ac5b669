// growth.ts — how long the steps of a file may make a text: a chain of replacements can double it again and again.

import { refuse } from "./read.ts";

/** NFKC turns one character into 18 (U+FDFA), ByteLevel one unit into 3. */
const FACTOR = 32;
/** What every text may become: a prefix, a name that stands for one character. */
const CHARACTERS = 2 ** 18;

/** The longest text that may become of one of `length` UTF-16 units. */
export const longestFrom = (length: number): number => FACTOR * length + CHARACTERS;

/** Throws LlariatError "tokenizer" where a text has become longer than `most`; `where` names the step of the file. */
export function checkGrowth(where: string, length: number, most: number): void {
  if (length <= most) return;
  refuse(
    `${where} makes a text of more than ${most} characters, needed at most ${FACTOR} for each it was given and ${CHARACTERS} more`,
  );
}

/** What one stream of tokens may become. */
export class Growth {
  readonly #where: string;
  #most = CHARACTERS;
  #made = 0;

  constructor(where: string) {
    this.#where = where;
  }

  /** Counts `length` units that were given. */
  given(length: number): void {
    this.#most += FACTOR * length;
  }

  /** How many more a step may make. */
  get left(): number {
    return this.#most - this.#made;
  }

  /** Counts `length` units more than a step was given. Throws LlariatError "tokenizer" above what is allowed. */
  made(length: number): void {
    this.#made += length;
    checkGrowth(this.#where, this.#made, this.#most);
  }
}
