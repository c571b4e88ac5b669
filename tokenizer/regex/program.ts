// program.ts — a regular expression as instructions of a backtracking machine (matcher.ts) that never does a thing twice.
//   nodes → instructions, each going on with the next one; sub-programs of assertions and atomic groups end in END
// Source: Russ Cox, "Regular Expression Matching: the Virtual Machine Approach" (2009).

import { spend } from "../effort.ts";
import { refuse } from "../read.ts";
import { nullable } from "./nodes.ts";
import type { Node } from "./nodes.ts";
import { oneGroup, placeOf, Sets } from "./sets.ts";

/** Instructions by number, so that the machine can switch on them. */
export const OP = {
  SET: 0,
  RUN: 1,
  KEEP: 2,
  CHOICE: 3,
  JUMP: 4,
  NEXT: 5,
  AHEAD: 6,
  BEHIND: 7,
  ATOMIC: 8,
  END: 9,
} as const;

/**
 * One instruction. SET: a character. RUN: `min` to `max` characters, as many as possible first; KEEP: and no fewer. CHOICE:
 * the first of `targets` that goes well. JUMP: to targets[0]. NEXT: the next character is in the set, or with `not` is not.
 * AHEAD, ATOMIC: the sub-program at targets[0]. BEHIND: one of `texts` ends here. END: a match.
 */
export interface Instruction {
  readonly op: number;
  readonly group: number;
  readonly bit: number;
  readonly min: number;
  readonly max: number;
  readonly not: boolean;
  readonly targets: number[];
  /** CHOICE: which characters each target can begin with (bits of group 0), ANYTHING for no telling. */
  readonly firsts: number[];
  /** RUN: the characters that can come after it. */
  follow: number;
  /** Sets of characters, in order. */
  readonly texts: readonly (readonly number[])[];
  /** Where failures are remembered: a bit for each place of the text; -1: nowhere. */
  readonly memo: number;
}

/** Nothing is known about the first character, or there need not be one. */
export const ANYTHING = -1;
/** A published pattern makes about 120; a repetition of a group is written out. */
const MAX_INSTRUCTIONS = 10_000;
/** Looks at nodes while a program is written: less than a second; published patterns need about 2,000. */
const MAX_VISITS = 5_000_000;
/** Steps that a look and an instruction cost. */
const [VISITED, WRITTEN] = [40, 300];

/** Instructions, begun at 0, and the sets they speak of. */
export interface Program {
  readonly instructions: readonly Instruction[];
  readonly sets: Sets;
  /** How many bits of memory each place of the text needs. */
  readonly memos: number;
  /** The characters a match can begin with (bits of group 0). */
  readonly first: number;
}

class Compiler {
  readonly sets: Sets;
  readonly #where: string;
  readonly instructions: Instruction[] = [];
  /** Sub-programs to write behind the main one: the node, and the instruction that needs its place. */
  readonly #later: { readonly node: Node; readonly at: Instruction }[] = [];
  memos = 0;
  #visits = 0;

  constructor(where: string, sets: Sets) {
    this.#where = where;
    this.sets = sets;
  }

  compile(node: Node): void {
    this.#collect(node);
    this.#program(node);
    for (const { node: inner, at } of this.#later) {
      at.targets.push(this.instructions.length);
      this.#program(inner);
    }
  }

  /** All sets are numbered before the first mask is made of them. */
  #collect(node: Node): void {
    if (node.kind === "set") this.sets.add(node.set);
    else if (node.kind === "sequence") node.parts.forEach((part) => this.#collect(part));
    else if (node.kind === "choice") node.branches.forEach((branch) => this.#collect(branch));
    else this.#collect(node.body);
  }

  /** Which characters a match can begin with. */
  first(node: Node): number {
    return this.#first(node, ANYTHING);
  }

  #program(node: Node): void {
    this.#node(node, ANYTHING, true);
    this.#emit(OP.END, {});
  }

