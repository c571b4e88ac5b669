// charsmap.ts — SentencePiece's "precompiled_charsmap": a trie from byte strings to what replaces them.
//   u32 length of the trie in bytes · the trie, a double array of u32 (darts-clone) · the replacements, each ended by a 0 byte
// A unit of the trie: bits 0–7 the label (bit 31 with it: a value, no label), bit 8 "a value follows", bits 9–31 the offset.
// Source: darts-clone (github.com/s-yata/darts-clone), sentencepiece src/normalizer.cc DecodePrecompiledCharsMap.

import { spend } from "./effort.ts";
import { refuse } from "./read.ts";

/** Published maps (nmt_nfkc_cf) have 0.4 MB. */
const MAX_BYTES = 16 * 2 ** 20;
/** Published keys have up to 12 bytes; without a bound a trie may lead every look-up to the end of the text. */
const MAX_KEY = 256;

/** A match: how many bytes it takes, and what replaces them. */
export interface Replacement {
  readonly length: number;
  readonly text: string;
}

/** The map; a look-up takes at most MAX_KEY steps whatever the trie holds. */
export class Charsmap {
  readonly #units: Uint32Array;
  readonly #texts: Uint8Array;
  readonly #where: string;
  /** Offset in the replacements → text. */
  readonly #known = new Map<number, string>();

  /** Throws LlariatError "tokenizer" for a map that is too long, or whose parts do not fit its length or are no text. */
  constructor(bytes: Uint8Array, where: string) {
    this.#where = where;
    const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
    if (bytes.length > MAX_BYTES) refuse(`${where} has ${bytes.length} bytes, needed at most ${MAX_BYTES}`);
    if (bytes.length < 4) this.#damaged(`got ${bytes.length} bytes, needed the 4 of a length and what follows them`);
    const size = view.getUint32(0, true);
    if (size < 4 || size % 4 !== 0) this.#damaged(`its trie has ${size} bytes, needed units of 4 bytes, one or more`);
    if (size > bytes.length - 5) {
      this.#damaged(`its trie has ${size} bytes, needed at most ${bytes.length - 5}, for the replacements follow it`);
    }
    this.#units = Uint32Array.from({ length: size / 4 }, (_, i) => view.getUint32(4 + 4 * i, true));
    this.#texts = bytes.slice(4 + size);
    if (this.#texts.at(-1) !== 0)
      this.#damaged(`its last byte is ${this.#texts.at(-1)}, needed the 0 that ends a text`);
    try {
      new TextDecoder("utf-8", { fatal: true }).decode(this.#texts);
    } catch {
      this.#damaged("its replacements are not UTF-8");
    }
  }

  #damaged(what: string): never {
    return refuse(`${this.#where} is damaged: ${what}`);
  }

  /**
   * The longest (or the shortest) key that starts at byte `at` of `bytes` and ends by `end`. Throws LlariatError
   * "tokenizer" where the trie leads out of the map, or on and on.
   */
  find(bytes: Uint8Array, at: number, end: number, shortest = false): Replacement | undefined {
    const units = this.#units;
    let node = offsetOf(units[0]);
    let length = 0;
    let value = -1;
    let i = at;
    for (; i < end && bytes[i] !== 0; i++) {
      node ^= bytes[i];
      if (node >= units.length) break;
      const unit = units[node];
      if ((unit & 0x800000ff) !== bytes[i]) break;
      node ^= offsetOf(unit);
      if (i - at >= MAX_KEY) this.#damaged(`its trie has a key of more than ${MAX_KEY} bytes`);
      if (unit & 0x100) {
        if (node >= units.length) this.#damaged(`its trie leads to unit ${node} of ${units.length}`);
        length = i + 1 - at;
        value = units[node] & 0x7fffffff;
        if (shortest) break;
      }
    }
    spend(i - at);
    return value < 0 ? undefined : { length, text: this.#text(value) };
  }

  #text(start: number): string {
    let text = this.#known.get(start);
    if (text === undefined) {
      const end = this.#texts.indexOf(0, start);
      if (end < 0) this.#damaged(`a replacement begins at byte ${start} of ${this.#texts.length}`);
      text = new TextDecoder("utf-8", { ignoreBOM: true }).decode(this.#texts.subarray(start, end));
      this.#known.set(start, text);
    }
    return text;
  }
}

const offsetOf = (unit: number): number => ((unit >>> 10) << ((unit & 0x200) >>> 6)) >>> 0;
