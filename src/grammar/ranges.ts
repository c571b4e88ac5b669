// ranges.ts — sets of code points, as rising pairs: first and last of each run, no two of which touch.

/** A set of code points: [first, last, first, last, …]. */
export type Ranges = readonly number[];

/** The last code point there is. */
export const LAST = 0x10ffff;

/** Every code point. */
export const ALL: Ranges = [0, LAST];

/** The set that all these ranges make, in whatever order they come. */
export function rangesOf(pairs: readonly (readonly [number, number])[]): Ranges {
  const out: number[] = [];
  for (const [first, last] of pairs.toSorted((a, b) => a[0] - b[0])) {
    if (out.length > 0 && first <= out[out.length - 1] + 1) out[out.length - 1] = Math.max(out[out.length - 1], last);
    else out.push(first, last);
  }
  return out;
}

/** The pairs of a set. */
export const pairsOf = (ranges: Ranges): [number, number][] =>
  Array.from({ length: ranges.length / 2 }, (_, i) => [ranges[2 * i], ranges[2 * i + 1]]);

/** Every code point of any of the sets. */
export const union = (...sets: readonly Ranges[]): Ranges => rangesOf(sets.flatMap(pairsOf));

/** Every other code point. */
export function negated(ranges: Ranges): Ranges {
  const out: number[] = [];
  let next = 0;
  for (const [first, last] of pairsOf(ranges)) {
    if (first > next) out.push(next, first - 1);
    next = last + 1;
  }
  if (next <= LAST) out.push(next, LAST);
  return out;
}
