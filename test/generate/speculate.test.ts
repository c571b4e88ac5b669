// Speculation changes how many steps a text takes, and nothing else of it: on the device, with drafts that are looked up and
// with drafts that are right for a while and then wrong.
// Left out of samples: engine/draft.test.ts has drafts without a device.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { memorySource } from "../../src/checkpoint/memory.ts";
import { readHeader } from "../../src/checkpoint/safetensors.ts";
import { DraftLength, Speculation } from "../../src/generate/speculate.ts";
import { type Completion, type GenerateOptions, Llama, type Piece, memoryFiles } from "../../src/node/index.ts";
import { goldenEntry } from "../tools/goldens.ts";
import { farthest, folder, ids, openDevice } from "../tools/models.ts";
import { whole } from "../tools/random.ts";
import { refused } from "../tools/refused.ts";
import { nothingHeld, recordSteps } from "../tools/steps.ts";

const tests = suite("speculate");
const handle = await openDevice();
const { device } = handle;
const kv = await Llama.load(folder("/models/kv-llama"), { device });
const sweep = folder("goldens/rope_sweep");
const tiny = await Llama.load(sweep, { device });
const TOLERANCE = goldenEntry("rope_sweep/default/expected.safetensors").tolerance!.f32.abs!;
const asked = { ignoreEos: true, allowBeyond: true, maxNewTokens: 40, logprobs: true } as const;

interface Recorded {
  readonly max_new_tokens: number;
  readonly prompts: readonly { prompt: string; results: Record<string, { ids: number[] } | undefined> }[];
}

const recorded = (name: string): Recorded =>
  JSON.parse(readFileSync(folder(`expected/${name}.json`), "utf8")) as Recorded;

/** The same text, and the same numbers as far as float32 tells them apart. */
function same(what: string, got: Completion, want: Completion): void {
  assert.equal(got.ids, want.ids, what);
  assert.is(got.text, want.text, what);
  assert.is(got.finishReason, want.finishReason, what);
  assert.equal(
    got.topLogprobs?.map((list) => list.map(({ id }) => id)),
    want.topLogprobs?.map((list) => list.map(({ id }) => id)),
    what,
  );
  const { error } = farthest(got.logprobs ?? [], want.logprobs ?? []);
  assert.ok(error <= 2 * TOLERANCE, `${what}: a log-probability differs by ${error}`);
}

/** While `work` runs, drafts are the next of `truth`, as many as `random` says, and then what is wrong. */
async function guessing<T>(
  truth: readonly number[],
  promptTokens: number,
  random: (below: number) => number,
  work: () => Promise<T>,
): Promise<T> {
  const { push, draft } = Object.getOwnPropertyDescriptors(Speculation.prototype);
  const lengths = new WeakMap<Speculation, number>();
  Speculation.prototype.push = function (ids) {
    lengths.set(this, (lengths.get(this) ?? 0) + ids.length);
  };
  Speculation.prototype.draft = function (most) {
    const at = lengths.get(this)! - promptTokens;
    const right = truth.slice(at, at + random(6));
    return [...right, ((truth[at + right.length] ?? 0) + 1) % 250, 3, 4].slice(0, Math.max(0, most));
  };
  try {
    return await work();
  } finally {
    Object.defineProperties(Speculation.prototype, { push, draft });
  }
}

tests("recorded answers come in fewer steps, with the recorded ids", async () => {
  for (const [name, most] of [
    ["kv", 0.4],
    ["title", 0.35],
    ["passkey", 0.3],
  ] as const) {
    const { prompts, max_new_tokens: maxNewTokens } = recorded(name);
    const steps = recordSteps(kv.engine);
    let tokens = 0;
    let chunks = 0;
    for (const { prompt, results } of prompts.filter(({ results }) => results["none"]).slice(0, 6)) {
      const options = {
        ropeScaling: null,
        maxNewTokens,
        allowBeyond: true,
        speculate: true,
        reusePrefix: false,
      } as const;
      const before = steps.length;
      const done = await kv.complete(prompt, options);
      assert.equal(done.ids, results["none"]!.ids, name);
      const { usage, timing } = done;
      const prefill = Math.ceil(usage.promptTokens / kv.engine.maxRows);
      const later = done.ids.length - 1;
      assert.is(timing.tokensPerStep, later / (steps.length - before - prefill));
      // Each step gives a token of its own and what is accepted; the answer may end among those.
      const own = steps.length - before - prefill;
      assert.ok([later, later + 1].includes(usage.acceptedTokens! + own), `${usage.acceptedTokens} of ${later}`);
      assert.ok(usage.draftTokens! >= usage.acceptedTokens!);
      const rows = steps
        .slice(before + prefill)
        .flat()
        .reduce((sum, { count }) => sum + count, 0);
      assert.is(rows, own + usage.draftTokens!);
      tokens += later;
      chunks += prefill;
    }
    assert.ok(steps.length - chunks < most * tokens, `${name}: ${steps.length - chunks} steps for ${tokens} tokens`);
  }
});

