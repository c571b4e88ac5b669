// RoPE scaling as a parameter of the request, on one loaded model: settings side by side, what a request echoes, what it
// refuses, and what it says before it allocates.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Completion, ErrorCode, GenerateOptions, LlariatError, RopeScaling } from "../../src/index.ts";
import { Llama } from "../../src/node/index.ts";
import { describeRope, parseRopeScaling, ropeTypes } from "../../src/rope/index.ts";
import { countCalls, folder, ids, openDevice } from "../tools/models.ts";
import { refused } from "../tools/refused.ts";
import { recordSteps } from "../tools/steps.ts";

const test = suite("rope-requests");
const handle = await openDevice();
const { device } = handle;
let modules = 0;
const createShaderModule = device.createShaderModule.bind(device);
device.createShaderModule = (descriptor) => {
  modules++;
  return createShaderModule(descriptor);
};
const calls = countCalls(device);
const llama = await Llama.load(folder("/models/kv-llama"), { device });
test.after(() => {
  llama.close();
  handle.release();
});

const TRAINED = 512;
const ones = Array.from({ length: 32 }, () => 1);
const eights = ones.map((_, i) => 1 + i / 4);

/** A setting of every type, none of which reaches 1,200 tokens. */
const settings: Record<string, RopeScaling> = {
  default: { rope_type: "default" },
  linear: { rope_type: "linear", factor: 2 },
  ntk: { rope_type: "ntk", factor: 2 },
  dynamic: { rope_type: "dynamic", factor: 2 },
  yarn: { rope_type: "yarn", factor: 2 },
  longrope: { rope_type: "longrope", factor: 2, short_factor: ones, long_factor: eights },
  llama3: { rope_type: "llama3", factor: 2, low_freq_factor: 1, high_freq_factor: 4 },
  proportional: { rope_type: "proportional", partial_rotary_factor: 0.5 },
};

test("every type is here", () => assert.equal(Object.keys(settings), ropeTypes));

const run = (prompt: number[], ropeScaling: RopeScaling, more: GenerateOptions = {}): Promise<Completion> =>
  llama.complete(prompt, { ropeScaling, maxNewTokens: 8, ignoreEos: true, reusePrefix: false, ...more });

test("settings side by side in the same steps: nothing is loaded, built, allocated or bound, and each gets what it gets alone", async () => {
  const prompt = ids(40);
  const pairs: [RopeScaling, RopeScaling, GenerateOptions?][] = [
    [settings.yarn, settings.linear],
    [settings.dynamic, settings.llama3, { ropeLength: 700 }],
    [settings.dynamic, { ...settings.dynamic, factor: 3 }, { ropeAngles: "current", ropeLength: 700 }],
  ];
  const alone: number[][] = [];
  for (const [a, b, more] of pairs) {
    alone.push((await run(prompt, a, more)).ids, (await run(prompt, b, more)).ids);
  }
  // Other settings make the room that two requests need at once, in the cache and in the rotary table.
  await Promise.all([1, 2].map(() => run(prompt, settings.dynamic, { ropeAngles: "current" })));
  await Promise.all([1, 2].map(() => run(prompt, settings.default)));
  const weights = llama.memory.weights;
  const steps = recordSteps(llama.engine);
  calls.reset();
  modules = 0;
  const together: number[][] = [];
  for (const [a, b, more] of pairs) {
    const done = await Promise.all([run(prompt, a, more), run(prompt, b, more)]);
    together.push(...done.map((each) => each.ids));
  }
  assert.equal(together, alone);
  assert.not.equal(alone[0], alone[1], "the two settings give different answers, or this shows nothing");
  const shared = steps.filter((segments) => segments.length === 2);
  // The first of a pair may be a step or two ahead; the others of its 8 have the second beside it.
  assert.ok(shared.length >= pairs.length * 6, `${shared.length} steps of ${steps.length} were shared`);
  for (const [a, b] of shared) {
    assert.not.equal(a.sequence.angles.rope, b.sequence.angles.rope);
    assert.is.not(a.sequence.angles.first, b.sequence.angles.first, "their rows of the table lie apart");
  }
  assert.is(calls.createComputePipelineAsync, 0, "pipelines");
  assert.is(modules, 0, "shader modules");
  assert.is(calls.createBuffer, 0, "buffers");
  assert.is(calls.createBindGroup, 0, "bind groups");
  assert.equal([...new Set(calls.written)], ["step"], "one upload a step, and nothing else");
  assert.is(calls.submit, steps.length);
  assert.is(llama.memory.weights, weights);
});

