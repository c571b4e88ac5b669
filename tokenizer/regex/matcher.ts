// matcher.ts — runs the program of a regular expression over a text: leftmost match, first alternative first, as
// Oniguruma, but what failed at a place is remembered and not tried there again, by this match or a later one. So the time
// grows with the text and with the program, whatever they are; a bound on the steps stands behind that.
// Source: RE2's BitState (github.com/google/re2), with failures kept from match to match.

import { spend } from "../effort.ts";
import { refuse } from "../read.ts";
import { Failures } from "./failures.ts";
import { ANYTHING, OP } from "./program.ts";
import type { Program } from "./program.ts";

/** Steps for each unit of a text, and those any text has: usual patterns take about 3 for each unit. */
const STEPS_EACH = 500;
const STEPS_ANY = 1_000_000;
/** Steps that V8 takes for each unit of a text; it may be some times as many (MAX_WAYS of linear.ts). */
const NATIVE_EACH = 8;
/** Ends of sub-programs that are remembered for one text: some 100 MiB. */
const MAX_ENDS = 2_000_000;
/** Numbers of the stack that are kept for the next text. */
const KEEP = 1 << 16;
/** V8 keeps a place for each character of a run, in 64 MiB. */
const MAX_NATIVE = 2 ** 20;

// what lies on the stack, with two numbers each
const [FAILED, CHOICE, RUN] = [0, 1, 2];

function nativeEach(regex: RegExp, text: string, visit: (start: number, end: number) => void): void {
  let last = -1;
  for (const found of text.matchAll(regex)) {
    const end = found.index + found[0].length;
    // V8 finds an empty match also between the two halves of a character
    if (end > found.index || (found.index !== last && !splitsPair(text, end))) visit(found.index, end);
    last = end;
  }
}

/** Whether `at` is between the two halves of a character. */
const splitsPair = (text: string, at: number): boolean =>
  (text.charCodeAt(at - 1) & 0xfc00) === 0xd800 && (text.charCodeAt(at) & 0xfc00) === 0xdc00;

/** Finds the matches of one expression. Holds memory for the longest text so far; not to be used by its own visitor. */
export class Matcher {
  readonly #program: Program;
  readonly #where: string;
  readonly #failures: Failures;
  /** Kind, instruction, place, a further number. */
  #stack = new Int32Array(256);
  #top = 0;
  #text = "";
  #steps = 0;
  #limit = 0;
  /** Ends of sub-programs that were run: instruction × place → end or -1. */
  readonly #ends = new Map<number, number>();

  readonly #native: RegExp | undefined;

  /** `native`: the same expression for V8 (flag g), where V8 needs time in proportion to the text, too (linear.ts). */
  constructor(program: Program, where: string, native?: RegExp) {
    this.#native = native;
    this.#program = program;
    this.#where = where;
    this.#failures = new Failures(program.memos, where);
  }

  /** Whether V8 runs this expression. */
  get isNative(): boolean {
    return this.#native !== undefined;
  }

