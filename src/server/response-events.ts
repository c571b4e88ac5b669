// response-events.ts — a response as a stream: the events of OpenAI's Responses API by their names, numbered from 0.

import type { Answers } from "./answers.ts";
import type { HttpError } from "./error.ts";
import { type Head, endOf, itemOf, partOf, responseOf } from "./response.ts";
import { event } from "./stream.ts";

/** The events of one response. */
export class ResponseEvents {
  readonly #head: Head;
  #number = 0;

  constructor(head: Head) {
    this.#head = head;
  }

  /** From `response.created` to `response.completed`, or `response.incomplete` where the token limit ended the answer. */
  async *of(answers: Answers): AsyncGenerator<string> {
    const head = this.#head;
    const begun = responseOf(head, "in_progress");
    yield this.#event("response.created", { response: begun });
    yield this.#event("response.in_progress", { response: begun });
    const place = { output_index: 0 };
    yield this.#event("response.output_item.added", { ...place, item: itemOf(head, "in_progress", []) });
    const text = { item_id: head.item, ...place, content_index: 0 };
    yield this.#event("response.content_part.added", { ...text, part: partOf("") });
    for await (const { piece, completion } of answers) {
      if (piece && piece.text !== "") {
        yield this.#event("response.output_text.delta", { ...text, delta: piece.text, logprobs: [] });
      }
      if (!completion) continue;
      const status = endOf(completion);
      const part = partOf(completion.text);
      yield this.#event("response.output_text.done", { ...text, text: completion.text, logprobs: [] });
      yield this.#event("response.content_part.done", { ...text, part });
      yield this.#event("response.output_item.done", { ...place, item: itemOf(head, status, [part]) });
      yield this.#event(`response.${status}`, { response: responseOf(head, status, completion) });
    }
  }

  /** `response.failed`, after which the stream ends. */
  failed({ status, body }: HttpError): string {
    const code = status === 429 ? "rate_limit_exceeded" : status < 500 ? "invalid_prompt" : "server_error";
    const response = responseOf(this.#head, "failed", undefined, { code, message: body.message });
    return this.#event("response.failed", { response });
  }

  #event(type: string, data: object): string {
    return event({ type, sequence_number: this.#number++, ...data }, type);
  }
}
