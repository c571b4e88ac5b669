// stream.ts — text from ids as they arrive: what is given out never changes later.

import type { Decoder, Step } from "./decode.ts";
import { Effort } from "./effort.ts";
import { Growth } from "./growth.ts";

/** Decodes one text, id by id. */
export class StreamDecoder {
  readonly #read: (id: number) => string | undefined;
  readonly #first: Step;
  readonly #growth = new Growth("decoder");
  readonly #effort = new Effort("decoding");
  #text = "";

  /** `read` gives the token of an id, or undefined for ids to leave out. */
  constructor(decoder: Decoder, read: (id: number) => string | undefined) {
    this.#read = read;
    this.#first = decoder({ put: (text) => void (this.#text += text), done: () => {} }, this.#growth);
  }

  /**
   * The text that is certain now and was not before: often one token's, empty while a character or a run of byte tokens
   * is incomplete. Throws LlariatError "tokenizer" where the decoder of a file makes far more
   * text, or work, than it is given. Amortised constant work for each id; ids outside the vocabulary give nothing.
   */
  push(id: number): string {
    const token = this.#read(id);
    if (token === undefined) return "";
    this.#growth.given(token.length);
    this.#effort.given(token.length);
    this.#effort.run(() => this.#first.put(token, true));
    return this.#taken();
  }

  /** The rest, with U+FFFD for what was never completed. The last call on a decoder. */
  end(): string {
    this.#effort.run(() => this.#first.done());
    return this.#taken();
  }

  #taken(): string {
    const text = this.#text;
    this.#text = "";
    return text;
  }
}
