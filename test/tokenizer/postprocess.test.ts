// Post-processors: special tokens around the text, offsets without white space.

import * as assert from "uvu/assert";
import { suite } from "uvu";

import { trimSpan } from "../../tokenizer/postprocess.ts";
import { Tokenizer } from "../../tokenizer/index.ts";
import { readJson } from "./fixtures.ts";
import { build, vocabularyOf } from "./pipeline.ts";

const test = suite("postprocess");
const template = (single: object[], special_tokens: object) => ({ type: "TemplateProcessing", single, special_tokens });
const text = { Sequence: { id: "A", type_id: 0 } };
const special = (id: string) => ({ SpecialToken: { id, type_id: 0 } });

test("a template may put several ids on both sides, and a Sequence wraps from the inside out", () => {
  const model = vocabularyOf("abcxyz");
  const ids = { b: { id: "b", ids: [1, 2], tokens: ["b", "c"] }, x: { id: "x", ids: [3], tokens: ["x"] } };
  const one = template([special("b"), text, special("x")], ids);
  const wrapped = build(model, { post_processor: one });
  assert.equal([...wrapped.encode("a")], [1, 2, 0, 3]);
  assert.equal([...wrapped.encode("a", { addSpecialTokens: false })], [0]);
  assert.equal([...wrapped.encode("")], [1, 2, 3]);
  const outer = template([special("x"), text], ids);
  const twice = build(model, { post_processor: { type: "Sequence", processors: [one, outer] } });
  assert.equal([...twice.encode("a")], [3, 1, 2, 0, 3]);
  assert.equal([...twice.encodeWithOffsets("a").offsets], [0, 0, 0, 0, 0, 0, 0, 1, 0, 0]);
});

test("trim_offsets leaves out spaces at both ends", () => {
  // the library's own test, byte_level.rs processor_trims_offsets
  const tokens: [string, number, number][] = [
    ["Ġ", 0, 1],
    ["ĠĠĠĠHelloĠĠ", 0, 11],
    ["ĠĠHello", 11, 18],
    ["HelloĠĠ", 18, 25],
    ["ĠĠĠĠ", 25, 29],
  ];
  const trim = (addPrefixSpace: boolean) =>
    tokens.map(([token, start, end], i) => trimSpan(token, start, end, i === 0, addPrefixSpace));
  assert.equal(trim(true), [
    [0, 0],
    [4, 9],
    [13, 18],
    [18, 23],
    [29, 29],
  ]);
  assert.equal(trim(false)[0], [1, 1]);
});

test("trim_offsets of a file changes offsets, not ids", () => {
  const json = readJson("llama3/tokenizer.json") as { post_processor: { processors: { trim_offsets?: boolean }[] } };
  const before = Tokenizer.fromFiles({ tokenizerJson: json }).encodeWithOffsets("Hello  my world");
  json.post_processor.processors[0].trim_offsets = true;
  const after = Tokenizer.fromFiles({ tokenizerJson: json }).encodeWithOffsets("Hello  my world");
  assert.equal(after.ids, before.ids);
  const words = (offsets: Uint32Array) =>
    Array.from({ length: offsets.length / 2 }, (_, i) => "Hello  my world".slice(offsets[2 * i], offsets[2 * i + 1]));
  assert.equal(
    words(after.offsets),
    words(before.offsets).map((word) => word.trim()),
  );
  assert.ok(words(before.offsets).some((word) => word.startsWith(" ")));
});

test.run();
