// Normalizers: the text that comes out, and the origin of each of its characters.

import * as assert from "uvu/assert";
import { suite } from "uvu";

import { readNormalizer } from "../../tokenizer/normalize.ts";
import { original } from "../../tokenizer/piece.ts";
import { randomText } from "./fixtures.ts";
import { uniform } from "../tools/random.ts";

const test = suite("normalize");

/** Normalized text, and for each of its characters what it stands for in the original. */
function normalized(json: object, text: string): [string, string[]] {
  const normalize = readNormalizer(json, "normalizer")!;
  const plain = normalize(original(text, 0, text.length, false));
  const traced = normalize(original(text, 0, text.length, true));
  assert.is(plain.text, traced.text);
  assert.is(traced.origin!.length, 2 * traced.text.length);
  const standsFor = Array.from(traced.text, (_, i) => text.slice(traced.origin![2 * i], traced.origin![2 * i + 1]));
  return [traced.text, standsFor];
}

test("Prepend stands for the first character; nothing is put before nothing", () => {
  assert.equal(normalized({ type: "Prepend", prepend: "▁" }, "ab"), ["▁ab", ["a", "a", "b"]]);
  assert.equal(normalized({ type: "Prepend", prepend: "▁" }, ""), ["", []]);
  const twice = {
    type: "Sequence",
    normalizers: [
      { type: "Prepend", prepend: "xy" },
      { type: "Prepend", prepend: "$" },
    ],
  };
  assert.equal(normalized(twice, "a"), ["$xya", ["a", "a", "a", "a"]]);
});

test("Replace: what comes in stands for the last character of what went out", () => {
  const replace = (pattern: object, content: string) => ({ type: "Replace", pattern, content });
  assert.equal(normalized(replace({ String: " " }, "▁"), "a b"), ["a▁b", ["a", " ", "b"]]);
  assert.equal(normalized(replace({ String: "ab" }, "xyz"), "1ab2"), ["1xyz2", ["1", "b", "b", "b", "2"]]);
  assert.equal(normalized(replace({ Regex: " {2,}" }, " "), "a   b c"), ["a b c", ["a", " ", "b", " ", "c"]]);
  assert.equal(normalized(replace({ String: "a" }, ""), "banana"), ["bnn", ["b", "n", "n"]]);
  assert.equal(normalized(replace({ String: "a" }, "$&$1"), "a")[0], "$&$1", "no dollar patterns");
  assert.equal(normalized(replace({ Regex: "$" }, "!"), "a")[0], "a!");
});

test("NFC and the like: text as Unicode says; what was composed stands for the first of its parts, as in the library", () => {
  assert.equal(normalized({ type: "NFC" }, "xe\u0301y"), ["xéy", ["x", "e", "y"]]);
  assert.equal(normalized({ type: "NFD" }, "éa"), ["e\u0301a", ["é", "é", "a"]]);
  assert.equal(normalized({ type: "NFKC" }, "ﬁ½"), ["fi1⁄2", ["ﬁ", "ﬁ", "½", "½", "½"]]);
  assert.equal(normalized({ type: "NFC" }, "\u1112\u1161\u11ab."), ["한.", ["\u1112", "."]]);
});

test("tracing never changes the text, whatever the form", () => {
  const random = uniform(5);
  for (const type of ["NFC", "NFD", "NFKC", "NFKD"]) {
    for (let i = 0; i < 300; i++) {
      const text = randomText(random, 30);
      const [out, standsFor] = normalized({ type }, text);
      assert.is(out, text.normalize(type));
      assert.not.ok(standsFor.includes(""));
    }
  }
});

test.run();
