// angles.ts — rows of the rotary table on the device: who owns which range, and which rows a step must still write.

import type { Tensor } from "../../kernels/index.ts";
import type { Gpu } from "../device/gpu.ts";
import {
  type Rope,
  type RopeAngles,
  dependsOnLength,
  effectiveLength,
  frequencies,
  ropeKey,
  turns,
} from "../rope/index.ts";

/** Frequencies of one setting at one length, as the kernel reads them: headDim words of turns, then m as f32 bits. */
export interface Setting {
  readonly key: string;
  readonly words: Uint32Array;
}

/** Rows of a table that nobody uses. */
export const LEAST_ROWS = 64;

/** A range of table rows: row `first + i` belongs to the i-th token of its sequences. */
interface Region {
  first: number;
  rows: number;
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

/** A RoPE setting's frequencies by length, as words; remembered, because a step must not redo big-integer arithmetic. */
class Frequencies {
  readonly rope: Rope;
  readonly #key: string;
  readonly #settings: Map<string, Setting>;
  #last: { length: number; setting: Setting } | undefined;

  constructor(rope: Rope, settings: Map<string, Setting>) {
    this.rope = rope;
    this.#key = ropeKey(rope);
    this.#settings = settings;
  }

  /** The setting at length n. Same key, same words. */
  at(n: number): Setting {
    const { rope } = this;
    const length = effectiveLength(rope, n);
    if (this.#last?.length === length) return this.#last.setting;
    const key = `${this.#key} ${length}`;
    let setting = this.#settings.get(key);
    if (!setting) {
      const { omega, attentionScaling } = frequencies(rope, n);
      const words = new Uint32Array(rope.headDim + 4);
      words.set(turns(omega));
      new Float32Array(words.buffer)[rope.headDim] = attentionScaling;
      if (this.#settings.size > 256) this.#settings.clear(); // dynamic makes one per length
      this.#settings.set(key, (setting = { key, words }));
    }
    this.#last = { length, setting };
    return setting;
  }
}

/** A sequence's view of the table. */
export class Angles {
  readonly meaning: RopeAngles;
  readonly region: Region;
  /** Attention rotates the keys of such a sequence as it reads them. */
  readonly rawKeys: boolean;
  /** Position of a row minus its index in the cache: not 0 where a prompt is laid out with gaps. */
  offset = 0;
  readonly #frequencies: Frequencies;
  readonly #planned: number;

  constructor(frequencies: Frequencies, meaning: RopeAngles, region: Region, planned: number) {
    this.meaning = meaning;
    this.region = region;
    this.rawKeys = meaning === "current" && dependsOnLength(frequencies.rope);
    this.#frequencies = frequencies;
    this.#planned = planned;
  }

  get rope(): Rope {
    return this.#frequencies.rope;
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
    return this.#frequencies.at(this.meaning === "planned" ? this.#planned : n);
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

  /** Rows from `length` on are to be written anew: their tokens may come again with other frequencies. */
  rewind(length: number): void {
    if (this.shared === undefined) this.region.filled = Math.min(this.region.filled, length);
  }
}

/** The table and its ranges. Sequences with equal frequencies share a range. */
export class AngleTable {
  readonly #regions: Region[] = [];
  readonly #settings = new Map<string, Setting>();
  /** Replaced when the table is resized. */
  tensor: Tensor;

  constructor(gpu: Pick<Gpu, "create">, headDim: number) {
    this.tensor = { name: "table", dtype: "f32", shape: [LEAST_ROWS, headDim] };
    gpu.create(this.tensor, "activations");
  }

  /**
   * A range for the first `rows` tokens; `planned` is the n of `planned` angles. `gaps` says that positions are not 0, 1,
   * 2 …: such a range cannot be written twice, so it must have all its rows from the start.
   */
  take(request: { rope: Rope; meaning: RopeAngles; rows: number; planned: number; gaps: boolean }): Angles {
    const { rope, meaning, rows, planned, gaps } = request;
    const own = new Frequencies(rope, this.#settings);
    const fixed = !gaps && (meaning === "planned" || !dependsOnLength(rope));
    const setting = own.at(planned);
    const shared = fixed ? setting.key : undefined;
    let region = shared === undefined ? undefined : this.#regions.find((each) => each.shared === shared);
    if (region) region.users++;
    else region = this.#place({ first: 0, rows, filled: 0, setting, users: 1, shared });
    const angles = new Angles(own, meaning, region, planned);
    this.fit(angles, rows);
    return angles;
  }

  /**
   * Gives a range at least `rows` rows; where there is no room behind it, it moves and is written anew. The returned function
   * takes that back, as far as another range has not come in between: then the range stays where it is free.
   */
  fit({ region }: Angles, rows: number): () => void {
    const { first, rows: before, filled } = region;
    if (rows <= before) return () => {};
    this.#move(region, first, rows);
    if (region.first !== first) region.filled = 0;
    return () => {
      if (!this.#regions.includes(region)) return; // it was given back meanwhile
      this.#move(region, first, before);
      region.filled = region.first === first ? filled : 0;
    };
  }

  #move(region: Region, first: number, rows: number): void {
    this.#regions.splice(this.#regions.indexOf(region), 1);
    Object.assign(region, { first, rows });
    this.#place(region);
  }

  /** Rows that the ranges need the table to have. */
  get rows(): number {
    return this.#regions.reduce((most, { first, rows }) => Math.max(most, first + rows), 0);
  }

  /** The table with `rows` rows. The caller has the GPU resize to it, then sets `tensor`. */
  sized(rows: number): Tensor {
    return { ...this.tensor, shape: [rows, this.tensor.shape[1]] };
  }

  /** Gives a sequence's range back; a shared one stays while others use it. */
  release(angles: Angles): void {
    if (--angles.region.users === 0) this.#regions.splice(this.#regions.indexOf(angles.region), 1);
  }

  /** Puts a range where it is if it fits there, else into the first gap between the others that is large enough. */
  #place(region: Region): Region {
    const fits = (first: number) =>
      this.#regions.every((each) => each.first + each.rows <= first || each.first >= first + region.rows);
    const ends = this.#regions.map(({ first, rows }) => first + rows);
    region.first = [region.first, 0, ...ends].find(fits)!;
    this.#regions.push(region);
    this.#sort();
    return region;
  }

  #sort(): void {
    this.#regions.sort((a, b) => a.first - b.first);
  }
}