tests("whatever is guessed, every way of drawing draws the same, with the same random numbers", async () => {
  const prompt = [...ids(50), ...ids(30)];
  const ways: GenerateOptions[] = [
    {},
    { topLogprobs: 5 },
    { temperature: 1, seed: 3 },
    { temperature: 1.3, topK: 0, seed: 4, topLogprobs: 2 },
    { temperature: 0.8, topK: 300, topP: 0.9, seed: 5 },
    { temperature: 0.9, minP: 0.01, typicalP: 0.9, seed: 6 },
    { repetitionPenalty: 1.3, frequencyPenalty: 0.2, presencePenalty: 0.3 },
    { temperature: 1, seed: 7, repetitionPenalty: 1.2, noRepeatNgramSize: 2 },
    { noRepeatNgramSize: 3, logitBias: { 7: 2, 9: -Infinity } },
    { ignoreEos: false, stopIds: ids(60), minNewTokens: 11, temperature: 1, seed: 8 },
    { ropeScaling: { rope_type: "yarn", factor: 4 } },
  ];
  for (const [i, way] of ways.entries()) {
    const what = JSON.stringify(way);
    const options = { ...asked, ...way };
    const want = await tiny.complete(prompt, options);
    assert.is(want.usage.draftTokens, undefined);
    assert.is(want.timing.tokensPerStep, undefined);
    const found = await tiny.complete(prompt, { ...options, speculate: true });
    same(`${what}, looked up`, found, want);
    const got = await guessing(want.ids, prompt.length, whole(i + 1), () =>
      tiny.complete(prompt, { ...options, speculate: { draftTokens: 7 } }),
    );
    same(`${what}, guessed`, got, want);
    assert.ok(got.usage.acceptedTokens! > 0, what);
    assert.ok(got.usage.draftTokens! > got.usage.acceptedTokens!, what);
    nothingHeld(tiny.engine.memory);
  }
});

tests("stop strings and the end of the text, inside a draft as at its end: the same pieces", async () => {
  const prompt = recorded("kv").prompts[0].prompt;
  const count = kv.tokenizer!.encode(prompt).length;
  const pieces = async (options: GenerateOptions): Promise<Piece[]> => {
    const all: Piece[] = [];
    for await (const piece of kv.generate(prompt, options)) all.push(piece);
    return all;
  };
  const { text, ids: truth } = await kv.complete(prompt, { maxNewTokens: 60 });
  const cached = async () => (await kv.complete(prompt, { maxNewTokens: 1 })).usage.cachedTokens;
  for (const options of [
    { maxNewTokens: 60 },
    { maxNewTokens: 7 },
    { stop: text.slice(12, 17) },
    { stop: [text.slice(20, 24), "nothing of it"] },
    { ignoreEos: true, maxNewTokens: 40 },
  ] as const) {
    const want = await pieces(options);
    for (let seed = 1; seed <= 4; seed++) {
      const got = await guessing(truth, count, whole(seed), () => pieces({ ...options, speculate: true }));
      assert.equal(got, want, JSON.stringify(options));
    }
    assert.equal(await pieces({ ...options, speculate: true }), want, JSON.stringify(options));
    await cached();
  }
});

