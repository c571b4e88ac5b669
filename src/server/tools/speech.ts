// speech.ts — an answer piece by piece as parts of an assistant's message: text and calls.

import type { Piece, Tokenizer } from "../../index.ts";
import { type ToolUse, callId } from "./choice.ts";
import type { Spoken } from "./parser.ts";

/** A call in OpenAI's form; `index` counts those of one message. */
export interface CallDelta {
  readonly index: number;
  readonly id: string;
  readonly type: "function";
  readonly function: { readonly name: string; readonly arguments: string };
}

/** A part of a message as a stream gives it. A call comes whole. */
export type Delta =
  | { readonly content: string; readonly tool_calls?: undefined }
  | { readonly content?: undefined; readonly tool_calls: readonly CallDelta[] };

/** One answer; without tools all of it is text. */
export class Speech {
  readonly #use: ToolUse | undefined;
  readonly #parser: ReturnType<ToolUse["parser"]> | undefined;
  readonly #markers: ReadonlyMap<number, string>;
  #count = 0;

  constructor(use: ToolUse | undefined, tokenizer: Tokenizer | undefined) {
    this.#use = use;
    this.#parser = use?.parser();
    const special = new Set(tokenizer?.specialIds);
    const ids = (use?.form.markers ?? []).map((name) => [tokenizer?.tokenToId(name) ?? -1, name] as const);
    // Other tokens are text, and come as such.
    this.#markers = new Map(ids.filter(([id]) => special.has(id)));
  }

  /** How many calls have been given out. */
  get calls(): number {
    return this.#count;
  }

  /** What becomes certain with a piece. */
  take({ id, text }: Piece): Delta[] {
    if (!this.#parser) return text === "" ? [] : [{ content: text }];
    const marker = this.#markers.get(id);
    const before = marker === undefined ? [] : this.#parser.pushMarker(marker);
    return [...before, ...this.#parser.push(text)].map((spoken) => this.#delta(spoken));
  }

  /** What is left when the answer has ended. */
  end(): Delta[] {
    return (this.#parser?.end() ?? []).map((spoken) => this.#delta(spoken));
  }

  #delta({ text, call }: Spoken): Delta {
    if (call === undefined) return { content: text };
    const { name, arguments: given } = call;
    const delta = { index: this.#count++, id: callId(this.#use!.form), type: "function" } as const;
    return { tool_calls: [{ ...delta, function: { name, arguments: given } }] };
  }
}

/** The message that deltas make. */
export function messageOf(deltas: readonly Delta[]): object {
  const content = deltas.map((delta) => delta.content ?? "").join("");
  const calls = deltas
    .flatMap((delta) => delta.tool_calls ?? [])
    .map(({ id, type, function: called }) => ({ id, type, function: called }));
  const message = { role: "assistant", content: content === "" && calls.length > 0 ? null : content, refusal: null };
  return calls.length === 0 ? message : { ...message, tool_calls: calls };
}
