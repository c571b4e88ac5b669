// entry.ts — a sequence in the scheduler's hands: how it was opened, its turn, and what a step takes of it.

import type { Rope, RopeAngles } from "../rope/index.ts";
import type { Output, Sequence, Turn } from "./sequence.ts";
import type { Segment } from "./step.ts";

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

/** The rows of a chunk, and those of them whose logits are wanted and not there yet. */
export function segmentOf(entry: Entry, turn: Turn, { count, n }: { count: number; n: number }): Segment {
  const { sequence, from, outputs } = entry;
  const end = sequence.tokens.length;
  const wanted = turn.rows === "all" ? from + outputs.length : end - 1;
  const first = Math.max(0, wanted - sequence.length);
  const list = Array.from({ length: Math.max(0, count - first) }, (_, i) => first + i);
  return { sequence, count, n, outputs: list, k: turn.want === "candidates" ? turn.k : 1 };
}