tests("what was guessed wrong is nothing that later requests find", async () => {
  using llama = await Llama.load(sweep, { device });
  const prompt = ids(40);
  const want = await llama.complete(prompt, asked);
  using other = await Llama.load(sweep, { device });
  const got = await guessing(want.ids, prompt.length, whole(3), () =>
    other.complete(prompt, { ...asked, speculate: true }),
  );
  const after = [...prompt, ...want.ids, 5, 6, 7];
  const cached = (await llama.complete(after, asked)).usage.cachedTokens;
  assert.is((await other.complete(after, asked)).usage.cachedTokens, cached);
  assert.is(cached, prompt.length + got.ids.length - 1);
  // Nor from one that is aborted while a draft of three is under way.
  const left = ids(40, 256, 9);
  const { ids: truth } = await llama.complete(left, asked);
  const { engine } = other;
  const ending = new AbortController();
  let fed: number[] = [];
  engine.step = (segments, ...rest) => {
    const done = Object.getPrototypeOf(engine).step.call(engine, segments, ...rest) as ReturnType<typeof engine.step>;
    const { count, sequence } = segments[0];
    if (count === 4 && sequence.length > left.length + 6) {
      fed = Array.from(sequence.tokens).slice(0, sequence.length);
      ending.abort();
    }
    return done;
  };
  const options = { ...asked, speculate: true, signal: ending.signal } as const;
  const aborted = guessing(truth, left.length, () => 0, () => other.complete(left, options)); // prettier-ignore
  await refused(aborted, "aborted", /./);
  const { usage } = await other.complete([...fed, 1, 1], asked);
  assert.is(usage.cachedTokens, fed.length - 3);
});

for (const ropeAngles of ["planned", "current", "as-inserted"] as const) {
  tests(`dynamic frequencies, ${ropeAngles}: each token under the angles it has alone, below and beyond`, async () => {
    const ropeScaling = { rope_type: "dynamic", factor: 4 } as const;
    const trained = tiny.config.rope.maxPositions;
    for (const length of [trained - 30, trained + 5]) {
      const prompt = ids(length);
      const options = { ...asked, ropeScaling, ropeAngles };
      const want = await tiny.complete(prompt, options);
      const got = await guessing(want.ids, length, whole(length), () =>
        tiny.complete(prompt, { ...options, speculate: true }),
      );
      same(`${length} tokens`, got, want);
      // Beyond the trained length every length has frequencies of its own: nothing can be computed ahead.
      const ahead = ropeAngles === "planned" || length < trained;
      assert.is(got.usage.draftTokens! > 0, ahead, `${length} tokens: ${got.usage.draftTokens} drafted`);
    }
  });
}

tests("with a window: the same text in no more pages", async () => {
  using llama = await Llama.load(folder("families/mistral-window"), { device });
  const { vocab } = llama.config;
  for (const length of [9, 70]) {
    const prompt = ids(length, vocab);
    const options = { ...asked, maxNewTokens: 90 };
    const want = await llama.complete(prompt, options);
    const got = await guessing(want.ids, length, whole(length), () =>
      llama.complete(prompt, { ...options, speculate: true }),
    );
    assert.equal(got.ids, want.ids);
    assert.ok(got.usage.acceptedTokens! > 20, `${got.usage.acceptedTokens} accepted`);
    nothingHeld(llama.engine.memory);
  }
});

tests("several answers, a crowd and a pool that is too small: each gets its own", async () => {
  const prompts = [30, 55, 90, 20].map((length, i) => ids(length, 256, i));
  const options = { ...asked, temperature: 0.7, seed: 1, reusePrefix: false };
  const want = await tiny.completions(prompts[0], { ...options, n: 3 });
  const got = await tiny.completions(prompts[0], { ...options, n: 3, speculate: true });
  want.forEach((each, i) => same(`answer ${i}`, got[i], each));
  const alone: Completion[] = [];
  for (const prompt of prompts) alone.push(await tiny.complete(prompt, asked));
  const page = tiny.kvBytes(1);
  for (const pages of [100, 6]) {
    using llama = await Llama.load(sweep, { device, maxKvBytes: pages * page });
    const done = await Promise.all(
      prompts.map((prompt, i) => llama.complete(prompt, { ...asked, reusePrefix: false, speculate: i < 3 })),
    );
    done.forEach((each, i) => same(`${pages} pages, text ${i}`, each, alone[i]));
    nothingHeld(llama.engine.memory);
  }
});

tests("an abort inside a draft gives everything back", async () => {
  const prompt = ids(50);
  const { ids: truth } = await tiny.complete(prompt, asked);
  const { engine } = tiny;
  const step = engine.step.bind(engine);
  for (const after of [1, 2, 3]) {
    const abort = new AbortController();
    let seen = 0;
    engine.step = (...args) => {
      const outputs = step(...args);
      if (++seen === after) abort.abort(); // it has been submitted
      return outputs;
    };
    const mine = guessing(truth, prompt.length, whole(after), () =>
      tiny.complete(prompt, { ...asked, reusePrefix: false, speculate: true, signal: abort.signal }),
    );
    await refused(mine, "aborted");
    assert.is(seen, after);
    nothingHeld(engine.memory);
  }
  engine.step = step;
  assert.equal((await tiny.complete(prompt, { ...asked, speculate: true })).ids, truth);
});

