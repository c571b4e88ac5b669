// Unigram models in tokenizer.json: ids, offsets and text as the Rust library gives them.

import * as assert from "uvu/assert";
import { suite } from "uvu";

import { LlariatError } from "../../src/error.ts";
import { Tokenizer } from "../../tokenizer/index.ts";
import { Tokens } from "../../tokenizer/tokens.ts";
import { Trie } from "../../tokenizer/trie.ts";
import { Unigram } from "../../tokenizer/unigram.ts";
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

/** A trie that counts how many steps are taken in it. */
class CountingTrie extends Trie {
  steps = 0;

  override next(node: number, unit: number): number {
    this.steps++;
    return super.next(node, unit);
  }
}

test("steps are linear in the text: from each place at most one more than the longest piece", () => {
  const trie = new CountingTrie(64 * 64);
  for (let i = 0; i < 64; i++) trie.add("a".repeat(i + 1), i);
  const scores = Float64Array.from({ length: 64 }, (_, i) => -i - 1);
  const model = { trie, scores, lowest: -64, unknown: 0, byteTokens: undefined, single: false, runs: undefined };
  const tokens = new Tokens(1, false);
  new Unigram(model).encode("a".repeat(100_000), false, tokens);
  assert.ok(tokens.length > 0);
  assert.ok(trie.steps >= 100_000 && trie.steps <= 65 * 100_000, `${trie.steps} steps`);
});

test.run();
