// Added tokens: found before anything else, leftmost and longest, with the options of the file.

import * as assert from "uvu/assert";
import { suite } from "uvu";

import { ASCII, build, piecesOf, vocabularyOf } from "./pipeline.ts";

const test = suite("added");

/** A tokenizer with one piece per ASCII character, and these added tokens. */
function withTokens(tokens: object[], parts: object = {}) {
  const model = vocabularyOf(`${ASCII}▁\n\u00a0\u0301é🙂`);
  const first = Object.keys(model.vocab).length;
  const added_tokens = tokens.map((token, i) => ({ id: first + i, special: false, normalized: false, ...token }));
  return build(model, { ...parts, added_tokens });
}

test("leftmost first, then longest", () => {
  const tokenizer = withTokens([{ content: "ab" }, { content: "abcd" }, { content: "bcdef" }, { content: "cd" }]);
  assert.equal(piecesOf(tokenizer, "xabcdefcd"), ["x", "abcd", "e", "f", "cd"]);
  assert.equal(piecesOf(tokenizer, "abccd"), ["ab", "c", "cd"]);
});

test("characters that mean something in regular expressions are only characters", () => {
  const names = ["a.b", "[x]", "(?:y)", "a|b", "$^", "{2}", "\\d", "*+", "a/b", "🦙"];
  const tokenizer = withTokens(names.map((content) => ({ content })));
  for (const name of names) assert.equal(piecesOf(tokenizer, `x${name}x`), ["x", name, "x"]);
  assert.equal(piecesOf(tokenizer, "aXb"), ["a", "X", "b"]);
});

test("single_word: no letter, digit, underscore or mark on either side", () => {
  const tokenizer = withTokens([{ content: "cat", single_word: true }]);
  for (const text of ["cat", "(cat)", "cat-", " cat ", "🙂cat"])
    assert.ok(piecesOf(tokenizer, text).includes("cat"), text);
  for (const text of ["cats", "_cat", "cat1", "écat", "cat\u0301"]) {
    assert.not.ok(piecesOf(tokenizer, text).includes("cat"), text);
  }
});

test("lstrip and rstrip take white space along, and its offsets", () => {
  const tokenizer = withTokens([
    { content: "<l>", lstrip: true },
    { content: "<r>", rstrip: true },
  ]);
  const { ids, offsets } = tokenizer.encodeWithOffsets("a \n\u00a0<l> <r>  b");
  assert.equal(
    [...ids].map((id) => tokenizer.idToToken(id)),
    ["a", "<l>", " ", "<r>", "b"],
  );
  assert.equal([...offsets], [0, 1, 1, 7, 7, 8, 8, 13, 13, 14]);
  assert.equal(piecesOf(tokenizer, "<r>  <l>"), ["<r>", "<l>"], "spaces go to one of them");
});

test("special tokens are text when they are not parsed, others are found all the same", () => {
  const tokenizer = withTokens([{ content: "<s>", special: true }, { content: "ab" }]);
  const plain = [...tokenizer.encode("<s>ab", { parseSpecial: false })].map((id) => tokenizer.idToToken(id));
  assert.equal(plain, ["<", "s", ">", "ab"]);
  assert.equal(piecesOf(tokenizer, "<s>ab"), ["<s>", "ab"]);
});

test("normalized tokens are searched in normalized text, in their normalized form", () => {
  const normalizer = { type: "Replace", pattern: { String: " " }, content: "▁" };
  const tokenizer = withTokens([{ content: "a b", normalized: true }, { content: "c d" }], { normalizer });
  assert.equal(piecesOf(tokenizer, "xa bx"), ["x", "a b", "x"]);
  assert.equal(piecesOf(tokenizer, "a▁b c d c▁d"), ["a b", "▁", "c d", "▁", "c", "▁", "d"]);
  assert.is(tokenizer.decode(tokenizer.encode("a b")), "a▁b", "decoded as it reads there");
});

test("a thousand added tokens", () => {
  const tokenizer = withTokens(Array.from({ length: 1000 }, (_, i) => ({ content: `<SPECIAL_${i}>`, special: true })));
  assert.equal(piecesOf(tokenizer, "<SPECIAL_99><SPECIAL_999>x<SPECIAL_1000>").slice(0, 3), [
    "<SPECIAL_99>",
    "<SPECIAL_999>",
    "x",
  ]);
});

test.run();
