// What the files around the vocabulary lead to: notes, and which file counts.

import * as assert from "uvu/assert";
import { suite } from "uvu";

import { Tokenizer } from "../../tokenizer/index.ts";
import { readJson, readText } from "./fixtures.ts";
import { bytesOf } from "./kinds.ts";

const test = suite("parts");
const tokenizerJson = readText("llama2-legacy/tokenizer.json");
const notes = (tokenizerConfig: object, json: string | object = tokenizerJson) =>
  Tokenizer.fromFiles({ tokenizerJson: json, tokenizerConfig }).notes;
const named = { bos_token: "<s>", eos_token: "</s>" };

test("add_bos_token and add_eos_token are noted where tokenizer.json does otherwise, and change nothing", () => {
  assert.equal(notes(named), []);
  assert.equal(notes({ ...named, add_bos_token: true, add_eos_token: false }), []);
  assert.equal(notes({ ...named, add_bos_token: false, add_eos_token: true }), [
    "tokenizer_config.json says add_bos_token: false, but tokenizer.json adds it; tokenizer.json counts, as in transformers 5",
    "tokenizer_config.json says add_eos_token: true, but tokenizer.json adds none; tokenizer.json counts, as in transformers 5",
  ]);
  const told = Tokenizer.fromFiles({ tokenizerJson, tokenizerConfig: { ...named, add_bos_token: false } });
  assert.equal([...told.encode("a")], [...Tokenizer.fromFiles({ tokenizerJson }).encode("a")]);
});

test("truncation, padding and split_special_tokens are noted", () => {
  const json = { ...(JSON.parse(tokenizerJson) as object), truncation: { max_length: 4 }, padding: { length: 9 } };
  assert.equal(notes({}, json), [
    "tokenizer.json sets truncation, which is for training and is left alone",
    "tokenizer.json sets padding, which is for training and is left alone",
  ]);
  assert.match(notes({ split_special_tokens: true })[0], /split_special_tokens: true.*parseSpecial: false$/);
  const long = "the ".repeat(9);
  assert.equal(
    [...Tokenizer.fromFiles({ tokenizerJson: json }).encode(long)],
    [...Tokenizer.fromFiles({ tokenizerJson }).encode(long)],
  );
});

test("tokenizer.json counts before tokenizer.model; without both there is no tokenizer", () => {
  const { llama } = readJson("kinds/sentencepiece.json") as Record<string, { model: string }>;
  const tokenizerModel = bytesOf(llama.model);
  assert.is(Tokenizer.fromFiles({ tokenizerModel }).kind, "SentencePiece BPE");
  assert.is(Tokenizer.fromFiles({ tokenizerModel, tokenizerJson }).kind, "BPE");
  assert.throws(() => Tokenizer.fromFiles({}), /neither tokenizer.json nor tokenizer.model/);
});

test.run();
