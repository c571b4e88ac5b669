// Where words are cut. A model that merges every pair of characters it can shows the cuts: no merge crosses one.

import * as assert from "uvu/assert";
import { suite } from "uvu";

import { BYTE_CHARS } from "../../tokenizer/bytechars.ts";
import { original } from "../../tokenizer/piece.ts";
import { readPreTokenizer } from "../../tokenizer/pretokenize.ts";
import { readRegex } from "../../tokenizer/regex/index.ts";
import { ASCII, build, piecesOf, vocabularyOf } from "./pipeline.ts";

const test = suite("pretokenize");

/** The words of `text`, with their range in it, traced and untraced alike. */
function words(json: object, text: string, start = 0): [string, number, number][] {
  const { split } = readPreTokenizer(json, "pre_tokenizer", false);
  const whole = " ".repeat(start) + text;
  const plain = split(original(whole, start, whole.length, false)).map((piece) => piece.text);
  const traced = split(original(whole, start, whole.length, true));
  assert.equal(
    plain,
    traced.map((piece) => piece.text),
  );
  return traced.map(({ text, origin }) => [text, origin![0], origin!.at(-1)!]);
}
const texts = (json: object, text: string) => words(json, text).map(([word]) => word);

// the tables are those of the library's own tests (pre_tokenizers/split.rs, metaspace.rs, digits.rs, byte_level.rs)
test("Split: the five behaviors", () => {
  const expected = {
    Removed: [
      ["How", 0, 3],
      ["are", 4, 7],
      ["you", 8, 11],
      ["doing", 12, 17],
      ["?", 17, 18],
    ],
    Isolated: [
      ["How", 0, 3],
      [" ", 3, 4],
      ["are", 4, 7],
      [" ", 7, 8],
      ["you", 8, 11],
      [" ", 11, 12],
      ["doing", 12, 17],
      ["?", 17, 18],
    ],
    MergedWithPrevious: [
      ["How ", 0, 4],
      ["are ", 4, 8],
      ["you ", 8, 12],
      ["doing", 12, 17],
      ["?", 17, 18],
    ],
    MergedWithNext: [
      ["How", 0, 3],
      [" are", 3, 7],
      [" you", 7, 11],
      [" doing", 11, 17],
      ["?", 17, 18],
    ],
    Contiguous: [
      ["How", 0, 3],
      [" ", 3, 4],
      ["are", 4, 7],
      [" ", 7, 8],
      ["you", 8, 11],
      [" ", 11, 12],
      ["doing?", 12, 18],
    ],
  };
  for (const [behavior, cut] of Object.entries(expected)) {
    const json = { type: "Split", pattern: { Regex: String.raw`\w+|[^\w\s]+` }, behavior, invert: true };
    assert.equal(words(json, "How are you doing?"), cut, behavior);
  }
});

test("Split: a string is taken literally, invert turns matches into gaps", () => {
  const split = (pattern: object, invert: boolean) => ({ type: "Split", pattern, behavior: "Removed", invert });
  assert.equal(texts(split({ String: " " }, false), "Hello Hello Hello"), ["Hello", "Hello", "Hello"]);
  assert.equal(texts(split({ String: "Hello" }, true), "Hello Hello Hello"), ["Hello", "Hello", "Hello"]);
  assert.equal(texts(split({ String: "." }, false), "a.b"), ["a", "b"]);
});

test("Split: an empty match cuts, too", () => {
  const json = { type: "Split", pattern: { Regex: "(?=[A-Z])" }, behavior: "Isolated", invert: false };
  assert.equal(words(json, "camelCaseText"), [
    ["camel", 0, 5],
    ["Case", 5, 9],
    ["Text", 9, 13],
  ]);
  assert.equal(texts({ ...json, pattern: { Regex: "x*" } }, "axxb"), ["a", "xx", "b"]);
});

test("Metaspace: prepends by scheme, and cuts before each mark", () => {
  const meta = (scheme: string, split = true) => ({
    type: "Metaspace",
    replacement: "▁",
    prepend_scheme: scheme,
    split,
  });
  assert.equal(words(meta("always"), "Hey friend!"), [
    ["▁Hey", 0, 3],
    ["▁friend!", 3, 11],
  ]);
  assert.equal(words(meta("always"), "Hey   friend!"), [
    ["▁Hey", 0, 3],
    ["▁", 3, 4],
    ["▁", 4, 5],
    ["▁friend!", 5, 13],
  ]);
  assert.equal(texts(meta("never"), "Hey friend!"), ["Hey", "▁friend!"]);
  assert.equal(texts(meta("first", false), "Hey friend!"), ["▁Hey▁friend!"]);
  assert.equal(texts(meta("first"), " Hey"), ["▁Hey"]);
  assert.equal(words(meta("first", false), "Hey", 2), [["Hey", 2, 5]], "not at the start of the text");
  assert.equal(words(meta("always", false), "Hey", 2), [["▁Hey", 2, 5]]);
});

test("Metaspace of older files: add_prefix_space instead of a scheme, split by default", () => {
  const old = (add_prefix_space: boolean) => ({ type: "Metaspace", replacement: "▁", add_prefix_space });
  assert.equal(texts(old(true), "a b"), ["▁a", "▁b"]);
  assert.equal(texts(old(false), "a b"), ["a", "▁b"]);
  assert.throws(() => texts({ ...old(false), prepend_scheme: "always" }, ""), /add_prefix_space is false but/);
});