/** A golden with 300 ids of which 290 have the same row in the head: more ties than the GPU keeps candidates. */
async function tied(): Promise<Llama> {
  const path = folder("goldens/models/gqa-bf16");
  const bytes = readFileSync(join(path, "model.safetensors"));
  const { tensors } = await readHeader(memorySource("model.safetensors", bytes));
  const { start, end } = tensors.get("lm_head.weight")!;
  const row = (end - start) / 300;
  for (let id = 5; id < 295; id++) bytes.copyWithin(start + id * row, start + 4 * row, start + 5 * row);
  const config = readFileSync(join(path, "config.json"), "utf8");
  return Llama.load(memoryFiles({ "config.json": config, "model.safetensors": bytes }), { device });
}

tests("more ties than there is room for, in the middle of a draft: the whole row decides", async () => {
  using llama = await tied();
  const prompt = ids(40, 300);
  let accepted = 0;
  for (const way of [{}, { temperature: 1, topK: 60, seed: 3 }]) {
    const options = { ...asked, ...way, maxNewTokens: 24 };
    const want = await llama.complete(prompt, options);
    const wants: string[] = [];
    recordSteps(llama.engine, (_, kind) => void wants.push(kind));
    const got = await guessing(want.ids, prompt.length, whole(2), () =>
      llama.complete(prompt, { ...options, speculate: true }),
    );
    same(JSON.stringify(way), got, want);
    const retaken = wants.filter((kind) => kind === "logits").length;
    assert.ok(retaken > 0, "ties were met");
    assert.is(wants.length, 24 - got.usage.acceptedTokens! + retaken, "a step more for each, and no other");
    accepted += got.usage.acceptedTokens!;
  }
  assert.ok(accepted > 0, "or no tie was met inside a draft");
});

tests("the length of drafts follows what becomes of them, and what cannot be guessed costs next to nothing", () => {
  const right = new DraftLength(8);
  for (let i = 0; i < 5; i++) {
    assert.is(right.next(), 8);
    right.took(8, 8);
  }
  right.took(8, 3);
  assert.is(right.next(), 3);
  right.took(3, 3);
  assert.is(right.next(), 6);
  right.took(2, 2); // there was no more to be had, or no room
  assert.is(right.next(), 6);
  right.took(6, 0);
  assert.equal([right.next(), right.next()], [0, 3], "it pauses for a step");
  right.took(3, 0);
  assert.equal([right.next(), right.next(), right.next()], [0, 0, 1]);
  right.took(1, 1);
  assert.is(right.next(), 2);
  right.took(2, 0);
  assert.equal([right.next(), right.next()], [0, 1], "after a hit it pauses as little as at first");
  right.took(0, 0);
  assert.is(right.next(), 1);

  const wrong = new DraftLength(8);
  let drafted = 0;
  for (let step = 0; step < 1000; step++) {
    const count = wrong.next();
    drafted += count;
    wrong.took(count, 0);
  }
  // 8 + 4 + 2 at first, then one token in 33 steps.
  assert.ok(drafted > 20 && drafted <= 15 + 1000 / 30, `${drafted} tokens in 1000 steps`);
});

tests("options are checked before anything starts", async () => {
  for (const [speculate, sentence] of [
    [1, /^speculate: must be true, false or an object, got 1$/],
    [null, /^speculate: must be true, false or an object/],
    [[], /^speculate: must be true, false or an object/],
    [{ draftTokens: 0 }, /^speculate\.draftTokens: must be a whole number from 1 to 15, got 0$/],
    [{ draftTokens: 16 }, /^speculate\.draftTokens: .* got 16$/],
    [{ draftTokens: 2.5 }, /^speculate\.draftTokens/],
    [{ ngramSize: 0 }, /^speculate\.ngramSize: must be a whole number from 1 to 16/],
    [{ ngramSize: 17 }, /^speculate\.ngramSize/],
    [{ tokens: 3 }, /^speculate\.tokens: there is no such option/],
  ] as const) {
    await refused(tiny.complete([1], { maxNewTokens: 1, speculate: speculate as never }), "request", sentence);
  }
  for (const speculate of [true, false, {}, { draftTokens: 15, ngramSize: 16 }]) {
    assert.is((await tiny.complete([1], { ...asked, maxNewTokens: 3, speculate })).ids.length, 3);
  }
});

tests.after(() => {
  kv.close();
  tiny.close();
  handle.release();
});
tests.run();
