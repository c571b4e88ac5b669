// split.ts — cuts a piece at the matches of a pattern; what becomes of the matches, the five behaviours of the library say.

import { matches, slice } from "./piece.ts";
import type { Pattern, Piece } from "./piece.ts";
import { Matcher } from "./regex/index.ts";

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
export function split(piece: Piece, pattern: Pattern, behavior: Behavior, invert: boolean): Piece[] {
  const { text } = piece;
  // the usual way to cut words, without a list of what is between them
  if (behavior === "Isolated" && piece.origin === undefined && pattern instanceof Matcher)
    return isolated(piece, pattern);
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

function inRow(words: readonly string[], offset: number): Piece[] {
  let start = offset;
  const out: Piece[] = [];
  for (const text of words) {
    if (text !== "") out.push({ text, start, origin: undefined });
    start += text.length;
  }
  return out;
}

function isolated({ text, start: offset }: Piece, pattern: Matcher): Piece[] {
  const out: Piece[] = [];
  // usual patterns leave nothing between their matches: then the words alone say where they are
  const words = pattern.cover(text);
  if (words) return inRow(words, offset);
  let done = 0;
  const put = (from: number, to: number) => {
    if (from < to) out.push({ text: text.slice(from, to), start: offset + from, origin: undefined });
    done = to;
  };
  pattern.each(text, (start, end) => {
    put(done, start);
    put(start, end);
  });
  put(done, text.length);
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
