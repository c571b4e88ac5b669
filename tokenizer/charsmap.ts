// charsmap.ts — SentencePiece's "precompiled_charsmap": a trie from byte strings to what replaces them.
//   u32 length of the trie in bytes · the trie, a double array of u32 (darts-clone) · the replacements, each ended by a 0 byte
// A unit of the trie: bits 0–7 the label (bit 31 with it: a value, no label), bit 8 "a value follows", bits 9–31 the offset.
// Source: darts-clone (github.com/s-yata/darts-clone), sentencepiece src/normalizer.cc DecodePrecompiledCharsMap.

import { refuse } from "./read.ts";

/** Published maps (nmt_nfkc_cf) have 0.4 MB. */
const MAX_BYTES = 16 * 2 ** 20;

/** A match: how many bytes it takes, and what replaces them. */
export interface Replacement {
  readonly length: number;
  readonly text: string;
}

/** The map; look-ups are bounded by the key whatever the trie holds. */
export class Charsmap {
  readonly #units: Uint32Array;
  readonly #texts: Uint8Array;
  readonly #where: string;
  /** Offset in the replacements → text. */
  readonly #known = new Map<number, string>();

  /** Throws LlariatError "tokenizer" for a map whose parts do not fit its length or are no text. */
  constructor(bytes: Uint8Array, where: string) {
    this.#where = where;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    const size = bytes.length >= 4 ? view.getUint32(0, true) : 0;
    if (size < 4 || size % 4 !== 0 || size > bytes.length - 5 || bytes.length > MAX_BYTES) this.#damaged();
    this.#units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
    this.#texts = bytes.slice(4 + size);
    if (this.#texts.at(-1) !== 0) this.#damaged();
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(this.#texts);
    } catch {
      this.#damaged();
    }
  }

  #damaged(): never {
    return refuse(`${this.#where} is damaged: its trie or its replacements do not fit`);
  }

  /** The longest (or the shortest) key that starts at byte `at` of `bytes` and ends by `end`. */
  find(bytes: Uint8Array, at: number, end: number, shortest = false): Replacement | undefined {
    const units = this.#units;
    let node = offsetOf(units[0]);
    let length = 0;
    let value = -1;
    for (let i = at; i < end && bytes[i] !== 0; i++) {
      node ^= bytes[i];
      if (node >= units.length) break;
      const unit = units[node];
      if ((unit & 0x800000ff) !== bytes[i]) break;
      node ^= offsetOf(unit);
      if (unit & 0x100) {
        if (node >= units.length) this.#damaged();
        length = i + 1 - at;
        value = units[node] & 0x7fffffff;
        if (shortest) break;
      }
    }
    return value < 0 ? undefined : { length, text: this.#text(value) };
  }

  #text(start: number): string {
    let text = this.#known.get(start);
    if (text === undefined) {
      const end = this.#texts.indexOf(0, start);
      if (end < 0) this.#damaged();
      text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(this.#texts.subarray(start, end));
      this.#known.set(start, text);
    }
    return text;
  }
}

const offsetOf = (unit: number): number => ((unit >>> 10) << ((unit & 0x200) >>> 6)) >>> 0;
