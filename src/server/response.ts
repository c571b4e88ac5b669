// response.ts — a response as OpenAI's Responses API has it, from its first event to its end.

import type { Completion } from "../index.ts";

/** What a response says of itself from its first event on. */
export interface Head {
  readonly id: string;
  /** The id of its message. */
  readonly item: string;
  readonly created: number;
  readonly model: string;
  /** Fields of the request that its response repeats. */
  readonly echo: object;
}

/** How far a response is. */
export type Status = "in_progress" | "completed" | "incomplete" | "failed";

/** How an answer that has ended did. */
export const endOf = ({ finishReason }: Completion): Status => (finishReason === "length" ? "incomplete" : "completed");

/** The text of an answer as a part of its message. */
export const partOf = (answer: string): object => ({
  type: "output_text",
  text: answer,
  annotations: [],
  logprobs: [],
});

/** The message of an answer. */
export const itemOf = ({ item: id }: Head, status: Status, content: readonly object[]): object => ({
  id,
  type: "message",
  role: "assistant",
  status,
  content,
});

/** A response as OpenAI's API has it; `error` of one that failed. */
export function responseOf(
  head: Head,
  status: Status,
  completion?: Completion,
  error: { readonly code: string; readonly message: string } | null = null,
): object {
  const { id, created, model, echo } = head;
  return {
    id,
    object: "response",
    created_at: created,
    status,
    background: false,
    error,
    incomplete_details: status === "incomplete" ? { reason: "max_output_tokens" } : null,
    ...echo,
    model,
    output: completion ? [itemOf(head, status, [partOf(completion.text)])] : [],
    parallel_tool_calls: false,
    previous_response_id: null,
    reasoning: { effort: null, summary: null },
    store: false,
    tool_choice: "none",
    tools: [],
    truncation: "disabled",
    usage: completion ? usageOf(completion) : null,
    ...(completion && { rope: completion.rope }),
  };
}

const usageOf = ({ usage }: Completion): object => ({
  input_tokens: usage.promptTokens,
  input_tokens_details: { cached_tokens: usage.cachedTokens },
  output_tokens: usage.completionTokens,
  output_tokens_details: { reasoning_tokens: 0 },
  total_tokens: usage.promptTokens + usage.completionTokens,
});
