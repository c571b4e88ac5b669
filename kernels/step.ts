// step.ts — the layout of lib/step.wgsl: one buffer per step holds its shape (first 16 bytes, also bound as a uniform),
// its rows, tiles, fills, outputs, sequences, frequencies and page tables.

import { LlariatError } from "../src/error.ts";

/** Tokens per page of the key/value cache: a page is the unit of allocation and of prefix sharing. */
export const PAGE = 32;

/** The most a step can hold; fixed when the model is loaded, so that offsets are compiled into the kernels. */
export interface StepCapacity {
  readonly rows: number;
  readonly outputs: number;
  readonly sequences: number;
  readonly fills: number;
  readonly headDim: number;
  /** Elements of a head that turn, the first ones; default headDim. */
  readonly rotaryDim?: number;
}

/** Offsets in u32 from the start of the step buffer. Page tables come last, because they grow with the cache. */
export interface StepLayout {
  readonly capacity: StepCapacity;
  /** Elements of a head that turn. */
  readonly rotaryDim: number;
  /** The override constants of lib/step.wgsl. */
  readonly constants: Readonly<Record<string, number>>;
  readonly rowAt: number;
  readonly tileAt: number;
  readonly fillAt: number;
  readonly outputAt: number;
  readonly sequenceAt: number;
  readonly turnsAt: number;
  /** u32 per RoPE setting: rotaryDim of fixed-point turns, then the attention scaling as f32 bits. */
  readonly turnsStride: number;
  readonly pageAt: number;
}

/** Lays out a step buffer; one RoPE setting and one page table per sequence. Throws `kernel` for an odd head dimension. */
export function stepLayout(capacity: StepCapacity): StepLayout {
  const { headDim, rotaryDim = headDim } = capacity;
  if (headDim % 2 !== 0 || rotaryDim % 2 !== 0 || rotaryDim > headDim) {
    const got = rotaryDim === headDim ? headDim : `${rotaryDim} of ${headDim} elements that turn`;
    throw new LlariatError("kernel", `step: head dimension must be even for rotary pairs, got ${got}`);
  }
  const rowAt = 16; // the shape takes 4; the rest keeps rows on a 64-byte line
  const tileAt = rowAt + 4 * capacity.rows;
  const fillAt = tileAt + 4 * capacity.rows; // at worst every row is a tile of its own
  const outputAt = fillAt + 4 * capacity.fills;
  const sequenceAt = outputAt + 2 * capacity.outputs;
  const turnsAt = sequenceAt + 4 * capacity.sequences;
  const turnsStride = rotaryDim + 4;
  const pageAt = turnsAt + turnsStride * capacity.sequences;
  return {
    capacity,
    rotaryDim,
    rowAt,
    tileAt,
    fillAt,
    outputAt,
    sequenceAt,
    turnsAt,
    turnsStride,
    pageAt,
    constants: {
      ROW_AT: rowAt,
      TILE_AT: tileAt,
      FILL_AT: fillAt,
      OUTPUT_AT: outputAt,
      SEQUENCE_AT: sequenceAt,
      TURNS_AT: turnsAt,
      TURNS_STRIDE: turnsStride,
      PAGE_AT: pageAt,
      PAGE,
    },
  };
}
