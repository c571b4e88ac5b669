// wording.ts — what error sentences are made of: any value shown safely, and the known name nearest to a misspelt one.

import { isObject, show } from "./json.ts";

/** Any value of a caller, not only JSON, as it may stand in an error: short, and never an error itself. */
export function display(value: unknown): string {
  try {
    if (typeof value === "string" || isObject(value)) return show(value);
    if (Array.isArray(value)) return `a list of ${value.length}`;
    return typeof value === "function" || typeof value === "symbol" ? `a ${typeof value}` : String(value);
  } catch {
    return "an object that cannot be read"; // a proxy may throw at every touch
  }
}

/** What an error says, or whatever else was thrown; itself never an error. */
export function messageOf(thrown: unknown): string {
  try {
    return thrown instanceof Error && typeof thrown.message === "string" ? thrown.message : display(thrown);
  } catch {
    return "an error that cannot be read";
  }
}

/** The same, cut for a sentence. */
export const said = (thrown: unknown): string => short(messageOf(thrown));

/** A name from a file, cut for a sentence. */
export const short = (name: string) => (name.length > 200 ? `${name.slice(0, 200)}…` : name);

/** " (and 3 more)": how many besides the one a sentence names. */
export const others = (count: number) => (count > 1 ? ` (and ${count - 1} more)` : "");

/**
 * Fewest insertions, deletions, substitutions and swaps of neighbours that turn `a` into `b` (optimal string alignment,
 * after Damerau 1964): most slips of a finger are one of these.
 */
export function editDistance(a: string, b: string): number {
  let before: number[] = [];
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const fewest = Math.min(row[j] + 1, next[j - 1] + 1, row[j - 1] + (a[i - 1] === b[j - 1] ? 0 : 1));
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      next.push(swapped ? Math.min(fewest, before[j - 2] + 1) : fewest);
    }
    before = row;
    row = next;
  }
  return row[b.length];
}

/**
 * The member of `known` nearest to `name`, ignoring case and `-`, `_` and spaces, or undefined if nothing is near: more
 * than a third of the longer name would have to change, which is rather another word than a slip of the finger.
 */
export function nearest(name: string, known: Iterable<string>): string | undefined {
  const plain = (text: string) => text.toLowerCase().replace(/[-_ ]/g, "");
  let best: string | undefined;
  let fewest = Infinity;
  // A name of kilobytes is no misspelling, and the distance takes the product of the lengths.
  if (name.length > 64) return undefined;
  for (const candidate of known) {
    const distance = editDistance(plain(name), plain(candidate));
    const allowed = Math.floor(Math.max(plain(name).length, plain(candidate).length) / 3);
    if (distance <= allowed && distance < fewest) [best, fewest] = [candidate, distance];
  }
  return best;
}