test("Digits: alone or in runs, everything Unicode calls a number", () => {
  const digits = (each: boolean) => ({ type: "Digits", individual_digits: each });
  assert.equal(words(digits(false), "Hey 123 friend!"), [
    ["Hey ", 0, 4],
    ["123", 4, 7],
    [" friend!", 7, 15],
  ]);
  assert.equal(texts(digits(true), "a12b"), ["a", "1", "2", "b"]);
  assert.equal(texts(digits(true), "x²Ⅷ½①٣一"), ["x", "²", "Ⅷ", "½", "①", "٣", "一"]);
});

test("Punctuation: ASCII symbols and Unicode's punctuation", () => {
  const json = { type: "Punctuation", behavior: "Isolated" };
  assert.equal(words(json, "Hey friend!     How are you?!?"), [
    ["Hey friend", 0, 10],
    ["!", 10, 11],
    ["     How are you", 11, 27],
    ["?", 27, 28],
    ["!", 28, 29],
    ["?", 29, 30],
  ]);
  assert.equal(texts({ type: "Punctuation", behavior: "Contiguous" }, "a$+«b"), ["a", "$+«", "b"]);
});

test("ByteLevel: GPT-2's pattern, bytes for characters, all of a character's bytes have its range", () => {
  const bytes = (use_regex: boolean, add_prefix_space = false) => ({ type: "ByteLevel", add_prefix_space, use_regex });
  assert.equal(texts(bytes(true), "Hello there       dear"), ["Hello", "Ġthere", "ĠĠĠĠĠĠ", "Ġdear"]);
  assert.equal(texts(bytes(true), "Hello there\nHello"), ["Hello", "Ġthere", "Ċ", "Hello"]);
  assert.equal(words(bytes(true), "i⭢j"), [
    ["i", 0, 1],
    ["âŃ¢", 1, 2],
    ["j", 2, 3],
  ]);
  assert.equal(texts(bytes(false), "Hello my friend"), ["HelloĠmyĠfriend"]);
  assert.equal(words(bytes(false, true), "a"), [["Ġa", 0, 1]]);
  assert.equal(texts(bytes(false, true), " a"), ["Ġa"]);
});

test("the byte table is GPT-2's", () => {
  assert.is(new Set(BYTE_CHARS).size, 256);
  const named = {
    0: "Ā",
    9: "ĉ",
    10: "Ċ",
    32: "Ġ",
    33: "!",
    126: "~",
    127: "ġ",
    160: "ł",
    161: "¡",
    173: "Ń",
    255: "ÿ",
  };
  for (const [byte, char] of Object.entries(named)) assert.is(BYTE_CHARS[Number(byte)], char);
});

test("a model that knows all bytes spells the words itself: the same ids as from spelt words", () => {
  // the same pre-tokenizer once at the end (spelt by the model), once before a step that does nothing (spelt as text)
  const model = vocabularyOf(BYTE_CHARS.join(""), ["Ġthe", "âĤ¬", "ðŁĻĤ", "Ġ12"]);
  const byteLevel = { type: "ByteLevel", add_prefix_space: false, use_regex: true };
  const nothing = { type: "Split", pattern: { String: "no such text" }, behavior: "Isolated", invert: false };
  const last = build(model, { pre_tokenizer: { type: "Sequence", pretokenizers: [byteLevel] } });
  const inside = build(model, { pre_tokenizer: { type: "Sequence", pretokenizers: [byteLevel, nothing] } });
  const text = "the the € 🙂12 12\n\u0301é\ufeffthe";
  assert.equal(inside.encodeWithOffsets(text), last.encodeWithOffsets(text));
  assert.equal(piecesOf(last, "the the €"), ["t", "h", "e", "Ġthe", "Ġ", "âĤ¬"]);
});

test("a Sequence cuts what was cut, each word seen alone", () => {
  const model = vocabularyOf(ASCII, ["123", "ab"]);
  const step = (Regex: string) => ({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false });
  const pretokenizers = [step("[0-9][0-9]"), { type: "Sequence", pretokenizers: [step("a")] }];
  const tokenizer = build(model, { pre_tokenizer: { type: "Sequence", pretokenizers } });
  assert.equal(piecesOf(tokenizer, "123ab"), ["12", "3", "a", "b"]);
  // a lookahead sees the end of its word, not the next one
  const ends = [step("a+"), step(String.raw`a$`)];
  assert.equal(texts({ type: "Sequence", pretokenizers: ends }, "aab"), ["a", "a", "b"]);
});

test("nothing but the words of a pattern without gaps takes the fast way: same words as one by one", () => {
  const Regex = String.raw` ?\p{L}+|\s+|[^\s\p{L}]+`;
  const text = "It was 1984,  and\nall é🙂 fine.";
  const fast = texts({ type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false }, text);
  const words: string[] = [];
  readRegex(Regex, "test").each(text, (start, end) => words.push(text.slice(start, end)));
  assert.equal(fast, words);
});

test.run();
