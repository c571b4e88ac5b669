// A tokenizer.model nobody checked, and a config beside it: every way of being wrong gives one sentence, and nothing
// crashes, grows or takes for ever.

import * as assert from "uvu/assert";
import { suite } from "uvu";

import { LlariatError } from "../../src/error.ts";
import { Tokenizer } from "../../tokenizer/index.ts";
import { pick, readJson, readText } from "./fixtures.ts";
import { bytesOf, NMT_NFKC } from "./kinds.ts";
import { field, float, integer, join, withCharsmap } from "./protobuf.ts";
import { uniform } from "../tools/random.ts";

const test = suite("hostile model");
const encoder = new TextEncoder();

const piece = (text: string | Uint8Array, type: number, score = 0): Uint8Array =>
  field(1, join(field(1, text), float(2, score), integer(3, type)));
const [NORMAL, UNKNOWN, CONTROL, UNUSED, BYTE] = [1, 2, 3, 5, 6] as const;
const trainer = (...fields: Uint8Array[]): Uint8Array => field(2, join(...fields));
const bpe = trainer(integer(3, 2));
const unknown = piece("<unk>", UNKNOWN);
const sound = join(
  unknown,
  piece("<s>", CONTROL),
  piece("a", NORMAL, -1),
  piece("▁a", NORMAL, -2),
  piece("▁", NORMAL, -3),
);

/** The sentence a file is refused with, "accepted" for none. */
function refusal(tokenizerModel: Uint8Array, more: object = {}): string {
  try {
    const tokenizer = Tokenizer.fromFiles({ tokenizerModel, ...more });
    tokenizer.decode(tokenizer.encode("a 😀é\n<s> aa"));
  } catch (error) {
    assert.ok(error instanceof LlariatError, `not a typed error: ${error as Error}`);
    assert.is(error.code, "tokenizer");
    assert.not.match(error.message, /\n/);
    return error.message;
  }
  return "accepted";
}

const CASES: readonly (readonly [string, Uint8Array, RegExp])[] = [
  ["nothing", new Uint8Array(0), /^tokenizer.model is empty/],
  ["a text", encoder.encode("a SentencePiece file would stand here"), /^tokenizer.model is damaged/],
  [
    "a Git LFS pointer",
    encoder.encode("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
    /Git LFS/,
  ],
  [
    "a tiktoken vocabulary",
    encoder.encode("IQ== 0\nIg== 1\nIw== 2\n"),
    /^tokenizer.model is a tiktoken vocabulary, needed/,
  ],
  ["no pieces", bpe, /^tokenizer.model has no pieces/],
  ["a length past the end", Uint8Array.of(10, 100, 1), /a field of 100 bytes, which the message has not, at byte 2$/],
  ["a length of 4 GB", Uint8Array.of(10, 255, 255, 255, 255, 15, 1), /a field of 4294967295 bytes/],
  ["a number without an end", Uint8Array.of(8, 255, 255), /the message ends in a number at byte 3$/],
  ["a number of 80 bits", Uint8Array.of(8, ...Array.from({ length: 11 }, () => 255), 1), /more than 64 bits/],
  ["a group", Uint8Array.of(11), /a field of wire type 3/],
  ["the field 0", Uint8Array.of(2, 0), /a field without a number/],
  ["a piece that is a number", integer(1, 5), /^tokenizer.model: pieces: got wire type 0, needed 2/],
  [
    "a score that is a number",
    field(1, join(field(1, "a"), integer(2, 1))),
    /pieces\[0\].score: got wire type 0, needed 5/,
  ],
  [
    "a score that is none",
    join(unknown, piece("a", NORMAL, Number.NaN)),
    /pieces\[1\].score: got NaN, needed a number/,
  ],
  ["a piece that is not UTF-8", join(unknown, piece(Uint8Array.of(0xff), NORMAL)), /pieces\[1\].piece is not UTF-8/],
  ["an empty piece", join(unknown, piece("", NORMAL)), /pieces\[1\] is "", needed text/],
  ["a piece with a zero", join(unknown, piece("a\0", NORMAL)), /pieces\[1\] is .*needed text/],
  [
    "a piece as long as a book",
    join(unknown, piece("a".repeat(8000), NORMAL)),
    /pieces\[1\] has 8000 bytes, needed fewer/,
  ],
  ["a type there is not", join(unknown, piece("a", 7)), /pieces\[1\] has the type 7, needed 1 to 6/],
  ["the same piece twice", join(unknown, piece("a", NORMAL), piece("a", NORMAL)), /pieces\[2\] \("a"\) is there twice/],
  ["no unknown piece", piece("a", NORMAL), /has 0 pieces of the type "unknown", needed one/],
  ["two unknown pieces", join(unknown, piece("?", UNKNOWN), piece("a", NORMAL)), /has 2 pieces of the type "unknown"/],
  ["only special pieces", join(unknown, piece("<s>", CONTROL)), /has no pieces of the type "normal"/],
  ["unused pieces in BPE", join(sound, bpe, piece("aa", UNUSED)), /pieces\[5\] is of the type "unused", which is not/],
  [
    "a word model",
    join(sound, trainer(integer(3, 3))),
    /is a word model, which is not supported, needed BPE or Unigram/,
  ],
  [
    "a model of no known type",
    join(sound, trainer(integer(3, 9))),
    /model_type is 9, needed 1 \(Unigram\) or 2 \(BPE\)/,
  ],
  ["bytes that are not announced", join(sound, piece("<0x00>", BYTE)), /byte_fallback is false; needed one answer/],
  ["announced bytes that are not there", join(sound, trainer(integer(35, 1))), /has 0 byte pieces, needed the 256/],
  [
    "a decoder with a map",
    join(sound, field(5, field(2, NMT_NFKC))),
    /has a denormalizer_spec, which is not supported/,
  ],
  ["a map that is too short", withCharsmap(sound, Uint8Array.of(1, 2)), /precompiled_charsmap is damaged: got 2 bytes/],
  [
    "a map with a trie past its end",
    withCharsmap(sound, Uint8Array.of(252, 0, 0, 0, 1, 2, 0)),
    /precompiled_charsmap is damaged: its trie has 252 bytes, needed at most 2/,
  ],
  [
    "a map with half a unit",
    withCharsmap(sound, Uint8Array.of(2, 0, 0, 0, 1, 2, 0)),
    /precompiled_charsmap is damaged: its trie has 2 bytes, needed units of 4/,
  ],
  [
    "a map whose last text does not end",
    withCharsmap(sound, Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 0, 120)),
    /precompiled_charsmap is damaged: its last byte is 120, needed the 0/,
  ],
  [
    "a map whose texts are not UTF-8",
    withCharsmap(sound, Uint8Array.of(4, 0, 0, 0, 0, 0, 0, 0, 255, 0)),
    /precompiled_charsmap is damaged: its replacements are not UTF-8/,
  ],
  [
    "a map of 17 MB",
    withCharsmap(sound, new Uint8Array(17_000_000)),
    /precompiled_charsmap has 17000000 bytes, needed/,
  ],
  ["a map whose values lie outside", withCharsmap(sound, outside()), /a replacement begins at byte 1000 of 2$/],
];

