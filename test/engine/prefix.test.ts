// Prefixes: pages are found by tokens and RoPE setting, evicted oldest leaf first, and change no answer.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { PAGE } from "../../kernels/index.ts";
import { Llama } from "../../src/node/index.ts";
import { GONE, PrefixCache } from "../../src/engine/prefix.ts";
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
    const { pages: found } = cache.match(setting, of);
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

test("a page that only begins as the text goes on is found, to be copied; the longest beginning counts", () => {
  const cache = new PrefixCache();
  const text = ids(3 * PAGE);
  cache.publish("a", text.slice(0, PAGE + 10), [1, 2], [], { tail: true });
  cache.publish("a", [...text.slice(0, PAGE + 4), 77, 78], [8, 3], cache.match("a", text).pages, { tail: true });
  const begun = (of: number[], setting = "a") => cache.match(setting, of).begun;
  assert.equal(begun(text), { page: 2, tokens: 10 });
  assert.equal(begun(text.slice(0, PAGE + 6)), { page: 2, tokens: 5 }, "the last id must be computed");
  assert.equal(begun([...text.slice(0, PAGE + 4), 77, 1, 2]), { page: 3, tokens: 5 });
  assert.is(begun([...text.slice(0, PAGE), 99, 98]), undefined);
  assert.equal(begun([...text.slice(0, 7), 99, 98]), { page: 1, tokens: 7 }, "a whole page may begin a text, too");
  assert.is(begun(text, "b"), undefined);
  assert.is(begun([text[0]]), undefined);
});

test("what is known without its memory is forgotten with the last page that builds on it", () => {
  const cache = new PrefixCache(8);
  const text = ids(3 * PAGE + 1);
  const [first, ...others] = cache.publish("a", text, [GONE, GONE, 5], []);
  assert.is(cache.evict(), undefined);
  cache.release([first, ...others], 2);
  const known = cache.match("a", text);
  assert.equal([known.pages.length, known.passed], [3, 2]);
  assert.is(known.pages[0], first);
  cache.release(known.pages, known.passed);
  assert.is(cache.evict(), 5);
  assert.is.not(cache.publish("a", text, [GONE, GONE, 6], [])[0], first);
});

test("a page that is not full is known only when its sequence writes no more, and gives way to one that goes on from it", () => {
  const cache = new PrefixCache();
  const text = ids(2 * PAGE);
  assert.equal(cache.publish("a", text.slice(0, 10), [1], []), [], "it is still written to");
  const tail = cache.publish("a", text.slice(0, 10), [1], [], { tail: true });
  assert.equal(cache.publish("a", text.slice(0, 6), [5], [], { tail: true }), [], "more is known already");
  const freed: number[] = [];
  const used = cache.publish("a", text.slice(0, 20), [2], [], { tail: true, freed });
  assert.equal(freed, [], "page 1 is in use");
  cache.release(tail);
  cache.release(used);
  const whole = cache.publish("a", text.slice(0, PAGE), [3], [], { freed });
  assert.equal(
    freed.toSorted((a, b) => a - b),
    [1, 2],
  );
  assert.is(cache.idle, 0);
  cache.release(whole);
  assert.is(cache.evict(), 3);
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
    assert.is(again.usage.cachedTokens, prompt.length - 1, "all but the token whose logits are wanted");
    assert.equal(again.ids, fresh.ids);
    // Fewer rows go through another kernel, so sums differ in their last bits and no more.
    again.logprobs!.forEach((value, i) =>
      assert.ok(Math.abs(value - fresh.logprobs![i]) < 1e-4, `token ${i}: ${value}`),
    );
    const chat = await llama.complete([...prompt, ...again.ids, ...question], options);
    // The answer's last token was given out and never fed.
    assert.is(chat.usage.cachedTokens, prompt.length + again.ids.length - 1, "the next turn computes only what is new");
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

test("idle prefixes stay as long as they are below their limit; beyond it they give way before the pool grows", async () => {
  const options = { maxNewTokens: 4, ignoreEos: true } as const;
  const texts = Array.from({ length: 6 }, (_, shift) => ids(200, 256, shift + 1));
  for (const [idleKvBytes, grows] of [
    [0, false],
    [undefined, true],
  ] as const) {
    using llama = await Llama.load("models/kv-llama", { idleKvBytes });
    await llama.complete(texts[0], options);
    const { kv } = llama.memory;
    for (const text of texts.slice(1)) await llama.complete(text, options);
    assert.is(llama.memory.kv > kv, grows, `${llama.memory.kv} bytes with a limit of ${idleKvBytes}`);
    const again = await llama.complete(texts[0], options);
    assert.is(again.usage.cachedTokens, grows ? 199 : 0);
    await llama.trim();
    assert.is(llama.memory.kv, 0);
    assert.is((await llama.complete(texts[0], options)).usage.cachedTokens, 0, "trim forgets");
  }
});

test.run();
