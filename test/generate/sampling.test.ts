// Options of sampling: defaults of transformers and of the checkpoint, what candidates suffice for, what is refused.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { SamplingOptions } from "../../src/generate/sampling.ts";
import { candidatesNeeded, samplingOptions } from "../../src/generate/sampling.ts";
import { refusedSync } from "../tools/refused.ts";

const test = suite("sampling");

test("defaults: greedy, unless the options or the checkpoint ask for sampling; then topK 50", () => {
  const none = { typicalP: 1, frequencyPenalty: 0, presencePenalty: 0, noRepeatNgramSize: 0, minNewTokens: 0 };
  const off = { temperature: 0, topK: 50, topP: 1, minP: 0, repetitionPenalty: 1, ...none, logitBias: new Map() };
  assert.equal(samplingOptions({}), off);
  assert.equal(samplingOptions({ seed: 3 }), { ...off, seed: 3 });
  assert.equal(samplingOptions({ topK: 0, topP: 1, minP: 0 }), { ...off, topK: 0 });
  assert.equal(samplingOptions({ repetitionPenalty: 1.2 }), { ...off, repetitionPenalty: 1.2 });
  assert.equal(samplingOptions({ temperature: 0.7 }), { ...off, temperature: 0.7 });
  assert.equal(samplingOptions({ topP: 0.9 }), { ...off, temperature: 1, topP: 0.9 });
  assert.equal(samplingOptions({ topK: 5 }), { ...off, temperature: 1, topK: 5 });
  assert.equal(samplingOptions({ minP: 0.1 }), { ...off, temperature: 1, minP: 0.1 });
  assert.equal(samplingOptions({ temperature: 0, topP: 0.9 }), { ...off, topP: 0.9 });
  const stated = { temperature: 0.6, topP: 0.9, topK: 20, repetitionPenalty: 1.1 };
  const full = { ...off, ...stated };
  assert.equal(samplingOptions({}, { ...stated, doSample: true }), full);
  // without do_sample the file's temperature is not used, but its penalty is, as in transformers
  assert.equal(samplingOptions({}, stated), { ...full, temperature: 0 });
  assert.equal(samplingOptions({ topP: 0.5 }, stated), { ...full, topP: 0.5 });
  const more = { typicalP: 0.9, noRepeatNgramSize: 3, minNewTokens: 4 };
  assert.equal(samplingOptions({}, { ...more, doSample: true }), { ...off, ...more, temperature: 1 });
  assert.equal(samplingOptions({ noRepeatNgramSize: 0, minNewTokens: 0, typicalP: 1 }, more), off);
  assert.equal(samplingOptions({ temperature: 0 }, { ...stated, doSample: true }), { ...full, temperature: 0 });
  assert.equal(samplingOptions({ minP: 0.2 }, { temperature: 0 }), { ...off, temperature: 1, minP: 0.2 });
  assert.is(samplingOptions({}, { doSample: true }).temperature, 1);
  assert.ok(Object.isFrozen(samplingOptions({})));
});

test("candidatesNeeded", () => {
  const need = (options: SamplingOptions) => candidatesNeeded(samplingOptions(options), 1000);
  assert.is(need({}), 1);
  assert.is(need({ temperature: 1 }), 50);
  assert.is(need({ topK: 7, topP: 0.5, minP: 0.1 }), 7);
  assert.is(need({ topK: 5000 }), 1000);
  assert.is(need({ temperature: 1, topK: 0 }), Infinity);
  assert.is(need({ repetitionPenalty: 1.1 }), Infinity);
  assert.is(need({ temperature: 1, repetitionPenalty: 1.1 }), Infinity);
  const changed = [
    { repetitionPenalty: 0.9 },
    { frequencyPenalty: 0.1 },
    { presencePenalty: -0.1 },
    { noRepeatNgramSize: 2 },
    { logitBias: { 3: 1 } },
  ];
  for (const options of changed) assert.is(need({ ...options, topK: 5 }), Infinity, JSON.stringify(options));
});

test("options that make no sense are refused by name", () => {
  const wrong = (options: object, message: string) => refusedSync(() => samplingOptions(options), "request", message);
  for (const [value, shown] of [
    [-0.1, "-0.1"],
    [NaN, "NaN"],
    [Infinity, "Infinity"],
    ["1", '"1"'],
    [null, "null"],
  ] as const)
    // prettier-ignore
    wrong({ temperature: value }, `temperature: must be a number ≥ 0 (0 is greedy), got ${shown}`);
  for (const value of [-1, 1.5, NaN])
    wrong({ topK: value }, `topK: must be a whole number ≥ 0 (0 keeps all), got ${value}`);
  for (const value of [-0.1, 1.1, NaN]) {
    wrong({ topP: value }, `topP: must be a number from 0 to 1 (1 keeps all), got ${value}`);
    wrong({ minP: value }, `minP: must be a number from 0 to 1 (0 keeps all), got ${value}`);
  }
  for (const value of [0, -1, NaN])
    wrong({ repetitionPenalty: value }, `repetitionPenalty: must be a number above 0 (1 is none), got ${value}`);
  wrong({ seed: -1 }, "seed: must be a whole number from 0 to 2^53 - 1, got -1");
  for (const [options, sentence] of [
    [{ typicalP: 0 }, /^typicalP: must be a number above 0 up to 1/],
    [{ frequencyPenalty: NaN }, /^frequencyPenalty: must be a number/],
    [{ presencePenalty: "1" as unknown as number }, /^presencePenalty: must be a number .* got "1"/],
    [{ noRepeatNgramSize: 1.5 }, /^noRepeatNgramSize: must be a whole number/],
    [{ minNewTokens: -1 }, /^minNewTokens: must be a whole number/],
    [{ logitBias: [1] as unknown as Record<number, number> }, /^logitBias: must be an object/],
    [{ logitBias: { 9: 1 } }, /^logitBias: ids must be whole numbers ≥ 0 below the vocabulary's 9, got "9"/],
    [{ logitBias: { "01": 1 } as unknown as Record<number, number> }, /^logitBias: ids/],
    [{ logitBias: { 1: Infinity } }, /^logitBias\[1\]: must be a number, or -Infinity/],
  ] as const) {
    refusedSync(() => samplingOptions(options, {}, 9), "request", sentence);
  }
});

test.run();
