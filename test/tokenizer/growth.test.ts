// Files whose steps make a text grow without end, or have more steps than a stack is deep: refused in one sentence.

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { Tokenizer } from "../../tokenizer/index.ts";
import { refusedSync } from "../tools/refused.ts";

const test = suite("growth");
const model = { type: "BPE", vocab: { a: 0, b: 1 }, merges: [] };
const build = (parts: object) => Tokenizer.fromFiles({ tokenizerJson: { model, ...parts } });
const doubling = { type: "Replace", pattern: { String: "a" }, content: "aa" };
const chain = (length: number) => Array.from({ length }, () => doubling);
const huge = { type: "Replace", pattern: { Regex: "a" }, content: "b".repeat(100_000) };
const LONG = /makes a text of more than \d+ characters, needed at most 32 for each it was given and 262144 more$/;

test("a normalizer that doubles a text again and again, or replaces a character by a book", () => {
  for (const normalizer of [{ type: "Sequence", normalizers: chain(60) }, huge]) {
    const tokenizer = build({ normalizer });
    refusedSync(() => tokenizer.encode("a".repeat(30)), "tokenizer", LONG);
    refusedSync(() => tokenizer.encodeWithOffsets("a".repeat(30)), "tokenizer", LONG);
    assert.is(tokenizer.encode("b").length, 1, "and goes on with what stays short");
  }
  assert.is(build({ normalizer: { type: "Sequence", normalizers: chain(4) } }).encode("aab").length, 33);
});

test("a pre-tokenizer that spells bytes of bytes of bytes", () => {
  const step = { type: "ByteLevel", add_prefix_space: false, use_regex: false };
  const vocab = Object.fromEntries([..."éÃ©Ĥ"].map((piece, id) => [piece, id]));
  const tokenizer = build({
    model: { type: "BPE", vocab, merges: [], unk_token: "é" },
    pre_tokenizer: { type: "Sequence", pretokenizers: Array.from({ length: 60 }, () => step) },
  });
  refusedSync(() => tokenizer.encode("é"), "tokenizer", LONG);
});

test("a decoder that does so, token by token and at the end", () => {
  for (const before of [[], [{ type: "Fuse" }]]) {
    for (const steps of [chain(60), [huge]]) {
      const tokenizer = build({ decoder: { type: "Sequence", decoders: [...before, ...steps] } });
      refusedSync(() => tokenizer.decode(Array.from({ length: 300 }, () => 0)), "tokenizer", LONG);
      assert.is(tokenizer.decode([1]), "b");
    }
  }
});

test("an added token that the normalizer makes a book of", () => {
  const token = (id: number, content: string) => ({ id, content, special: false, normalized: true });
  const added = { added_tokens: [token(2, "a".repeat(30))], normalizer: huge };
  refusedSync(() => build(added), "tokenizer", LONG);
  const long = { added_tokens: [token(2, "c".repeat(5000))] };
  refusedSync(() => build(long), "tokenizer", /content has 5000 characters, needed at most 4096/);
  const many = Array.from({ length: 300 }, (_, i) => token(2 + i, `${i}`.padEnd(4000, "c")));
  refusedSync(
    () => build({ added_tokens: many }),
    "tokenizer",
    /added tokens have \d+ characters, needed at most 1048576/,
  );
});

test("more steps than published files have, side by side or inside each other", () => {
  const wide = (key: string, length: number, step: object) => ({ type: "Sequence", [key]: Array(length).fill(step) });
  for (const [part, key] of [
    ["normalizer", "normalizers"],
    ["pre_tokenizer", "pretokenizers"],
    ["decoder", "decoders"],
    ["post_processor", "processors"],
  ]) {
    const step = { type: "ByteLevel", pattern: { String: "x" }, content: "y" };
    const more = new RegExp(String.raw`^${part}\.${key} has more than 256 steps`);
    refusedSync(() => build({ [part]: wide(key, 300_000, step) }), "tokenizer", more);
    refusedSync(() => build({ [part]: wide(key, 20, wide(key, 20, step)) }), "tokenizer", more);
    assert.ok(build({ [part]: wide(key, 100, step) }));
  }
});

test("a merge of megabytes, nested or not, is cut in its sentence", () => {
  for (const merge of ["x".repeat(1_000_000), Array.from({ length: 100_000 }, () => "x")]) {
    const { message } = refusedSync(
      () => build({ model: { ...model, merges: [merge] } }),
      "tokenizer",
      /needed two pieces/,
    );
    assert.ok(message.length < 500, `${message.length} characters`);
  }
  const ids = Array.from({ length: 1_000_000 }, () => 0);
  const post_processor = {
    type: "TemplateProcessing",
    single: [{ SpecialToken: { id: "x" } }, { Sequence: {} }],
    special_tokens: { x: { ids } },
  };
  refusedSync(() => build({ post_processor }), "tokenizer", /adds more than 1024 ids/);
});

test.run();
