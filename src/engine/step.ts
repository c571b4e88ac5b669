// step.ts — fills the step buffer: which rows a step computes, for which sequences, and what is wanted of them.

import { PAGE, SPLIT, type StepLayout, type StepShape, tileRows } from "../../kernels/index.ts";
import type { Angles, Fill, Setting } from "./angles.ts";
import type { PrefixPage } from "./prefix.ts";

/** A sequence in the cache. */
export interface Sequence {
  readonly pages: readonly number[];
  readonly angles: Angles;
  /** Tokens whose keys and values are in the cache. */
  length: number;
  /** Most tokens its pages and angles hold. */
  readonly capacity: number;
  /** The first of its pages, as far as they are shared with other sequences (src/engine/prefix.ts). */
  readonly prefix: PrefixPage[];
}

/** Neighbouring tokens of one sequence to be computed in a step. */
export interface Segment {
  readonly sequence: Sequence;
  /** Token ids, at positions sequence.length …. */
  readonly ids: ArrayLike<number>;
  /** First id of this segment and number of ids. */
  readonly from: number;
  readonly count: number;
  /** Total length that decides length-dependent frequencies: a chunk of a prompt has the whole prompt's. */
  readonly n: number;
  /** Rows (relative to the segment) whose logits are wanted. */
  readonly outputs: readonly number[];
  /** Candidates wanted per output. */
  readonly k: number;
}

/** A step ready to run: its shape and the filled part of the step buffer (valid until the next `write`). */
export interface StepData {
  readonly shape: StepShape;
  readonly data: Uint32Array<ArrayBuffer>;
}

/** Writes steps into one host array of fixed size; allocates nothing. */
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

  /** Lays the segments out as rows. The caller has checked that they fit the capacity. */
  write(segments: readonly Segment[]): StepData {
    const { rowAt, tileAt, fillAt, outputAt, sequenceAt, turnsAt, turnsStride, pageAt, capacity } = this.layout;
    const words = this.#words;
    const tileLimit = tileRows(capacity.headDim);
    const settings: Setting[] = [];
    const fills: Fill[] = [];
    let [rows, tiles, outputs, pages, longest] = [0, 0, 0, 0, 1];
    for (const [s, { sequence, ids, from, count, n, outputs: wanted, k }] of segments.entries()) {
      const { angles, length } = sequence;
      const fill = angles.fill(length + count, n);
      if (fill) fills.push(fill);
      words.set([pages, angles.first, Number(angles.rawKeys), 0], sequenceAt + 4 * s);
      const used = Math.ceil((length + count) / PAGE);
      for (let i = 0; i < used; i++) words[pageAt + pages + i] = sequence.pages[i];
      pages += used;
      longest = Math.max(longest, length + count);
      for (let first = 0; first < count; first += tileLimit) {
        words.set([rows + first, Math.min(tileLimit, count - first), s, 0], tileAt + 4 * tiles++);
      }
      for (const row of wanted) words.set([rows + row, k], outputAt + 2 * outputs++);
      for (let i = 0; i < count; i++) {
        const position = length + i;
        words.set([ids[from + i], position, s, angles.first + position], rowAt + 4 * (rows + i));
      }
      rows += count;
    }
    let fillRows = 0;
    for (const [i, { first, position, count, setting }] of fills.entries()) {
      let slot = settings.indexOf(setting);
      if (slot < 0) {
        slot = settings.push(setting) - 1;
        words.set(setting.words, turnsAt + turnsStride * slot);
      }
      words.set([first, position, count, slot], fillAt + 4 * i);
      fillRows = Math.max(fillRows, count);
    }
    const splits = Math.ceil(longest / SPLIT);
    words.set([rows, outputs, tiles, splits]);
    return {
      shape: { rows, outputs, tiles, splits, fills: fills.length, fillRows },
      data: words.subarray(0, pageAt + pages),
    };
  }
}
