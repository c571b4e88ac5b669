// score: the same numbers as from logits, chunk by chunk.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Llama } from "../../src/node/index.ts";
import { refused } from "../tools/refused.ts";
import { nothingHeld, recordSteps } from "../tools/steps.ts";

const test = suite("score");

test("log-probabilities equal those of the logits, across chunks and under scaling", async () => {
  using llama = await Llama.load("models/kv-llama");
  const { vocab } = llama.config;
  const ids = Uint32Array.from({ length: 600 }, (_, i) => (i * i * 31 + 7) % vocab);
  assert.ok(ids.length > llama.engine.maxOutputs, "more than one chunk");
  for (const ropeScaling of [null, { type: "dynamic", factor: 2 } as const]) {
    const logits = await llama.logits(ids, { ropeScaling });
    const scores = await llama.score(ids, { ropeScaling });
    assert.is(scores.length, ids.length - 1);
    let worst = 0;
    scores.forEach((value, i) => {
      const row = logits.subarray(i * vocab, (i + 1) * vocab);
      const top = Math.max(...row);
      const sum = row.reduce((total, each) => total + Math.exp(each - top), 0);
      worst = Math.max(worst, Math.abs(value - (row[ids[i + 1]] - top - Math.log(sum))));
    });
    // The last chunk may be small enough for other kernels, whose sums differ in the last bits of f32 logits near 30.
    assert.ok(worst < 1e-4, `worst ${worst}`);
  }
});

test("a signal ends it: before its first step, and between two", async () => {
  using llama = await Llama.load("models/kv-llama");
  const ids = Uint32Array.from({ length: 4 * llama.engine.maxOutputs }, (_, i) => i % llama.config.vocab);
  const stop = new AbortController();
  const steps = recordSteps(llama.engine, (number) => {
    if (number === 2) stop.abort(new Error("enough"));
  });
  await refused(llama.score(ids, { signal: AbortSignal.abort() }), "aborted");
  assert.is(steps.length, 0);
  const error = await refused(llama.score(ids, { signal: stop.signal }), "aborted");
  assert.is((error.cause as Error).message, "enough");
  assert.ok(steps.length < 4, `${steps.length} steps`);
  nothingHeld(llama.engine.memory);
});

test("a single id has no next one", async () => {
  using llama = await Llama.load("models/kv-llama");
  assert.is((await llama.score([1])).length, 0);
});

test.run();