test("what a request used is echoed in full", async () => {
  for (const [type, setting] of Object.entries(settings)) {
    for (const ropeAngles of ["planned", "current", "as-inserted"] as const) {
      const { rope } = await run(ids(12), setting, { maxNewTokens: 2, ropeAngles });
      const { n, angles, ...effective } = rope;
      assert.equal(effective, describeRope(parseRopeScaling(setting, llama.rope)), type);
      assert.is(angles, ropeAngles);
      assert.is(n, 14);
      assert.equal(JSON.parse(JSON.stringify(rope)), rope, "it is plain JSON data");
    }
  }
  const planned = await run(ids(12), settings.dynamic, { maxNewTokens: 2, ropeLength: 900 });
  assert.is(planned.rope.n, 900);
  const own = await llama.complete(ids(12), { maxNewTokens: 1, ignoreEos: true });
  assert.equal([own.rope.type, own.rope.maxContext, own.rope.n], ["default", TRAINED, 13]);
});

/** The error that a request for one token is refused with. */
const refusal = (prompt: number[], options: GenerateOptions): Promise<LlariatError> =>
  refused(llama.complete(prompt, { maxNewTokens: 1, ...options }), "context");

test("a prompt beyond the reach of each type is refused with a setting that fits, which then does fit", async () => {
  const prompt = ids(1200);
  const reach: Record<string, number> = { default: TRAINED, proportional: TRAINED };
  const fits: Record<string, string> = {
    default: '{ rope_type: "yarn", factor: 3 }',
    linear: '{ rope_type: "linear", factor: 3 }',
    ntk: '{ rope_type: "ntk", factor: 3 }',
    dynamic: '{ rope_type: "dynamic", factor: 3 }',
    yarn: '{ rope_type: "yarn", factor: 3 }',
    longrope: '{ rope_type: "yarn", factor: 3 }',
    llama3: '{ rope_type: "llama3", factor: 3, low_freq_factor: 1, high_freq_factor: 4 }',
    proportional: '{ rope_type: "yarn", factor: 3 }',
  };
  let computed = 0;
  for (const [type, ropeScaling] of Object.entries(settings)) {
    const before = { ...llama.memory };
    const error = await refusal(prompt, { ropeScaling });
    assert.is(error.code, "context");
    assert.is(
      error.message,
      `the prompt has 1200 tokens, ${type} RoPE reaches ${reach[type] ?? 1024} on this model; ` +
        `ropeScaling: ${fits[type]} would reach 1536, or set allowBeyond: true`,
    );
    assert.equal(llama.memory, before, "nothing was allocated");
    // What the sentence says, taken at its word; one is enough to compute.
    const setting = JSON.parse(fits[type].replace(/(\w+):/g, '"$1":')) as RopeScaling;
    assert.is(describeRope(parseRopeScaling(setting, llama.rope)).maxContext, 1536);
    if (type !== "dynamic") continue;
    const done = await llama.complete(prompt, { ropeScaling: setting, maxNewTokens: 1 });
    assert.is(done.usage.promptTokens, 1200);
    computed++;
  }
  assert.is(computed, 1);
  const beyond = await run(prompt.slice(0, 520), settings.default, { allowBeyond: true, maxNewTokens: 1 });
  assert.is(beyond.rope.maxContext, TRAINED);
});

