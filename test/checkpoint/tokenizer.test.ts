// The files of a folder that make its tokenizer, and what is said where they make none.

import { readFileSync } from "node:fs";

import * as assert from "uvu/assert";
import { suite } from "uvu";

import { memoryFiles } from "../../src/checkpoint/memory.ts";
import { checkPrompts, readTexts, tokenizerNotes, tokenizerOf } from "../../src/checkpoint/tokenizer.ts";
import { readJson } from "../tokenizer/fixtures.ts";
import { bytesOf } from "../tokenizer/kinds.ts";
import { refusedSync } from "../tools/refused.ts";

const test = suite("checkpoint tokenizer");
const folder = new URL("../../models/kv-llama/", import.meta.url);
const read = (name: string) => readFileSync(new URL(name, folder), "utf8");
const { llama } = readJson("kinds/sentencepiece.json") as Record<string, { model: string }>;

const found = async (files: Record<string, string | Uint8Array>) => {
  const texts = await readTexts(memoryFiles(files));
  const checkpoint = tokenizerOf(texts);
  return { checkpoint, notes: tokenizerNotes(checkpoint, texts, 1000) };
};

test("tokenizer.json, else tokenizer.model; the other files beside them", async () => {
  const json = { "tokenizer.json": read("tokenizer.json"), "tokenizer_config.json": read("tokenizer_config.json") };
  const both = await found({ ...json, "tokenizer.model": "not even opened" });
  assert.is(both.checkpoint.tokenizer!.kind, "BPE");
  assert.equal(both.notes, []);
  const config = JSON.stringify({ eos_token: "<|end|>", add_bos_token: false });
  const added = JSON.stringify({ "<|end|>": 800, "<pad>": 801 });
  const alone = await found({
    "tokenizer.model": bytesOf(llama.model),
    "tokenizer_config.json": config,
    "added_tokens.json": added,
  });
  const { tokenizer } = alone.checkpoint;
  assert.is(tokenizer!.kind, "SentencePiece BPE");
  assert.is(tokenizer!.idToToken(tokenizer!.eosId!), "<|end|>");
  assert.not.ok([...tokenizer!.encode("a")].includes(tokenizer!.bosId!));
});

test("no file: ids are fine, text and messages are refused with the way out", async () => {
  const { checkpoint, notes } = await found({});
  assert.equal(notes, []);
  checkPrompts(checkpoint, "ids");
  for (const kind of ["text", "messages"] as const) {
    const sentence = /no tokenizer\.json and no tokenizer\.model; give token ids, or add the file/;
    refusedSync(() => checkPrompts(checkpoint, kind), "tokenizer", sentence);
  }
});

test("a tokenizer.model that cannot be used: ids go on, text is refused with its reason; a tokenizer.json ends the loading", async () => {
  const { checkpoint, notes } = await found({ "tokenizer.model": "IQ== 0\nIg== 1\n" });
  assert.match(notes[0], /^text cannot be a prompt, only token ids: tokenizer.model is a tiktoken vocabulary/);
  refusedSync(() => checkPrompts(checkpoint, "text"), "tokenizer", /^tokenizer.model is a tiktoken vocabulary/);
  const texts = await readTexts(memoryFiles({ "tokenizer.json": "{}" }));
  refusedSync(() => tokenizerOf(texts), "tokenizer");
});

test("messages need a chat template that can be parsed", async () => {
  const json = { "tokenizer.json": read("tokenizer.json") };
  const none = await found(json);
  checkPrompts(none.checkpoint, "text");
  refusedSync(() => checkPrompts(none.checkpoint, "messages"), "template", /no chat template/);
  const broken = await found({ ...json, "chat_template.jinja": "{% if %}" });
  refusedSync(() => checkPrompts(broken.checkpoint, "messages"), "template", /cannot be parsed/);
  checkPrompts((await found({ ...json, "chat_template.jinja": "{{ messages }}" })).checkpoint, "messages");
});

test("a special token that the model has no row for is noted", async () => {
  const config = JSON.stringify({ pad_token: "<pad>" });
  const texts = await readTexts(
    memoryFiles({ "tokenizer.json": read("tokenizer.json"), "tokenizer_config.json": config }),
  );
  assert.equal(tokenizerNotes(tokenizerOf(texts), texts, 768), [
    "the pad_token <pad> has the id 768, but the model has 768 tokens; do not use it in a prompt",
  ]);
  assert.equal(tokenizerNotes(tokenizerOf(texts), texts, 769), []);
  const hostile = { ...texts, tokenizerConfig: JSON.stringify({ pad_token: "\u001b[2J" }) };
  assert.match(tokenizerNotes(tokenizerOf(hostile), hostile, 768).join(), /the pad_token \\x1b\[2J has the id 768/);
});

test.run();
