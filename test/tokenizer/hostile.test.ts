// A tokenizer.json nobody checked: every way of being wrong gives one sentence, and nothing crashes or grows.

import * as assert from "uvu/assert";
import { suite } from "uvu";

import { LlariatError } from "../../src/error.ts";
import { Tokenizer } from "../../tokenizer/index.ts";
import { pick, readJson, readText } from "./fixtures.ts";
import { uniform } from "../tools/random.ts";

type Json = Record<string, unknown>;
const test = suite("hostile");

function refusal(tokenizerJson: string | object, more: object = {}): string {
  try {
    Tokenizer.fromFiles({ tokenizerJson, ...more });
  } catch (error) {
    assert.ok(error instanceof LlariatError, `not a typed error: ${error as Error}`);
    assert.is(error.code, "tokenizer");
    assert.not.match(error.message, /\n/);
    return error.message;
  }
  return "accepted";
}

const model = { type: "BPE", vocab: { a: 0, b: 1, ab: 2 }, merges: ["a b"] };
const token = { id: 3, content: "<s>", special: true, normalized: false };

/** Name, what replaces parts of a sound file, and words of the refusal. */
const CASES: readonly (readonly [string, Json, RegExp])[] = [
  ["no model", { model: undefined }, /^model: got nothing, needed an object$/],
  ["a model that is a list", { model: [] }, /^model: got a list of 0, needed an object/],
  ["WordPiece", { model: { type: "WordPiece" } }, /"WordPiece" is not supported, needed one of BPE, Unigram/],
  ["a Unigram without a vocabulary", { model: { type: "Unigram" } }, /^model.vocab: got nothing, needed a list/],
  [
    "a piece without a score",
    { model: { type: "Unigram", vocab: [["a"]] } },
    /^model.vocab\[0\]: got a list of 1, needed/,
  ],
  [
    "a score that is text",
    { model: { type: "Unigram", vocab: [["a", "0"]] } },
    /^model.vocab\[0\]\[1\]: got "0", needed a number$/,
  ],
  [
    "an unknown id outside",
    { model: { type: "Unigram", vocab: [["a", 0]], unk_id: 1 } },
    /^model.unk_id: got 1, needed/,
  ],
  [
    "a piece as long as a book",
    { model: { type: "Unigram", vocab: [["a".repeat(9000), 0]] } },
    /^model.vocab\[0\] has 9000 characters, needed at most 8000/,
  ],
  ["a type that is a number", { model: { ...model, type: 3 } }, /^model.type: got 3, needed a string/],
  ["a type named like a method", { model: { ...model, type: "constructor" } }, /"constructor" is not supported/],
  ["no vocabulary", { model: { ...model, vocab: undefined } }, /^model.vocab: got nothing/],
  [
    "a vocabulary that is a list",
    { model: { ...model, vocab: ["a"] } },
    /^model.vocab: got a list of 1, needed an object/,
  ],
  [
    "an id that is a string",
    { model: { ...model, vocab: { a: "0" } } },
    /^model.vocab\["a"\]: got "0", needed a whole number/,
  ],
  ["a negative id", { model: { ...model, vocab: { a: -1 } } }, /got -1, needed a whole number/],
  ["half an id", { model: { ...model, vocab: { a: 0.5 } } }, /got 0.5, needed a whole number/],
  [
    "an absurd id",
    { model: { ...model, vocab: { a: 4_000_000_000 } } },
    /got 4000000000, needed a whole number from 0 to 4194303/,
  ],
  ["the same id twice", { model: { ...model, vocab: { a: 0, b: 0, ab: 2 } } }, /"a" and "b" have the same id 0/],
  ["no merges", { model: { ...model, merges: undefined } }, /^model.merges: got nothing, needed a list/],
  [
    "a merge of a missing piece",
    { model: { ...model, merges: ["a x"] } },
    /^model.merges\[0\] takes "x", which is not in model.vocab/,
  ],
  ["a merge into a missing piece", { model: { ...model, merges: [["b", "a"]] } }, /^model.merges\[0\] makes "ba"/],
  ["a merge of one piece", { model: { ...model, merges: ["ab"] } }, /^model.merges\[0\]: got "ab", needed two pieces/],
  ["a merge of three", { model: { ...model, merges: ["a b c"] } }, /needed two pieces/],
  ["a merge of nothing", { model: { ...model, merges: [" a"] } }, /has an empty side/],
  ["a merge of numbers", { model: { ...model, merges: [[0, 1]] } }, /needed two pieces/],
  ["a merge that is null", { model: { ...model, merges: [null] } }, /^model.merges\[0\]: got null/],
  ["dropout", { model: { ...model, dropout: 0.1 } }, /^model.dropout is 0.1/],
  ["a subword prefix", { model: { ...model, continuing_subword_prefix: "##" } }, /continuing_subword_prefix is "##"/],
  ["a word suffix", { model: { ...model, end_of_word_suffix: "</w>" } }, /end_of_word_suffix is "<\/w>"/],
  [
    "ignore_merges as a string",
    { model: { ...model, ignore_merges: "yes" } },
    /^model.ignore_merges: got "yes", needed true or false/,
  ],
  [
    "unk_token as an object",
    { model: { ...model, unk_token: {} } },
    /^model.unk_token: got an object with \d keys, needed a string/,
  ],
  ["added tokens that are an object", { added_tokens: {} }, /^added_tokens: got an object with 0 keys, needed a list/],
  ["an added token that is a string", { added_tokens: ["<s>"] }, /^added_tokens\[0\]: got "<s>", needed an object/],
  ["an added token without content", { added_tokens: [{ id: 3 }] }, /^added_tokens\[0\].content: got nothing/],
  ["an added token without id", { added_tokens: [{ content: "x" }] }, /^added_tokens\[0\].id: got nothing/],
  [
    "an added token at an absurd id",
    { added_tokens: [{ ...token, id: 2 ** 40 }] },
    /^added_tokens\[0\].id: got 1099511627776/,
  ],
  [
    "an added token on another piece's id",
    { added_tokens: [{ ...token, id: 1 }] },
    /has the id 1, which "b" has already/,
  ],
  [
    "two added tokens with one id",
    { added_tokens: [token, { ...token, content: "</s>" }] },
    /has the id 3, which "<s>" has already/,
  ],
  [
    "a piece added under another id",
    { added_tokens: [{ ...token, content: "a" }] },
    /has the id 3, but the vocabulary gives it 0/,
  ],
  ["an option that is no flag", { added_tokens: [{ ...token, lstrip: 1 }] }, /^added_tokens\[0\].lstrip: got 1/],
  [
    "an unknown normalizer",
    { normalizer: { type: "Uppercase" } },
    /^normalizer: "Uppercase" is not supported, needed one of Sequence, Prepend/,
  ],
  [
    "Precompiled without its map",
    { normalizer: { type: "Sequence", normalizers: [{ type: "Precompiled" }] } },
    /^normalizer.normalizers\[0\].precompiled_charsmap: got nothing, needed a string/,
  ],
  [
    "a map that is not base64",
    { normalizer: { type: "Precompiled", precompiled_charsmap: "*" } },
    /^normalizer.precompiled_charsmap: got "\*", needed base64/,
  ],
  [
    "a map whose trie is longer than it",
    { normalizer: { type: "Precompiled", precompiled_charsmap: btoa("\xfc\xff\0\0abcd\0") } },
    /^normalizer.precompiled_charsmap is damaged: its trie has 65532 bytes, needed at most 4/,
  ],
  [
    "Strip that does not say where",
    { normalizer: { type: "Strip", strip_left: true } },
    /^normalizer.strip_right: got/,
  ],
  [
    "a pattern of neither kind",
    { normalizer: { type: "Replace", pattern: {}, content: "" } },
    /^normalizer.pattern.String: got nothing/,
  ],
  ["an empty pattern", { normalizer: { type: "Replace", pattern: { String: "" }, content: "" } }, /String is empty/],
  ["an unknown pre-tokenizer", { pre_tokenizer: { type: "Words" } }, /^pre_tokenizer: "Words" is not supported/],
  ["pieces of no length", { pre_tokenizer: { type: "FixedLength", length: 0 } }, /^pre_tokenizer.length is 0, needed/],
  [
    "a split without behavior",
    { pre_tokenizer: { type: "Split", pattern: { String: "x" } } },
    /^pre_tokenizer.behavior: got nothing, needed Removed or/,
  ],
  [
    "a split that cannot be compiled",
    { pre_tokenizer: { type: "Split", pattern: { Regex: "(" }, behavior: "Isolated" } },
    /^pre_tokenizer.pattern: the regular expression has a group that does not end/,
  ],
  [
    "a mark of two characters",
    { pre_tokenizer: { type: "Metaspace", replacement: "__" } },
    /^pre_tokenizer.replacement: got "__", needed one character/,
  ],
  [
    "an unknown scheme",
    { pre_tokenizer: { type: "Metaspace", replacement: "_", prepend_scheme: "last" } },
    /needed first or always or never/,
  ],
  ["an unknown decoder", { decoder: { type: "WordPiece" } }, /^decoder: "WordPiece" is not supported/],
  ["a strip of minus one", { decoder: { type: "Strip", content: " ", start: -1, stop: 0 } }, /^decoder.start: got -1/],
  [
    "an unknown post-processor",
    { post_processor: { type: "PairProcessing" } },
    /^post_processor: "PairProcessing" is not supported/,
  ],
  [
    "a template without text",
    { post_processor: { type: "TemplateProcessing", single: [], special_tokens: {} } },
    /has the text 0 times/,
  ],
  [
    "a template with an unknown special",
    {
      post_processor: {
        type: "TemplateProcessing",
        single: [{ SpecialToken: { id: "__proto__" } }, { Sequence: {} }],
        special_tokens: {},
      },
    },
    /special_tokens\["__proto__"\]: got nothing/,
  ],
  [
    "a template with an id that stands for nothing",
    {
      post_processor: {
        type: "TemplateProcessing",
        single: [{ SpecialToken: { id: "x" } }, { Sequence: {} }],
        special_tokens: { x: { ids: [77] } },
      },
    },
    /adds the id 77, which stands for no token/,
  ],
];