  /** The matches in `text`, quickly, if they leave nothing of it out; undefined where only `each` can tell. */
  cover(text: string): readonly string[] | undefined {
    if (!this.#native || text.length > MAX_NATIVE) return undefined;
    spend(NATIVE_EACH * text.length);
    const words = text.match(this.#native);
    return words && words.reduce((sum, word) => sum + word.length, 0) === text.length ? words : undefined;
  }

  /**
   * Calls `visit` with start and end of every match; an empty one right after another is none, as in Oniguruma's iterator.
   * Throws LlariatError "tokenizer" where that takes far more steps than usual patterns do.
   */
  each(text: string, visit: (start: number, end: number) => void): void {
    if (this.#native && text.length <= MAX_NATIVE) {
      spend(NATIVE_EACH * text.length);
      nativeEach(this.#native, text, visit);
      return;
    }
    this.#begin(text);
    try {
      this.#each(text, visit);
    } finally {
      this.#release();
    }
    spend(this.#steps);
  }

  #each(text: string, visit: (start: number, end: number) => void): void {
    const { length } = text;
    const { first, sets } = this.#program;
    const table = sets.table(0);
    let last = -1;
    for (let at = 0; at <= length;) {
      if (first !== ANYTHING) {
        while (at < length) {
          const known = table[text.charCodeAt(at)];
          if (known !== 0) {
            if ((known & first) !== 0) break;
            at++;
          } else {
            const code = this.#code(at);
            if ((sets.bits(0, code) & first) !== 0) break;
            at += code > 0xffff ? 2 : 1;
          }
        }
        if (at === length) break;
      }
      const end = this.#run(0, at);
      if (end > at) {
        visit(at, end);
        last = at = end;
      } else {
        if (end === at && at !== last) visit(at, at);
        at += at < length && this.#code(at) > 0xffff ? 2 : 1;
      }
    }
  }

  /** Gives back what a long text needed. */
  #release(): void {
    this.#text = "";
    this.#failures.begin(0);
    this.#ends.clear();
    if (this.#stack.length > KEEP) this.#stack = new Int32Array(256);
  }

  #begin(text: string): void {
    this.#text = text;
    this.#top = 0;
    this.#steps = 0;
    this.#limit = STEPS_ANY + STEPS_EACH * text.length;
    this.#failures.begin(text.length);
  }

  #code(at: number): number {
    const unit = this.#text.charCodeAt(at);
    return (unit & 0xfc00) === 0xd800 ? this.#text.codePointAt(at)! : unit;
  }

  /** The sets of group 0 that the character at `at` is in; none at the end. */
  #bits(at: number): number {
    if (at >= this.#text.length) return 0;
    const code = this.#code(at);
    return this.#program.sets.bits(0, code);
  }

  /** The place one character before `at`. */
  #before(at: number): number {
    const half = at > 1 && (this.#text.charCodeAt(at - 1) & 0xfc00) === 0xdc00;
    return half && (this.#text.charCodeAt(at - 2) & 0xfc00) === 0xd800 ? at - 2 : at - 1;
  }

  #spend(steps: number): void {
    this.#steps += steps;
    if (this.#steps > this.#limit) this.#refuse(`more than ${this.#limit} steps`);
  }

  #refuse(what: string): never {
    return refuse(
      `${this.#where}: the regular expression needs ${what} for a text of ${this.#text.length} ` +
        `characters; give a shorter text, or correct the expression`,
    );
  }

  #push(kind: number, instruction: number, at: number, more: number): void {
    if (this.#top + 4 > this.#stack.length) {
      const larger = new Int32Array(2 * this.#stack.length);
      larger.set(this.#stack);
      this.#stack = larger;
    }
    const stack = this.#stack;
    stack[this.#top++] = kind;
    stack[this.#top++] = instruction;
    stack[this.#top++] = at;
    stack[this.#top++] = more;
  }

  /** Where the program at instruction `start` ends when it begins at place `from`; -1: it does not match. */
  #run(start: number, from: number): number {
    const { instructions, sets } = this.#program;
    const failures = this.#failures;
    const text = this.#text;
    const table = sets.table(0);
    const { length } = text;
    const floor = this.#top;
    let pc = start;
    let at = from;
    for (;;) {
      this.#spend(1);
      const now = instructions[pc];
      let goes = true;
      switch (now.op) {
        case OP.SET: {
          const code = at < length ? this.#code(at) : -1;
          goes = code >= 0 && (sets.bits(now.group, code) & now.bit) !== 0;
          at += code > 0xffff ? 2 : 1;
          pc++;
          break;
        }
        case OP.RUN:
        case OP.KEEP: {
          const { group, bit, min, max } = now;
          const keeps = now.op === OP.KEEP;
          const endless = !keeps && max === Infinity;
          if (!keeps && !endless && failures.has(now.memo, at)) {
            goes = false;
            break;
          }
          let count = 0;
          let end = at;
          let least = at;
          // what is behind a place where this run failed has failed, too
          let known = false;
          while (end < length && count < max) {
            if (endless && count >= min && failures.has(now.memo, end)) {
              known = true;
              break;
            }
            const bits = group === 0 ? table[text.charCodeAt(end)] : 0;
            if (bits !== 0) {
              if ((bits & bit) === 0) break;
              end++;
            } else {
              const code = this.#code(end);
              if ((sets.bits(group, code) & bit) === 0) break;
              end += code > 0xffff ? 2 : 1;
            }
            if (++count === min) least = end;
          }
          this.#spend(count);
          if (count < min || (known && end === least)) {
            goes = false;
          } else if (keeps) {
            at = end;
            pc++;
          } else {
            if (known) end = this.#before(end);
            if (end === least) at = end;
            else {
              // a bounded run has failed when all its ends have
              if (!endless) this.#push(FAILED, pc, at, 0);
              at = this.#back(pc, least, end);
            }
            goes = at >= 0;
            pc++;
          }
          break;
        }
        case OP.CHOICE:
          if (failures.has(now.memo, at)) goes = false;
          else {
            pc = this.#choose(pc, at, 0);
            goes = pc >= 0;
          }
          break;
        case OP.JUMP:
          pc = now.targets[0];
          break;
        case OP.NEXT:
          goes = (at < length && (sets.bits(now.group, this.#code(at)) & now.bit) !== 0) !== now.not;
          pc++;
          break;
        case OP.BEHIND:
          goes = this.#behind(now.texts, at) !== now.not;
          pc++;
          break;
        case OP.AHEAD:
          goes = this.#end(now.targets[0], at) >= 0 !== now.not;
          pc++;
          break;
        case OP.ATOMIC: {
          const end = this.#end(now.targets[0], at);
          goes = end >= 0;
          at = end;
          pc++;
          break;
        }
        default:
          this.#top = floor;
          return at;
      }
      while (!goes) {
        if (this.#top === floor) return -1;
        this.#spend(1);
        const stack = this.#stack;
        this.#top -= 4;
        const kind = stack[this.#top];
        pc = stack[this.#top + 1];
        at = stack[this.#top + 2];
        const more = stack[this.#top + 3];
        if (kind === FAILED) {
          failures.add(instructions[pc].memo, at);
        } else if (kind === CHOICE) {
          pc = this.#choose(pc, at, more);
          goes = pc >= 0;
        } else if (kind === RUN) {
          // all that is longer has failed
          at = this.#back(pc, at, more);
          pc++;
          goes = at >= 0;
        }
      }
    }
  }

  /** The next alternative of a CHOICE, from number `from` on; what is left of it stays on the stack. -1: none. */
  #choose(pc: number, at: number, from: number): number {
    const { targets, firsts, memo } = this.#program.instructions[pc];
    const bits = this.#bits(at);
    let found = -1;
    for (let i = from; i < targets.length; i++) {
      if (firsts[i] !== ANYTHING && (bits & firsts[i]) === 0) continue;
      if (found >= 0) {
        this.#spend(i - from);
        this.#push(CHOICE, pc, at, i);
        return targets[found];
      }
      found = i;
    }
    this.#spend(targets.length - from);
    if (found < 0) {
      if (from > 0) this.#failures.add(memo, at);
      return -1;
    }
    // the last one left: when it fails, all have
    if (from > 0) this.#push(FAILED, pc, at, 0);
    return targets[found];
  }

  /** The longest end of a RUN from `end` down to `least` after which a match can go on; shorter ones stay on the stack. */
  #back(pc: number, least: number, end: number): number {
    const { memo, max, follow } = this.#program.instructions[pc];
    const endless = max === Infinity;
    for (let at = end; at >= least; at = this.#before(at)) {
      this.#spend(1);
      if (follow === ANYTHING || (this.#bits(at) & follow) !== 0) {
        // one character that may be there or not, as ` ?` before words: mostly what follows it cannot be it
        if (at > least && (max > 1 || follow === ANYTHING || (this.#bits(least) & follow) !== 0)) {
          this.#push(RUN, pc, least, this.#before(at));
        }
        if (endless) this.#push(FAILED, pc, at, 0);
        return at;
      }
      if (endless) this.#failures.add(memo, at);
      if (at === 0) break;
    }
    return -1;
  }

  /** The end of a sub-program, which is the same whoever asks. */
  #end(start: number, at: number): number {
    const key = start * (this.#text.length + 1) + at;
    let end = this.#ends.get(key);
    if (end === undefined) {
      end = this.#run(start, at);
      if (this.#ends.size >= MAX_ENDS) this.#refuse(`more than ${MAX_ENDS} places to remember`);
      this.#ends.set(key, end);
    }
    return end;
  }

  /** Whether one of the texts, each a row of sets, ends at `at`. */
  #behind(texts: readonly (readonly number[])[], at: number): boolean {
    return texts.some((ids) => {
      this.#spend(ids.length);
      let place = at;
      for (let i = ids.length - 1; i >= 0; i--) {
        if (place === 0) return false;
        place = this.#before(place);
        const [group, bit] = [Math.floor(ids[i] / 31), 1 << (ids[i] % 31)];
        if ((this.#program.sets.bits(group, this.#code(place)) & bit) === 0) return false;
      }
      return true;
    });
  }
}
