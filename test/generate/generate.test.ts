// One request: what is generated and what is reported of it, what it allocates, and every way in which it can end.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { PAGE } from "../../kernels/index.ts";
import { memorySource } from "../../src/checkpoint/memory.ts";
import {
  type ErrorCode,
  type GenerateOptions,
  Llama,
  type Piece,
  type Prompt,
  memoryFiles,
} from "../../src/node/index.ts";
import { Random } from "../../src/generate/random.ts";
import { readHeader } from "../../src/checkpoint/safetensors.ts";
import { sample } from "../../src/generate/sample.ts";
import { type SamplingOptions, samplingOptions } from "../../src/generate/sampling.ts";
import { goldenEntry } from "../tools/goldens.ts";
import { argmax, countCalls, folder, ids, openDevice, replaced } from "../tools/models.ts";
import { refused } from "../tools/refused.ts";

const tests = suite("generate");
const handle = await openDevice();
const { device } = handle;
const calls = countCalls(device);
const sweep = folder("goldens/rope_sweep");
const kv = await Llama.load(folder("/models/kv-llama"), { device });
const tiny = await Llama.load(sweep, { device });
const TOLERANCE = goldenEntry("rope_sweep/default/expected.safetensors").tolerance!.f32.abs!;

const asked = { ignoreEos: true, allowBeyond: true } as const;
const KV_PROMPT =
  "[INST] ## UUID key/value pairs to remember:\n\n'1f0a77d2' = '9c3e'\n'77aa01bc' = '4410'\n'e29a369f' = 'd486'\n" +
  "\n\n What is the value of the key 'e29a369f'? [/INST]";

/** All pages are back: free, or kept as a prefix that nobody uses. */
function nothingHeld(llama: Llama, what: string): void {
  const { kv: pool, prefixes } = llama.engine.memory;
  assert.is(pool.freePages + prefixes.idle, pool.pages, what);
}

tests("greedy takes the largest logit, and log-probabilities are the logits'", async () => {
  const prompt = ids(30);
  const done = await tiny.complete(prompt, { ...asked, maxNewTokens: 12, logprobs: true });
  const logits = await tiny.logits([...prompt, ...done.ids]);
  done.ids.forEach((id, i) => {
    const row = logits.subarray((prompt.length - 1 + i) * 256, (prompt.length + i) * 256);
    assert.is(id, argmax(row), `token ${i}`);
    const logSum = Math.log(row.reduce((sum, value) => sum + Math.exp(value - row[id]), 0));
    // A log-probability is a difference of two numbers that may each be off by the tolerance.
    assert.ok(Math.abs(done.logprobs![i] + logSum) <= 2 * TOLERANCE, `token ${i}: ${done.logprobs![i]}, ${-logSum}`);
  });
  assert.is((await tiny.complete(prompt, { ...asked, maxNewTokens: 2 })).logprobs, undefined);
});

tests("a text: pieces, stop at the end of sequence, counts and times", async () => {
  const pieces = kv.generate(KV_PROMPT, { logprobs: true });
  const [got, texts]: [number[], string[]] = [[], []];
  let next = await pieces.next();
  for (; !next.done; next = await pieces.next()) {
    got.push(next.value.id);
    texts.push(next.value.text);
    assert.ok(next.value.logprob! <= 0);
  }
  const done = next.value;
  assert.is(done.text, " The value of the key 'e29a369f' is 'd486'.");
  assert.is(done.text, texts.join(""));
  assert.equal(done.ids, got);
  assert.is(done.ids.at(-1), 2, "the end of sequence is among the ids and not in the text");
  assert.is(done.finishReason, "stop");
  const { usage, timing } = done;
  assert.is(usage.promptTokens, kv.tokenizer!.encode(KV_PROMPT).length);
  assert.is(usage.completionTokens, got.length);
  assert.ok(timing.firstTokenMs > 0 && timing.prefillMs > 0 && timing.prefillMs <= timing.firstTokenMs);
  assert.ok(timing.decodeMs > 0);
  const computed = usage.promptTokens - usage.cachedTokens;
  assert.ok(Math.abs(timing.prefillTokensPerSecond * timing.prefillMs - 1000 * computed) < 1e-6 * computed * 1000);
  assert.ok(Math.abs(timing.decodeTokensPerSecond * timing.decodeMs - 1000 * (got.length - 1)) < 1e-3 * got.length);
  const one = await kv.complete(KV_PROMPT, { maxNewTokens: 1 });
  assert.is(one.timing.decodeTokensPerSecond, 0);
  assert.is(one.finishReason, "length");
});

