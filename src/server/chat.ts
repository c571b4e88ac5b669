// chat.ts — POST /v1/chat/completions: messages in, the assistant's answer out, whole or as a stream.

import { z } from "zod";
import type { Completion, GenerateOptions, Message, Prompt } from "../index.ts";
import { Answers } from "./answers.ts";
import { type Core, type Served, newId, seconds } from "./core.ts";
import { HttpError } from "./error.ts";
import { absent, flag, generateOptions, number, sampling, text, whole as wholeNumber } from "./fields.ts";
import { formatOption, responseFormat } from "./format.ts";
import { PREFIX_HEADER, prefixName } from "./prefix.ts";
import { chatMessages, messages } from "./prompt.ts";
import { DONE, event, eventStream } from "./stream.ts";
import { type TokenTexts, chatLogprobs } from "./tokens.ts";
import { type ToolUse, toolFields, toolUse } from "./tools/choice.ts";
import { toolForm } from "./tools/forms.ts";
import { toolMessages } from "./tools/messages.ts";
import { type Delta, Speech, messageOf } from "./tools/speech.ts";
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
  ...toolFields,
  response_format: responseFormat,
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
export const CHAT_NAMES = {
  maxNewTokens: "max_tokens",
  prompt: "messages",
  topLogprobs: "top_logprobs",
  responseFormat: "response_format.json_schema",
};

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
    ...formatOption(body.response_format),
    chat,
  };
}

/** What is computed for a chat request. */
interface Asked {
  readonly messages: Message[];
  /** The messages, or their ids where the answer's beginning is part of them. */
  readonly prompt: Prompt;
  readonly options: GenerateOptions;
  readonly use: ToolUse | undefined;
}

/** The prompt and the options, tools and their choice included. */
function asked(body: ChatRequest, { llama }: Served): Asked {
  const { tokenizer } = llama;
  const use = toolUse(body, tokenizer);
  const options = chatOptions(body);
  if (use && options.responseFormat) {
    const problem = "response_format: cannot be kept beside tools that may be called";
    throw new HttpError(400, `${problem}; leave one out, or set tool_choice: "none"`, { param: "response_format" });
  }
  const given = chatMessages(body.messages);
  const called = given.some(({ tool_calls }) => tool_calls !== undefined && tool_calls !== null);
  const form = use?.form ?? (called && tokenizer?.hasChatTemplate ? toolForm(tokenizer) : undefined);
  const messages = toolMessages(given, form);
  const plain = { messages, prompt: messages, use };
  if (!use) return { ...plain, options };
  const chat = { ...options.chat, tools: [...use.tools] };
  if (!use.forced) return { ...plain, options: { ...options, chat } };
  const { prefix, format } = use.forced;
  const forced = { ...options, responseFormat: format };
  if (prefix === "") return { ...plain, options: { ...forced, chat } };
  const text = tokenizer!.applyChatTemplate(messages, chat) + prefix;
  return { messages, prompt: tokenizer!.encode(text, { addSpecialTokens: false }), options: forced, use };
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
  const { messages, prompt, options, use } = asked(body, served);
  const answers = new Answers(core, served, { prompts: [prompt], n, options }, request.signal);
  const { tokenizer } = served.llama;
  const speeches = Array.from({ length: n }, () => new Speech(use, tokenizer));
  const head: Head = { id: newId("chatcmpl"), created: seconds(), model: served.name };
  const headers = { [PREFIX_HEADER]: prefixName(served.name, body.rope_scaling, messages) };
  const telling = { head, body, texts: served.texts, speeches };
  if (!body.stream) return Response.json(await whole(answers, telling), { headers });
  await answers.checked;
  return eventStream(core, chunks(answers, telling), {
    headers,
    names: CHAT_NAMES,
    onCancel: () => answers.end(),
  });
}

/** How answers are told. */
interface Telling {
  readonly head: Head;
  readonly body: ChatRequest;
  readonly texts: TokenTexts;
  /** One per answer. */
  readonly speeches: readonly Speech[];
}

/** Calls are why an answer ended, unless it was cut. */
const finishReason = ({ finishReason }: Completion, { calls }: Speech): string =>
  calls > 0 && finishReason === "stop" ? "tool_calls" : finishReason;

async function whole(answers: Answers, { head, body, texts, speeches }: Telling): Promise<object> {
  const done: Completion[] = [];
  const deltas: Delta[][] = speeches.map(() => []);
  for await (const { index, piece, completion } of answers) {
    deltas[index].push(...(piece ? speeches[index].take(piece) : speeches[index].end()));
    if (completion) done[index] = completion;
  }
  const choices = done.map((completion, index) => ({
    index,
    message: messageOf(deltas[index]),
    logprobs: body.logprobs ? { content: piecesOf(completion).map((each) => chatLogprobs(texts, each)) } : null,
    finish_reason: finishReason(completion, speeches[index]),
  }));
  return { ...head, object: "chat.completion", choices, usage: usageOf(done, done.length), rope: done[0].rope };
}

/** The chunks of a stream: who speaks, then what comes, then how it ended; with `include_usage` a last one with the sums. */
async function* chunks(answers: Answers, { head, body, texts, speeches }: Telling): AsyncGenerator<string> {
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
    const speech = speeches[index];
    const deltas: readonly Delta[] = piece ? speech.take(piece) : speech.end();
    if (piece && body.logprobs) {
      // Each token's come with it, whether or not it gives any text.
      const logprobs = { content: [chatLogprobs(texts, piece)] };
      const [first = { content: "" }, ...rest] = deltas;
      yield chunk([choice(index, first, { logprobs })]);
      for (const delta of rest) yield chunk([choice(index, delta)]);
    } else for (const delta of deltas) yield chunk([choice(index, delta)]);
    if (!completion) continue;
    done.push(completion);
    yield chunk([choice(index, {}, { finish_reason: finishReason(completion, speech) })], { rope: completion.rope });
  }
  if (sums) yield chunk([], { usage: usageOf(done, n), rope: done[0].rope });
  yield DONE;
}
