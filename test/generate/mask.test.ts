// Answers of a form: the tokens that the model finds most likely among those that lead to it, whatever else is asked of them.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type GenerateOptions, Llama } from "../../src/node/index.ts";
import type { TokenMask } from "../../src/grammar/index.ts";
import { folder, openDevice } from "../tools/models.ts";
import { refused } from "../tools/refused.ts";
import { nothingHeld } from "../tools/steps.ts";

const tests = suite("answers of a form");
const handle = await openDevice();
const { device } = handle;
const llama = await Llama.load(folder("/models/kv-llama"), { device });
const tokenizer = llama.tokenizer!;
const PROMPT = "The value of the key is";
const SCHEMA = {
  type: "object",
  properties: {
    id: { type: "string", pattern: "^[0-9a-f]{4,8}$" },
    count: { type: "integer", minimum: 10, maximum: 99 },
    tags: { type: "array", items: { enum: ["key", "value"] }, maxItems: 2 },
  },
  required: ["id", "count"],
  additionalProperties: false,
};
const json = { type: "json_schema", schema: SCHEMA } as const;

const check = (text: string): void => {
  const { id, count, tags = [], ...rest } = JSON.parse(text) as { id: string; count: number; tags?: string[] };
  assert.match(id, /^[0-9a-f]{4,8}$/);
  assert.ok(Number.isInteger(count) && count >= 10 && count <= 99, text);
  assert.ok(tags.length <= 2 && tags.every((tag) => ["key", "value"].includes(tag)), text);
  assert.equal(rest, {});
};

tests("each token is the most likely of those that may come", async () => {
  const { ids, text, finishReason } = await llama.complete(PROMPT, { responseFormat: json, maxNewTokens: 80 });
  assert.is(finishReason, "stop");
  check(text);
  const { Grammars } = await import("../../src/grammar/index.ts");
  const mask = new Grammars(tokenizer, llama.config.vocab).grammar(SCHEMA)();
  const prompt = [...tokenizer.encode(PROMPT)];
  const vocab = llama.config.vocab;
  const rows = await llama.logits([...prompt, ...ids], { rows: "all" });
  for (const [i, id] of ids.entries()) {
    const row = rows.subarray((prompt.length + i - 1) * vocab, (prompt.length + i) * vocab);
    const allowed = mask.allowed();
    let best = -1;
    for (let at = 0; at < vocab; at++)
      if ((allowed[at >> 5] >>> (at & 31)) & 1 && (best < 0 || row[at] > row[best])) best = at;
    assert.ok(row[id] >= row[best] - 1e-3, `token ${i}: ${id}, not ${best}`);
    mask.accept(id);
  }
  assert.ok(mask.over);
});

tests("sampled answers meet the schema, several to a prompt and with drafts, and a seed repeats them", async () => {
  const options = { responseFormat: json, maxNewTokens: 80, temperature: 1.5, topK: 0, seed: 5 } as const;
  const answers = await llama.completions(PROMPT, { ...options, n: 4 });
  for (const { text, finishReason } of answers) {
    assert.is(finishReason, "stop");
    check(text);
  }
  assert.ok(new Set(answers.map(({ text }) => text)).size > 1);
  const again = await llama.complete(PROMPT, { ...options, speculate: true });
  assert.equal(again.ids, answers[0].ids);
  const top = await llama.complete(PROMPT, { ...options, topK: 3, topP: 0.9 });
  check(top.text);
});