tests("where generation_config.json names no end of sequence, config.json's ends the text", async () => {
  const { ids: free } = await tiny.complete(ids(30), { ...asked, maxNewTokens: 12 });
  const end = free.findIndex((id, i) => i > 2 && free.indexOf(id) === i);
  const files = Object.fromEntries(
    ["config.json", "model.safetensors"].map((name) => [name, readFileSync(join(sweep, name))]),
  );
  const config = { ...JSON.parse(String(files["config.json"])), eos_token_id: free[end] };
  for (const eos_token_id of [[], -1]) {
    const set = {
      ...files,
      "config.json": JSON.stringify(config),
      "generation_config.json": JSON.stringify({ eos_token_id }),
    };
    using llama = await Llama.load(memoryFiles(set), { device });
    const done = await llama.complete(ids(30), { maxNewTokens: 12 });
    assert.equal(done.ids, free.slice(0, end + 1), JSON.stringify(eos_token_id));
    assert.is(done.finishReason, "stop");
  }
});

tests("the end of sequence is not the end with ignoreEos", async () => {
  const done = await kv.complete(KV_PROMPT, { ignoreEos: true, maxNewTokens: 30 });
  assert.is(done.ids.length, 30);
  assert.ok(done.ids.includes(2));
  assert.is(done.finishReason, "length");
  const last = await kv.complete(KV_PROMPT, { maxNewTokens: done.ids.indexOf(2) + 1 });
  assert.is(last.finishReason, "stop", "an end of sequence as the last token allowed is an end of sequence");
});

tests("a prompt may be text, messages or ids, and means the same", async () => {
  const encoded = kv.tokenizer!.encode(KV_PROMPT);
  const options = { maxNewTokens: 8 } as const;
  const want = await kv.complete(KV_PROMPT, options);
  const list = await kv.complete(Array.from(encoded), options);
  const words = await kv.complete(Uint32Array.from(encoded), options);
  assert.equal([list.ids, words.ids], [want.ids, want.ids]);
  assert.equal([list.text, words.text], [want.text, want.text]);
});

tests("the text continues the prompt; an answer to messages is a text of its own", async () => {
  const template = "{% for message in messages %}[INST] {{ message['content'] }} [/INST]{% endfor %}";
  const path = folder("/models/kv-llama");
  const read = (name: string) => readFileSync(join(path, name), "utf8");
  using llama = await Llama.load(
    memoryFiles({
      "config.json": read("config.json"),
      "tokenizer.json": read("tokenizer.json"),
      "tokenizer_config.json": JSON.stringify({
        ...JSON.parse(read("tokenizer_config.json")),
        chat_template: template,
      }),
      "model.safetensors": readFileSync(join(path, "model.safetensors")),
    }),
    { device },
  );
  const content = KV_PROMPT.slice("[INST] ".length, -" [/INST]".length);
  const chat = await llama.complete([{ role: "user", content }]);
  assert.is(chat.text, "The value of the key 'e29a369f' is 'd486'.");
  // Text encodes with <s> before it, the template wrote none: the ids differ, the answer need not.
  const text = await llama.complete(KV_PROMPT);
  assert.is(text.text, ` ${chat.text}`);
  assert.is(llama.tokenizer!.decode([...llama.tokenizer!.encode(KV_PROMPT), ...text.ids]), KV_PROMPT + text.text);
  // From the beginning of a text there is nothing to continue: the decoder's own rule for a first space holds.
  const ids = text.ids.slice(0, -1);
  const start = await llama.complete([1, ...ids.slice(0, 3)], { maxNewTokens: 2 });
  const all = llama.tokenizer!.decode([1, ...ids.slice(0, 3), ...start.ids]);
  assert.is(llama.tokenizer!.decode([1, ...ids.slice(0, 3)]) + start.text, all);
  await refused(
    llama.complete([{ role: "user", content }], {
      chat: { templateName: "rag" },
    }),
    "template",
  );
});

tests("prompts that are none are refused before anything is allocated", async () => {
  calls.reset();
  const bad: [Prompt, ErrorCode, RegExp][] = [
    [[], "request", /at least one token/],
    [[0, 256], "request", /id 256 at 1 is outside the vocabulary of 256/],
    [[1.5], "request", /id 1.5 at 0/],
    [[-1], "request", /id -1 at 0/],
    [[NaN], "request", /id NaN at 0/],
    ["text", "tokenizer", /no tokenizer.json/],
    [[{ role: "user", content: "text" }], "tokenizer", /no tokenizer.json/],
    [undefined as unknown as Prompt, "request", /needs text, messages or token ids/],
    [null as unknown as Prompt, "request", /needs text, messages or token ids/],
    [7 as unknown as Prompt, "request", /needs text, messages or token ids/],
    [["1"] as unknown as Prompt, "request", /id "?1"? at 0/],
    [[null] as unknown as Prompt, "request", /prompt/],
  ];
  for (const [prompt, code, pattern] of bad) await refused(tiny.complete(prompt), code, pattern);
  await refused(kv.complete([null] as unknown as Prompt), "request", /prompt/);
  await refused(tiny.logits([]), "request", /at least one token/);
  await refused(tiny.logits([999]), "request", /id 999/);
  assert.is(calls.createBuffer, 0);
  assert.is(calls.submit, 0);
});

