// responses.ts — POST /v1/responses: OpenAI's newer way to ask, for text alone; whole, or as events with names and numbers.

import { z } from "zod";
import type { Message } from "../../tokenizer/index.ts";
import type { GenerateOptions } from "../index.ts";
import { isObject } from "../text/json.ts";
import { display } from "../text/wording.ts";
import { Answers } from "./answers.ts";
import { type Core, newId, seconds } from "./core.ts";
import { HttpError, unsupported } from "./error.ts";
import { absent, flag, generateOptions, ignored, number, sampling, text } from "./fields.ts";
import { PREFIX_HEADER, prefixName } from "./prefix.ts";
import { ResponseEvents } from "./response-events.ts";
import { type Head, endOf, responseOf } from "./response.ts";
import { eventStream } from "./stream.ts";

const nothing = (why: string) =>
  z.array(z.unknown()).max(0, { error: `must be empty: ${why}` }).nullish(); // prettier-ignore

/** What the text of an answer must be. A schema is always kept to, whether or not it is said to be strict. */
const format = z.discriminatedUnion(
  "type",
  [
    z.strictObject({ type: z.literal("text") }),
    z.strictObject({ type: z.literal("json_object") }),
    z.strictObject({
      type: z.literal("json_schema"),
      name: text().nullish(),
      description: text().nullish(),
      schema: z.union([z.record(z.string(), z.unknown()), z.boolean()], { error: "must be a JSON schema" }),
      strict: flag().nullish(),
    }),
  ],
  { error: "must have the type text, json_object or json_schema" },
);

/** The body of a responses request. */
export const responsesRequest = z.strictObject({
  ...sampling,
  input: z.unknown().optional(),
  instructions: text().nullish(),
  max_output_tokens: number().nullish(),
  text: z
    .strictObject(
      {
        format: format.nullish(),
        verbosity: ignored(),
      },
      { error: "must be an object" },
    )
    .nullish(),
  n: absent("a response is one"),
  store: z.literal(false, { error: "must be false: nothing is kept" }).nullish(),
  previous_response_id: absent("nothing is kept; send the conversation as input"),
  conversation: absent("nothing is kept; send the conversation as input"),
  background: z.literal(false, { error: "must be false: nothing is kept" }).nullish(),
  prompt: absent("there are no prompt templates here; send instructions and input"),
  tools: nothing("this endpoint calls no tools; /v1/chat/completions may"),
  tool_choice: z.enum(["none", "auto"], { error: 'must be "none" or "auto"' }).nullish(),
  max_tool_calls: ignored(),
  parallel_tool_calls: ignored(),
  include: nothing("there is nothing more to include"),
  reasoning: ignored(),
  top_logprobs: z.literal(0, { error: "must be 0: /v1/chat/completions has log-probabilities" }).nullish(),
  truncation: z.literal("disabled", { error: 'must be "disabled": no input is cut' }).nullish(),
});

/** The body of a responses request, read. */
export type ResponsesRequest = z.output<typeof responsesRequest>;

/** What a responses request calls options of the library. */
export const RESPONSES_NAMES = { maxNewTokens: "max_output_tokens", prompt: "input", responseFormat: "text.format" };

/** Answers a responses request. */
export async function responses(core: Core, body: ResponsesRequest, request: Request): Promise<Response> {
  const served = core.model(body.model);
  const messages = inputMessages(body);
  const { max_output_tokens: most } = body;
  const options: GenerateOptions = {
    ...generateOptions({ ...body, n: undefined }),
    ...(typeof most === "number" && { maxNewTokens: most }),
    ...formatOption(body.text?.format),
  };
  const answers = new Answers(core, served, { prompts: [messages], n: 1, options }, request.signal);
  const echo = {
    instructions: body.instructions ?? null,
    max_output_tokens: most ?? null,
    temperature: body.temperature ?? null,
    top_p: body.top_p ?? null,
    text: { format: body.text?.format ?? { type: "text" } },
    metadata: isObject(body.metadata) ? body.metadata : {},
  };
  const head: Head = {
    id: underscored("resp"),
    item: underscored("msg"),
    created: seconds(),
    model: served.name,
    echo,
  };
  const headers = { [PREFIX_HEADER]: prefixName(served.name, body.rope_scaling, messages) };
  if (!body.stream) {
    for await (const { completion } of answers) {
      if (completion) return Response.json(responseOf(head, endOf(completion), completion), { headers });
    }
    throw new HttpError(500, "the server failed; its own log says how");
  }
  await answers.checked;
  const events = new ResponseEvents(head);
  return eventStream(core, events.of(answers), {
    headers,
    names: RESPONSES_NAMES,
    failed: (error) => events.failed(error),
    onCancel: () => answers.end(),
  });
}

/** The form of an answer as the library's option. */
function formatOption(given: z.output<typeof format> | null | undefined): Pick<GenerateOptions, "responseFormat"> {
  if (!given || given.type === "text") return {};
  if (given.type === "json_object") return { responseFormat: { type: "json_object" } };
  return { responseFormat: { type: "json_schema", schema: given.schema } };
}

/** An id as this API writes it: `resp_` and hexadecimal digits. */
const underscored = (prefix: string): string => newId(prefix).replace("-", "_");

/** Who speaks in an input. */
const ROLES = ["user", "assistant", "system", "developer"];

/**
 * The instructions, if there are any, and the input as chat messages: a text is one of the user's.
 * @throws HttpError 400 for input of another form.
 */
function inputMessages({ input, instructions }: ResponsesRequest): Message[] {
  const first: Message[] = typeof instructions === "string" ? [{ role: "system", content: instructions }] : [];
  if (typeof input === "string") return [...first, { role: "user", content: input }];
  if (!Array.isArray(input) || input.length === 0) {
    const message = `input: must be a text or a list of messages that is not empty, got ${display(input)}`;
    throw new HttpError(400, message, { param: "input" });
  }
  return [...first, ...input.map((item: unknown, i) => messageOf(item, `input[${i}]`))];
}

function messageOf(item: unknown, where: string): Message {
  const { type = "message", role, content } = isObject(item) ? item : { type: item };
  if (type !== "message") {
    throw unsupported(`${where}.type`, `must be "message", got ${display(type)}; this endpoint reads and writes text`);
  }
  if (typeof role !== "string" || !ROLES.includes(role)) {
    throw new HttpError(400, `${where}.role: must be one of ${ROLES.join(", ")}, got ${display(role)}`, {
      param: `${where}.role`,
    });
  }
  return { role: role === "developer" ? "system" : role, content: contentText(content, `${where}.content`) };
}

/** The text of a message's content: a text, or parts that are. */
function contentText(content: unknown, where: string): string {
  if (typeof content === "string") return content;
  if (!Array.isArray(content)) {
    throw new HttpError(400, `${where}: must be a text or a list of parts, got ${display(content)}`, { param: where });
  }
  return content
    .map((part: unknown, i) => {
      const known = isObject(part) && /^(input_|output_)?text$/.test(String(part["type"]));
      if (known && typeof part["text"] === "string") return part["text"];
      const kind = isObject(part) ? part["type"] : part;
      throw unsupported(`${where}[${i}]`, `must be a part of text, got ${display(kind)}; models here read text`);
    })
    .join("");
}