tests(
  "the end token comes where the value is complete and only there; without one a value ends where nothing can follow",
  async () => {
    const format = (schema: object): GenerateOptions => ({ responseFormat: { type: "json_schema", schema } });
    const number = await llama.complete(PROMPT, {
      ...format({ type: "integer", minimum: 1 }),
      logitBias: { [tokenizer.eosId!]: 100 },
    });
    assert.match(number.text, /^ ?-?\d+$/);
    assert.is(number.ids.at(-1), tokenizer.eosId);
    assert.is(number.finishReason, "stop");
    for (const ignoreEos of [true, false]) {
      const flag = await llama.complete(PROMPT, { ...format({ type: "boolean" }), ignoreEos, minNewTokens: 20 });
      assert.match(flag.text, /^ ?(?:true|false)$/);
      assert.is(flag.finishReason, "stop");
      assert.ok(!flag.ids.includes(tokenizer.eosId!));
    }
    const longer = await llama.complete(PROMPT, {
      ...format({ type: "integer", minimum: 1 }),
      minNewTokens: 6,
      maxNewTokens: 40,
    });
    assert.ok(longer.ids.length >= 6 || longer.text.trim().length >= 21);
  },
);

tests("a limit cuts JSON, and so does a stop string", async () => {
  const cut = await llama.complete(PROMPT, { responseFormat: json, maxNewTokens: 3 });
  assert.is(cut.finishReason, "length");
  assert.throws(() => JSON.parse(cut.text));
  const stopped = await llama.complete(PROMPT, { responseFormat: json, maxNewTokens: 80, stop: '"count"' });
  assert.is(stopped.finishReason, "stop");
  assert.match(stopped.text, /^ ?\{"id": ?"[0-9a-f]+", ?$/);
});

tests("any object, and any text", async () => {
  const object = await llama.complete(PROMPT, { responseFormat: { type: "json_object" }, maxNewTokens: 12 });
  assert.match(object.text, /^ ?\{/);
  const free = await llama.complete(PROMPT, { maxNewTokens: 6, ignoreEos: true });
  const text = await llama.complete(PROMPT, { responseFormat: { type: "text" }, maxNewTokens: 6, ignoreEos: true });
  assert.equal(text.ids, free.ids);
});

tests("a mask of the caller's", async () => {
  const ids = [...tokenizer.encode(" a b c", { addSpecialTokens: false })];
  const start = (): TokenMask => {
    let at = 0;
    return {
      allowed() {
        const mask = new Uint32Array(Math.ceil(llama.config.vocab / 32));
        if (at < ids.length) mask[ids[at] >> 5] |= 1 << (ids[at] & 31);
        return mask;
      },
      get complete() {
        return at === ids.length;
      },
      get over() {
        return at === ids.length;
      },
      accept: (id) => {
        assert.is(id, ids[at++]);
      },
    };
  };
  const answer = await llama.complete(PROMPT, { responseFormat: { type: "mask", start }, speculate: true });
  assert.equal(answer.ids, ids);
  const none = { type: "mask", start: () => ({ ...start(), allowed: () => new Uint32Array(1) }) } as const;
  await refused(
    llama.complete(PROMPT, { responseFormat: none }),
    "request",
    /^responseFormat, .*every id is forbidden/,
  );
});

tests("what is wrong is refused before anything is computed", async () => {
  const wrong = (responseFormat: unknown, message: RegExp) =>
    refused(
      llama.complete(PROMPT, { responseFormat, onAllocate: () => assert.unreachable() } as never),
      "request",
      message,
    );
  await wrong("json", /^responseFormat: must be an object with a type, got "json"$/);
  await wrong({}, /^responseFormat\.type: must be one of text, json_object, json_schema, mask, got undefined$/);
  await wrong({ type: "json_schema" }, /^responseFormat\.schema: is needed/);
  await wrong({ type: "json_object", schema: {} }, /^responseFormat\.schema: there is no such option/);
  await wrong(
    { type: "json_schema", schema: { type: "text" } },
    /^responseFormat\.schema\/type: must be one of null, /,
  );
  await wrong(
    { type: "json_schema", schema: { uniqueItems: true } },
    /^responseFormat\.schema\/uniqueItems: must be false/,
  );
  await wrong({ type: "mask", start: 5 }, /^responseFormat\.start: must be a function/);
  await wrong({ type: "mask", start: () => 5 }, /^responseFormat\.start: must give an object/);
});

tests.after(() => {
  nothingHeld(llama.engine.memory, "after answers of a form");
  llama.close();
  handle.release();
});
tests.run();