tests("options that mean nothing are refused by name, and nothing is held", async () => {
  const bad: [GenerateOptions, RegExp][] = [
    [{ maxNewTokens: 0 }, /maxNewTokens/],
    [{ maxNewTokens: 1.5 }, /maxNewTokens/],
    [{ maxNewTokens: Infinity }, /maxNewTokens/],
    [{ maxNewTokens: "5" as unknown as number }, /maxNewTokens/],
    [{ temperature: -1 }, /temperature/],
    [{ topP: 2 }, /topP/],
    [{ topK: 0.5 }, /topK/],
    [{ repetitionPenalty: 0 }, /repetitionPenalty/],
    [{ seed: -1 }, /seed/],
    [{ stop: "" }, /stop/],
    [{ stop: [1 as unknown as string] }, /stop/],
    [{ ropeLength: 0 }, /ropeLength/],
    [{ ropeAngles: "now" as "current" }, /ropeAngles/],
  ];
  for (const [options, pattern] of bad) await refused(kv.complete("x", options), "request", pattern);
  await refused(tiny.complete([1], { stop: "x" }), "request", /no tokenizer.json/);
  await refused(kv.complete("x", { ropeScaling: { type: "yarrn" as "yarn", factor: 2 } }), "rope", /yarn/);
  nothingHeld(kv, "after refusals");
});

tests("stop strings end the text before themselves, wherever tokens are cut", async () => {
  const whole = (await kv.complete(KV_PROMPT)).text;
  for (const stop of ["d486", " is 'd", "9f'", "'", [".", "key"], [" nothing ", "alue of the"]]) {
    const done = await kv.complete(KV_PROMPT, { stop });
    const first = Math.min(...[stop].flat().map((each) => (whole.includes(each) ? whole.indexOf(each) : Infinity)));
    assert.is(done.text, whole.slice(0, first), JSON.stringify(stop));
    assert.is(done.finishReason, "stop");
    let streamed = "";
    for await (const { text } of kv.generate(KV_PROMPT, { stop })) streamed += text;
    assert.is(streamed, done.text);
  }
  const none = await kv.complete(KV_PROMPT, { stop: ["nowhere", "'d486'. and more"] });
  assert.is(none.text, whole, "what was withheld comes when the text is over");
  nothingHeld(kv, "after stops");
});

/** What a request with these options must give: the sampler over the logits of every full prefix. */
async function sampled(llama: Llama, prompt: number[], options: SamplingOptions, count: number): Promise<number[]> {
  const sampling = samplingOptions(options, llama.generation);
  const [random, history] = [new Random(options.seed), [...prompt]];
  for (let i = 0; i < count; i++) {
    const said = { tokens: history, promptTokens: prompt.length };
    history.push(sample(await llama.logits(history, { rows: "last" }), sampling, said, random).id);
  }
  return history.slice(prompt.length);
}

tests(
  "sampling: the same seed, the same text; every filter draws what it draws from whole rows of logits",
  async () => {
    const prompt = ids(20);
    const settings: SamplingOptions[] = [
      { temperature: 1 },
      { temperature: 0.8, topK: 40 },
      { temperature: 1.3, topK: 0, topP: 0.9 },
      { topK: 5, minP: 0.05 },
      { topK: 256 },
      { repetitionPenalty: 1.3 },
      { temperature: 0.9, repetitionPenalty: 1.1, topK: 30 },
      { frequencyPenalty: 4, presencePenalty: 2 },
      { temperature: 1, noRepeatNgramSize: 1, typicalP: 0.9, logitBias: { 7: 3, 9: -Infinity } },
    ];
    const seen = new Set<string>();
    for (const options of settings) {
      for (const seed of [1, 2]) {
        const request = { ...asked, ...options, seed, maxNewTokens: 10 };
        const got = await tiny.complete(prompt, request);
        assert.equal(got.ids, await sampled(tiny, prompt, { ...options, seed }, 10), JSON.stringify(request));
        assert.equal((await tiny.complete(prompt, { ...request, reusePrefix: false })).ids, got.ids);
        seen.add(got.ids.join());
      }
    }
    assert.ok(seen.size >= 13, `${seen.size} different texts`);
    const free = await Promise.all(
      [1, 2, 3].map(() => tiny.complete(prompt, { ...asked, temperature: 1, maxNewTokens: 10 })),
    );
    assert.is(new Set(free.map((done) => done.ids.join())).size, 3, "without a seed every text is another");
  },
);

