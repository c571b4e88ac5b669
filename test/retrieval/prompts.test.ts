import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { BuildOptions, Prompt } from "../../src/retrieval/index.ts";
import { prompts } from "../../src/retrieval/index.ts";
import { refusedSync } from "../tools/refused.ts";
import { expected, tokenizer, words } from "./fake.ts";

const test = suite("retrieval prompts");

// Prose to fill with: this repository's own licence and design notes would be too short for the longest prompts.
const prose = Array.from({ length: 12 }, (_, i) =>
  readFileSync(new URL("../../LICENSE", import.meta.url), "utf8").replaceAll(
    "Software",
    `Software ${"abcdefghijkl"[i]}`,
  ),
).join("\n\n");
const llama = createRequire(import.meta.url)("llama-tokenizer-js") as { default: { encode(text: string): number[] } };

const counters: Record<string, (text: string) => number> = {
  words: (text) => words.encode(text).length,
  "Llama 1 and 2 (32,000 pieces)": (text) => llama.default.encode(text).length,
};
for (const name of ["kv-llama", "llama2-legacy", "llama2-metaspace", "llama3", "mistral-v0.3-like", "smollm"]) {
  const read = tokenizer(name);
  counters[name] = (text) => read.encode(text).length;
}

const builders: Record<string, (options: BuildOptions) => Prompt> = {
  uuid: prompts.uuid,
  passkey: prompts.passkey,
  needle: (options) => prompts.needle({ ...options, filler: prose }),
  "title made": (options) => prompts.title({ ...options, document: { name: "licences", text: prose }, titles: "made" }),
  title: (options) => prompts.title({ ...options, document: { name: "licences", text: `On Licences\n\n${prose}` } }),
};

/** Every line has the same number of tokens with these tokenizers, so only every 18th (or fifth) length exists. */
const LINES: Record<string, number> = { "kv-llama": 18, words: 5 };
const constant = (task: string, name: string): number => (task === "uuid" ? (LINES[name] ?? 0) : 0);

for (const [task, build] of Object.entries(builders)) {
  test(`${task}: exactly as long as asked, for every tokenizer`, () => {
    for (const [name, count] of Object.entries(counters)) {
      for (const tokens of [333, 512, 1000, 2047]) {
        for (const position of task.startsWith("title") ? [0] : [0, 0.2, 0.77, 1]) {
          const prompt = build({ count, tokens, position, key: ["exact", tokens, position] });
          const where = `${name}, ${tokens} tokens, position ${position}`;
          assert.is(prompt.tokens, count(prompt.text), `${where}: the stated length is the real one`);
          const step = constant(task, name);
          if (step > 0) assert.ok(prompt.tokens <= tokens && prompt.tokens > tokens - step, where);
          else assert.is(prompt.tokens, tokens, where);
        }
      }
    }
  });

  test(`${task}: reads the text a bounded number of times, however long it is`, () => {
    const count = counters["llama2-metaspace"];
    for (const tokens of [1000, 4000, 16_000].slice(0, task.startsWith("title") ? 1 : 3)) {
      let read = 0;
      const counting = (text: string): number => {
        read += text.length;
        return count(text);
      };
      const prompt = build({ count: counting, tokens, position: 0.5, key: ["linear", tokens] });
      // 12 rounds and the cuts near the end are the worst case; typical is 5 to 10
      assert.ok(read < 40 * prompt.text.length, `${tokens}: ${read / prompt.text.length} times`);
    }
  });

  test(`${task}: the same key gives the same prompt, another key another`, () => {
    const count = counters.words;
    const make = (...key: (string | number)[]): string => build({ count, tokens: 700, position: 0.5, key }).text;
    assert.is(make(1, "a"), make(1, "a"));
    if (task !== "title") assert.is.not(make(1, "a"), make(2, "a"));
  });

  test(`${task}: the value stands where it should and nowhere by chance`, () => {
    const count = counters.words;
    for (let i = 0; i < 40; i++) {
      for (const position of [0, 0.3, 1]) {
        const { text, value, others, distance, tokens } = build({ count, tokens: 1500, position, key: ["chance", i] });
        const times = text.split(value).length - 1;
        assert.is(times, task === "passkey" ? 2 : 1, `${value} stands ${times} times`);
        assert.not.ok(others.includes(value));
        if (task.startsWith("title")) continue;
        assert.ok(
          Math.abs((tokens - distance) / tokens - position) < 0.1,
          `position ${position}: ${distance} of ${tokens}`,
        );
      }
    }
  });
}

