// tokenizer.model alone: ids, offsets and text as the SentencePiece library gives them, and special tokens around it.

import * as assert from "uvu/assert";
import { suite } from "uvu";

import { Tokenizer } from "../../tokenizer/index.ts";
import { readJson } from "./fixtures.ts";
import { bytesOf, encoded, NMT_NFKC, sameAnswers, texts } from "./kinds.ts";
import type { Answers } from "./kinds.ts";
import { withCharsmap } from "./protobuf.ts";

type Answer = [ids: number[], offsets: number[][], decoded: string];
interface Case extends Answers<Answer> {
  model: string;
  nmt_nfkc: boolean;
  runs: [number[], string][];
  /** Ids in transformers; null for texts that begin with a space, before which it puts no other one. */
  transformers?: Answers<number[] | null>;
}

const test = suite("sentencepiece");
const cases = readJson("kinds/sentencepiece.json") as Record<string, Case>;
const modelOf = ({ model, nmt_nfkc }: Case): Uint8Array =>
  nmt_nfkc ? withCharsmap(bytesOf(model), NMT_NFKC) : bytesOf(model);

for (const [name, expected] of Object.entries(cases)) {
  const { runs, full, digests } = expected;
  test(`${name}: ids, offsets and text of ${texts.length} texts`, () => {
    const tokenizer = Tokenizer.fromFiles({ tokenizerModel: modelOf(expected) });
    assert.is(
      tokenizer.kind,
      name.startsWith("bpe") || name === "llama" ? "SentencePiece BPE" : "SentencePiece Unigram",
    );
    sameAnswers({ full, digests }, (text) => {
      const [ids, offsets] = encoded(tokenizer, text, { addSpecialTokens: false, parseSpecial: false });
      return [ids, offsets, tokenizer.decode(ids)];
    });
    for (const [ids, decoded] of runs) {
      assert.is(tokenizer.decode(ids), decoded, `ids ${ids.join(" ")}`);
      const stream = tokenizer.streamDecoder();
      assert.is(ids.map((id) => stream.push(id)).join("") + stream.end(), decoded);
    }
  });
}

for (const [name, { model, transformers }] of Object.entries(cases)) {
  if (!transformers) continue;
  test(`${name}: ids as LlamaTokenizer of transformers gives them, <s> in front and special tokens in the text`, () => {
    const tokenizer = Tokenizer.fromFiles({ tokenizerModel: bytesOf(model) });
    sameAnswers(transformers, (text) => (/^[ ▁]/.test(text) ? null : [...tokenizer.encode(text)]));
  });
}

const llama = bytesOf(cases["llama"].model);
const load = (tokenizerConfig: object = {}, more: object = {}) =>
  Tokenizer.fromFiles({ tokenizerModel: llama, tokenizerConfig, ...more });
const show = (tokenizer: Tokenizer, text: string, options: object = {}) =>
  Array.from(tokenizer.encode(text, options), (id) => tokenizer.idToToken(id));

test("what is put around a text: <s> unless the config says otherwise, </s> where it says so", () => {
  assert.equal(show(load(), "the"), ["<s>", "▁the"]);
  assert.equal(show(load({ add_bos_token: false }), "the"), ["▁the"]);
  assert.equal(show(load({ add_eos_token: true }), "the"), ["<s>", "▁the", "</s>"]);
  assert.equal(show(load(), "the", { addSpecialTokens: false }), ["▁the"]);
  const { bosId, eosId, specialTokens } = load();
  assert.equal([bosId, eosId], [1, 2]);
  assert.equal(specialTokens, { bos_token: "<s>", eos_token: "</s>", unk_token: "<unk>" });
});

test("special tokens in the text; a space in front only at the start, or of every part where the config says legacy", () => {
  const plain = { addSpecialTokens: false };
  assert.equal(show(load(), "the</s>the", plain), ["▁the", "</s>", "the"]);
  assert.equal(show(load({ legacy: true }), "the</s>the", plain), ["▁the", "</s>", "▁the"]);
  assert.not.ok(show(load(), "the</s>the", { ...plain, parseSpecial: false }).includes("</s>"));
  assert.equal(show(load({ add_prefix_space: false }), "the", plain), show(load(), "</s>the", plain).slice(1));
});

test("tokens that the config adds come after the pieces", () => {
  const tokenizer = load({ eos_token: "<|im_end|>" }, { addedTokens: { "<|im_start|>": 900, "<|im_end|>": 901 } });
  const size = load().vocabSize;
  assert.equal(
    ["<|im_start|>", "<|im_end|>"].map((token) => tokenizer.tokenToId(token)),
    [size, size + 1],
  );
  assert.is(tokenizer.eosId, size + 1);
  assert.is(tokenizer.decode(tokenizer.encode("the<|im_end|>")), "the");
});

test("lone surrogates are U+FFFD; an endless word comes back as it was", () => {
  const tokenizer = load();
  assert.equal(show(tokenizer, "a\ud800"), show(tokenizer, "a\ufffd"));
  const endless = "the".repeat(100_000);
  assert.is(tokenizer.decode(tokenizer.encode(endless)), endless);
});

test.run();
