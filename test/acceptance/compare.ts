// compare.ts — whether counts agree with those of transformers for the same prompts.
//
// Transformers was asked n prompts of a cell and found y; here a part of these very prompts is asked. An engine that answers
// as transformers does finds what the hypergeometric distribution allows of n, y and the number asked: in a cell where all
// or none was found, exactly that. Cells in between say little alone, so they are also judged together.

/** What was found of how many prompts. */
export interface Count {
  readonly found: number;
  readonly tries: number;
}

/** A cell of ours beside the same cell of transformers, whose prompts include ours. */
export interface Pair {
  /** Name of the setting, the first group in which cells are judged together. */
  readonly row: string;
  /** Prompt length over the trained length, the second one. */
  readonly length: number;
  readonly position: number;
  readonly ours: Count;
  readonly theirs: Count;
}

/**
 * Chance of a false alarm in one judgement, both sides together. About 200 judgements of the suite leave anything to chance,
 * but prompts and seeds are fixed: an engine that answers as transformers does passes always or never, and on these passes.
 */
export const ALPHA = 1e-3;

const logFactorials = [0];
function logChoose(n: number, k: number): number {
  for (let i = logFactorials.length; i <= n; i++) logFactorials.push(logFactorials[i - 1] + Math.log(i));
  return logFactorials[n] - logFactorials[k] - logFactorials[n - k];
}

/** P(x successes among `drawn` of `tries`, of which `found` succeed), for x = 0 … drawn. */
export function hypergeometric({ found, tries }: Count, drawn: number): number[] {
  return Array.from({ length: drawn + 1 }, (_, x) =>
    x > found || drawn - x > tries - found
      ? 0
      : Math.exp(logChoose(found, x) + logChoose(tries - found, drawn - x) - logChoose(tries, drawn)),
  );
}

/** The distribution of a sum. */
export function convolve(a: readonly number[], b: readonly number[]): number[] {
  const sum = Array.from({ length: a.length + b.length - 1 }, () => 0);
  a.forEach((p, i) => b.forEach((q, j) => (sum[i + j] += p * q)));
  return sum;
}

/** How likely a value at least as far out as x is, on both sides together, at most 1. */
export function tails(distribution: readonly number[], x: number): number {
  const sum = (part: readonly number[]): number => part.reduce((total, p) => total + p, 0);
  return Math.min(1, 2 * sum(distribution.slice(0, x + 1)), 2 * sum(distribution.slice(x)));
}

/** Judges cells alone, all positions of a length together, and a whole row: a sentence for each that disagrees. */
export function disagreements(pairs: readonly Pair[]): string[] {
  const groups = new Map<string, Pair[]>();
  const into = (name: string, pair: Pair): unknown => groups.set(name, [...(groups.get(name) ?? []), pair]);
  for (const pair of pairs) {
    into(`${pair.row} at ${pair.length}×, position ${pair.position}`, pair);
    into(`${pair.row} at ${pair.length}×, all positions`, pair);
    into(`${pair.row}, all lengths`, pair);
  }
  const wrong: string[] = [];
  for (const [name, group] of groups) {
    const found = group.reduce((sum, { ours }) => sum + ours.found, 0);
    const distribution = group.map(({ ours, theirs }) => hypergeometric(theirs, ours.tries)).reduce(convolve, [1]);
    const chance = tails(distribution, found);
    if (chance >= ALPHA) continue;
    const expected = distribution.reduce((sum, p, x) => sum + p * x, 0);
    const tries = distribution.length - 1;
    wrong.push(
      `${name}: ${found} of ${tries} found, transformers ${expected.toFixed(1)} (p ${chance.toExponential(1)})`,
    );
  }
  return wrong;
}

/** The share of right answers that must turn wrong in all of a row's sure cells, to be noticed in 95 of 100 cases. */
export function power(pairs: readonly Pair[]): number {
  const sure = pairs.filter(({ theirs }) => theirs.found === theirs.tries || theirs.found === 0);
  const tries = sure.reduce((sum, { ours }) => sum + ours.tries, 0);
  return tries === 0 ? 1 : 1 - 0.05 ** (1 / tries);
}