tests("penalties for what has been said are for the answer, whatever the prompt holds", async () => {
  const prompt = Array.from({ length: 60 }, (_, i) => (4 * i) % 256);
  const free = await tiny.complete(prompt, { ...asked, maxNewTokens: 10 });
  // A prompt that holds all that comes next: counting it would forbid that.
  const known = [...free.ids, ...prompt];
  const options = { presencePenalty: 100, frequencyPenalty: 1 };
  const got = await tiny.complete(known, { ...asked, ...options, maxNewTokens: 10 });
  assert.equal(got.ids, await sampled(tiny, known, options, 10));
  assert.ok(
    got.ids.some((id) => known.includes(id)),
    "or this shows nothing",
  );
});

/** A golden with 300 ids of which 290 have the same row in the head: more ties than the GPU keeps candidates. */
async function tied(): Promise<Llama> {
  const path = folder("goldens/models/gqa-bf16");
  const bytes = readFileSync(join(path, "model.safetensors"));
  const { tensors } = await readHeader(memorySource("model.safetensors", bytes));
  const { start, end, shape } = tensors.get("lm_head.weight")!;
  assert.equal(shape, [300, 64]);
  const row = (end - start) / 300;
  for (let id = 5; id < 295; id++) bytes.copyWithin(start + id * row, start + 4 * row, start + 5 * row);
  const config = readFileSync(join(path, "config.json"), "utf8");
  return Llama.load(memoryFiles({ "config.json": config, "model.safetensors": bytes }), { device });
}

tests("more ties with the k-th candidate than there is room for: the whole row decides", async () => {
  using llama = await tied();
  const wants: string[] = [];
  const step = llama.engine.step.bind(llama.engine);
  llama.engine.step = (segments, want, recording) => {
    wants.push(want);
    return step(segments, want, recording);
  };
  const prompt = ids(40, 300);
  for (const options of [
    {},
    { temperature: 1, topK: 60, seed: 3 },
    { temperature: 2, topK: 20, topP: 0.99, seed: 4 },
  ]) {
    wants.length = 0;
    const got = await llama.complete(prompt, { ...asked, ...options, logprobs: true, maxNewTokens: 24 });
    const twice = wants.filter((want) => want === "logits").length;
    assert.ok(twice > 0, `ties were met: ${wants.join()}`);
    assert.is(wants.length, 24 + twice, "a step more for each, and no other");
    assert.equal(got.ids, await sampled(llama, prompt, options, 24), JSON.stringify(options));
    const logits = await llama.logits([...prompt, ...got.ids]);
    got.ids.forEach((id, i) => {
      const own = logits.subarray((prompt.length - 1 + i) * 300, (prompt.length + i) * 300);
      const logSum = Math.log(own.reduce((sum, value) => sum + Math.exp(value - own[id]), 0));
      assert.ok(Math.abs(got.logprobs![i] + logSum) < 2 * TOLERANCE, `token ${i}`);
    });
  }
});

tests("after the first token nothing is allocated, bound or compiled, whatever the options", async () => {
  const variants: GenerateOptions[] = [
    {},
    { temperature: 0.7, topK: 30, seed: 1 },
    { temperature: 0.7, topK: 0, seed: 1, logprobs: true },
    { repetitionPenalty: 1.2 },
    { ropeScaling: { type: "yarn", factor: 4 } },
    { ropeScaling: { type: "dynamic", factor: 2 }, ropeAngles: "current" },
    { ropeScaling: { type: "dynamic", factor: 2 }, ropeAngles: "as-inserted" },
  ];
  // Across pages (32), parts of attention (128), and the trained length (64).
  for (const variant of variants) {
    using llama = await Llama.load(sweep, { device });
    for (const round of ["first", "second"]) {
      let tokens = 0;
      calls.reset();
      for await (const _ of llama.generate(ids(50), { ...asked, ...variant, reusePrefix: false, maxNewTokens: 100 })) {
        tokens++;
        // The second token's step is another plan than the prompt's: its kernels are compiled and bound then, once.
        if (round === "second" || tokens > 2) continue;
        if (tokens === 2) assert.is(calls.createBuffer, 0, JSON.stringify(variant));
        calls.reset();
      }
      const what = `${round}, ${JSON.stringify(variant)}`;
      assert.is(tokens, 100);
      assert.is(calls.createBuffer, 0, `buffers, ${what}`);
      assert.is(calls.createBindGroup, 0, `bind groups, ${what}`);
      assert.is(calls.createComputePipelineAsync, 0, `pipelines, ${what}`);
      assert.ok(calls.submit >= 98, "every token is one submit");
      assert.equal([...new Set(calls.written)], ["step"]);
      assert.is(calls.written.length, calls.submit, "one upload a step");
    }
  }
});

