// angles.ts — rows of the rotary table on the device: who owns which range, and which rows a step must still write.

import type { Tensor } from "../../kernels/index.ts";
import type { Gpu } from "../device/gpu.ts";
import { type Rope, dependsOnLength, effectiveLength, frequencies, ropeKey, turns } from "../rope/index.ts";

/**
 * What the angles of a sequence mean while it grows, for types whose frequencies depend on the total length n:
 * - `planned`: n is the longest length the request can reach; every key and query has the same frequencies.
 * - `current`: n is the present length; keys are cached raw and rotated as they are read.
 * - `as-inserted`: a key keeps the frequencies of the step that wrote it, as transformers' cached `generate` does.
 */
export type RopeAngles = "planned" | "current" | "as-inserted";

/** Every meaning by name, the default first. */
export const ROPE_ANGLES: readonly RopeAngles[] = ["planned", "current", "as-inserted"];

/** Frequencies of one setting at one length, as the kernel reads them: headDim words of turns, then m as f32 bits. */
export interface Setting {
  readonly key: string;
  readonly words: Uint32Array;
}

/** A range of table rows: row `first + i` belongs to the i-th token of its sequences. */
interface Region {
  first: number;
  readonly rows: number;
  /** Positions below this are written, with the setting below. */
  filled: number;
  setting: Setting;
  users: number;
  readonly shared: string | undefined;
}

/** What a step has to write: table rows first …, positions from `position`, with a setting. */
export interface Fill {
  readonly first: number;
  readonly position: number;
  readonly count: number;
  readonly setting: Setting;
}

/** A sequence's view of the table. */
export class Angles {
  readonly rope: Rope;
  readonly meaning: RopeAngles;
  readonly region: Region;
  /** Attention rotates the keys of such a sequence as it reads them. */
  readonly rawKeys: boolean;
  /** Position of a row minus its index in the cache: not 0 where a prompt is laid out with gaps. */
  offset = 0;
  readonly #planned: number;

  constructor(rope: Rope, meaning: RopeAngles, region: Region, planned: number) {
    this.rope = rope;
    this.meaning = meaning;
    this.region = region;
    this.rawKeys = meaning === "current" && dependsOnLength(rope);
    this.#planned = planned;
  }

  /** Equal for sequences whose frequencies are fixed and equal; undefined where they change or positions have gaps. */
  get shared(): string | undefined {
    return this.region.shared;
  }

  /** Table row of position 0. */
  get first(): number {
    return this.region.first;
  }

  /** Frequencies for a step after which the sequence (or the prompt it is part of) has `n` tokens. */
  setting(n: number): Setting {
    return settingFor(this.rope, this.meaning === "planned" ? this.#planned : n);
  }

  /** Rows to be written before the first `end` are used with the frequencies for `n`; marks them as written. */
  fill(end: number, n: number): Fill | undefined {
    const { region } = this;
    const setting = this.setting(n);
    if (setting.key !== region.setting.key) {
      region.setting = setting;
      // Keys in the cache carry their angles already, unless they are raw: then every row must be written anew.
      if (this.rawKeys) region.filled = 0;
    }
    if (end <= region.filled) return undefined;
    const position = region.filled;
    region.filled = end;
    return { first: region.first + position, position: position + this.offset, count: end - position, setting };
  }
}

const settings = new Map<string, Setting>();

/** The setting's words, remembered: a decode step must not redo big-integer arithmetic. Same key, same words. */
function settingFor(rope: Rope, n: number): Setting {
  const length = effectiveLength(rope, n);
  const key = `${ropeKey(rope)} ${length}`;
  let setting = settings.get(key);
  if (!setting) {
    const { omega, attentionScaling } = frequencies(rope, n);
    const words = new Uint32Array(rope.headDim + 4);
    words.set(turns(omega));
    new Float32Array(words.buffer)[rope.headDim] = attentionScaling;
    if (settings.size > 256) settings.clear(); // dynamic makes one per length
    settings.set(key, (setting = { key, words }));
  }
  return setting;
}

/** The table and its ranges. Sequences with equal frequencies share a range. */
export class AngleTable {
  readonly #regions: Region[] = [];
  /** Replaced when the table has grown. */
  tensor: Tensor;

  constructor(gpu: Pick<Gpu, "create">, headDim: number) {
    this.tensor = { name: "table", dtype: "f32", shape: [64, headDim] };
    gpu.create(this.tensor, "activations");
  }

  /** A range for `rows` tokens; `planned` is the n of `planned` angles, `gaps` says that positions are not 0, 1, 2 …. */
  take(request: { rope: Rope; meaning: RopeAngles; rows: number; planned: number; gaps: boolean }): Angles {
    const { rope, meaning, rows, planned, gaps } = request;
    const fixed = !gaps && (meaning === "planned" || !dependsOnLength(rope));
    const setting = settingFor(rope, planned);
    const shared = fixed ? setting.key : undefined;
    const match = shared && this.#regions.find((region) => region.shared === shared && region.rows >= rows);
    if (match) {
      match.users++;
      return new Angles(rope, meaning, match, planned);
    }
    const region: Region = { first: this.#gap(rows), rows, filled: 0, setting, users: 1, shared };
    this.#regions.push(region);
    this.#regions.sort((a, b) => a.first - b.first);
    return new Angles(rope, meaning, region, planned);
  }

  /**
   * The larger table that the ranges need, if this one is too small. The caller has the GPU grow to it, then sets
   * `tensor`.
   */
  lacking(): Tensor | undefined {
    const needed = this.#regions.reduce((most, { first, rows }) => Math.max(most, first + rows), 0);
    const [rows, headDim] = this.tensor.shape;
    return needed > rows ? { ...this.tensor, shape: [needed, headDim] } : undefined;
  }

  /** Gives a sequence's range back; a shared one stays while others use it. */
  release(angles: Angles): void {
    if (--angles.region.users === 0) this.#regions.splice(this.#regions.indexOf(angles.region), 1);
  }

  // First row of the first gap of `rows` rows between the regions.
  #gap(rows: number): number {
    let first = 0;
    for (const region of this.#regions) {
      if (region.first - first >= rows) break;
      first = region.first + region.rows;
    }
    return first;
  }
}
