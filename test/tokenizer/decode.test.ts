// Decoders, each alone and in odd orders: the text of a list of tokens, however it arrives.

import * as assert from "uvu/assert";
import { suite } from "uvu";

import { readDecoder } from "../../tokenizer/decode.ts";
import { StreamDecoder } from "../../tokenizer/stream.ts";

const test = suite("decode");

function decode(json: object | null, tokens: string[]): string {
  const stream = new StreamDecoder(readDecoder(json), (id) => tokens[id]);
  return tokens.map((_, id) => stream.push(id)).join("") + stream.end();
}
const sequence = (...decoders: object[]) => ({ type: "Sequence", decoders });
const strip = (content: string, start: number, stop: number) => ({ type: "Strip", content, start, stop });

// first lines: the library's own tests (decoders/*.rs, pre_tokenizers/metaspace.rs, byte_level.rs)
test("ByteFallback: a run of byte tokens stands or falls as a whole", () => {
  const bytes = { type: "ByteFallback" };
  assert.is(decode(bytes, ["Hey", "friend!"]), "Heyfriend!");
  assert.is(decode(bytes, ["<0x61>"]), "a");
  assert.is(decode(bytes, ["<0xE5>"]), "\ufffd");
  assert.is(decode(bytes, ["<0xE5>", "<0x8f>"]), "\ufffd\ufffd");
  assert.is(decode(bytes, ["<0xE5>", "<0x8f>", "<0xab>"]), "叫");
  assert.is(decode(bytes, ["<0xE5>", "<0x8f>", "<0xab>", "a"]), "叫a");
  assert.is(decode(bytes, ["<0xE5>", "<0x8f>", "a"]), "\ufffd\ufffda");
  assert.is(decode(bytes, ["<0xEF>", "<0xBB>", "<0xBF>"]), "\ufeff");
  assert.is(decode(bytes, ["<0x6>", "<0x61", "<0xGG>"]), "<0x6><0x61<0xGG>", "only two hex digits make a byte");
});

test("Strip: so many at each end of every token, or of the fused one", () => {
  assert.is(decode(strip("H", 1, 0), ["Hey", " friend!", "HHH"]), "ey friend!HH");
  assert.is(decode(strip("y", 0, 1), ["Hey", " friend!"]), "He friend!");
  const tokens = ["  a", " ", " ", "b ", "  "];
  for (const [start, stop] of [
    [0, 0],
    [1, 0],
    [0, 1],
    [2, 2],
    [9, 9],
    [0, 4],
    [3, 3],
  ]) {
    const text = tokens.join("");
    const from = Math.min(start, text.search(/[^ ]/));
    const to = text.length - Math.min(stop, text.length - text.trimEnd().length);
    assert.is(
      decode(sequence({ type: "Fuse" }, strip(" ", start, stop)), tokens),
      text.slice(from, to),
      `${start} ${stop}`,
    );
  }
  assert.is(decode(sequence({ type: "Fuse" }, strip(" ", 1, 1)), [" ", " ", " "]), " ");
  assert.is(decode(sequence({ type: "Fuse" }, strip(" ", 2, 2)), [" ", " ", " "]), "");
  assert.is(decode(sequence({ type: "Fuse" }, strip("🙂", 1, 1)), ["🙂a🙂", "🙂"]), "a🙂");
});

test("Metaspace: spaces for marks; where one was put in front, the first token loses its marks", () => {
  const meta = (prepend_scheme: string) => ({ type: "Metaspace", replacement: "▁", prepend_scheme });
  assert.is(decode(meta("always"), ["▁Hey", "▁friend!"]), "Hey friend!");
  assert.is(decode(meta("first"), ["▁▁Hey", "▁▁"]), "Hey  ");
  assert.is(decode(meta("never"), ["▁Hey", "▁friend!"]), " Hey friend!");
  assert.is(decode(sequence({ type: "Fuse" }, meta("always")), ["a▁", "▁b"]), "ab", "fused, all is the first token");
});

test("ByteLevel: bytes across tokens; a token with another character is its own text", () => {
  const bytes = { type: "ByteLevel" };
  const tokens = ["Hello", "Ġmy", "Ġfriend", ",", "Ġhow", "Ġis", "Ġyour", "Ġday", "Ġgoing", "?"];
  assert.is(decode(bytes, tokens), "Hello my friend, how is your day going?");
  assert.is(decode(bytes, ["â", "Ĥ", "¬"]), "€");
  assert.is(decode(bytes, ["â", "Ĥ", "a"]), "\ufffda");
  assert.is(decode(bytes, ["â", "<x y>", "Ĥ", "¬"]), "\ufffd<x y>\ufffd\ufffd");
  assert.is(decode(bytes, ["ï»¿", "a"]), "\ufeffa", "a byte order mark is a character");
  assert.is(decode(bytes, ["привет"]), "привет");
});

test("Replace: strings and patterns, in whole tokens even after Fuse", () => {
  const replace = (pattern: object, content: string) => ({ type: "Replace", pattern, content });
  assert.is(decode(replace({ String: "▁" }, " "), ["▁a▁", "b"]), " a b");
  assert.is(decode(replace({ Regex: "^a|b$" }, "-"), ["ab", "ba"]), "--ba");
  assert.is(decode(replace({ String: "a" }, "$&"), ["a"]), "$&");
  assert.is(decode(sequence({ type: "Fuse" }, replace({ String: "ab" }, "x")), ["a", "b"]), "x");
});

test("without a decoder tokens have spaces between them, as in the library", () => {
  assert.is(decode(null, ["a", "b", "", "c"]), "a b  c");
  assert.is(decode(sequence(), ["a", "b"]), "ab");
});

test.run();
