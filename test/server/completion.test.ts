// Completions: the four forms of a prompt, echo and logprobs as evaluation harnesses ask for them, against the library.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { refusedAs, type Loose, type Serving, PROMPT, serving } from "../tools/serving.ts";

const test = suite("server: completions");
let at: Serving;
test.before(async () => {
  at = await serving();
});
test.after(() => at.close());

const PATH = "/v1/completions";
const texts = (answer: Loose): string[] => answer.choices.map((each: Loose) => each.text);
const ids = (text: string): number[] => [...at.llama.tokenizer!.encode(text)];

test("a prompt is a text, a list of texts, ids, or lists of ids, and the answers keep their order", async () => {
  const prompts = [PROMPT, "The value of the key", "a b c"];
  const options = { maxNewTokens: 16, temperature: 0 };
  const own = [];
  for (const prompt of prompts) own.push((await at.llama.complete(prompt, options)).text);
  const asked = { temperature: 0 };
  assert.equal(texts(await at.json(PATH, { ...asked, prompt: prompts[0] })), [own[0]]);
  assert.equal(texts(await at.json(PATH, { ...asked, prompt: prompts })), own);
  assert.equal(texts(await at.json(PATH, { ...asked, prompt: ids(prompts[0]) })), [own[0]]);
  const answer = await at.json(PATH, { ...asked, prompt: prompts.map(ids), n: 2 });
  assert.equal(
    texts(answer),
    own.flatMap((text) => [text, text]),
  );
  assert.equal(
    answer.choices.map((each: Loose) => each.index),
    [0, 1, 2, 3, 4, 5],
  );
  assert.is(
    answer.usage.prompt_tokens,
    prompts.reduce((sum, prompt) => sum + ids(prompt).length, 0),
  );
});

test("a stream gives the same texts", async () => {
  const prompts = [PROMPT, "a b c"];
  const whole = texts(await at.json(PATH, { prompt: prompts, temperature: 0, n: 2, echo: true }));
  const events = await at.events(PATH, { prompt: prompts, temperature: 0, n: 2, echo: true });
  const parts = whole.map((_, i) =>
    events
      .flatMap(({ choices }) => choices as Loose[])
      .filter(({ index }) => index === i)
      .map(({ text }) => text as string)
      .join(""),
  );
  assert.equal(parts, whole);
  assert.ok(whole[0].startsWith(PROMPT));
});

// What lm-evaluation-harness 0.4 sends for loglikelihood with --model local-completions (TemplateAPI, LocalCompletionsAPI):
// ids of context and continuation, one token generated, which it takes off again.
test("lm-evaluation-harness's form: batched ids, echo, logprobs 1, max_tokens 1: the numbers of llama.score", async () => {
  const contexts = [PROMPT, "The value of the key", "## UUID key/value pairs"];
  const said = (await at.llama.complete(PROMPT, { temperature: 0, maxNewTokens: 12 })).ids;
  const continuations = [said, ids("a '6ceaa6c1' is").slice(2), ids("a of nothing").slice(2)];
  const prompts = contexts.map((text, i) => [...ids(text), ...continuations[i]]);
  const ctxlens = contexts.map((text) => ids(text).length);
  const asked = {
    model: "kv-llama",
    prompt: prompts,
    temperature: 0,
    max_tokens: 1,
    logprobs: 1,
    seed: 1234,
    echo: true,
  };
  const answer = await at.json(PATH, asked);
  // As parse_logprobs of the harness reads it.
  const sorted = (answer.choices as Loose[]).toSorted((a, b) => a.index - b.index);
  const found = sorted.map(({ logprobs }, i) => {
    const tokens = logprobs.token_logprobs.slice(ctxlens[i], -1) as number[];
    const top = logprobs.top_logprobs.slice(ctxlens[i], -1) as Record<string, number>[];
    return {
      sum: tokens.reduce((sum, each) => sum + each, 0),
      greedy: tokens.every((each, at) => each === Math.max(...Object.values(top[at]))),
      tokens,
    };
  });
  for (const [i, prompt] of prompts.entries()) {
    const own = await at.llama.score(prompt);
    const want = own.subarray(ctxlens[i] - 1);
    assert.is(found[i].tokens.length, want.length);
    // Rows of several prompts in one step may be added up in another order: float32 noise of a log-probability.
    for (const [j, each] of found[i].tokens.entries()) assert.ok(Math.abs(each - want[j]) < 1e-4, `${each} ${want[j]}`);
    assert.is(sorted[i].logprobs.token_logprobs[0], null);
    assert.is(sorted[i].logprobs.tokens.length, prompt.length + 1);
  }
  // The model says the first by itself, and would not have said the others.
  assert.equal(
    found.map(({ greedy }) => greedy),
    [true, false, false],
  );
});

