// Chat completions, whole and as a stream, against what the library gives.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Loose, type Serving, ANSWER, PROMPT, refusedAs, serving } from "../tools/serving.ts";

const test = suite("server: chat");
let at: Serving;
test.before(async () => {
  at = await serving();
});
test.after(() => at.close());

const messages = [{ role: "user", content: PROMPT }];
const asked = { messages, temperature: 0 };
const PATH = "/v1/chat/completions";

test("an answer has the library's text, usage, reason and RoPE setting", async () => {
  const own = await at.llama.complete(messages, { temperature: 0 });
  assert.is(own.text, ANSWER);
  const { choices, usage, rope, model, object } = await at.json(PATH, asked);
  assert.is(choices[0].message.content, own.text);
  assert.is(choices[0].finish_reason, own.finishReason);
  assert.is(usage.prompt_tokens, own.usage.promptTokens);
  assert.is(usage.completion_tokens, own.usage.completionTokens);
  assert.equal(rope, own.rope);
  assert.equal([model, object, choices.length], ["kv-llama", "chat.completion", 1]);
});

test("a stream gives the same, piece by piece, the RoPE setting and the sums at its end", async () => {
  const rope_scaling = { rope_type: "yarn", factor: 2 };
  const own = await at.llama.complete(messages, { temperature: 0, ropeScaling: rope_scaling as never });
  const events = await at.events(PATH, { ...asked, rope_scaling, stream_options: { include_usage: true } });
  assert.equal(events[0].choices[0].delta, { role: "assistant", content: "" });
  const text = events.map(({ choices }) => choices[0]?.delta.content ?? "").join("");
  assert.is(text, own.text);
  const [last, sums] = events.slice(-2);
  assert.is(last.choices[0].finish_reason, "stop");
  assert.equal(last.rope, own.rope);
  assert.is(last.rope.type, "yarn");
  assert.equal(sums.choices, []);
  assert.is(sums.usage.completion_tokens, own.ids.length);
  assert.ok(events.slice(0, -1).every(({ usage }) => usage === null));
  assert.is(new Set(events.map(({ id }) => id)).size, 1);
});

test("n answers are those of seed, seed + 1 and so on", async () => {
  const options = { temperature: 1.5, seed: 7, maxNewTokens: 12 };
  const own = await at.llama.completions(messages, { ...options, n: 3 });
  const { choices, usage } = await at.json(PATH, { messages, temperature: 1.5, seed: 7, max_tokens: 12, n: 3 });
  assert.equal(
    choices.map((each: Loose) => each.message.content),
    own.map(({ text }) => text),
  );
  assert.is(
    usage.completion_tokens,
    own.reduce((sum, { ids }) => sum + ids.length, 0),
  );
  assert.is(usage.prompt_tokens, own[0].usage.promptTokens);
});

test("what is wrong is refused with the field, before anything is computed or a stream begins", async () => {
  const long = [{ role: "user", content: "a ".repeat(2000) }];
  const cases: [object, number, string | null, RegExp][] = [
    [{ messages: [] }, 400, "messages", /^messages: must have at least one message/],
    [{ ...asked, temprature: 1 }, 400, "temprature", /^temprature: there is no such parameter$/],
    [{ ...asked, temperature: "x" }, 400, "temperature", /^temperature: must be a number, got "x"$/],
    [{ ...asked, top_p: 7 }, 400, "top_p", /^top_p: must be a number from 0 to 1/],
    [{ ...asked, rope_scaling: { rope_type: "yarn", factr: 2 } }, 400, "rope_scaling", /factr/],
    [{ ...asked, model: "x" }, 404, "model", /^model: there is no "x", only kv-llama$/],
    [{ messages: long }, 400, "messages", /2009 tokens, .*; rope_scaling: \{ rope_type: "yarn", factor: 4 \} would reach 2048, or set allow_beyond: true$/],
    [{ messages: [{ role: "user", content: [{ type: "image_url" }] }] }, 400, "messages[0].content[0]", /text/],
    [{ messages: [{ role: "x" }] }, 400, null, /chat template .* must alternate/],
    [{ ...asked, functions: [] }, 400, "functions", /not supported/],
    [{ ...asked, max_tokens: 0 }, 400, "max_tokens", /^max_tokens: must be a whole number ≥ 1, got 0$/],
  ]; // prettier-ignore
  for (const stream of [false, true]) {
    for (const [body, status, param, sentence] of cases) {
      await refusedAs(at, PATH, { ...body, stream }, status, param, sentence);
    }
  }
});

test.run();