tests("keys and values for what a request uses, not for what it may come to use", async () => {
  using llama = await Llama.load(folder("/models/kv-llama"), { device, idleKvBytes: 0 });
  assert.is(llama.memory.kv, 0);
  const { layers, kvHeads, headDim } = llama.config;
  const perToken = 2 * layers * kvHeads * headDim * 4;
  assert.is(llama.kvBytes(PAGE), PAGE * perToken);
  assert.is(llama.kvBytes(1), llama.kvBytes(PAGE), "in whole pages");
  await llama.complete(ids(40, 768), { ...asked, maxNewTokens: 20 });
  // 60 tokens take two pages; pages come in groups of eight.
  assert.is(llama.memory.kv, 8 * PAGE * perToken);
  const { activations } = llama.memory;
  for await (const _ of llama.generate(ids(40, 768, 3), { ...asked, maxNewTokens: 20_000 })) {
    assert.is(llama.memory.kv, 8 * PAGE * perToken, "20,000 may come; so far there are few");
    // Angles and parts of attention come for 256 tokens at a time.
    assert.ok(llama.memory.activations - activations < 2 ** 18, `${activations} → ${llama.memory.activations}`);
    break;
  }
  await llama.complete(ids(40, 768, 2), { ...asked, maxNewTokens: 20 });
  assert.is(llama.memory.kv, 8 * PAGE * perToken, "the next one uses the same");
  await llama.complete(ids(700, 768), { ...asked, maxNewTokens: 20 });
  assert.is(llama.memory.kv, 24 * PAGE * perToken, "23 pages for 720 tokens");
  assert.is(llama.memory.kv, llama.kvBytes(24 * PAGE));
  nothingHeld(llama, "at the end");
});

tests("pages come back however a request ends", async () => {
  using llama = await Llama.load(sweep, { device, chunkRows: 16 });
  const { kv: pool } = llama.engine.memory;
  const options = { ...asked, reusePrefix: false, maxNewTokens: 20 } as const;
  const free = (what: string) => assert.is(pool.freePages, pool.pages, what);
  await llama.complete(ids(40), options);
  free("complete");
  for await (const _ of llama.generate(ids(40), options)) break;
  free("break");
  const thrown = new Error("the consumer's");
  try {
    for await (const _ of llama.generate(ids(40), options)) throw thrown;
  } catch (error) {
    assert.is(error, thrown);
  }
  free("throw");
  const returned = llama.generate(ids(40), options);
  await returned.next();
  await returned.return(undefined as never);
  free("return");
  const unused = llama.generate(ids(40), options);
  await unused.return(undefined as never);
  assert.is((await unused.next()).done, true);
  free("never begun");
  await refused(llama.complete(ids(40), { ...options, signal: AbortSignal.abort() }), "aborted");
  free("aborted before it began");
});

