// What a request may be: prompts and options that are refused by name, how long it may become, what it says before it takes.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type ErrorCode, type GenerateOptions, Llama, type Prompt } from "../../src/node/index.ts";
import { countCalls, folder, ids, openDevice, replaced } from "../tools/models.ts";
import { refused } from "../tools/refused.ts";
import { nothingHeld } from "../tools/steps.ts";

const tests = suite("request");
const handle = await openDevice();
const { device } = handle;
const calls = countCalls(device);
const sweep = folder("goldens/rope_sweep");
const kv = await Llama.load(folder("/models/kv-llama"), { device });
const tiny = await Llama.load(sweep, { device });

const asked = { ignoreEos: true, allowBeyond: true } as const;

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
  nothingHeld(kv.engine.memory, "after refusals");
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
  nothingHeld(tiny.engine.memory, "after refusals");
});

tests("chat: template, tools, variables and a message to be continued reach the prompt", async () => {
  const shown = "{{ (tools or [{}])[0].name }}/{{ mood }}/{% for m in messages %}{{ m.content }};{% endfor %}";
  const chat_template = [
    { name: "default", template: `default ${shown}{% if add_generation_prompt %}!{% endif %}` },
    { name: "other", template: `other ${shown}{% if add_generation_prompt %}!{% endif %}` },
  ];
  const path = folder("/models/kv-llama");
  const config = JSON.parse(readFileSync(join(path, "tokenizer_config.json"), "utf8")) as object;
  const files = await replaced(path, { "tokenizer_config.json": JSON.stringify({ ...config, chat_template }) });
  using llama = await Llama.load(files, { device, prompts: "messages" });
  const messages = [
    { role: "user", content: "Hi" },
    { role: "assistant", content: "So" },
  ];
  const [tools, variables] = [[{ name: "f" }], { mood: "calm" }];
  const cases: [GenerateOptions["chat"], string][] = [
    [undefined, "default //Hi;So;!"],
    [{ templateName: "other" }, "other //Hi;So;!"],
    [{ tools }, "default f//Hi;So;!"],
    [{ variables }, "default /calm/Hi;So;!"],
    [{ continueFinalMessage: true }, "default //Hi;So"],
    [{ templateName: "other", tools, variables, continueFinalMessage: true }, "other f/calm/Hi;So"],
  ];
  for (const [chat, prompt] of cases) {
    const spelled = llama.tokenizer!.encode(prompt, { addSpecialTokens: false });
    const options = { ...asked, temperature: 0, maxNewTokens: 4 };
    const done = await llama.complete(messages, { ...options, ...(chat && { chat }) });
    const same = await llama.complete(spelled, options);
    assert.is(same.usage.promptTokens, done.usage.promptTokens, prompt);
    assert.is(same.usage.cachedTokens, spelled.length - 1, `${prompt}: every token of it is known`);
    assert.equal(same.ids, done.ids, prompt);
  }
  await files.close();
});

tests("what a request will take is said before it is taken", async () => {
  using llama = await Llama.load(sweep, { device });
  const said: { tokens: number; kvBytes: number; before: number }[] = [];
  const onAllocate = (need: { tokens: number; kvBytes: number }) => said.push({ ...need, before: llama.memory.kv });
  await llama.complete(ids(40), { ...asked, maxNewTokens: 30, onAllocate });
  assert.equal(said, [{ tokens: 70, kvBytes: llama.kvBytes(70), before: 0 }]);
});

tests("what onAllocate returns is waited for, and its rejection and the signal end the wait", async () => {
  using llama = await Llama.load(sweep, { device });
  const order: string[] = [];
  let open!: () => void;
  const queue = new Promise<void>((resolve) => (open = resolve));
  const onPrefill = (): void => void order.push("computed");
  const done = llama.complete(ids(40), { ...asked, maxNewTokens: 2, onPrefill, onAllocate: () => queue });
  await llama.complete(ids(3), { ...asked, maxNewTokens: 1 });
  order.push("let in");
  open();
  await done;
  assert.equal(order, ["let in", "computed"]);
  const refusal = new Error("full");
  const rejected = async (): Promise<never> => Promise.reject(refusal);
  const failed = await llama.complete(ids(40), { ...asked, onAllocate: rejected }).catch((error: unknown) => error);
  assert.is(failed, refusal);
  const abort = new AbortController();
  const waits = llama.complete(ids(40), { ...asked, signal: abort.signal, onAllocate: () => new Promise(() => {}) });
  setImmediate(() => abort.abort());
  await refused(waits, "aborted", /^aborted while computing a request/);
  nothingHeld(llama.engine.memory);
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
