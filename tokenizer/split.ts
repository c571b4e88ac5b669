// split.ts — cuts a piece at the matches of a pattern; what becomes of the matches, the five behaviours of the library say.

import { matches, slice } from "./piece.ts";
import type { Piece } from "./piece.ts";

/** What becomes of a match: nothing, a piece of its own, or part of the piece before, after, or of its neighbours. */
export const BEHAVIORS = ["Removed", "Isolated", "MergedWithPrevious", "MergedWithNext", "Contiguous"] as const;
/** One of them. */
export type Behavior = (typeof BEHAVIORS)[number];

/** One stretch of a piece, inside or outside the pattern; reaches to the start of the next. */
interface Stretch {
  start: number;
  end: number;
  readonly matched: boolean;
}

/** Cuts at the matches of `pattern`; what becomes of them `behavior` says, in the words of the library. */
export function split(piece: Piece, pattern: string | RegExp, behavior: Behavior, invert: boolean): Piece[] {
  const { text } = piece;
  if (behavior === "Isolated" && piece.origin === undefined && typeof pattern !== "string") {
    const words = text.match(pattern);
    // usual patterns leave nothing between their matches: then the words alone say where they are
    if (words && words.reduce((sum, word) => sum + word.length, 0) === text.length) return pieces(piece, words);
  }
  const stretches: Stretch[] = [];
  let done = 0;
  for (const [start, end] of matches(text, pattern)) {
    if (done < start) stretches.push({ start: done, end: start, matched: invert });
    stretches.push({ start, end, matched: !invert });
    done = end;
  }
  if (done < text.length) stretches.push({ start: done, end: text.length, matched: invert });
  return arrange(stretches, behavior)
    .filter(({ start, end }) => start < end)
    .map(({ start, end }) => slice(piece, start, end));
}

function pieces(piece: Piece, words: readonly string[]): Piece[] {
  let { start } = piece;
  const out = [];
  for (const text of words) {
    if (text !== "") out.push({ text, start, origin: undefined });
    start += text.length;
  }
  return out;
}

function arrange(stretches: Stretch[], behavior: Behavior): Stretch[] {
  switch (behavior) {
    case "Isolated":
      return stretches;
    case "Removed":
      return stretches.filter((stretch) => !stretch.matched);
    case "Contiguous":
      return joined(stretches, (stretch, previous) => stretch.matched === previous.matched);
    case "MergedWithPrevious":
      return joined(stretches, (stretch, previous) => stretch.matched && !previous.matched);
    case "MergedWithNext":
      return joined(stretches.reverse(), (stretch, previous) => stretch.matched && !previous.matched).reverse();
  }
}

/** Joins each stretch to the one before it where `joins` says so; `joins` sees the stretches as they were cut. */
function joined(stretches: Stretch[], joins: (stretch: Stretch, previous: Stretch) => boolean): Stretch[] {
  const out: Stretch[] = [];
  let previous: Stretch | undefined;
  for (const stretch of stretches) {
    const last = out.at(-1);
    if (last && previous && joins(stretch, previous)) {
      last.start = Math.min(last.start, stretch.start);
      last.end = Math.max(last.end, stretch.end);
      previous = stretch;
    } else {
      out.push({ ...stretch });
      previous = stretch;
    }
  }
  return out;
}
