// Prefixes: pages are found by tokens and RoPE setting, evicted oldest leaf first, and change no answer.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { PAGE } from "../../kernels/index.ts";
import { Llama } from "../../src/node/index.ts";
import { PrefixCache } from "../../src/engine/prefix.ts";
import { ids } from "../tools/models.ts";

const test = suite("prefix");

test("a prefix is found in whole pages, leaves one id over, and only under its setting", () => {
  const cache = new PrefixCache();
  const held = cache.publish("a", ids(3 * PAGE + 5), [4, 5, 6], []);
  assert.equal(
    held.map(({ page }) => page),
    [4, 5, 6],
  );
  const pages = (setting: string, of: number[]) => {
    const found = cache.match(setting, of);
    cache.release(found);
    return found.map(({ page }) => page);
  };
  assert.equal(pages("a", ids(3 * PAGE)), [4, 5], "the last id must be computed");
  assert.equal(pages("a", ids(3 * PAGE + 1)), [4, 5, 6]);
  assert.equal(pages("b", ids(3 * PAGE + 1)), []);
  assert.equal(pages("a", [...ids(PAGE), ...ids(2 * PAGE, 256, 2)]), [4]);
});

test("pages in use are not evicted; idle ones go oldest leaf first", () => {
  const cache = new PrefixCache();
  const long = cache.publish("a", ids(2 * PAGE), [1, 2], []);
  const other = cache.publish("a", ids(PAGE, 256, 2), [3], []);
  assert.is(cache.evict(), undefined);
  cache.release(long);
  cache.release(other);
  assert.is(cache.idle, 3);
  assert.is(cache.evict(), 2, "page 1 is older, but page 2 builds on it");
  assert.is(cache.evict(), 1);
  assert.is(cache.evict(), 3);
  assert.is(cache.evict(), undefined);
});

test("a second page with the same tokens stays with its sequence", () => {
  const cache = new PrefixCache();
  cache.publish("a", ids(2 * PAGE), [1, 2], []);
  assert.equal(cache.publish("a", ids(2 * PAGE), [8, 9], []), []);
});

test("the engine computes an equal prefix once, and answers as without", async () => {
  const llama = await Llama.load("models/kv-llama");
  try {
    const context = llama.tokenizer!.encode(
      "[INST] ## UUID key/value pairs to remember:\n\n'12345678' = 'abcd'\n".repeat(4),
    );
    const question = llama.tokenizer!.encode("\n\n What is the value of the key '12345678'? [/INST]", {
      addSpecialTokens: false,
    });
    const prompt = [...context, ...question];
    const options = { maxNewTokens: 12, logprobs: true } as const;
    const fresh = await llama.complete(prompt, { ...options, reusePrefix: false });
    assert.is(fresh.usage.cachedTokens, 0);
    assert.is(
      (await llama.complete(prompt, options)).usage.cachedTokens,
      0,
      "nothing was published without reusePrefix",
    );
    const again = await llama.complete(prompt, options);
    assert.is(again.usage.cachedTokens, Math.floor((prompt.length - 1) / PAGE) * PAGE);
    assert.equal(again.ids, fresh.ids);
    // Fewer rows go through another kernel, so sums differ in their last bits and no more.
    again.logprobs!.forEach((value, i) =>
      assert.ok(Math.abs(value - fresh.logprobs![i]) < 1e-4, `token ${i}: ${value}`),
    );
    const chat = await llama.complete([...prompt, ...again.ids, ...question], options);
    assert.ok(chat.usage.cachedTokens >= again.usage.cachedTokens, "an answer's own tokens are part of the prefix");
    const scaled = await llama.complete(prompt, { ...options, ropeScaling: { type: "yarn", factor: 2 } });
    assert.is(scaled.usage.cachedTokens, 0, "another setting has other keys");
    const old = await llama.complete(prompt, {
      ...options,
      ropeScaling: { type: "dynamic", factor: 2 },
      ropeAngles: "current",
    });
    assert.is(old.usage.cachedTokens, 0);
  } finally {
    llama.close();
  }
});

test("idle prefixes give way before the pool grows", async () => {
  const llama = await Llama.load("models/kv-llama");
  try {
    await llama.complete(ids(200), { maxNewTokens: 4, ignoreEos: true });
    const { kv } = llama.memory;
    for (let shift = 1; shift < 6; shift++)
      await llama.complete(ids(200, 256, shift + 1), { maxNewTokens: 4, ignoreEos: true });
    assert.is(llama.memory.kv, kv);
  } finally {
    llama.close();
  }
});

test.run();
