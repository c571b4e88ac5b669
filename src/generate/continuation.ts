// continuation.ts — text of generated ids as it continues a prompt.

import type { Tokenizer } from "../../tokenizer/index.ts";

/** Gives the text of ids as they arrive. */
export interface TextStream {
  push(id: number): string;
  end(): string;
}

/**
 * The text that follows the prompt's when both are decoded as one: the answer's leading space stays, which decoders that
 * take a space off the front of a text (Llama 1 and 2) would drop. Special tokens give nothing.
 */
export function continuation(tokenizer: Tokenizer, promptIds: Iterable<number>): TextStream {
  const stream = tokenizer.streamDecoder();
  let given = 0;
  for (const id of promptIds) given += stream.push(id).length;
  // What the stream still holds back of the prompt comes out with the answer, or with its end.
  let held = tokenizer.decode(promptIds).length - given;
  const own = (text: string): string => {
    const part = text.slice(held);
    held = Math.max(0, held - text.length);
    return part;
  };
  return { push: (id) => own(stream.push(id)), end: () => own(stream.end()) };
}
