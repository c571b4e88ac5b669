// sets.ts — which sets of a regular expression a character is in: one table of bits, filled as characters come.

import { spend } from "../effort.ts";
import { refuse } from "../read.ts";

/** Sets in one table; the last bit says that the character is known. */
const GROUP = 31;
const KNOWN = 1 << GROUP;
const BMP = 0x10000;
/** Tables above U+FFFF are made of pages of so many characters: a text has few of them. */
const PAGE_BITS = 12;
const IN_PAGE = (1 << PAGE_BITS) - 1;
/** The tables of one set of 31 take 256 KiB; published patterns have up to 20 sets, words a set for each letter. */
const MAX_SETS = 31 * 32;
/** Steps that a set costs with its share of a table, and a character that no text had before. */
const [MADE, LEARNT] = [10_000, 300];

/** The sets of one expression. The bits of a character are in `group` tables of 31 sets each. */
export class Sets {
  readonly #where: string;
  readonly #flags: string;
  readonly #ids = new Map<string, number>();
  readonly #tests: RegExp[] = [];
  /**
   * By group: bits of each UTF-16 unit that is a character, 0 while it is not known; first halves of a pair stay 0. The
   * machine reads the first table itself.
   */
  readonly #units: Int32Array[] = [];
  /** The same of characters above U+FFFF, page by page. */
  readonly #beyond: Int32Array[][] = [];

  constructor(where: string, flags: "u" | "v") {
    this.#where = where;
    this.#flags = flags;
  }

  /** How many sets there are. */
  get size(): number {
    return this.#tests.length;
  }

  /** The number of the set that a JavaScript class means. Throws LlariatError "tokenizer" for a class V8 does not know. */
  add(source: string): number {
    let id = this.#ids.get(source);
    if (id !== undefined) return id;
    id = this.#tests.length;
    if (id >= MAX_SETS) {
      refuse(
        `${this.#where}: the regular expression has more than ${MAX_SETS} sets of characters, needed at most that`,
      );
    }
    spend(MADE);
    try {
      this.#tests.push(new RegExp(`^${source}$`, this.#flags));
    } catch (cause) {
      refuse(
        `${this.#where}: the regular expression has a class that cannot be translated, which is not supported`,
        cause,
      );
    }
    this.#ids.set(source, id);
    return id;
  }

  /** The bits of a character in the tables of sets `31 group` to `31 group + 30`. */
  bits(group: number, code: number): number {
    if (code < BMP) {
      return this.table(group)[code] || this.#learn(group, code);
    }
    const page = this.#beyond[group]?.[code >> PAGE_BITS];
    return (page === undefined ? 0 : page[code & IN_PAGE]) || this.#learn(group, code);
  }

  /** The table of a group. */
  table(group: number): Int32Array {
    return (this.#units[group] ??= new Int32Array(BMP));
  }

  #learn(group: number, code: number): number {
    spend(LEARNT);
    let bits = KNOWN;
    const char = String.fromCodePoint(code);
    for (const [i, test] of this.#tests.slice(GROUP * group, GROUP * (group + 1)).entries()) {
      if (test.test(char)) bits |= 1 << i;
    }
    if (code >= 0xd800 && code < 0xdc00) return bits;
    if (code < BMP) this.table(group)[code] = bits;
    else ((this.#beyond[group] ??= [])[code >> PAGE_BITS] ??= new Int32Array(IN_PAGE + 1))[code & IN_PAGE] = bits;
    return bits;
  }
}

/** The group of a set, and its bit there. */
export const placeOf = (id: number): { readonly group: number; readonly bit: number } => ({
  group: Math.floor(id / GROUP),
  bit: 1 << (id % GROUP),
});

/** Whether all sets are in one group, so that one number can say which of them may come first. */
export const oneGroup = (sets: Sets): boolean => sets.size <= GROUP;
