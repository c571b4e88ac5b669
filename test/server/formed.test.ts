// Answers of a form over HTTP, by the clients that people have: response_format, and tools that must be called, with chat templates of
// each form of calls on the bundled model.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { generateObject, generateText, jsonSchema, tool } from "ai";
import { readFileSync } from "node:fs";
import OpenAI from "openai";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type FileSet, Llama, folderFiles } from "../../src/node/index.ts";
import { memorySource } from "../../src/checkpoint/memory.ts";
import { type NodeServer, serve } from "../../src/node/server.ts";
import { folder, openDevice } from "../tools/models.ts";
import { PROMPT, readEvents } from "../tools/serving.ts";

const test = suite("server: answers of a form");
const handle = await openDevice();
const templates = (
  JSON.parse(readFileSync(folder("tokenizers/templates.json"), "utf8")) as {
    templates: { name: string; template: string }[];
  }
).templates;
const recorded = (name: string) => templates.find((each) => each.name === name)!.template;
const QWEN = (JSON.parse(readFileSync(folder("jinja/cases.json"), "utf8")) as { template: string }[]).find(
  ({ template }) => template.includes("You are Qwen") && template.includes("<tool_call>"),
)!.template;

/** The bundled model with another chat template. */
async function withTemplate(template: string | undefined): Promise<Llama> {
  const files: FileSet = await folderFiles(folder("/models/kv-llama"));
  const own =
    template === undefined ? undefined : memorySource("chat_template.jinja", new TextEncoder().encode(template));
  const source: FileSet = {
    describe: files.describe,
    list: async () => [...(await files.list()), ...(own ? [own.name] : [])],
    open: async (name) => (name === own?.name ? own : files.open(name)),
    close: () => files.close(),
  };
  try {
    return await Llama.load(source, { device: handle.device });
  } finally {
    await source.close();
  }
}

const models: Record<string, Llama> = {
  plain: await withTemplate(undefined),
  llama: await withTemplate(recorded("llama31-tools")),
  hermes: await withTemplate(QWEN),
  mistral: await withTemplate(recorded("mistral-tools")),
};
const server: NodeServer = serve({ models });
const baseURL = "http://localhost/v1";
const through = (input: Request | string | URL, init?: RequestInit) =>
  Promise.resolve(server.fetch(new Request(input, init)));
const client = new OpenAI({ baseURL, apiKey: "none", maxRetries: 0, fetch: through });
const provider = createOpenAICompatible({
  name: "llariat",
  baseURL,
  fetch: through,
  supportsStructuredOutputs: true,
});

const parameters = {
  type: "object",
  properties: { city: { $ref: "#/$defs/city" }, days: { type: "integer", minimum: 1, maximum: 9 } },
  required: ["city", "days"],
  additionalProperties: false,
  $defs: { city: { enum: ["Paris", "Rome"] } },
};
const tools = [
  { type: "function" as const, function: { name: "weather", description: "w", parameters } },
  { type: "function" as const, function: { name: "now", description: "n" } },
];
const messages = [{ role: "user" as const, content: "u" }];
const loose = { allow_beyond: true, temperature: 0, max_tokens: 200 } as object;

function checkWeather(given: unknown): void {
  const { city, days, ...rest } = given as { city: string; days: number };
  assert.ok(
    ["Paris", "Rome"].includes(city) && Number.isInteger(days) && days >= 1 && days <= 9,
    JSON.stringify(given),
  );
  assert.equal(rest, {});
}