/** A map of these units whose one replacement is "x". */
function mapOf(units: Uint32Array): Uint8Array {
  const size = Uint32Array.of(units.byteLength);
  return join(new Uint8Array(size.buffer), new Uint8Array(units.buffer), Uint8Array.of(120, 0));
}

/** A map with one key, "a", whose replacement would start past the replacements. */
function outside(): Uint8Array {
  const units = new Uint32Array(256);
  units[0] = 1 << 10; // the root: its children are at 1 ^ label
  units[1 ^ 0x61] = 0x61 | 0x100 | (2 << 10);
  units[1 ^ 0x61 ^ 2] = 0x80000000 | 1000;
  return mapOf(units);
}

/** A map with one key, so many times "a". Its nodes have their children at 256, 512, … ^ label. */
function rowOf(count: number): Uint8Array {
  const units = new Uint32Array(256 * (count + 2));
  units[0] = 256 << 10;
  for (let i = 1; i <= count; i++) {
    units[(256 * i) ^ 0x61] = 0x61 | (((256 * i) ^ 0x61 ^ (256 * (i + 1))) << 10) | (i === count ? 0x100 : 0);
  }
  units[256 * (count + 1)] = 0x80000000;
  return mapOf(units);
}

/** A map in which "a" leads back to where it came from, and no key ever ends. */
function circle(): Uint8Array {
  const units = new Uint32Array(256);
  units[0] = 1 << 10;
  units[1 ^ 0x61] = 0x61 | (0x61 << 10);
  return mapOf(units);
}

test("keys of a map are bounded, so that a text takes time that grows with it whatever the map", () => {
  const model = join(sound, piece("x", NORMAL, -1));
  const read = (map: Uint8Array) => {
    const tokenizer = Tokenizer.fromFiles({ tokenizerModel: withCharsmap(model, map) });
    return tokenizer.decode(tokenizer.encode("a".repeat(40_000)));
  };
  assert.is(read(rowOf(256)), "x".repeat(156) + "a".repeat(64));
  for (const map of [rowOf(257), circle()]) {
    assert.throws(
      () => read(map),
      (error: unknown) =>
        error instanceof LlariatError && error.message.endsWith("its trie has a key of more than 256 bytes"),
    );
  }
});

for (const [name, bytes, pattern] of CASES) {
  test(name, () => assert.match(refusal(bytes), pattern));
}

test("a small sound file is read, whatever else it has", () => {
  assert.is(refusal(join(sound, bpe)), "accepted");
  assert.is(refusal(join(sound, field(4, "self test"), field(99, "more"), integer(100, 1), float(101, 1))), "accepted");
});