for (const [name, parts, message] of CASES) {
  test(name, () => assert.match(refusal({ model, ...parts }), message));
}

test("the sound file these are made from is accepted", () => {
  assert.is(refusal({ model }), "accepted");
  assert.is(
    refusal({ model, added_tokens: [token], normalizer: null, pre_tokenizer: null, decoder: null }),
    "accepted",
  );
});

test("text that is no JSON, cut off or empty", () => {
  const whole = readText("llama2-legacy/tokenizer.json");
  assert.match(refusal(""), /^tokenizer.json: got the end of the text at character 0, .* damaged or not JSON$/);
  assert.match(
    refusal(whole.slice(0, whole.length / 2)),
    /^tokenizer.json: got the end of the text at character \d+, .* damaged or not JSON$/,
  );
  assert.match(refusal("[]"), /^tokenizer.json: got a list of 0, needed an object/);
  assert.match(refusal("null"), /^tokenizer.json: got null, needed an object/);
  assert.match(refusal({ model }, { tokenizerConfig: "{" }), /^tokenizer_config.json: got the end of the text/);
  assert.match(refusal({ model }, { tokenizerConfig: { bos_token: 1 } }), /^tokenizer_config.json: bos_token: got 1/);
  assert.match(refusal({ model }, { tokenizerConfig: { bos_token: {} } }), /bos_token.content: got nothing/);
  assert.match(refusal({ model }, { tokenizerConfig: { chat_template: 7 } }), /chat_template: got 7, needed a list/);
  assert.match(
    refusal({ model }, { tokenizerConfig: { chat_template: [{ name: "a" }] } }),
    /chat_template\[0\].template: got nothing/,
  );
});

