// Other implementations on the same texts: the real Llama-1/2 vocabulary, and the ids transformers gave the bundled model.

import { createHash } from "node:crypto";

import { Tokenizer as HuggingFace } from "@huggingface/tokenizers";
import llamaTokenizer from "llama-tokenizer-js";
import * as assert from "uvu/assert";
import { suite } from "uvu";

import { Tokenizer } from "../../tokenizer/index.ts";
import { loadShape, pick, randomText, readJson, SHAPES } from "./fixtures.ts";
import { llama2TokenizerJson, llama2TokenizerModel } from "./llama2.ts";
import { uniform } from "../tools/random.ts";

const test = suite("peers");
const llama2 = Tokenizer.fromFiles({ tokenizerJson: llama2TokenizerJson() });
const texts = [
  ...new Set(SHAPES.flatMap((shape) => (readJson(`${shape}/cases.json`) as { text: string }[]).map((c) => c.text))),
];

test(`llama-tokenizer-js, the real vocabulary: ids and text of ${texts.length} texts`, () => {
  for (const text of texts) {
    // it knows no special tokens in the text, and gives no <s> for the empty text
    const ids = [...llama2.encode(text, { parseSpecial: false })];
    assert.equal(ids, text === "" ? [1] : llamaTokenizer.encode(text), JSON.stringify(text.slice(0, 60)));
    assert.is(llama2.decode(ids), text.replaceAll("▁", " "));
  }
});

test("llama-tokenizer-js: random Unicode text", () => {
  const random = uniform(21);
  for (let i = 0; i < 500; i++) {
    const text = `x${randomText(random, 120)}`;
    assert.equal([...llama2.encode(text, { parseSpecial: false })], llamaTokenizer.encode(text), JSON.stringify(text));
  }
});

test("llama-tokenizer-js: tokenizer.model of the real vocabulary has the same ids", () => {
  const random = uniform(23);
  const model = Tokenizer.fromFiles({ tokenizerModel: llama2TokenizerModel() });
  const mixed = Array.from({ length: 300 }, () => `x${randomText(random, 120)}`);
  for (const text of [...texts.filter((each) => each !== ""), ...mixed]) {
    const ids = [...model.encode(text, { parseSpecial: false })];
    assert.equal(ids, llamaTokenizer.encode(text), JSON.stringify(text.slice(0, 60)));
    assert.is(model.decode(ids), text.replaceAll("▁", " "));
  }
});

test("@huggingface/tokenizers: the shapes it is known to be right about, on the fixtures and on mixed text", () => {
  const random = uniform(22);
  const words = texts.filter((text) => text.length > 0 && text.length < 40);
  for (const shape of SHAPES.filter((name) => name !== "added-tokens")) {
    const ours = loadShape(shape);
    const theirs = new HuggingFace(readJson(`${shape}/tokenizer.json`), readJson(`${shape}/tokenizer_config.json`));
    const mixed = Array.from(
      { length: 200 },
      () => `${pick(random, words)}${pick(random, [" ", "", "\n"])}${pick(random, words)}`,
    );
    for (const text of [...texts, ...mixed]) {
      // its \s takes U+FEFF for a space and not U+0085, its Digits knows 0 to 9 only
      if (/[\ufeff\x85]|(?![0-9])\p{N}/u.test(text)) continue;
      assert.equal([...ours.encode(text)], [...theirs.encode(text).ids], `${shape} ${JSON.stringify(text)}`);
    }
  }
});

interface Prompt {
  id: string;
  prompt: string;
  n_ids: number;
  first8: number[];
  last8: number[];
  ids_sha256: string;
}

const prompts = readJson("kv-llama/prompts.json") as Prompt[];
test(`kv-llama: the ids of ${prompts.length} prompts are those transformers gave`, () => {
  const tokenizer = loadShape("kv-llama");
  for (const { id, prompt, n_ids, first8, last8, ids_sha256 } of prompts) {
    const ids = [...tokenizer.encode(prompt)];
    assert.is(ids.length, n_ids, id);
    assert.equal(ids.slice(0, 8), first8, id);
    assert.equal(ids.slice(-8), last8, id);
    assert.is(createHash("sha256").update(ids.join(",")).digest("hex"), ids_sha256, id);
    assert.is(tokenizer.decode(ids), prompt, id);
  }
});

test.run();
