// Every meaning of ropeAngles through whole requests, against float64: prompts in small chunks, many settings and lengths
// side by side, frequencies that change while a request lives, prefixes that are known under another setting.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Completion, GenerateOptions, RopeScaling } from "../../src/index.ts";
import { Llama } from "../../src/node/index.ts";
import { frequencies, parseRopeScaling } from "../../src/rope/index.ts";
import { Llama64 } from "../tools/float64.ts";
import { goldenEntry } from "../tools/goldens.ts";
import { folder, openDevice, readCheckpoint } from "../tools/models.ts";

const test = suite("rope-meanings");
const path = folder("goldens/rope_sweep");
const tolerance = goldenEntry("rope_sweep/default/expected.safetensors").tolerance!.f32.abs!;
const checkpoint = await readCheckpoint(path);
const handle = await openDevice();
const llama = await Llama.load(path, { device: handle.device, chunkRows: 13 });
test.after(() => {
  llama.close();
  handle.release();
});

const eight = (value: (i: number) => number): number[] => Array.from({ length: 8 }, (_, i) => value(i));
/** The model was trained on 64 tokens. longrope goes over to its long factors within an answer to a prompt of 70. */
const settings: RopeScaling[] = [
  { rope_type: "dynamic", factor: 2 },
  { rope_type: "dynamic", factor: 4 },
  {
    rope_type: "longrope",
    factor: 4,
    original_max_position_embeddings: 72,
    short_factor: eight((i) => 1 + i / 16),
    long_factor: eight((i) => 1 + i),
  },
  { rope_type: "yarn", factor: 4 },
  { rope_type: "linear", factor: 4 },
  { rope_type: "default" },
];
const MEANINGS = ["planned", "current", "as-inserted"] as const;
const prompt = (length: number): number[] => Array.from({ length }, (_, i) => (37 * i + 11) % 256);

/** What a request gave, against the definition of its meaning. */
function check(ids: readonly number[], options: GenerateOptions, done: Completion): void {
  const rope = parseRopeScaling(options.ropeScaling, llama.rope);
  const meaning = options.ropeAngles!;
  const what = `${rope.type} ${rope.factor}, ${meaning}, ${ids.length} ids`;
  const reference = new Llama64(checkpoint, meaning === "current");
  let row: Float64Array = new Float64Array();
  const step = (fed: readonly number[], position: number) => {
    const end = position + fed.length; // a chunk counts as the whole prompt
    const n = meaning === "planned" ? ids.length + options.maxNewTokens! : end;
    const positions = fed.map((_, i) => position + i);
    row = reference.step(fed, positions, frequencies(rope, n)).subarray(-llama.config.vocab);
  };
  step(ids, 0);
  done.ids.forEach((id, i) => {
    const best = Math.max(...row);
    const logSum = best + Math.log(row.reduce((sum, value) => sum + Math.exp(value - best), 0));
    assert.ok(row[id] >= best - 2 * tolerance, `${what}, token ${i}: ${id} is not the best`);
    // A log-probability is a logit less a mean of logits: off by twice as much at worst.
    const error = Math.abs(done.logprobs![i] - (row[id] - logSum));
    assert.ok(error <= 2 * tolerance, `${what}, token ${i}: log-probability off by ${error}`);
    step([id], ids.length + i);
  });
  assert.is(done.ids.length, options.maxNewTokens);
}

const common = { maxNewTokens: 5, ignoreEos: true, allowBeyond: true, logprobs: true } as const;
const requests = settings.flatMap((ropeScaling) =>
  MEANINGS.map((ropeAngles) => ({ ...common, ropeScaling, ropeAngles })),
);

test("one after the other, beyond the trained length, the prompt in six chunks", async () => {
  const ids = prompt(70);
  for (const options of requests) check(ids, options, await llama.complete(ids, { ...options, reusePrefix: false }));
});

test("all at once, each with a length of its own, and again with whatever of it is known by then", async () => {
  let cached = 0;
  for (let round = 0; round < 2; round++) {
    const lengths = requests.map((_, i) => 40 + ((7 * i) % 36));
    const done = await Promise.all(requests.map((options, i) => llama.complete(prompt(lengths[i]), options)));
    done.forEach((each, i) => {
      check(prompt(lengths[i]), requests[i], each);
      cached += each.usage.cachedTokens;
    });
  }
  assert.ok(cached > 32 * settings.length, `${cached} tokens came from known prefixes`);
});

test("a prefix is known under its own setting alone", async () => {
  const ids = prompt(66).map((id) => (id + 1) % 256);
  for (const ropeScaling of settings) {
    const options = { ...common, ropeScaling, ropeAngles: "planned" } as const;
    const first = await llama.complete(ids, options);
    assert.is(first.usage.cachedTokens, 0, `${ropeScaling.rope_type} ${ropeScaling.factor}`);
    const second = await llama.complete(ids, options);
    assert.is(second.usage.cachedTokens, 65);
    check(ids, options, second);
    assert.equal(second.ids, first.ids);
  }
});

test.run();
