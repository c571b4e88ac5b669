// chat.ts — POST /v1/chat/completions: messages in, the assistant's answer out, whole or as a stream.

import { z } from "zod";
import type { Completion, GenerateOptions } from "../index.ts";
import { Answers } from "./answers.ts";
import { type Core, newId, seconds } from "./core.ts";
import { HttpError } from "./error.ts";
import { absent, flag, generateOptions, ignored, number, sampling, text, whole as wholeNumber } from "./fields.ts";
import { PREFIX_HEADER, prefixName } from "./prefix.ts";
import { chatMessages, messages } from "./prompt.ts";
import { DONE, event, eventStream } from "./stream.ts";
import { type TokenTexts, chatLogprobs } from "./tokens.ts";
import { piecesOf, usageOf } from "./usage.ts";

/** The body of a chat request. */
export const chatRequest = z.strictObject({
  ...sampling,
  messages,
  max_tokens: number().nullish(),
  max_completion_tokens: number().nullish(),
  logprobs: flag().nullish(),
  top_logprobs: wholeNumber(0, 20).nullish(),
  add_generation_prompt: flag().nullish(),
  continue_final_message: flag().nullish(),
  chat_template_kwargs: z.record(z.string(), z.unknown(), { error: "must be an object" }).nullish(),
  tools: absent("this server calls no tools"),
  tool_choice: absent("this server calls no tools"),
  parallel_tool_calls: ignored(),
  response_format: z.strictObject({ type: z.literal("text", { error: 'must be "text"' }) }).nullish(),
  audio: absent("models here write text"),
  modalities: z
    .array(text())
    .refine((list) => list.every((each) => each === "text"), { error: 'must be ["text"]' })
    .nullish(),
  prediction: absent("speculation is the server's own"),
  web_search_options: absent("this server searches nothing"),
  functions: absent("it is an older form of tools"),
  function_call: absent("it is an older form of tool_choice"),
  store: z.literal(false, { error: "must be false: nothing is kept" }).nullish(),
});

/** The body of a chat request, read. */
export type ChatRequest = z.output<typeof chatRequest>;

/** What a chat request calls options of the library. */
export const CHAT_NAMES = { maxNewTokens: "max_tokens", prompt: "messages", topLogprobs: "top_logprobs" };

/** The library's options for a chat request. */
export function chatOptions(body: ChatRequest): GenerateOptions {
  const { max_tokens: older, max_completion_tokens: newer } = body;
  if (typeof older === "number" && typeof newer === "number" && older !== newer) {
    throw new HttpError(400, "max_tokens: must be left out or equal to max_completion_tokens", { param: "max_tokens" });
  }
  if (body.top_logprobs && !body.logprobs) {
    throw new HttpError(400, "top_logprobs: needs logprobs: true", { param: "top_logprobs" });
  }
  const maxNewTokens = newer ?? older;
  const { add_generation_prompt, continue_final_message, chat_template_kwargs } = body;
  const chat = {
    ...(typeof add_generation_prompt === "boolean" && { addGenerationPrompt: add_generation_prompt }),
    ...(typeof continue_final_message === "boolean" && { continueFinalMessage: continue_final_message }),
    ...(chat_template_kwargs && { variables: chat_template_kwargs }),
  };
  return {
    ...generateOptions(body),
    ...(typeof maxNewTokens === "number" && { maxNewTokens }),
    ...(body.logprobs && { logprobs: true, topLogprobs: body.top_logprobs ?? 0 }),
    chat,
  };
}

/** What an answer says of itself in whole and in pieces. */
interface Head {
  readonly id: string;
  readonly created: number;
  readonly model: string;
}

/** Answers a chat request. */
export async function chat(core: Core, body: ChatRequest, request: Request): Promise<Response> {
  const served = core.model(body.model);
  const n = body.n ?? 1;
  const asked = { prompts: [chatMessages(body.messages)], n, options: chatOptions(body) };
  const answers = new Answers(core, served, asked, request.signal);
  const head: Head = { id: newId("chatcmpl"), created: seconds(), model: served.name };
  const headers = { [PREFIX_HEADER]: prefixName(served.name, body.rope_scaling, asked.prompts[0]) };
  if (!body.stream) return Response.json(await whole(answers, head, body, served.texts), { headers });
  await answers.checked;
  return eventStream(core, chunks(answers, head, body, served.texts), {
    headers,
    names: CHAT_NAMES,
    onCancel: () => answers.end(),
  });
}

async function whole(answers: Answers, head: Head, body: ChatRequest, texts: TokenTexts): Promise<object> {
  const done: Completion[] = [];
  for await (const { index, completion } of answers) if (completion) done[index] = completion;
  const choices = done.map((completion, index) => ({
    index,
    message: { role: "assistant", content: completion.text, refusal: null },
    logprobs: body.logprobs ? { content: piecesOf(completion).map((each) => chatLogprobs(texts, each)) } : null,
    finish_reason: completion.finishReason,
  }));
  return { ...head, object: "chat.completion", choices, usage: usageOf(done, done.length), rope: done[0].rope };
}

/** The chunks of a stream: who speaks, then what comes, then how it ended; with `include_usage` a last one with the sums. */
async function* chunks(answers: Answers, head: Head, body: ChatRequest, texts: TokenTexts): AsyncGenerator<string> {
  const sums = body.stream_options?.include_usage ?? false;
  const chunk = (choices: readonly object[], more: object = {}): string =>
    event({ ...head, object: "chat.completion.chunk", choices, ...(sums && { usage: null }), ...more });
  const choice = (index: number, delta: object, more: object = {}): object => ({
    index,
    delta,
    logprobs: null,
    finish_reason: null,
    ...more,
  });
  const n = body.n ?? 1;
  const done: Completion[] = [];
  for (let index = 0; index < n; index++) yield chunk([choice(index, { role: "assistant", content: "" })]);
  for await (const { index, piece, completion } of answers) {
    if (completion) {
      done.push(completion);
      yield chunk([choice(index, {}, { finish_reason: completion.finishReason })], { rope: completion.rope });
    } else if (body.logprobs) {
      const logprobs = { content: [chatLogprobs(texts, piece)] };
      yield chunk([choice(index, { content: piece.text }, { logprobs })]);
    } else if (piece.text !== "") yield chunk([choice(index, { content: piece.text })]);
  }
  if (sums) yield chunk([], { usage: usageOf(done, n), rope: done[0].rope });
  yield DONE;
}
