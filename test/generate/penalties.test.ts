// What changes scores before a draw: biases, penalties and barred ids, against their definitions.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Random } from "../../src/generate/random.ts";
import { sample } from "../../src/generate/sample.ts";
import type { Sampling, SamplingOptions } from "../../src/generate/sampling.ts";
import { samplingOptions } from "../../src/generate/sampling.ts";
import { refusedSync } from "../tools/refused.ts";
import { normals } from "./rows.ts";

const test = suite("penalties");

/** Scores after bias and penalties, from the definitions. */
function naiveScores(
  row: Float32Array,
  sampling: Sampling,
  prompt: readonly number[],
  answer: readonly number[],
): number[] {
  const all = [...prompt, ...answer];
  return Array.from(row, (logit, id) => {
    let score = logit + (sampling.logitBias.get(id) ?? 0);
    if (all.includes(id)) score = score < 0 ? score * sampling.repetitionPenalty : score / sampling.repetitionPenalty;
    const count = answer.filter((each) => each === id).length;
    score -= count * sampling.frequencyPenalty + (count > 0 ? sampling.presencePenalty : 0);
    const size = sampling.noRepeatNgramSize;
    const gram = [...all.slice(all.length - (size - 1)), id].join();
    const known = all.some((_, at) => size > 0 && at + size <= all.length && all.slice(at, at + size).join() === gram);
    return known && all.length >= size - 1 ? -Infinity : score;
  });
}

test("bias and penalties change the scores by their definitions, alone and together", () => {
  const random = new Random(21);
  const settings: SamplingOptions[] = [
    { frequencyPenalty: 0.7 },
    { presencePenalty: -1.3 },
    { logitBias: { 3: 4.5, 0: -Infinity, 11: -2 } },
    { noRepeatNgramSize: 1 },
    { noRepeatNgramSize: 2 },
    { noRepeatNgramSize: 3 },
    { repetitionPenalty: 1.4, frequencyPenalty: 0.2, presencePenalty: 0.5, noRepeatNgramSize: 2, logitBias: { 5: 3 } },
  ];
  for (const options of settings) {
    let changed = 0;
    for (let trial = 0; trial < 200; trial++) {
      const row = normals(random, 16, 2);
      const draw = (count: number) => Array.from({ length: count }, () => random.uint32() % 3);
      const [prompt, answer] = [draw(random.uint32() % 9), draw(random.uint32() % 9)];
      const tokens = [...prompt, ...answer];
      const given = samplingOptions(options);
      const want = naiveScores(row, given, prompt, answer);
      const { id, logprob } = sample(row, given, { tokens, promptTokens: prompt.length }, random);
      assert.is(id, want.indexOf(Math.max(...want)), JSON.stringify({ options, prompt, answer }));
      changed += Number(id !== row.indexOf(Math.max(...row)));
      const total = row.reduce((sum, logit) => sum + Math.exp(logit), 0);
      assert.ok(Math.abs(logprob - Math.log(Math.exp(row[id]) / total)) < 1e-12, "the model's own"); // f64
    }
    assert.ok(changed >= 5, `${JSON.stringify(options)} changed ${changed} of 200`);
  }
});

test("what is barred does not come, greedy or drawn; where nothing is left the options are named", () => {
  const row = Float32Array.of(5, 4, 3, 2);
  const after = { tokens: [0, 1], promptTokens: 2, barred: [0, 1] };
  assert.is(sample(row, samplingOptions({}), after, new Random(1)).id, 2);
  const seen = new Set<number>();
  for (let seed = 0; seed < 60; seed++) {
    seen.add(sample(row, samplingOptions({ temperature: 3, topK: 0 }), after, new Random(seed)).id);
  }
  assert.equal(
    [...seen].sort((a, b) => a - b),
    [2, 3],
  );
  const all = samplingOptions({ logitBias: { 2: -Infinity, 3: -Infinity } });
  refusedSync(() => sample(row, all, after, new Random(1)), "request", /every id is forbidden; forbid fewer/);
  const list = { ids: Uint32Array.of(0), logits: Float32Array.of(5), logSumExp: 6 };
  refusedSync(() => sample(list, samplingOptions({}), after, new Random(1)), "kernel", /needs a whole row/);
});

test.run();