test("uuid: exactly h2oGPT's format", () => {
  const { text, value, answers } = prompts.uuid({ count: counters.words, tokens: 200, position: 0.5, key: [7] });
  const shape =
    /^\[INST\] ## UUID key\/value pairs to remember:\n\n(?:'[0-9a-f]{8}' = '[0-9a-f]{4}'\n)+\n\n What is the value of the key '([0-9a-f]{8})'\? \[\/INST\]$/;
  const key = shape.exec(text)?.[1];
  assert.ok(key, text);
  assert.is(text.split(`'${key}' = '${value}'\n`).length, 2);
  assert.is(text.split(key).length, 3, "the key stands in its line and in the question only");
  assert.equal(answers, [value, `The value of the key '${key}' is '${value}'.`]);
});

test("uuid and passkey: the prompts of the models' makers but for the random digits", () => {
  const count = counters["kv-llama"];
  const blind = (text: string): string =>
    text
      .replace(/[0-9a-f]{8}/g, "K")
      .replace(/'[0-9a-f]{4}'/g, "'V'")
      .replace(/\d{5}/g, "P");
  type Fixture = { prompts: { prompt: string; prompt_len: number; rel_secret_pos: number; n_ids: number }[] };
  for (const [file, build] of [
    ["kv.json", prompts.uuid],
    ["kv-far.json", prompts.uuid],
    ["passkey.json", (options: BuildOptions) => prompts.passkey({ ...options, fit: "whole" as const })],
  ] as const) {
    for (const { prompt, prompt_len: tokens, rel_secret_pos: position, n_ids: length } of (expected(file) as Fixture)
      .prompts) {
      const built = build({ count, tokens, position, key: [file, prompt.length] });
      assert.is(blind(built.text), blind(prompt), `${file} ${tokens} ${position}`);
      assert.is(built.tokens, length);
      // where the secret stands among the lines, too
      const line = (text: string, mark: RegExp): number => text.slice(0, text.search(mark)).split("\n").length;
      const key = (text: string): RegExp => {
        const asked = /the key '(\w+)'/.exec(text);
        return asked ? new RegExp(`'${asked[1]}' = `) : /The pass key is/;
      };
      assert.is(line(built.text, key(built.text)), line(prompt, key(prompt)));
    }
  }
});

test("passkey: the text of figure 3", () => {
  const { text, value } = prompts.passkey({
    count: counters.words,
    tokens: 300,
    position: 0.5,
    key: [1],
    fit: "whole",
  });
  const filler = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.";
  const parts = text.split("\n");
  assert.is(parts.length, 5);
  assert.is(
    parts[0],
    "There is an important info hidden inside a lot of irrelevant text. Find it and memorize them. I will quiz you about the important information there.",
  );
  for (const part of [parts[1], parts[3]]) assert.is(part.replaceAll(filler, "").trim(), "");
  assert.is(parts[2], `The pass key is ${value}. Remember it. ${value} is the pass key.`);
  assert.is(parts[4], "What is the pass key? The pass key is");
});

test("title: the document between its marks, and h2oGPT's question", () => {
  const document = { name: "d.txt", text: `An Essay on Alpacas\r\nby Nobody\n\n${prose}` };
  const whole = prompts.title({ count: counters.words, tokens: "whole", key: [], document });
  assert.ok(
    whole.text.startsWith(
      "You are given this machine learning research paper, please read it carefully and answer the follow up question.\n\n=== BEGIN ===\n\nAn Essay on Alpacas\nby Nobody\n\n",
    ),
  );
  assert.ok(whole.text.endsWith("\n\n=== END OF FILE ===\n\nQuestion: What's the title of this paper?"));
  assert.is(whole.value, "An Essay on Alpacas");
  const part = prompts.title({ count: counters.words, tokens: 300, key: [], document });
  assert.is(part.tokens, 300);
  const stated = prompts.title({
    count: counters.words,
    tokens: 300,
    key: [],
    document: { ...document, title: "essay on" },
  });
  assert.is(stated.value, "essay on");
  assert.throws(
    () => prompts.title({ count: counters.words, tokens: 300, key: [], document: { ...document, title: "Llamas" } }),
    /d\.txt: the title "Llamas" is not in the 300 tokens/,
  );
});