tests("abort ends a request at once, in its prompt and while it generates", async () => {
  using llama = await Llama.load(sweep, { device, chunkRows: 16 });
  await llama.complete(ids(200), { ...asked, maxNewTokens: 3 });
  const prompt = ids(200, 256, 2);
  // Before: nothing is computed or allocated.
  calls.reset();
  await refused(llama.complete(ids(900), { ...asked, maxNewTokens: 1, signal: AbortSignal.abort("no") }), "aborted");
  assert.is(calls.submit + calls.createBuffer, 0);
  // In the prompt: 13 chunks; after the third at most the one in flight is computed.
  const first = new AbortController();
  calls.reset();
  let chunks = 0;
  const onPrefill = (done: number, total: number) => {
    assert.is(total, 200);
    assert.is(done, 16 * ++chunks);
    if (chunks === 3) first.abort(new Error("stop"));
  };
  const error = await refused(
    llama.complete(prompt, { ...asked, maxNewTokens: 9, signal: first.signal, onPrefill, reusePrefix: false }),
    "aborted",
  );
  assert.is((error.cause as Error).message, "stop");
  assert.is(chunks, 3);
  assert.ok(calls.submit <= 4, `${calls.submit} steps`);
  // By a timer, while a step is under way: the promise settles before that step has ended.
  const second = new AbortController();
  const slow = llama.complete(prompt, { ...asked, signal: second.signal, maxNewTokens: 500, reusePrefix: false });
  setTimeout(() => second.abort(), 30);
  await refused(slow, "aborted", /aborted while computing a request/);
  // While it generates.
  const third = new AbortController();
  let tokens = 0;
  calls.reset();
  const generating = (async () => {
    for await (const _ of llama.generate(ids(10), { ...asked, signal: third.signal, maxNewTokens: 500 })) {
      if (++tokens === 5) third.abort();
    }
  })();
  await refused(generating, "aborted");
  assert.is(tokens, 5);
  assert.ok(calls.submit <= 6, `${calls.submit} steps`);
  nothingHeld(llama, "after aborts");
  // Logits too.
  const fourth = new AbortController();
  const logits = llama.logits(ids(1500), { signal: fourth.signal });
  setTimeout(() => fourth.abort(), 5);
  await refused(logits, "aborted");
  nothingHeld(llama, "after aborted logits");
  // The signal of a request that is over has no listener of ours: aborting it does nothing.
  const after = new AbortController();
  const done = await llama.complete(ids(10), { ...asked, signal: after.signal, maxNewTokens: 3 });
  after.abort();
  assert.is(done.ids.length, 3);
});

tests("closing a model ends what is under way with one sentence, and never hangs", async () => {
  const load = () => Llama.load(sweep, { device, chunkRows: 16 });
  const options = { ...asked, maxNewTokens: 400 } as const;
  // During the compilation of the first step, in a prompt, while generating, and before the first piece is asked for.
  for (const when of ["at once", "in the prompt", "generating", "before it began"]) {
    const llama = await load();
    const pieces = llama.generate(ids(600), {
      ...options,
      onPrefill: (done) => when === "in the prompt" && done === 64 && llama.close(),
    });
    const run = async () => {
      if (when === "before it began") llama.close();
      let tokens = 0;
      for await (const _ of pieces) if (when === "generating" && ++tokens === 3) llama.close();
    };
    const running = run();
    if (when === "at once") llama.close();
    await refused(running, "closed", /this model is closed; load it again/);
    await refused(llama.complete([1]), "closed");
    await refused(llama.logits([1]), "closed");
    llama.close();
  }
  // Two at a time, and a device of the caller's that goes on to work.
  const llama = await load();
  const both = [llama.complete(ids(100), options), llama.logits(ids(300))];
  setTimeout(() => llama.close(), 20);
  for (const each of both) await refused(each, "closed");
  assert.equal((await tiny.complete(ids(10), { ...asked, maxNewTokens: 3 })).ids.length, 3);
});

tests("maxContext: what the model was loaded for, and what its RoPE setting reaches", async () => {
  using llama = await Llama.load(sweep, { device, maxContext: 50 });
  assert.is((await llama.complete(ids(40), { maxNewTokens: 10, ignoreEos: true })).ids.length, 10);
  await refused(
    llama.complete(ids(40), { maxNewTokens: 11 }),
    "context",
    /^maxContext: prompt and new tokens are 40 \+ 11, .* loaded for 50/,
  );
  await refused(
    llama.complete(ids(51)),
    "context",
    /^maxContext: the prompt has 51 tokens, .* loaded for 50; load it with more/,
  );
  // It is a promise about memory: no option of a request lifts it.
  await refused(llama.complete(ids(51), { allowBeyond: true }), "context", /loaded for 50/);
  // Left out, as many tokens as are left.
  assert.is((await llama.complete(ids(45), { ignoreEos: true })).ids.length, 5);
  // Without it the setting decides: 64 trained tokens here.
  const error = await refused(tiny.complete(ids(65)), "context", /the prompt has 65 tokens, default RoPE reaches 64/);
  assert.match(error.message, /allowBeyond: true/);
  assert.match(error.message, /factor/);
  await refused(
    tiny.complete(ids(129), { ropeScaling: { type: "yarn", factor: 2 } }),
    "context",
    /yarn RoPE reaches 128/,
  );
  assert.is((await tiny.complete(ids(65), { allowBeyond: true, ignoreEos: true, maxNewTokens: 3 })).ids.length, 3);
  assert.is(
    (await tiny.complete(ids(128), { ropeScaling: { type: "yarn", factor: 2 }, ignoreEos: true, maxNewTokens: 2 })).ids
      .length,
    2,
  );
  nothingHeld(tiny, "after refusals");
});

