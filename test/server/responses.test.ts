// The Responses API, whole and as events, against what the library gives, and with OpenAI's own client.
import OpenAI from "openai";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Loose, type Serving, ANSWER, PROMPT, serving } from "../tools/serving.ts";

const test = suite("server: responses");
let at: Serving;
let client: OpenAI;
test.before(async () => {
  at = await serving();
  client = new OpenAI({ baseURL: `${await at.server.listen({ port: 0 })}/v1`, apiKey: "none", maxRetries: 0 });
});
test.after(() => at.close());

const PATH = "/v1/responses";
const asked = { input: PROMPT, temperature: 0 };

/** The events of a stream with their names. */
async function eventsOf(body: object): Promise<Loose[]> {
  const response = await at.post(PATH, { ...body, stream: true });
  const text = await response.text();
  assert.is(response.status, 200, text);
  return text
    .split("\n\n")
    .filter((part) => part !== "" && !part.startsWith(":"))
    .map((part) => {
      const [, name, data] = /^event: (.*)\ndata: (.*)$/.exec(part)!;
      const read: Loose = JSON.parse(data);
      assert.is(read.type, name);
      return read;
    });
}

test("an answer has the library's text, tokens and RoPE setting", async () => {
  const own = await at.llama.complete([{ role: "user", content: PROMPT }], { temperature: 0 });
  const response = await at.json(PATH, { ...asked, metadata: { a: "b" } });
  assert.equal([response.object, response.status, response.model], ["response", "completed", "kv-llama"]);
  const [message] = response.output;
  assert.equal([message.type, message.role, message.status], ["message", "assistant", "completed"]);
  assert.equal(message.content, [{ type: "output_text", text: own.text, annotations: [], logprobs: [] }]);
  const { usage } = response;
  assert.is(usage.input_tokens, own.usage.promptTokens);
  assert.is(usage.output_tokens, own.usage.completionTokens);
  assert.is(usage.total_tokens, usage.input_tokens + usage.output_tokens);
  assert.equal(response.rope, own.rope);
  assert.equal([response.temperature, response.metadata, response.error], [0, { a: "b" }, null]);
});

test("input as messages, with parts, and instructions are the same prompt as a chat request's", async () => {
  const chat = async (messages: object[]) =>
    (await at.json("/v1/chat/completions", { messages, temperature: 0, max_tokens: 5 })).usage.prompt_tokens;
  const count = async (body: object) =>
    (await at.json(PATH, { ...body, temperature: 0, max_output_tokens: 5 })).usage.input_tokens;
  const user = { role: "user", content: PROMPT };
  const turns = [user, { role: "assistant", content: ANSWER }, user];
  const parts = [
    { type: "message", role: "user", content: [{ type: "input_text", text: PROMPT }] },
    { type: "message", id: "msg_1", status: "completed", role: "assistant", content: [{ type: "output_text", text: ANSWER, annotations: [] }] },
    user,
  ]; // prettier-ignore
  assert.is(await count({ input: turns }), await chat(turns));
  assert.is(await count({ input: parts }), await chat(turns));
  assert.is(await count({ input: PROMPT }), await chat([user]));
  const system = { role: "system", content: "Be brief." };
  assert.is(await count({ input: turns, instructions: system.content }), await chat([system, ...turns]));
  assert.is(await count({ input: [{ ...system, role: "developer" }, user] }), await chat([system, user]));
});

test("a stream is OpenAI's events in their order, numbered from 0", async () => {
  const events = await eventsOf({ ...asked, rope_scaling: { rope_type: "yarn", factor: 2 } });
  assert.equal(
    events.map(({ sequence_number }) => sequence_number),
    events.map((_, i) => i),
  );
  const names = events.map(({ type }) => type as string);
  const deltas = names.filter((name) => name === "response.output_text.delta").length;
  assert.ok(deltas > 3);
  assert.equal(names, [
    "response.created",
    "response.in_progress",
    "response.output_item.added",
    "response.content_part.added",
    ...Array(deltas).fill("response.output_text.delta"),
    "response.output_text.done",
    "response.content_part.done",
    "response.output_item.done",
    "response.completed",
  ]);
  assert.is(events.map(({ delta }) => delta ?? "").join(""), ANSWER);
  const { response } = events.at(-1);
  assert.equal([response.status, response.rope.type], ["completed", "yarn"]);
  assert.equal(new Set(events.map(({ item_id }) => item_id).filter(Boolean)), new Set([response.output[0].id]));
  assert.is(events[0].response.status, "in_progress");
  assert.is(events[0].response.id, response.id);
});