test("needle: a fact of one's own, between sentences", () => {
  const needle = {
    fact: "The cook hid the {value}.",
    question: "What did the cook hide?",
    values: ["spoon", "ladle", "whisk"],
  };
  const built = prompts.needle({ count: counters.words, tokens: 800, position: 0.5, key: [2], filler: prose, needle });
  assert.match(built.text, new RegExp(`[.!?]["')\\]]*\\s+The cook hid the ${built.value}\\. `));
  assert.ok(built.text.endsWith("\n\nWhat did the cook hide?"));
  assert.equal([...built.others, built.value].sort(), ["ladle", "spoon", "whisk"]);
});

test("what cannot be built is refused with a reason", () => {
  const count = counters.words;
  const base = { count, position: 0.5, key: [1] };
  assert.throws(
    () => prompts.uuid({ ...base, tokens: 10 }),
    /10 tokens are too few, the prompt without any filler has \d+/,
  );
  assert.throws(() => prompts.passkey({ ...base, tokens: 10 }), /too few/);
  for (const tokens of [10, 0, -5]) {
    const short = { ...base, tokens, filler: "One. Two." };
    refusedSync(() => prompts.needle(short), "request", new RegExp(`${tokens} tokens are too few`));
  }
  assert.throws(
    () => prompts.uuid({ ...base, tokens: 500, position: 1.2 }),
    /must be between 0 and 1 of the prompt, got 1\.2/,
  );
  assert.throws(() => prompts.needle({ ...base, tokens: 500, filler: "  " }), /the filler text is empty/);
  assert.throws(
    () => prompts.needle({ ...base, tokens: 500, filler: prose, needle: { fact: "No.", question: "?" } }),
    /must hold \{value\}/,
  );
  assert.throws(
    () =>
      prompts.needle({
        ...base,
        tokens: 500,
        filler: "a and b. ",
        needle: { fact: "{value}", question: "?", values: ["a", "b"] },
      }),
    /no value is left that does not occur/,
  );
  const document = { name: "short.txt", text: "Title\n\nOne two three." };
  assert.throws(
    () => prompts.title({ count, tokens: 5000, key: [], document }),
    /5000 tokens need more filler text, all of it gives/,
  );
  assert.throws(
    () => prompts.title({ count, tokens: 5000, key: [], document, titles: "made" }),
    /at least 50 different words/,
  );
});

test("fixtures: texts as they are, cells as named", () => {
  const count = counters["kv-llama"];
  const kv = expected("kv.json") as { prompts: { id: string; prompt: string; n_ids: number }[] };
  const found = prompts.fromFixture(kv, count);
  assert.is(found.length, 90);
  found.forEach(({ id, prompt, position }, i) => {
    assert.is(id, kv.prompts[i].id);
    assert.is(prompt.text, kv.prompts[i].prompt);
    assert.is(prompt.task, "uuid");
    assert.is(prompt.tokens, kv.prompts[i].n_ids, "our tokenizer counts as transformers did");
    assert.is(prompt.others.length, (prompt.text.match(/' = '/g) ?? []).length - 1);
    assert.ok(position !== null && [0.2, 0.5, 0.8].includes(position));
  });
  assert.equal(
    new Set(prompts.fromFixture(expected("title.json"), count).map((each) => each.position)),
    new Set([null]),
  );
  assert.throws(() => prompts.fromFixture({}, count), /a list "prompts" that is not empty/);
  const [good] = kv.prompts;
  for (const [change, message] of [
    [{ task: "sums" }, /prompts\[0\] .*task must be one of/],
    [{ value: "zzzz" }, /its value "zzzz" does not stand in its prompt/],
    [{ prompt: undefined }, /prompt must be text/],
    [{ prompt_len: "1" }, /prompt_len must be a number/],
    [{ rel_secret_pos: "x" }, /rel_secret_pos must be a number or null/],
  ] as const) {
    assert.throws(() => prompts.fromFixture({ prompts: [{ ...good, ...change }] }, count), message);
  }
  assert.throws(() => prompts.fromFixture({ prompts: [7] }, count), /prompts\[0\]: /);
});

test.run();