test("the last token that fits is accepted, one more is not", async () => {
  const last = await run(ids(TRAINED), settings.default, { maxNewTokens: 1 });
  assert.is(last.usage.promptTokens, TRAINED);
  await refusal(ids(TRAINED + 1), { ropeScaling: null });
});

test("a request's own lengths do not mislead the advice", async () => {
  // M is stated as 2,000 here, but a setting without it would start from the 512 that the model was trained on.
  const { message } = await refusal(ids(9000), {
    ropeScaling: { rope_type: "linear", factor: 2, max_position_embeddings: 2000 },
  });
  assert.match(message, /linear RoPE reaches 4000 on this model; .*factor: 18 \} would reach 9216/);
});

test("a model loaded with less context says so, and no scaling helps", async () => {
  using small = await Llama.load(folder("/models/kv-llama"), { device, maxContext: 100 });
  const advice = "the model was loaded for 100; load it with more";
  await refused(small.complete(ids(101)), "context", `maxContext: the prompt has 101 tokens, ${advice}`);
  await refused(
    small.complete(ids(90), { maxNewTokens: 11, allowBeyond: true }),
    "context",
    `maxContext: prompt and new tokens are 90 + 11, ${advice}`,
  );
  assert.is((await small.complete(ids(90), { ignoreEos: true })).ids.length, 10, "what is left of the context");
});

test("options about RoPE that mean nothing are refused by name, before anything is allocated", async () => {
  const before = { ...llama.memory };
  const cases: [GenerateOptions, ErrorCode, RegExp][] = [
    [{ ropeAngles: "later" as "planned" }, "request", /^ropeAngles: must be one of planned, current, as-inserted, got "later"$/], // prettier-ignore
    [{ ropeLength: 0 }, "request", /^ropeLength: must be a whole number of tokens ≥ 1, got 0$/],
    [{ ropeLength: 1.5 }, "request", /^ropeLength: .* got 1\.5$/],
    [{ ropeLength: "9" as unknown as number }, "request", /^ropeLength: .* got "9"$/],
    [
      { ropeScaling: { type: "dynamic", facter: 2 } as RopeScaling },
      "rope",
      /unknown key "facter"; did you mean "factor"/,
    ],
    [{ ropeScaling: { type: "spiral" } as unknown as RopeScaling }, "rope", /unknown type "spiral"/],
    [
      { ropeScaling: { ...settings.longrope, long_factor: [1] } },
      "rope",
      /^ropeScaling\.long_factor: must have 32 numbers/,
    ],
    [{ ropeScaling: { type: "linear", factor: 0.5 } }, "rope", /^ropeScaling\.factor: must be a number ≥ 1, got 0\.5/],
  ];
  for (const [options, code, sentence] of cases) {
    await refused(llama.complete(ids(5), { maxNewTokens: 1, ...options }), code, sentence);
  }
  assert.equal(llama.memory, before);
});

test("the memory of keys and values is told before it is allocated, and a caller may decline", async () => {
  using fresh = await Llama.load(folder("/models/kv-llama"), { device });
  const before = { ...fresh.memory };
  assert.is(before.kv, 0);
  const told: { tokens: number; kvBytes: number }[] = [];
  const onAllocate: GenerateOptions["onAllocate"] = (need) => {
    told.push(need);
    assert.equal(fresh.memory, before, "nothing is allocated yet");
    throw new Error("too much");
  };
  await fresh.complete(ids(300), { maxNewTokens: 100, onAllocate }).then(
    () => assert.unreachable("it was declined"),
    (error: Error) => assert.is(error.message, "too much"),
  );
  assert.equal(told, [{ tokens: 400, kvBytes: fresh.kvBytes(400) }]);
  assert.equal(fresh.memory, before);
  await fresh.complete(ids(300), { maxNewTokens: 100, ignoreEos: true, onAllocate: (need) => told.push(need) });
  assert.equal(told[1], told[0]);
  // 13 pages of 32 tokens are needed; the pool grows by groups of 8.
  assert.is(fresh.memory.kv, (told[1].kvBytes * 16) / 13);
});

test.run();