test("configs: what is no token, no list, no flag", () => {
  const refused = (tokenizerConfig: object, more: object = {}) => refusal(sound, { tokenizerConfig, ...more });
  assert.match(refused({ eos_token: 3 }), /^tokenizer_config.json: eos_token: got 3, needed an object$/);
  assert.match(refused({ eos_token: {} }), /^tokenizer_config.json: eos_token.content: got nothing, needed a string$/);
  assert.match(refused({ added_tokens_decoder: [] }), /^tokenizer_config.json: added_tokens_decoder: got/);
  assert.match(refused({ added_tokens_decoder: { x: { content: "x" } } }), /has the key "x", needed an id/);
  assert.match(refused({ added_tokens_decoder: { 1: "x" } }), /added_tokens_decoder.1: got "x", needed an object/);
  assert.match(refused({ additional_special_tokens: "x" }), /additional_special_tokens: got "x", needed a list/);
  assert.match(refused({ extra_special_tokens: [1] }), /extra_special_tokens\[0\]: got 1, needed an object/);
  assert.match(refused({ add_bos_token: "yes" }), /add_bos_token: got "yes", needed true or false/);
  assert.match(
    refused({}, { addedTokens: { x: "1" } }),
    /^added_tokens.json: "x": got "1", needed a whole number from 0 to/,
  );
  for (const id of [-1, 0.5, 1e99, null]) {
    assert.match(refused({}, { addedTokens: { x: id } }), /^added_tokens.json: "x": got .*, needed a whole number/);
  }
  assert.match(refused({}, { specialTokensMap: "[" }), /^special_tokens_map.json/);
});

test("changed bytes: accepted or refused with a sentence, and quickly", () => {
  const random = uniform(31);
  const models = Object.values(readJson("kinds/sentencepiece.json") as Record<string, { model: string }>);
  const started = performance.now();
  let accepted = 0;
  for (let i = 0; i < 400; i++) {
    let bytes = bytesOf(pick(random, models).model);
    for (let k = 0; k < 1 + random(); k++) {
      const at = Math.floor(random() * bytes.length);
      const kind = random();
      if (kind < 0.8) bytes[at] = Math.floor(random() * 256);
      else if (kind < 0.87) bytes = bytes.slice(0, Math.max(1, at));
      else if (kind < 0.94) bytes = join(bytes.subarray(0, at), bytes.subarray(at + Math.floor(random() * 9)));
      else bytes = join(bytes.subarray(0, at), bytes.subarray(Math.floor(random() * bytes.length)));
    }
    if (refusal(bytes) === "accepted") accepted++;
  }
  assert.ok(accepted > 20 && accepted < 380, `${accepted} of 400 accepted`);
  assert.ok(performance.now() - started < 120_000);
});

test("changed maps: accepted or refused with a sentence", () => {
  const random = uniform(32);
  for (let i = 0; i < 60; i++) {
    const map = NMT_NFKC.slice();
    for (let k = 0; k < 200; k++) map[Math.floor(random() * map.length)] = Math.floor(random() * 256);
    refusal(withCharsmap(sound, map));
    const base64 = Buffer.from(map).toString("base64");
    const model = { type: "Unigram", unk_id: 0, vocab: [["<unk>", 0]] };
    const json = { normalizer: { type: "Precompiled", precompiled_charsmap: base64 }, model };
    try {
      Tokenizer.fromFiles({ tokenizerJson: json }).encode("ﬁ ½ é e\u0301 漢字 ＡＢ");
    } catch (error) {
      assert.ok(error instanceof LlariatError, String(error));
    }
  }
});

test("changed configs beside a sound tokenizer.json: accepted or refused with a sentence", () => {
  const random = uniform(33);
  const { texts: _, ...cases } = readJson("kinds/special.json") as Record<string, { config: object; map: object }>;
  const tokenizerJson = JSON.parse(readText("llama2-legacy/tokenizer.json")) as object;
  const junk = [null, 3, -1, "", "x", [], {}, true, [["x"]], { content: 3 }, { content: "" }, "▁the", 1e99];
  const spoil = (value: unknown): unknown => {
    if (random() < 0.15) return pick(random, junk);
    if (Array.isArray(value)) return value.map(spoil);
    if (typeof value !== "object" || value === null) return value;
    return Object.fromEntries(Object.entries(value).map(([key, inner]) => [random() < 0.05 ? "x" : key, spoil(inner)]));
  };
  for (const { config, map } of Object.values(cases)) {
    for (let i = 0; i < 3; i++) {
      try {
        const files = { tokenizerConfig: spoil({ ...config, chat_template: undefined }), specialTokensMap: spoil(map) };
        const tokenizer = Tokenizer.fromFiles({ tokenizerJson, ...(files as object) });
        tokenizer.decode(tokenizer.encode("a <x> the</s>"));
      } catch (error) {
        assert.ok(error instanceof LlariatError, String((error as Error).stack));
      }
    }
  }
});

test("many long pieces of one letter: merges and texts stay as quick as their length", () => {
  const long = Array.from({ length: 400 }, (_, i) => piece("a".repeat(4000 + i), NORMAL, -i));
  const started = performance.now();
  const tokenizer = Tokenizer.fromFiles({ tokenizerModel: join(sound, bpe, ...long) });
  tokenizer.encode("a".repeat(100_000));
  assert.ok(performance.now() - started < 60_000);
});

test.run();