test("response_format: JSON of a schema, whole and streamed, and n of them", async () => {
  const response_format = {
    type: "json_schema",
    json_schema: { name: "w", schema: parameters, strict: true },
  } as const;
  const asked = { model: "plain", messages: [{ role: "user" as const, content: PROMPT }], response_format };
  const { choices } = await client.chat.completions.create({ ...asked, temperature: 1, seed: 3, n: 2 });
  for (const { message, finish_reason } of choices) {
    checkWeather(JSON.parse(message.content!));
    assert.is(finish_reason, "stop");
  }
  let text = "";
  for await (const chunk of await client.chat.completions.create({ ...asked, temperature: 0, stream: true }))
    text += chunk.choices[0]?.delta.content ?? "";
  checkWeather(JSON.parse(text));
  const any = await client.chat.completions.create({
    ...asked,
    response_format: { type: "json_object" },
    max_tokens: 1,
  });
  assert.match(any.choices[0].message.content!, /^ ?(?:\{|$)/);
  assert.is(any.choices[0].finish_reason, "length");
});

test("AI SDK: generateObject", async () => {
  const { object } = await generateObject({
    model: provider("plain"),
    prompt: PROMPT,
    schema: jsonSchema(parameters as never),
    temperature: 0,
  });
  checkWeather(object);
});

for (const model of ["llama", "hermes", "mistral"]) {
  test(`${model}: a tool that must be called is called, whole and streamed`, async () => {
    for (const tool_choice of ["required", { type: "function", function: { name: "weather" } }] as const) {
      const asked = { model, messages, tools, tool_choice, ...loose };
      const { choices } = await client.chat.completions.create(asked);
      const { message, finish_reason } = choices[0];
      assert.is(finish_reason, "tool_calls");
      assert.is(message.content, null);
      assert.is(message.tool_calls!.length, 1);
      const [call] = message.tool_calls!;
      assert.ok(call.type === "function" && /^(?:call_)?\w{9,}$/.test(call.id));
      if (call.function.name === "weather") checkWeather(JSON.parse(call.function.arguments));
      else assert.is(call.function.name, "now");
      if (tool_choice !== "required") assert.is(call.function.name, "weather");
      const final = await client.chat.completions.stream(asked as never).finalChatCompletion();
      const streamed = final.choices[0].message.tool_calls![0];
      assert.ok(streamed.type === "function");
      assert.equal(
        { ...streamed.function, parsed_arguments: undefined },
        { ...call.function, parsed_arguments: undefined },
      );
      // The turn after it: the call and its result are part of the prompt.
      const next = [...messages, message, { role: "tool" as const, tool_call_id: call.id, content: "3" }];
      const after = await client.chat.completions.create({
        ...asked,
        messages: next,
        tool_choice: "none",
        max_tokens: 4,
      } as never);
      assert.is((after as OpenAI.ChatCompletion).choices[0].message.tool_calls, undefined);
    }
  });
}

test("AI SDK: tools", async () => {
  const { toolCalls } = await generateText({
    model: provider("hermes"),
    prompt: "u",
    temperature: 0,
    maxOutputTokens: 200,
    toolChoice: { type: "tool", toolName: "weather" },
    tools: { weather: tool({ description: "w", inputSchema: jsonSchema(parameters as never) }) },
    providerOptions: { llariat: { allow_beyond: true } },
  });
  assert.is(toolCalls.length, 1);
  checkWeather(toolCalls[0].input);
});

test("what may be called and is not is text", async () => {
  const asked = { model: "hermes", messages, tools, tool_choice: "auto", ...loose, max_tokens: 6 };
  const { choices } = await client.chat.completions.create(asked as never);
  assert.is(choices[0].message.tool_calls, undefined);
  assert.ok(choices[0].message.content!.length > 0);
  const response = await server.fetch(
    new Request(`${baseURL}/chat/completions`, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify({ ...asked, stream: true }),
    }),
  );
  const events = readEvents(await response.text()) as { choices: { delta: { content?: string } }[] }[];
  assert.is(events.map(({ choices }) => choices[0]?.delta.content ?? "").join(""), choices[0].message.content);
});

test("what is wrong is refused with the field", async () => {
  const refused = async (body: object, param: string, sentence: RegExp): Promise<void> => {
    const asked = { model: "hermes", messages, ...loose, ...body };
    await client.chat.completions.create(asked as never).then(
      () => assert.unreachable("it was answered"),
      (error: unknown) => {
        assert.ok(error instanceof OpenAI.BadRequestError);
        assert.is(error.param, param);
        assert.match(error.message, sentence);
      },
    );
  };
  const schema = (own: object) => ({
    response_format: { type: "json_schema", json_schema: { name: "x", schema: own } },
  });
  await refused(schema({ uniqueItems: true }), "response_format.json_schema.schema/uniqueItems", /must be false/);
  await refused(schema({ wat: 1 }), "response_format.json_schema.schema", /the keyword "wat" is not supported/);
  await refused(
    { response_format: { type: "xml" } },
    "response_format.type",
    /must have the type text, json_object or json_schema/,
  );
  await refused(
    { tools, tool_choice: { type: "function", function: { name: "x" } } },
    "tool_choice",
    /there is no tool "x"/,
  );
  await refused({ tool_choice: "required" }, "tool_choice", /there are no tools/);
  await refused({ tools: [...tools, tools[0]] }, "tools", /two have the same name/);
  await refused({ tools, response_format: { type: "json_object" } }, "response_format", /cannot be kept beside tools/);
  await refused({ tools, model: "plain" }, "tools", /writes no calls in a form that is known/);
  await refused(
    { tools: [{ type: "function", function: { name: "a b" } }] },
    "tools[0].function.name",
    /letters, digits/,
  );
});

test.after(async () => {
  await server.close();
  for (const llama of Object.values(models)) llama.close();
  handle.release();
});
test.run();
