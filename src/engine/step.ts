// step.ts — fills the step buffer: which rows a step computes, for which sequences, and what is wanted of them.

import { PAGE, SPLIT, type StepLayout, type StepShape, tileRows } from "../../kernels/index.ts";
import type { Fill, Setting } from "./angles.ts";
import type { Sequence } from "./sequence.ts";

/** The next tokens of one sequence, to be computed in a step: those after `sequence.length`. */
export interface Segment {
  readonly sequence: Sequence;
  readonly count: number;
  /** Total length that decides length-dependent frequencies: a chunk of a prompt has the whole prompt's. */
  readonly n: number;
  /** Rows (relative to the segment) whose logits are wanted; or the first of those whose hidden states are added up. */
  readonly outputs: readonly number[];
  /** Candidates wanted per output; or hidden rows added up per output. */
  readonly k: number;
}

/** Rows of a step that attention may take one by one, each over parts of its keys that run side by side. */
export const MAX_SINGLES = 16;

/**
 * Rows of one sequence up to which they are taken one by one: each reads the keys for itself, but their parts fill a device
 * that one tile does not (bench/kernels.ts).
 */
const FEW_SINGLES = 4;

/** The segments whose rows stand alone, and those whose rows make tiles. */
export function splitSegments(segments: readonly Segment[]): { alone: Segment[]; tiled: Segment[] } {
  const [alone, tiled]: Segment[][] = [[], []];
  let room = MAX_SINGLES;
  for (const segment of segments) {
    const fits = segment.count <= Math.min(FEW_SINGLES, room);
    (fits ? alone : tiled).push(segment);
    if (fits) room -= segment.count;
  }
  return { alone, tiled };
}

/** A step ready to run: its shape and the filled part of the step buffer (valid until the next `write`). */
export interface StepData {
  readonly shape: StepShape;
  readonly data: Uint32Array<ArrayBuffer>;
}

/** Writes steps into one host array of fixed size. */
export class StepWriter {
  readonly layout: StepLayout;
  readonly #words: Uint32Array<ArrayBuffer>;

  /** `pages` is the longest page table in total that a step may carry. */
  constructor(layout: StepLayout, pages: number) {
    this.layout = layout;
    this.#words = new Uint32Array(layout.pageAt + pages);
  }

  get bytes(): number {
    return this.#words.byteLength;
  }

  /** A step of one token at the beginning of page 0, alone and as a tile, whose logits are wanted. */
  one(): Uint32Array<ArrayBuffer> {
    const words = this.#words.fill(0);
    words.set([1, 1, 1, 1]);
    words[this.layout.tileAt + 1] = 1; // rows of the tile
    words[this.layout.outputAt + 1] = 1; // candidates
    return words.subarray(0, this.layout.pageAt + 1);
  }

  /**
   * Lays the segments out as rows, those that stand alone first; outputs are in the segments' order. The caller has checked
   * that they fit the capacity.
   */
  write(segments: readonly Segment[]): StepData {
    const { rowAt, tileAt, fillAt, outputAt, sequenceAt, turnsAt, turnsStride, pageAt, capacity } = this.layout;
    const words = this.#words;
    const tileLimit = tileRows(capacity.headDim);
    const fills: Fill[] = [];
    const firstRow = new Map<Segment, number>();
    const { alone, tiled } = splitSegments(segments);
    let [rows, singles, tiles, outputs, pages, longest] = [0, 0, 0, 0, 0, 1];
    for (const [s, segment] of [...alone, ...tiled].entries()) {
      const { sequence, count, n } = segment;
      const { angles, length, tokens } = sequence;
      const single = s < alone.length;
      firstRow.set(segment, rows);
      const fill = angles.fill(length + count, n);
      if (fill) fills.push(fill);
      words.set([pages, angles.first, Number(angles.rawKeys), 0], sequenceAt + 4 * s);
      const used = Math.ceil((length + count) / PAGE);
      // Pages that are gone are before every window: nothing reads their slots.
      for (let i = 0; i < used; i++) words[pageAt + pages + i] = Math.max(0, sequence.pages[i]);
      pages += used;
      if (single) longest = Math.max(longest, length + count);
      if (single) singles += count;
      for (let first = 0; first < count && !single; first += tileLimit) {
        words.set([rows + first, Math.min(tileLimit, count - first), s, 0], tileAt + 4 * tiles++);
      }
      for (let i = 0; i < count; i++) {
        const position = length + i;
        words.set([tokens[position], position, s, angles.first + position], rowAt + 4 * (rows + i));
      }
      rows += count;
    }
    for (const segment of segments) {
      for (const row of segment.outputs) {
        words.set([firstRow.get(segment)! + row, segment.k], outputAt + 2 * outputs++);
      }
    }
    const fillRows = this.#writeFills(fills, fillAt, turnsAt, turnsStride);
    const splits = Math.ceil(longest / SPLIT);
    words.set([rows, outputs, tiles, splits]);
    return {
      shape: { rows, outputs, singles, tiles, splits, fills: fills.length, fillRows },
      data: words.subarray(0, pageAt + pages),
    };
  }

  /** The table rows to write, and each setting they are written with once; the rows of the longest range. */
  #writeFills(fills: readonly Fill[], fillAt: number, turnsAt: number, turnsStride: number): number {
    const settings: Setting[] = [];
    for (const [i, { first, position, count, setting }] of fills.entries()) {
      let slot = settings.indexOf(setting);
      if (slot < 0) {
        slot = settings.push(setting) - 1;
        this.#words.set(setting.words, turnsAt + turnsStride * slot);
      }
      this.#words.set([first, position, count, slot], fillAt + 4 * i);
    }
    return fills.reduce((most, { count }) => Math.max(most, count), 0);
  }
}
