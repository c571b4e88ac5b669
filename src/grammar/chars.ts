// chars.ts — machines over characters (code points): what a text may be, before anybody says how JSON spells it (spelling.ts).
// From every state of a machine some text leads to its end, so that whoever follows it never gets stuck.

import type { Conditions, Node } from "./pattern.ts";
import { LAST, type Ranges, pairsOf } from "./ranges.ts";
import { type Work, refuse } from "./work.ts";

/** A deterministic machine; states are numbers, -1 is none. */
export interface CharMachine {
  readonly start: number;
  /** The state after a character, or -1. */
  next(state: number, code: number): number;
  /** A text may end here. */
  accepts(state: number): boolean;
  /** Whether any character from `low` to `high` may come. */
  admits(state: number, low: number, high: number): boolean;
  /** Least and most characters, where any of them will do and states count them. */
  readonly bounds?: readonly [number, number];
}

/** A text of `min` to `max` characters of any kind. */
export function anyText(min = 0, max = Infinity): CharMachine {
  // States beyond `min` are one where there is no most.
  const top = max === Infinity ? min : max;
  return {
    start: 0,
    next: (state) => (state < max ? Math.min(state + 1, top) : -1),
    accepts: (state) => state >= min,
    admits: (state) => state < max,
    bounds: [min, max],
  };
}

/** A text of any kind but these. */
export function otherText(texts: Iterable<string>): CharMachine {
  const nodes: { readonly children: Map<number, number>; ends: boolean }[] = [{ children: new Map(), ends: false }];
  for (const text of texts) {
    let at = 0;
    for (const char of text) {
      const code = char.codePointAt(0)!;
      let child = nodes[at].children.get(code);
      if (child === undefined) {
        child = nodes.push({ children: new Map(), ends: false }) - 1;
        nodes[at].children.set(code, child);
      }
      at = child;
    }
    nodes[at].ends = true;
  }
  const other = nodes.length;
  return {
    start: 0,
    next: (state, code) => (state === other ? other : (nodes[state].children.get(code) ?? other)),
    accepts: (state) => state === other || !nodes[state].ends,
    admits: () => true,
  };
}

/** States of one machine; more have been made by no published pattern. */
const MAX_STATES = 4096;
const MAX_PLACES = 8192;

/** A machine as a table. Characters are in classes: those from `starts[i]` to before `starts[i + 1]` are in `classes[i]`. */
export class CharTable implements CharMachine {
  readonly start = 0;
  readonly starts: readonly number[];
  readonly classes: readonly number[];
  readonly classCount: number;
  /** [states, classCount]; -1 is no state. */
  readonly table: Int32Array;
  readonly ends: Uint8Array;
  /** No text at all is accepted. */
  readonly empty: boolean;

  constructor(
    starts: readonly number[],
    classes: readonly number[],
    classCount: number,
    table: Int32Array,
    ends: Uint8Array,
  ) {
    [this.starts, this.classes, this.classCount, this.table, this.ends] = [starts, classes, classCount, table, ends];
    this.empty = !trim(table, ends, classCount)[0];
  }

