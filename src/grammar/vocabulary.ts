// vocabulary.ts — the tokens of a model by their bytes: a trie laid out in one row, so that a walk over all tokens that a machine
// takes is one loop, and a byte that it does not take leaves out all tokens that go on from there.

import { LlariatError } from "../error.ts";

/** What is asked of a tokenizer: `Tokenizer` of tokenizer/ is one. */
export interface TokenSource {
  /** One more than the largest id. */
  readonly idEnd: number;
  /** The bytes that an id adds to a text; undefined for special tokens and ids without a token. */
  tokenBytes(id: number): Uint8Array | undefined;
}

/** Bytes of a character as a text of one unit each, which sorts as the bytes do. */
const unitsOf = (bytes: Uint8Array): string => {
  let text = "";
  for (const byte of bytes) text += String.fromCharCode(byte);
  return text;
};

/** The tokens; nothing of it changes. */
export class Vocabulary {
  /** Ids that a mask has a bit for. */
  readonly size: number;
  /** Words of 32 bits in a mask. */
  readonly words: number;
  /** Bytes of the longest token. */
  readonly longest: number;
  /** Every byte above 0x7f is a token of its own, so that any character can be written as it is. */
  readonly raw: boolean;
  /** Nodes in the order of their bytes, each before those that go on from it; the first is the root. */
  readonly byte: Uint8Array;
  /** The node after the last that goes on from a node. */
  readonly end: Int32Array;
  readonly depth: Uint16Array;
  /** The ids whose bytes end at a node: those of `ids` from `first[node]` to before `first[node + 1]`. */
  readonly first: Int32Array;
  readonly ids: Int32Array;
  readonly #source: TokenSource;

  /**
   * Reads every token. `size`: ids of the model; further ones of the tokenizer are left out.
   * @throws LlariatError("tokenizer") where a printable ASCII character is no token: then a grammar could get stuck.
   */
  constructor(source: TokenSource, size: number) {
    this.#source = source;
    this.size = size;
    this.words = Math.ceil(size / 32);
    const tokens: { readonly id: number; readonly units: string }[] = [];
    const single = new Uint8Array(256);
    for (let id = 0; id < Math.min(size, source.idEnd); id++) {
      const bytes = source.tokenBytes(id);
      if (bytes === undefined || bytes.length === 0 || bytes.length > MOST_BYTES) continue;
      if (bytes.length === 1) single[bytes[0]] = 1;
      tokens.push({ id, units: unitsOf(bytes) });
    }
    const missing = PRINTABLE.find((byte) => !single[byte]);
    if (missing !== undefined) {
      const what = JSON.stringify(String.fromCharCode(missing));
      throw new LlariatError(
        "tokenizer",
        `no token is ${what} alone, and a grammar needs every printable ASCII character`,
      );
    }
    this.raw = single.subarray(0x80).every((has, i) => has === 1 || !inUtf8(0x80 + i));
    tokens.sort((a, b) => (a.units < b.units ? -1 : a.units > b.units ? 1 : a.id - b.id));
    this.ids = Int32Array.from(tokens, ({ id }) => id);
    this.longest = tokens.reduce((most, { units }) => Math.max(most, units.length), 0);
    const nodes = lay(tokens.map(({ units }) => units));
    [this.byte, this.end, this.depth, this.first] = [nodes.byte, nodes.end, nodes.depth, nodes.first];
  }

  /** See TokenSource. */
  bytes(id: number): Uint8Array | undefined {
    return id < this.size ? this.#source.tokenBytes(id) : undefined;
  }
}

/** Longer tokens than any published: they are never allowed. */
const MOST_BYTES = 1024;
const PRINTABLE: readonly number[] = Array.from({ length: 0x5f }, (_, i) => 0x20 + i);
/** 0xc0, 0xc1 and those from 0xf5 on are in no text. */
const inUtf8 = (byte: number): boolean => byte !== 0xc0 && byte !== 0xc1 && byte < 0xf5;

/** The trie of sorted texts. */
function lay(sorted: readonly string[]) {
  const units = sorted.reduce((sum, text) => sum + text.length, 1);
  const byte = new Uint8Array(units);
  const end = new Int32Array(units);
  const depth = new Uint16Array(units);
  const first = new Int32Array(units + 1);
  let count = 1;
  /** The nodes of the last text, the root first. */
  const way = [0];
  let last = "";
  for (const [i, text] of sorted.entries()) {
    let shared = 0;
    while (shared < last.length && last[shared] === text[shared]) shared++;
    for (let at = way.length - 1; at > shared; at--) end[way.pop()!] = count;
    for (let at = shared; at < text.length; at++) {
      byte[count] = text.charCodeAt(at);
      depth[count] = at + 1;
      first[count] = i;
      way.push(count++);
    }
    last = text;
  }
  for (const node of way) end[node] = count;
  first[count] = sorted.length;
  // Texts are sorted: those that end at a node come before those that go on, and the next node is of the first of these.
  return {
    byte: byte.slice(0, count),
    end: end.slice(0, count),
    depth: depth.slice(0, count),
    first: first.slice(0, count + 1),
  };
}
