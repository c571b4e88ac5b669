// One request: what is generated and what is reported of it, and what it allocates.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { PAGE } from "../../kernels/index.ts";
import { memorySource } from "../../src/checkpoint/memory.ts";
import { type GenerateOptions, Llama, type Piece, memoryFiles } from "../../src/node/index.ts";
import { Random } from "../../src/generate/random.ts";
import { readHeader } from "../../src/checkpoint/safetensors.ts";
import { sample } from "../../src/generate/sample.ts";
import { type SamplingOptions, samplingOptions } from "../../src/generate/sampling.ts";
import { goldenEntry } from "../tools/goldens.ts";
import { argmax, countCalls, folder, ids, openDevice, replaced } from "../tools/models.ts";
import { refused } from "../tools/refused.ts";
import { nothingHeld, recordSteps } from "../tools/steps.ts";

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
  nothingHeld(kv.engine.memory, "after stops");
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
  recordSteps(llama.engine, (_, want) => void wants.push(want));
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
  nothingHeld(llama.engine.memory, "at the end");
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
      // The penalty is for choosing only: what it chooses need not be among the likeliest.
      if (!own) return assert.ok(more.repetitionPenalty !== undefined, `token ${i} is among the likeliest`);
      assert.ok(Math.abs(own.logprob - done.logprobs![i]) < 1e-6, "the same number as logprobs'"); // f32 of logSumExp
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
  nothingHeld(llama.engine.memory, "after several");
});

tests.after(() => {
  kv.close();
  tiny.close();
  handle.release();
});
tests.run();