test("max_tokens 0 with echo gives the prompt's log-probabilities alone, under the RoPE setting that is asked for", async () => {
  const prompt = ids(PROMPT);
  const rope_scaling = { rope_type: "linear", factor: 4 };
  const answer = await at.json(PATH, { prompt, echo: true, max_tokens: 0, logprobs: 0, rope_scaling });
  const own = await at.llama.score(prompt, { ropeScaling: rope_scaling as never });
  const [{ logprobs, text, finish_reason }] = answer.choices;
  assert.equal(logprobs.token_logprobs, [null, ...own]);
  assert.is(text, at.llama.tokenizer!.decode(prompt, { skipSpecialTokens: false }));
  assert.is(finish_reason, "length");
  assert.is(answer.rope.type, "linear");
  assert.equal(answer.usage, {
    prompt_tokens: prompt.length,
    completion_tokens: 0,
    total_tokens: prompt.length,
    prompt_tokens_details: { cached_tokens: 0 },
  });
  const none = await at.json(PATH, { prompt, max_tokens: 0 });
  assert.equal(texts(none), [""]);
});

test("log-probabilities of an answer are the library's, and the places add up", async () => {
  const own = await at.llama.complete(PROMPT, { temperature: 0, maxNewTokens: 8, logprobs: true, topLogprobs: 3 });
  const answer = await at.json(PATH, { prompt: PROMPT, temperature: 0, max_tokens: 8, logprobs: 3 });
  const { tokens, token_logprobs, top_logprobs, text_offset } = answer.choices[0].logprobs;
  assert.equal(token_logprobs, own.logprobs);
  assert.is(tokens.join(""), answer.choices[0].text);
  for (const [i, each] of own.topLogprobs!.entries()) {
    assert.equal(
      Object.values(top_logprobs[i] as Record<string, number>).toSorted((a, b) => b - a), // keys of digits come first
      each.map(({ logprob }) => logprob),
    );
    assert.is(text_offset[i], tokens.slice(0, i).join("").length);
  }
});

test("what is wrong is refused by its name", async () => {
  const cases: [object, string, RegExp][] = [
    [{}, "prompt", /^prompt: must be a text, a list of texts, token ids/],
    [{ prompt: [] }, "prompt", /^prompt: must not be empty/],
    [{ prompt: [1, "a"] }, "prompt", /^prompt: must be a text/],
    [{ prompt: [[]] }, "prompt", /at least one token/],
    [{ prompt: [1, 99999] }, "prompt", /id 99999 at 1 is outside the vocabulary/],
    [{ prompt: [[1, 2], [1, -5]] }, "prompt", /id -5 at 1/],
    [{ prompt: "a", suffix: "b" }, "suffix", /not supported/],
    [{ prompt: "a", best_of: 3 }, "best_of", /equal to n, 1; got 3/],
    [{ prompt: "a", max_tokens: -1 }, "max_tokens", /≥ 0, got -1/],
    [{ prompt: "a", max_tokens: 4, logprobs: 300 }, "logprobs", /from 0 to 256/],
    [{ prompt: "a", logit_bias: { x: 1 } }, "logit_bias", /x/],
  ]; // prettier-ignore
  for (const [body, param, sentence] of cases) await refusedAs(at, PATH, body, 400, param, sentence);
  // The last of many prompts is wrong: nothing is computed for the others.
  const before = at.llama.engine.memory.kv.pages - at.llama.engine.memory.kv.freePages;
  await refusedAs(
    at,
    PATH,
    { prompt: ["a", "b", "x ".repeat(600)] },
    400,
    "prompt",
    /tokens, default RoPE reaches 512/,
  );
  assert.is(at.llama.engine.memory.kv.pages - at.llama.engine.memory.kv.freePages, before);
});

test.run();
