// Unigram models in tokenizer.json: ids, offsets and text as the Rust library gives them.

import * as assert from "uvu/assert";
import { suite } from "uvu";

import { LlariatError } from "../../src/error.ts";
import { Tokenizer } from "../../tokenizer/index.ts";
import { readJson } from "./fixtures.ts";
import { encoded, sameAnswers, texts } from "./kinds.ts";
import type { Answers } from "./kinds.ts";

type Answer = [ids: number[], offsets: number[][], decoded: string, kept: string];

const test = suite("unigram");
const cases = readJson("kinds/unigram.json") as Record<string, { file: object } & Answers<Answer>>;

for (const [name, { file, ...expected }] of Object.entries(cases)) {
  test(`${name}: ids, offsets and text of ${texts.length} texts`, () => {
    const tokenizer = Tokenizer.fromFiles({ tokenizerJson: file });
    assert.is(tokenizer.kind, "Unigram");
    sameAnswers(expected, (text) => {
      const [ids, offsets] = encoded(tokenizer, text);
      return [ids, offsets, tokenizer.decode(ids), tokenizer.decode(ids, { skipSpecialTokens: false })];
    });
  });
}

test("without an unknown token a character that has no piece is refused, unless a longer piece has it", () => {
  const model = { type: "Unigram", vocab: [["a", -1], ["ab", -1]] }; // prettier-ignore
  const tokenizer = Tokenizer.fromFiles({ tokenizerJson: { model } });
  assert.equal([...tokenizer.encode("aaab")], [0, 0, 1]);
  assert.throws(() => tokenizer.encode("b"), (error: unknown) => error instanceof LlariatError && /U\+0062/.test(error.message)); // prettier-ignore
});

test("time is linear: a text of one letter and pieces of up to 64 of it", () => {
  const vocab = Array.from({ length: 64 }, (_, i) => ["a".repeat(i + 1), -i - 1]);
  const tokenizer = Tokenizer.fromFiles({ tokenizerJson: { model: { type: "Unigram", vocab, unk_id: 0 } } });
  assert.is(tokenizer.encode("a".repeat(400_000)).length > 0, true);
});

test.run();