tests("what a request will take is said before it is taken", async () => {
  using llama = await Llama.load(sweep, { device });
  const said: { tokens: number; kvBytes: number; before: number }[] = [];
  const onAllocate = (need: { tokens: number; kvBytes: number }) => said.push({ ...need, before: llama.memory.kv });
  await llama.complete(ids(40), { ...asked, maxNewTokens: 30, onAllocate });
  assert.equal(said, [{ tokens: 70, kvBytes: llama.kvBytes(70), before: 0 }]);
});

tests("ids may be any list of whole numbers or bigints", async () => {
  const want = await tiny.complete([1, 27, 200], { ...asked, maxNewTokens: 3 });
  const lists: Prompt[] = [
    Uint32Array.of(1, 27, 200),
    Int32Array.of(1, 27, 200),
    Uint8Array.of(1, 27, 200),
    Float64Array.of(1, 27, 200),
    BigInt64Array.of(1n, 27n, 200n),
    BigUint64Array.of(1n, 27n, 200n),
    [1n, 27n, 200n],
  ];
  for (const list of lists) assert.equal((await tiny.complete(list, { ...asked, maxNewTokens: 3 })).ids, want.ids);
  await refused(tiny.complete(BigInt64Array.of(-1n)), "request", /id -1 at 0 is outside the vocabulary of 256/);
  await refused(tiny.complete(Float32Array.of(1.5)), "request", /id 1.5 at 0/);
  await refused(
    tiny.complete(new DataView(new ArrayBuffer(8)) as unknown as Prompt),
    "request",
    /needs text, messages or/,
  );
});

tests("options that nobody knows are refused with the nearest name, and so are kinds that do not fit", async () => {
  calls.reset();
  const bad: [unknown, RegExp][] = [
    [{ max_new_tokens: 3 }, /^max_new_tokens: there is no such option; did you mean maxNewTokens\?$/],
    [{ Temperature: 3 }, /did you mean temperature/],
    [{ zzzzzzzzzz: 3 }, /known are maxNewTokens, stop, /],
    [{ [Symbol("x")]: 1 }, /^Symbol\(x\): there is no such option/],
    [null, /^options: must be an object, got null/],
    [7, /^options: must be an object, got 7/],
    [[], /^options: must be an object/],
    [{ signal: {} }, /^signal: must be an AbortSignal/],
    [{ signal: null }, /^signal: must be an AbortSignal, got null/],
    [{ onPrefill: 1 }, /^onPrefill: must be a function, got 1/],
    [{ onAllocate: "x" }, /^onAllocate: must be a function/],
    [{ ignoreEos: "yes" }, /^ignoreEos: must be true or false/],
    [{ chat: [] }, /^chat: must be an object/],
    [{ stop: 5 }, /^stop: must be a text or a list/],
    [{ stopIds: "2" }, /^stopIds: must be a list of ids/],
    [{ stopIds: [999] }, /^stopIds: id 999 at 0 is outside/],
    [{ topLogprobs: 257 }, /^topLogprobs: must be a whole number from 0 to 256/],
  ];
  for (const [options, pattern] of bad) {
    await refused(tiny.complete([1], options as GenerateOptions), "request", pattern);
  }
  await refused(tiny.completions([1], { n: 0 }), "request", /^n: must be a whole number/);
  assert.is(calls.submit, 0);
  const bare = Object.assign(Object.create(null) as object, { maxNewTokens: 2, ...asked });
  assert.is((await tiny.complete([1], bare)).ids.length, 2, "no prototype is needed");
});

tests(
  "an answer ends with a stop id, with a special token that a stop string names, and with the tokenizer's own end",
  async () => {
    const free = await kv.complete(KV_PROMPT, { maxNewTokens: 40, ignoreEos: true });
    const at = free.ids.indexOf(2); // </s>
    assert.ok(at > 3);
    const byId = await kv.complete(KV_PROMPT, { maxNewTokens: 40, ignoreEos: true, stopIds: [free.ids[3]] });
    assert.equal([byId.ids, byId.finishReason], [free.ids.slice(0, free.ids.indexOf(free.ids[3]) + 1), "stop"]);
    const byName = await kv.complete(KV_PROMPT, { maxNewTokens: 40, ignoreEos: true, stop: "</s>" });
    assert.equal([byName.ids.length, byName.finishReason], [at + 1, "stop"]);
    assert.is(byName.text, " The value of the key 'e29a369f' is 'd486'.");
    const both = await kv.complete(KV_PROMPT, { maxNewTokens: 40, ignoreEos: true, stop: "'.</s>" });
    assert.is(both.text, " The value of the key 'e29a369f' is 'd486");
    // A checkpoint whose lists forget the token that ends turns: the tokenizer knows it.
    const files = await replaced(folder("/models/kv-llama"), { "generation_config.json": '{"eos_token_id": 767}' });
    try {
      using llama = await Llama.load(files, { device });
      assert.equal((await llama.complete(KV_PROMPT, { maxNewTokens: 40 })).ids, free.ids.slice(0, at + 1));
    } finally {
      await files.close();
    }
  },
);