  #fail(what: string): never {
    return refuse(`${this.#where}: the regular expression has ${what}, which is not supported`);
  }

  #visit(): void {
    spend(VISITED);
    if (++this.#visits > MAX_VISITS) this.#fail("repetitions of repetitions that are too many to write out");
  }

  #emit(op: number, more: Partial<Instruction>): Instruction {
    if (this.instructions.length >= MAX_INSTRUCTIONS) this.#fail(`more than ${MAX_INSTRUCTIONS} steps written out`);
    const nothing = { group: 0, bit: 0, min: 0, max: 0, not: false, targets: [], firsts: [], follow: ANYTHING };
    spend(WRITTEN);
    // one shape for all of them keeps the machine fast
    const instruction = { op, ...nothing, texts: [], memo: -1, ...more };
    this.instructions.push(instruction);
    return instruction;
  }

  /** Which characters `node` begins with, where `follow` says what comes after it. */
  #first(node: Node, follow: number): number {
    if (!oneGroup(this.sets)) return ANYTHING;
    this.#visit();
    switch (node.kind) {
      case "set":
        return placeOf(this.sets.add(node.set)).bit;
      case "sequence":
        return node.parts.reduceRight((after, part) => this.#first(part, after), follow);
      case "choice":
        return node.branches.reduce((all, branch) => all | this.#first(branch, follow), 0);
      case "repeat": {
        const body = node.max === 0 ? follow : this.#first(node.body, follow);
        return node.min === 0 || nullable(node.body) ? body | follow : body;
      }
      case "atomic":
        return this.#first(node.body, follow);
      case "look":
        return follow;
    }
  }

  /** Writes `node`; `follow`: the characters that can come after it; `last`: nothing comes after it but the end. */
  #node(node: Node, follow: number, last = false): void {
    this.#visit();
    switch (node.kind) {
      case "set":
        this.#emit(OP.SET, placeOf(this.sets.add(node.set)));
        break;
      case "sequence":
        this.#sequence(node.parts, follow, last);
        break;
      case "choice":
        this.#choice(node.branches, follow, last);
        break;
      case "repeat":
        this.#repeat(node, follow, last);
        break;
      case "atomic":
        if (node.body.kind === "repeat" && node.body.body.kind === "set" && !node.body.lazy) {
          const { body, min, max } = node.body;
          this.#emit(OP.KEEP, { ...placeOf(this.sets.add(body.set)), min, max });
        } else {
          this.#later.push({ node: node.body, at: this.#emit(OP.ATOMIC, {}) });
        }
        break;
      case "look":
        if (node.behind) this.#emit(OP.BEHIND, { texts: this.#texts(node.body), not: node.not });
        else if (node.body.kind === "set") {
          this.#emit(OP.NEXT, { ...placeOf(this.sets.add(node.body.set)), not: node.not });
        } else this.#later.push({ node: node.body, at: this.#emit(OP.AHEAD, { not: node.not }) });
    }
  }

  #sequence(parts: readonly Node[], follow: number, last: boolean): void {
    const after = [follow];
    for (const part of parts.slice(1).toReversed()) after.push(this.#first(part, after.at(-1)!));
    for (const part of parts) this.#node(part, after.pop()!, last && after.length === 0);
  }

  #choice(branches: readonly Node[], follow: number, last: boolean): void {
    const at = this.#emit(OP.CHOICE, { memo: this.memos++ });
    const ends: Instruction[] = [];
    for (const branch of branches) {
      at.targets.push(this.instructions.length);
      at.firsts.push(this.#first(branch, follow));
      this.#node(branch, follow, last);
      ends.push(this.#emit(last ? OP.END : OP.JUMP, {}));
    }
    for (const end of ends) end.targets.push(this.instructions.length);
  }

  #repeat({ body, min, max, lazy }: Node & { kind: "repeat" }, follow: number, last: boolean): void {
    if (max === 0) return;
    if (body.kind === "set" && !lazy) {
      // where nothing can fail after it, a run never gives back
      const more = last ? { op: OP.KEEP } : { follow, memo: this.memos++ };
      this.#emit(OP.RUN, { ...placeOf(this.sets.add(body.set)), min, max, ...more });
      return;
    }
    if (max === Infinity && nullable(body)) this.#fail("a repetition without end of what may be nothing");
    const inner = this.#first(body, follow);
    for (let i = 0; i < min; i++) this.#node(body, i + 1 < max ? inner | follow : follow);
    if (max === Infinity) {
      const start = this.instructions.length;
      const exit = this.#option(body, lazy, inner | follow, follow);
      this.#emit(OP.JUMP, { targets: [start] });
      exit();
      return;
    }
    const exits = [];
    for (let i = min; i < max; i++) exits.push(this.#option(body, lazy, inner | follow, follow));
    for (const exit of exits) exit();
  }

  /** Writes a choice between `body` and going on; returns what tells it where that is. */
  #option(body: Node, lazy: boolean, after: number, follow: number): () => void {
    const at = this.#emit(OP.CHOICE, { memo: this.memos++ });
    const begins = this.instructions.length;
    const first = this.#first(body, after);
    this.#node(body, after);
    return () => {
      const ways = [
        [begins, first],
        [this.instructions.length, follow],
      ];
      for (const [target, mask] of lazy ? ways.toReversed() : ways) {
        at.targets.push(target);
        at.firsts.push(mask);
      }
    };
  }

  /** What may stand behind: alternatives of characters in a row. */
  #texts(node: Node): number[][] {
    if (node.kind === "choice") return node.branches.flatMap((branch) => this.#texts(branch));
    const parts = node.kind === "sequence" ? node.parts : [node];
    return [
      parts.map((part) =>
        part.kind === "set" ? this.sets.add(part.set) : this.#fail("a lookbehind of more than characters"),
      ),
    ];
  }
}

/** The program of a parsed expression. Throws LlariatError "tokenizer" for what would take too many instructions. */
export function compile(node: Node, where: string, nested: boolean): Program {
  const compiler = new Compiler(where, new Sets(where, nested ? "v" : "u"));
  compiler.compile(node);
  const { instructions, sets, memos } = compiler;
  return { instructions, sets, memos, first: compiler.first(node) };
}
