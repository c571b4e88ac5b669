// tokens.ts — the ids of a text while they are being collected.

/** Ids collected so far, and while offsets are wanted the UTF-16 range in the word that each stands for. */
export class Tokens {
  ids: Uint32Array;
  length = 0;
  /** Start and end at 2i and 2i + 1. */
  spans: Uint32Array | undefined;

  constructor(capacity: number, traced: boolean) {
    this.ids = new Uint32Array(Math.max(16, capacity));
    this.spans = traced ? new Uint32Array(2 * this.ids.length) : undefined;
  }

  /** `start` and `end` matter only while spans are collected. */
  push(id: number, start: number, end: number): void {
    if (this.length === this.ids.length) this.#grow();
    this.ids[this.length] = id;
    if (this.spans !== undefined) {
      this.spans[2 * this.length] = start;
      this.spans[2 * this.length + 1] = end;
    }
    this.length++;
  }

  /** The last id stands for what follows it, too, up to `end`. */
  stretch(end: number): void {
    if (this.spans !== undefined) this.spans[2 * this.length - 1] = end;
  }

  #grow(): void {
    const ids = new Uint32Array(2 * this.ids.length);
    ids.set(this.ids);
    this.ids = ids;
    if (this.spans) {
      const spans = new Uint32Array(2 * ids.length);
      spans.set(this.spans);
      this.spans = spans;
    }
  }
}

const utf8 = new TextEncoder();

/** How SentencePiece spells characters of `word` without a piece: in bytes, or as one unknown token for all in a row. */
export function pushUnknown(
  tokens: Tokens,
  word: string,
  start: number,
  end: number,
  { unknown, byteTokens, again }: { unknown: number; byteTokens: Int32Array | undefined; again: boolean },
): void {
  if (byteTokens) for (const byte of utf8.encode(word.slice(start, end))) tokens.push(byteTokens[byte], start, end);
  else if (again) tokens.stretch(end);
  else tokens.push(unknown, start, end);
}