  next(state: number, code: number): number {
    return this.table[state * this.classCount + this.classes[this.#interval(code)]];
  }

  accepts(state: number): boolean {
    return this.ends[state] === 1;
  }

  admits(state: number, low: number, high: number): boolean {
    const row = state * this.classCount;
    for (let i = this.#interval(low); i < this.starts.length && this.starts[i] <= high; i++)
      if (this.table[row + this.classes[i]] >= 0) return true;
    return false;
  }

  #interval(code: number): number {
    let [low, high] = [0, this.starts.length - 1];
    while (low < high) {
      const middle = (low + high + 1) >> 1;
      if (this.starts[middle] <= code) low = middle;
      else high = middle - 1;
    }
    return low;
  }
}

/** Takes every way out of a table [states, classCount] that leads to no end; which states lead to one. */
export function trim(table: Int32Array, ends: Uint8Array, classCount: number): Uint8Array {
  const before: number[][] = Array.from(ends, () => []);
  for (const [i, to] of table.entries()) if (to >= 0) before[to].push(Math.floor(i / classCount));
  const live = Uint8Array.from(ends);
  const found = [...live.keys()].filter((state) => live[state]);
  for (let state = found.pop(); state !== undefined; state = found.pop())
    for (const from of before[state]) {
      if (live[from]) continue;
      live[from] = 1;
      found.push(from);
    }
  for (const [i, to] of table.entries()) if (to >= 0 && !live[to]) table[i] = -1;
  return live;
}

/** Both machines at once. Throws LlariatError "request" at `path` for too many states. */
export function both(a: CharTable, b: CharTable, path: string, work: Work): CharTable {
  const starts = [...new Set([...a.starts, ...b.starts])].toSorted((x, y) => x - y);
  const pairs = new Map<number, number>();
  const ways: [number, number][] = [];
  const classes = intervals(a, b, starts).map(([x, y]) => {
    const key = x * b.classCount + y;
    if (!pairs.has(key)) pairs.set(key, ways.push([x, y]) - 1);
    return pairs.get(key)!;
  });
  const made = explore(
    "0,0",
    (key) => {
      const [p, q] = key.split(",").map(Number);
      work.spend(8 * ways.length, path);
      const to = ways.map(([x, y]) => {
        const [r, s] = [a.table[p * a.classCount + x], b.table[q * b.classCount + y]];
        return r < 0 || s < 0 ? undefined : `${r},${s}`;
      });
      return { to, ends: a.accepts(p) && b.accepts(q) };
    },
    path,
  );
  return new CharTable(starts, classes, ways.length, made.table, made.ends);
}

/** For each interval its class in both machines. */
function intervals(a: CharTable, b: CharTable, starts: readonly number[]): [number, number][] {
  let [i, j] = [0, 0];
  return starts.map((start) => {
    while (i + 1 < a.starts.length && a.starts[i + 1] <= start) i++;
    while (j + 1 < b.starts.length && b.starts[j + 1] <= start) j++;
    return [a.classes[i], b.classes[j]];
  });
}

/** Texts of `min` to `max` characters as a table. Throws LlariatError "request" at `path` for too many. */
export function lengths(min: number, max: number, path: string): CharTable {
  const top = max === Infinity ? min : max;
  if (top >= MAX_STATES) refuse(path, `a pattern beside a length of ${top}, needed less than ${MAX_STATES}`);
  const table = Int32Array.from({ length: top + 1 }, (_, i) => (i < top ? i + 1 : max === Infinity ? i : -1));
  const ends = Uint8Array.from({ length: top + 1 }, (_, i) => Number(i >= min));
  return new CharTable([0], [0], 1, table, ends);
}

/** A state that was found: the states after each class of characters, and whether a text may end. */
interface Found {
  readonly to: readonly (string | undefined)[];
  readonly ends: boolean;
}

/** All states that can be reached from one, numbered from 0 on as they are found. */
function explore(start: string, look: (key: string) => Found, path: string): { table: Int32Array; ends: Uint8Array } {
  const ids = new Map([[start, 0]]);
  const order = [start];
  const [rows, ends]: [number[][], number[]] = [[], []];
  for (let i = 0; i < order.length; i++) {
    const { to, ends: end } = look(order[i]);
    ends.push(Number(end));
    rows.push(
      to.map((key) => {
        if (key === undefined) return -1;
        let id = ids.get(key);
        if (id === undefined) {
          id = order.push(key) - 1;
          ids.set(key, id);
          if (id >= MAX_STATES) refuse(path, `the pattern needs more than ${MAX_STATES} states`, "make it simpler");
        }
        return id;
      }),
    );
  }
  return { table: Int32Array.from(rows.flat()), ends: Uint8Array.from(ends) };
}

/** A place of the nondeterministic machine: what leads on without a character, and with one of a set. */
interface Place {
  readonly free: { readonly to: number; readonly when?: "start" | "end" }[];
  set?: { readonly index: number; readonly to: number };
}

/** A pattern as places (Thompson 1968). */
class Places {
  readonly list: Place[] = [];
  /** The sets, each once: copies of a repetition share theirs. */
  readonly sets = new Map<Ranges, number>();
  readonly #path: string;

  constructor(path: string) {
    this.#path = path;
  }

  add(): number {
    if (this.list.length >= MAX_PLACES) refuse(this.#path, `the pattern is longer than ${MAX_PLACES} places`);
    return this.list.push({ free: [] }) - 1;
  }

  /** Lays `node` out from a place on; the place after it. */
  lay(node: Node, from: number): number {
    const free = (at: number, to: number, when?: "start" | "end") =>
      this.list[at].free.push(when === undefined ? { to } : { to, when });
    switch (node.kind) {
      case "set": {
        const [own, to] = [this.add(), this.add()];
        free(from, own);
        const index = this.sets.get(node.set) ?? this.sets.size;
        this.sets.set(node.set, index);
        this.list[own].set = { index, to };
        return to;
      }
      case "sequence":
        return node.parts.reduce((at, part) => this.lay(part, at), from);
      case "choice": {
        const to = this.add();
        for (const part of node.parts) {
          const own = this.add();
          free(from, own);
          free(this.lay(part, own), to);
        }
        return to;
      }
      case "repeat": {
        let at = from;
        for (let i = 0; i < node.min; i++) at = this.lay(node.body, at);
        const to = this.add();
        if (node.max === Infinity) {
          const loop = this.add();
          free(at, loop);
          free(loop, to);
          free(this.lay(node.body, loop), loop);
          return to;
        }
        for (let i = node.min; i < node.max; i++) {
          free(at, to);
          at = this.lay(node.body, at);
        }
        free(at, to);
        return to;
      }
      default: {
        const to = this.add();
        free(from, to, node.kind);
        return to;
      }
    }
  }
}

/** The machine of one pattern, which may be found anywhere in a text (or nowhere, with `not`). */
function tableOf(node: Node, not: boolean, path: string, work: Work): CharTable {
  const places = new Places(path);
  const first = places.add();
  const last = places.lay(node, first);
  const { starts, classes, members } = classesOf([...places.sets.keys()], path, work);
  const reach = (from: Iterable<number>, atStart: boolean, atEnd: boolean): number[] => {
    const found = new Set(from);
    for (const at of found) {
      work.spend(4 + places.list[at].free.length, path);
      for (const { to, when } of places.list[at].free)
        if (when === undefined || (when === "start" ? atStart : atEnd)) found.add(to);
    }
    return [...found].toSorted((a, b) => a - b);
  };
  const done = "done"; // found already: whatever comes
  const look = (key: string): Found => {
    if (key === done) return { to: members.map(() => done), ends: !not };
    const atStart = key.startsWith("^");
    const own = key.slice(1).split(",").map(Number);
    const found = reach(own, atStart, false);
    if (found.includes(last)) return look(done);
    const to = members.map((sets) => {
      work.spend(found.length, path);
      const next = found.flatMap((at) => {
        const { set } = places.list[at];
        return set !== undefined && sets.has(set.index) ? [set.to] : [];
      });
      // It may also begin at the next character.
      const all = reach([...next, first], false, false);
      return all.includes(last) ? done : `-${[...new Set([...next, first])].toSorted((a, b) => a - b).join(",")}`;
    });
    return { to, ends: reach(own, atStart, true).includes(last) !== not };
  };
  const made = explore(`^${first}`, look, path);
  return new CharTable(starts, classes, members.length, made.table, made.ends);
}

/** Characters in classes that no set tells apart; for each class the sets that it is in. */
function classesOf(sets: readonly Ranges[], path: string, work: Work) {
  const bounds = new Set([0]);
  for (const set of sets) {
    work.spend(set.length, path);
    for (const [first, last] of pairsOf(set)) {
      bounds.add(first);
      if (last < LAST) bounds.add(last + 1);
    }
  }
  const starts = [...bounds].toSorted((a, b) => a - b);
  const inside: number[][] = starts.map(() => []);
  for (const [index, set] of sets.entries()) {
    let at = 0;
    for (const [first, last] of pairsOf(set)) {
      while (starts[at] < first) at++;
      for (; at < starts.length && starts[at] <= last; at++) inside[at].push(index);
    }
    work.spend(starts.length, path);
  }
  const known = new Map<string, number>();
  const members: ReadonlySet<number>[] = [];
  const classes = inside.map((own) => {
    const key = own.join(",");
    if (!known.has(key)) known.set(key, members.push(new Set(own)) - 1);
    return known.get(key)!;
  });
  return { starts, classes, members };
}

/** The machine of all conditions. Throws LlariatError "request" at `path` where it would be too large. */
export function matching(conditions: Conditions, path: string, work: Work): CharTable {
  return conditions
    .map(({ node, not }) => tableOf(node, not, path, work))
    .reduce((all, each) => both(all, each, path, work));
}