test("an answer that the token limit ends is incomplete, in the stream too", async () => {
  const body = { ...asked, max_output_tokens: 3 };
  const response = await at.json(PATH, body);
  assert.equal([response.status, response.incomplete_details], ["incomplete", { reason: "max_output_tokens" }]);
  assert.is(response.output[0].status, "incomplete");
  const events = await eventsOf(body);
  assert.is(events.at(-1).type, "response.incomplete");
  assert.is(events.at(-1).response.usage.output_tokens, 3);
});

test("what fails half-way ends a stream with response.failed", async () => {
  const failing = await serving();
  try {
    const response = await failing.post(PATH, { ...asked, max_output_tokens: 200, ignore_eos: true, stream: true });
    const reader = response.body!.pipeThrough(new TextDecoderStream()).getReader();
    let text = "";
    while (!text.includes("output_text.delta")) text += (await reader.read()).value;
    failing.llama.close();
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      text += value;
    }
    const last: Loose = JSON.parse(text.trim().split("\n").at(-1)!.slice("data: ".length));
    assert.equal([last.type, last.response.status, last.response.error.code], ["response.failed", "failed", "server_error"]);
    assert.is(last.sequence_number, text.match(/^event: /gm)!.length - 1);
  } finally {
    await failing.server.close();
  }
}); // prettier-ignore

test("openai: responses, created and streamed", async () => {
  const body = { model: "kv-llama", ...asked };
  assert.is((await client.responses.create(body)).output_text, ANSWER);
  let text = "";
  const stream = client.responses.stream(body);
  stream.on("response.output_text.delta", ({ delta }) => (text += delta));
  const final = await stream.finalResponse();
  assert.equal([text, final.output_text, final.status], [ANSWER, ANSWER, "completed"]);
  const raw = await client.responses.create({ ...body, stream: true });
  const types: string[] = [];
  for await (const { type } of raw) types.push(type);
  assert.is(types.at(-1), "response.completed");
});

test("text.format: JSON of a schema, and what of a schema is not kept is refused with its place", async () => {
  const schema = {
    type: "object",
    properties: { key: { type: "string", maxLength: 8 }, found: { type: "boolean" } },
    required: ["key", "found"],
    additionalProperties: false,
  };
  const format = { type: "json_schema", name: "answer", schema, strict: true };
  const response = await at.json(PATH, { ...asked, max_output_tokens: 120, text: { format } });
  assert.equal(response.text, { format });
  const read: Loose = JSON.parse(response.output[0].content[0].text);
  assert.equal([Object.keys(read), typeof read.found, response.status], [["key", "found"], "boolean", "completed"]);
  const odd = { ...format, schema: { type: "object", patternProperties: {} } };
  const { error } = await at.json(PATH, { ...asked, text: { format: odd } }, 400);
  assert.match(error.message, /^text\.format.*patternProperties/);
  assert.match(
    (await at.json(PATH, { ...asked, text: { format: { type: "xml" } } }, 400)).error.message,
    /json_schema/,
  );
});

test("what this server does not do is refused by name", async () => {
  const cases: [object, string, RegExp][] = [
    [{}, "input", /^input: must be a text or a list of messages/],
    [{ input: [] }, "input", /^input: must be .* that is not empty/],
    [{ ...asked, store: true }, "store", /^store: must be false: nothing is kept/],
    [{ ...asked, previous_response_id: "resp_1" }, "previous_response_id", /nothing is kept; send the conversation/],
    [{ ...asked, conversation: "c" }, "conversation", /nothing is kept/],
    [{ ...asked, background: true }, "background", /must be false/],
    [{ ...asked, tools: [{ type: "web_search" }] }, "tools", /must be empty/],
    [{ ...asked, truncation: "auto" }, "truncation", /no input is cut/],
    [{ ...asked, max_tokens: 5 }, "max_tokens", /there is no such parameter/],
    [{ ...asked, max_output_tokens: 0 }, "max_output_tokens", /^max_output_tokens: must be a whole number/],
    [{ ...asked, n: 2 }, "n", /a response is one/],
    [{ ...asked, input: [{ role: "user", content: [{ type: "input_image" }] }] }, "input[0].content[0]", /input_image.*read text/],
    [{ ...asked, input: [{ type: "function_call_output" }] }, "input[0].type", /function_call_output/],
    [{ ...asked, input: [{ role: "tool", content: "x" }] }, "input[0].role", /must be one of user/],
    [{ ...asked, input: "a ".repeat(2000) }, "input", /^the prompt has \d+ tokens.*would reach/],
    [{ ...asked, rope_scaling: { rope_type: "yarn", factr: 2 } }, "rope_scaling", /factr/],
  ]; // prettier-ignore
  for (const [body, param, message] of cases) {
    for (const stream of [false, true]) {
      const { error } = await at.json(PATH, { ...body, stream }, 400);
      assert.is(error.param, param, error.message);
      assert.match(error.message, message);
    }
  }
});

test.run();