test("deep nesting is refused, however deep", () => {
  for (const [key, inner] of [
    ["normalizer", "normalizers"],
    ["pre_tokenizer", "pretokenizers"],
    ["decoder", "decoders"],
    ["post_processor", "processors"],
  ]) {
    const deep = (levels: number) => `${`{"type":"Sequence","${inner}":[`.repeat(levels)}${"]}".repeat(levels)}`;
    const file = (levels: number) => `{"model":${JSON.stringify(model)},"${key}":${deep(levels)}}`;
    assert.is(refusal(file(10)), "accepted", key);
    assert.match(refusal(file(25)), /is nested 17 deep, needed at most 16/, key);
    for (const levels of [100, 100_000]) assert.match(refusal(file(levels)), /got nesting deeper than 64 levels/, key);
  }
});

test("pieces named like what every object has are pieces", () => {
  const vocab = '{"__proto__":0,"constructor":1,"_":2,"p":3,"toString":4}';
  const tokenizer = Tokenizer.fromFiles({ tokenizerJson: `{"model":{"type":"BPE","vocab":${vocab},"merges":[]}}` });
  assert.is(tokenizer.tokenToId("__proto__"), 0);
  assert.is(tokenizer.tokenToId("hasOwnProperty"), undefined);
  assert.is(tokenizer.idToToken(4), "toString");
  assert.is(tokenizer.vocabSize, 5);
});

test("a thousand damaged files: refused in one sentence or working, never a crash", () => {
  const random = uniform(9);
  const wrong = [null, 0, -1, 1.5, "", "x", "Sequence", [], {}, true, 1e300, ["a"], { type: "Sequence" }, [[]]];
  const sound = ["llama2-legacy", "llama3", "added-tokens"].map((name) => JSON.stringify(trimmed(name)));
  let refused = 0;
  for (let round = 0; round < 1000; round++) {
    const json = JSON.parse(pick(random, sound)) as Json;
    for (let damage = 0; damage <= random() * 2; damage++) breakOne(json, random, wrong);
    const answer = refusal(json);
    if (answer === "accepted") use(Tokenizer.fromFiles({ tokenizerJson: json }));
    else refused++;
  }
  assert.ok(refused > 300 && refused < 1000, `${refused} refused`);
});

/** A fixture small enough for a thousand rounds: all but sixty merges go. */
function trimmed(name: string): Json {
  const json = readJson(`${name}/tokenizer.json`) as Json;
  const { merges } = json["model"] as { merges: unknown[] };
  merges.length = Math.min(merges.length, 60);
  return json;
}

/** Sets or deletes one value somewhere in the file. */
function breakOne(json: Json, random: () => number, wrong: readonly unknown[]): void {
  let at: Json = json;
  for (;;) {
    const keys = Object.keys(at);
    if (keys.length === 0) return;
    const key = pick(random, keys);
    const value = at[key];
    if (typeof value === "object" && value !== null && random() < 0.8) {
      at = value as Json;
    } else {
      if (random() < 0.3 && !Array.isArray(at)) delete at[key];
      else at[key] = structuredClone(pick(random, wrong));
      return;
    }
  }
}

function use(tokenizer: Tokenizer): void {
  try {
    const { ids } = tokenizer.encodeWithOffsets("Hello </s> wörld 🙂\n<N> zorp");
    tokenizer.decode(ids);
  } catch (error) {
    assert.ok(error instanceof LlariatError, `${(error as Error).stack}`);
  }
}

test.run();