tests("an answer is not shorter than minNewTokens, and as it would be with its ends forbidden", async () => {
  const free = await kv.complete(KV_PROMPT, { maxNewTokens: 40 });
  const least = free.ids.length + 5;
  const longer = await kv.complete(KV_PROMPT, { maxNewTokens: 40, minNewTokens: least });
  assert.ok(longer.ids.length >= least, `${longer.ids.length}`);
  assert.not.ok(longer.ids.slice(0, least).includes(2));
  assert.equal(longer.ids.slice(0, free.ids.length - 1), free.ids.slice(0, -1), "until then nothing differs");
  const exact = await kv.complete(KV_PROMPT, { maxNewTokens: 40, minNewTokens: free.ids.length });
  assert.is.not(exact.ids[free.ids.length - 1], 2, "the last of the least is none that ends");
  const same = await kv.complete(KV_PROMPT, { maxNewTokens: 40, minNewTokens: 3 });
  assert.equal(same.ids, free.ids);
});

tests("the most likely ids per token, greedy and sampled, from candidates and from whole rows", async () => {
  const prompt = ids(25);
  for (const more of [{}, { temperature: 1, topK: 3, seed: 2 }, { repetitionPenalty: 1.2 }] as GenerateOptions[]) {
    const pieces: Piece[] = [];
    const options = { ...asked, ...more, maxNewTokens: 6, topLogprobs: 4, logprobs: true };
    const stream = tiny.generate(prompt, options);
    let next = await stream.next();
    for (; !next.done; next = await stream.next()) pieces.push(next.value);
    const done = next.value;
    assert.equal(
      done.topLogprobs,
      pieces.map(({ topLogprobs }) => topLogprobs),
    );
    const logits = await tiny.logits([...prompt, ...done.ids]);
    done.topLogprobs!.forEach((top, i) => {
      const row = logits.subarray((prompt.length - 1 + i) * 256, (prompt.length + i) * 256);
      const best = Array.from(row.keys())
        .sort((a, b) => row[b] - row[a])
        .slice(0, 4);
      assert.equal(
        top.map(({ id }) => id),
        best,
      );
      const own = top.find(({ id }) => id === done.ids[i]);
      if (own) assert.ok(Math.abs(own.logprob - done.logprobs![i]) < 1e-6, "the same number as logprobs'"); // f32 of logSumExp
    });
  }
});

tests("several answers to one prompt: computed once, each as alone with its seed", async () => {
  using llama = await Llama.load(sweep, { device, chunkRows: 64 });
  const prompt = ids(150);
  const options = { ...asked, temperature: 1, maxNewTokens: 8, seed: 5 } as const;
  const alone: number[][] = [];
  for (let i = 0; i < 3; i++) {
    alone.push((await tiny.complete(prompt, { ...options, seed: 5 + i, reusePrefix: false })).ids);
  }
  const done = await llama.completions(prompt, { ...options, n: 3 });
  assert.equal(
    done.map(({ ids }) => ids),
    alone,
  );
  assert.equal(
    done.map(({ usage }) => usage.cachedTokens),
    [0, 128, 128],
    "whole pages of the prompt",
  );
  const greedy = await llama.completions(prompt, { ...asked, maxNewTokens: 4, n: 2 });
  assert.equal(greedy[0].ids, greedy[1].ids);
  await refused(llama.completions(prompt, { ...options, n: 3, temperature: -1 }), "request", /^temperature/);
  nothingHeld(llama, "after several");
});

tests("an answer's default length ends where the RoPE setting does, or is refused where nothing is left", async () => {
  for (const [prompt, want] of [
    [10, 54],
    [63, 1],
  ] as const) {
    assert.is((await tiny.complete(ids(prompt), { ignoreEos: true })).ids.length, want);
  }
  for (const prompt of [64, 80]) {
    const pattern = new RegExp(`^maxNewTokens: must be given: the prompt's ${prompt} tokens leave nothing of the 64`);
    await refused(tiny.complete(ids(prompt), { ...asked }), "context", pattern);
  }
  assert.is(
    (await tiny.complete(ids(64), { ignoreEos: true, ropeScaling: { type: "yarn", factor: 2 } })).ids.length,
    64,
  );
});

tests.after(() => {
  kv.close();
  tiny.close();
  handle.release();
});
tests.run();
