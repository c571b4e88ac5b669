// The clients that people have, over a socket: OpenAI's own and the AI SDK's.
import { createOpenAICompatible } from "@ai-sdk/openai-compatible";
import { APICallError, generateText, streamText } from "ai";
import OpenAI from "openai";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Serving, ANSWER, PROMPT, serving } from "../tools/serving.ts";

const test = suite("server: clients");
let at: Serving;
let baseURL: string;
let client: OpenAI;
test.before(async () => {
  at = await serving({ apiKey: "secret" });
  baseURL = `${await at.server.listen({ port: 0 })}/v1`;
  client = new OpenAI({ baseURL, apiKey: "secret", maxRetries: 0 });
});
test.after(() => at.close());

const messages = [{ role: "user" as const, content: PROMPT }];
const model = "kv-llama";
const asked = { model, messages, temperature: 0 };

test("openai: models", async () => {
  const { data } = await client.models.list();
  assert.equal(
    data.map(({ id }) => id),
    [model],
  );
  assert.is((await client.models.retrieve(model)).id, model);
});

test("openai: chat, whole and streamed, with usage", async () => {
  const { choices, usage } = await client.chat.completions.create(asked);
  assert.is(choices[0].message.content, ANSWER);
  const stream = await client.chat.completions.create({
    ...asked,
    stream: true,
    stream_options: { include_usage: true },
  });
  let [text, sums] = ["", undefined as OpenAI.CompletionUsage | null | undefined];
  for await (const chunk of stream) {
    text += chunk.choices[0]?.delta.content ?? "";
    sums = chunk.usage;
  }
  assert.is(text, ANSWER);
  assert.is(sums!.completion_tokens, usage!.completion_tokens);
  const helper = client.chat.completions.stream(asked);
  assert.is(await helper.finalContent(), ANSWER);
});

test("openai: completions and their log-probabilities", async () => {
  const { choices } = await client.completions.create({
    model,
    prompt: PROMPT,
    temperature: 0,
    logprobs: 2,
    max_tokens: 4,
  });
  assert.is(choices[0].logprobs!.tokens!.length, 4);
});

test("openai: errors have the class, the status and the field", async () => {
  const caught = async (call: Promise<unknown>): Promise<InstanceType<typeof OpenAI.APIError>> => {
    try {
      await call;
    } catch (error) {
      if (error instanceof OpenAI.APIError) return error;
      throw error;
    }
    return assert.unreachable("nothing was thrown") as never;
  };
  const bad = await caught(client.chat.completions.create({ ...asked, top_p: 7 }));
  assert.ok(bad instanceof OpenAI.BadRequestError);
  assert.is(bad.param, "top_p");
  assert.ok((await caught(client.models.retrieve("x"))) instanceof OpenAI.NotFoundError);
  const stranger = new OpenAI({ baseURL, apiKey: "guess", maxRetries: 0 });
  assert.ok((await caught(stranger.models.list())) instanceof OpenAI.AuthenticationError);
});

test("openai: who leaves a stream ends its request", async () => {
  const stream = await client.chat.completions.create({
    ...asked,
    stream: true,
    max_tokens: 400,
    ...({ ignore_eos: true } as object),
  });
  for await (const _ of stream) break;
  while (at.llama.scheduler.engine.memory.kv.pages === 0) await new Promise((resolve) => setImmediate(resolve));
  const health = async () =>
    (await (await fetch(`${baseURL}/../health`)).json()) as { models: Record<string, { running: number }> };
  while ((await health()).models[model].running > 0) await new Promise((resolve) => setTimeout(resolve, 5));
  const controller = new AbortController();
  const call = client.chat.completions.create({ ...asked, max_tokens: 400 }, { signal: controller.signal });
  controller.abort();
  await call.then(
    () => assert.unreachable("it was answered"),
    (error: unknown) => assert.ok(error instanceof OpenAI.APIUserAbortError),
  );
});

test("AI SDK: text, stream, usage, errors, abort", async () => {
  const provider = createOpenAICompatible({ name: "llariat", baseURL, apiKey: "secret", includeUsage: true });
  const { text, usage, finishReason } = await generateText({ model: provider(model), prompt: PROMPT, temperature: 0 });
  assert.is(text, ANSWER);
  assert.is(finishReason, "stop");
  assert.is(usage.inputTokens, (await at.llama.complete(messages, { maxNewTokens: 1 })).usage.promptTokens);
  const streamed = streamText({ model: provider(model), prompt: PROMPT, temperature: 0 });
  assert.is(await streamed.text, ANSWER);
  assert.is((await streamed.usage).outputTokens, usage.outputTokens);
  const long = { model: provider(model), prompt: "a ".repeat(2000), maxRetries: 0 };
  await generateText(long).then(
    () => assert.unreachable("it was answered"),
    (error: unknown) => {
      assert.ok(APICallError.isInstance(error));
      assert.is(error.statusCode, 400);
      assert.match(error.message, /2009 tokens, .* would reach 2048/);
    },
  );
  const controller = new AbortController();
  const aborted = generateText({ ...long, prompt: PROMPT, abortSignal: controller.signal });
  controller.abort();
  await aborted.then(
    () => assert.unreachable("it was answered"),
    (error: unknown) => assert.match(String(error), /abort/i),
  );
});

test.run();
