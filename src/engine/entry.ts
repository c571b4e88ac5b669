// entry.ts — a sequence in the scheduler's hands: how it was opened, its turn, and what a step takes of it.

import type { Rope, RopeAngles } from "../rope/index.ts";
import type { Output, Sequence, Turn } from "./sequence.ts";
import { MAX_SINGLES, type Segment } from "./step.ts";

/** How to open a sequence. */
export interface OpenOptions {
  /** Most tokens it will have. */
  readonly capacity: number;
  readonly rope: Rope;
  readonly meaning: RopeAngles;
  /** The n of `planned` angles. */
  readonly planned: number;
  /** Positions will not be 0, 1, 2 …: the caller uses `at`. */
  readonly gaps?: boolean;
  /** Use keys and values of equal beginnings, and let others use its own. Default false. */
  readonly shared?: boolean;
}

/** An open sequence, its turn, and what of it is done. */
export interface Entry {
  readonly sequence: Sequence;
  readonly options: OpenOptions;
  /** Order of opening: when memory is short, the older goes on. */
  readonly age: number;
  /** Undefined: it rests. */
  turn: Turn | undefined;
  /** Tokens before those of the turn. */
  from: number;
  outputs: Output[];
  /** Wanted rows that its outputs are of. */
  given: number;
  /** Tokens at the end that are its turn's draft. */
  drafted: number;
  /** It may take pages: what is known of its tokens has been looked up. */
  started: boolean;
  /** It was started before, and has lost its pages since. */
  again: boolean;
  /** `memory.released` when it last found no room. */
  short: number;
  /** When it was last served, in the order of serving: of those that each need one row, the one that waited longest comes first. */
  served: number;
}

/** What a step computes of an entry, and for which of its turns. */
export interface Chosen {
  readonly entry: Entry;
  readonly turn: Turn;
  readonly segment: Segment;
}

/** A sequence that was just opened, the `age`-th. */
export function newEntry(sequence: Sequence, options: OpenOptions, age: number): Entry {
  const idle = { turn: undefined, from: 0, outputs: [], given: 0, drafted: 0 };
  return { sequence, options, age, ...idle, started: false, again: false, short: -1, served: 0 };
}

/** Whether only the next token is to be computed, and perhaps a draft of what follows it. */
export const decodes = ({ sequence, drafted }: Entry): boolean => sequence.pending === 1 + drafted;

/** Tokens that each of those who decode may draft: together they fill a step up to what is taken row by row. */
export function draftRoom(active: readonly Entry[], engine: { maxRows: number; maxOutputs: number }): number {
  const rows = Math.min(MAX_SINGLES, engine.maxRows, engine.maxOutputs);
  return Math.max(0, Math.floor(rows / active.filter(decodes).length) - 1);
}

/** Adds a draft after the token that comes next; none where more must come before it, since memory was lost. */
export function addDraft(entry: Entry, draft: readonly number[]): void {
  const { sequence } = entry;
  if (sequence.pending !== 1) return;
  // One by one: where frequencies follow the length, each token has its own, as it would have without a draft.
  for (const id of draft) sequence.push([id]);
  entry.drafted = draft.length;
}

/** Leaves no more than `most` tokens of a draft of which nothing is computed. */
export function cutDraft(entry: Entry, most: number): void {
  const { sequence, drafted } = entry;
  if (drafted <= most) return;
  sequence.rewind(sequence.tokens.length - (drafted - most));
  entry.drafted = most;
}

/** The rows of a chunk, and those of them that are wanted and not there yet. */
export function segmentOf(entry: Entry, turn: Turn, { count, n }: { count: number; n: number }): Segment {
  const { sequence, from, drafted, given } = entry;
  const end = sequence.tokens.length;
  const wanted = (turn.rows === "all" ? from : end - 1 - drafted) + given;
  const first = Math.max(0, wanted - sequence.length);
  // Hidden rows are added up where they are: one output, of k rows.
  if (turn.want === "hidden") return { sequence, count, n, outputs: count > first ? [first] : [], k: count - first };
  const list = Array.from({ length: Math.max(0, count - first) }, (_, i) => first + i);
  return { sequence, count, n, outputs: list, k: turn.want === "candidates" ? turn.k : 1 };
}
