// Embeddings over HTTP, against what the library gives, and with OpenAI's own client.
import OpenAI from "openai";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { farthest } from "../tools/models.ts";
import { type Loose, type Serving, PROMPT, serving } from "../tools/serving.ts";
import { nothingHeld } from "../tools/steps.ts";

const test = suite("server: embeddings");
let at: Serving;
test.before(async () => {
  at = await serving();
});
test.after(() => at.close());

const PATH = "/v1/embeddings";
/** Steps of other companies take other kernels, whose sums differ in the last bits; vectors have length 1. */
const ROUNDING = 1e-5;
const near = (got: ArrayLike<number>, want: ArrayLike<number>): void =>
  assert.ok(farthest(got, want).error <= ROUNDING);

test("texts, ids and lists of them give the library's vectors, tokens and RoPE setting", async () => {
  const ids = [...at.llama.tokenizer!.encode(PROMPT)];
  const [want] = await at.llama.embed([PROMPT]);
  const inputs: [unknown, number][] = [[PROMPT, 1], [[PROMPT, PROMPT], 2], [ids, 1], [[ids, ids, ids], 3]]; // prettier-ignore
  for (const [input, count] of inputs) {
    const { data, usage, object, model, rope } = await at.json(PATH, { input });
    assert.equal([object, model, data.length, rope.type], ["list", "kv-llama", count, "default"]);
    assert.equal(usage, { prompt_tokens: count * ids.length, total_tokens: count * ids.length });
    data.forEach((each: Loose, index: number) => {
      assert.equal([each.object, each.index], ["embedding", index]);
      near(each.embedding, want);
    });
  }
  nothingHeld(at.llama.engine.memory);
});

test("pooling, length and RoPE scaling are the request's", async () => {
  const rope_scaling = { rope_type: "yarn", factor: 4 } as const;
  const [want] = await at.llama.embed([PROMPT], { pooling: "last", normalize: false, ropeScaling: rope_scaling });
  const body = { input: PROMPT, pooling: "last", normalize: false, rope_scaling, rope_length: 900, allow_beyond: true };
  const { data, rope } = await at.json(PATH, body);
  assert.ok(farthest(data[0].embedding, want).error < 1e-3, "rows of norm-weights, not of length 1");
  assert.equal([rope.type, rope.factor], ["yarn", 4]);
});

test("base64 is the bytes of the same values, and what OpenAI's client asks for", async () => {
  const { data } = await at.json(PATH, { input: PROMPT, encoding_format: "base64" });
  const bytes = Uint8Array.from(Buffer.from(data[0].embedding, "base64"));
  const [want] = await at.llama.embed([PROMPT]);
  near(new Float32Array(bytes.buffer), want);
  const origin = await at.server.listen({ port: 0 });
  const client = new OpenAI({ baseURL: `${origin}/v1`, apiKey: "none", maxRetries: 0 });
  const answer = await client.embeddings.create({ model: "kv-llama", input: [PROMPT, "x"] });
  assert.is(answer.data.length, 2);
  near(answer.data[0].embedding, want);
  near(answer.data[1].embedding, (await at.llama.embed(["x"]))[0]);
  const dimensions = 64;
  const refused = client.embeddings.create({ model: "kv-llama", input: "x", dimensions });
  await refused.then(
    () => assert.unreachable(),
    (error: unknown) => assert.is((error as InstanceType<typeof OpenAI.APIError>).param, "dimensions"),
  );
});

test("what is wrong is refused with the field", async () => {
  const cases: [object, number, string | null, RegExp][] = [
    [{}, 400, "input", /^input: must be a text, a list of texts/],
    [{ input: [] }, 400, "input", /^input: must not be empty/],
    [{ input: ["x", 5] }, 400, "input", /^input: must be a text, a list of texts/],
    [{ input: [1, 99999] }, 400, "input[0]", /^input\[0\]: id 99999 at 1 is outside the vocabulary/],
    [{ input: ["x", "a ".repeat(2000)] }, 400, "input[1]", /^input\[1\]: the prompt has \d+ tokens.*would reach/],
    [{ input: "x", dimensions: 64 }, 400, "dimensions", /^dimensions: must be left out or 256, .*got 64$/],
    [{ input: "x", encoding_format: "hex" }, 400, "encoding_format", /^encoding_format: must be "float" or "base64"/],
    [{ input: "x", pooling: "max" }, 400, "pooling", /^pooling: must be "mean" or "last"/],
    [{ input: "x", rope_scaling: { rope_type: "yarn", factr: 2 } }, 400, "rope_scaling", /factr/],
    [{ input: "x", polling: "mean" }, 400, "polling", /^polling: there is no such parameter$/],
    [{ input: "x", model: "y" }, 404, "model", /^model: there is no "y"/],
  ];
  for (const [body, status, param, message] of cases) {
    const { error } = await at.json(PATH, body, status);
    assert.is(error.param, param, error.message);
    assert.match(error.message, message);
  }
});

test("a request waits for its place, is refused where too many wait, and leaves when the client does", async () => {
  const small = await serving({ maxConcurrent: 1, queue: 1 });
  try {
    const long = { messages: [{ role: "user", content: PROMPT }], max_tokens: 300, ignore_eos: true };
    const leave = new AbortController();
    const running = small.post("/v1/chat/completions", long, { signal: leave.signal }).catch(() => undefined);
    while (small.llama.engine.memory.kv.freePages === small.llama.engine.memory.kv.pages) await turn();
    const gone = new AbortController();
    const waiting = small.post(PATH, { input: "x" }, { signal: gone.signal });
    await turn();
    assert.is((await small.post(PATH, { input: "x" })).status, 429);
    gone.abort();
    assert.is((await waiting).status, 499);
    const next = small.json(PATH, { input: "x" });
    leave.abort();
    assert.is((await next).data.length, 1);
    await running;
    nothingHeld(small.llama.engine.memory);
  } finally {
    await small.close();
  }
});

const turn = (): Promise<void> => new Promise((resolve) => setTimeout(resolve, 5));

test.run();
