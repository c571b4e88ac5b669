// linear.ts — which regular expressions V8, which backtracks, runs in time that grows with the text: those of published
// checkpoints, which it runs faster than matcher.ts. Each alternative takes what it looks at, or leaves it to the next one.
//   most        a few characters, then one run that nothing after it can make shorter:  ` ?\p{L}+`, ` ?[^\s\p{L}]+[\r\n]*`
//   white space `\s*[\r\n]+` may look at a run in vain if the next alternative takes it, `\s+(?!\S)` gives one back
//   o200k       `X*Y+` looks at a run of X in vain if `X+Y*` is next; both with the same before and after it

import type { Node } from "./nodes.ts";

type Run = Node & { readonly kind: "repeat"; readonly body: { readonly kind: "set"; readonly set: string } };
/** One alternative: what is before its runs, the runs, and what is after them. */
interface Alternative {
  readonly before: readonly Node[];
  readonly runs: readonly Run[];
  readonly after: readonly Node[];
}

/** In how many ways the few characters before a run may match at one place; the published ones have at most 14. */
const MAX_WAYS = 100;
/** All alternatives together: V8 tries them at every place. */
const MAX_WAYS_OF_ALL = 160;
/** The characters that a run must have; the published ones need 1 or 2. */
const MAX_LEAST = 16;

const isRun = (node: Node): node is Run =>
  node.kind === "repeat" && node.body.kind === "set" && node.max === Infinity && node.min <= MAX_LEAST && !node.lazy;

/** How many ways a part of a few characters has at one place; Infinity for what has a run in it, or is none of those. */
function ways(node: Node): number {
  switch (node.kind) {
    case "set":
      return 1;
    case "sequence":
      return node.parts.reduce((product, part) => product * ways(part), 1);
    case "choice":
      return node.branches.reduce((sum, branch) => sum + ways(branch), 0);
    case "repeat":
      if (node.max === 1) return ways(node.body) + 1;
      return node.body.kind === "set" && node.max <= MAX_WAYS ? node.max + 1 : Infinity;
    case "look":
      return node.body.kind === "set" ? 1 : Infinity;
    case "atomic":
      return Infinity;
  }
}

/** Whether a part matches at every place, if only nothing. */
function cannotFail(node: Node): boolean {
  if (node.kind === "sequence") return node.parts.every(cannotFail);
  if (node.kind === "choice") return node.branches.some(cannotFail);
  return node.kind === "repeat" && (node.min === 0 || cannotFail(node.body));
}

function alternative(node: Node): Alternative {
  const parts = node.kind === "sequence" ? node.parts : [node];
  const first = parts.findIndex(isRun);
  if (first < 0) return { before: parts, runs: [], after: [] };
  const rest = parts.slice(first);
  const other = rest.findIndex((part) => !isRun(part));
  const count = other < 0 ? rest.length : other;
  return { before: parts.slice(0, first), runs: rest.slice(0, count) as Run[], after: rest.slice(count) };
}

const waysOf = (parts: readonly Node[]): number => parts.reduce((product, part) => product * ways(part), 1);
const same = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);
const few = (parts: readonly Node[]): boolean => waysOf(parts) <= MAX_WAYS;
const opposite = (a: string, b: string): boolean => `[^${a.slice(1)}` === b;

/** Nothing after the first run can fail, so it is never made shorter. */
function keeps({ before, runs, after }: Alternative): boolean {
  return few(before) && runs.slice(1).every(cannotFail) && after.every(cannotFail) && few(after);
}

/** X+ followed by nothing but X or the end: all of the run but its last character, if not all. */
function givesOneBack({ before, runs, after: [look, ...more] }: Alternative): boolean {
  if (before.length > 0 || runs.length !== 1 || runs[0].min > 1 || more.length > 0) return false;
  const not = look?.kind === "look" && look.not && !look.behind && look.body.kind === "set" ? look.body.set : undefined;
  return not !== undefined && opposite(runs[0].body.set, not);
}

/** X*Y+, and the next alternative takes the run of X wherever this one does not. */
function leavesToNext(at: Alternative, next: Alternative | undefined): boolean {
  const [x, y, ...more] = at.runs;
  if (next === undefined || y === undefined || more.length > 0 || x.min !== 0 || y.min !== 1) return false;
  const [nextX, nextY] = next.runs;
  if (!same(nextX?.body, x.body) || nextX.min !== 1) return false;
  if (at.before.length === 0 && at.after.length === 0 && nextY === undefined) {
    return givesOneBack(next) || (keeps(next) && next.before.length === 0);
  }
  const twins = same(nextY?.body, y.body) && nextY.min === 0 && next.runs.length === 2;
  return twins && keeps(next) && same(at.before, next.before) && same(at.after, next.after);
}

/** Whether V8's time for all matches in a text grows with its length alone. False only says that it is not known. */
export function isLinear(node: Node): boolean {
  const alternatives = (node.kind === "choice" ? node.branches : [node]).map(alternative);
  if (alternatives.reduce((sum, { before }) => sum + waysOf(before), 0) > MAX_WAYS_OF_ALL) return false;
  return alternatives.every((at, i) => {
    return keeps(at) || givesOneBack(at) || leavesToNext(at, alternatives[i + 1]);
  });
}

/** A regular expression of isLinear as one of JavaScript's. */
export function sourceOf(node: Node): string {
  switch (node.kind) {
    case "set":
      return node.set;
    case "sequence":
      return node.parts.map(sourceOf).join("");
    case "choice":
      return `(?:${node.branches.map(sourceOf).join("|")})`;
    case "repeat":
      return `(?:${sourceOf(node.body)}){${node.min},${node.max === Infinity ? "" : node.max}}${node.lazy ? "?" : ""}`;
    case "look":
      return `(?${node.behind ? "<" : ""}${node.not ? "!" : "="}${sourceOf(node.body)})`;
    case "atomic":
      throw new TypeError("an atomic group has no counterpart"); // isLinear takes none
  }
}
