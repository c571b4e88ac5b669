// Files that ask for far more work or memory than they are long, or make it of a short text: refused in one sentence, soon.

import { suite } from "uvu";
import * as assert from "uvu/assert";

import { Tokenizer } from "../../tokenizer/index.ts";
import { refusedSync } from "../tools/refused.ts";

const test = suite("effort");
/** Seconds of this process, so that what else the machine does is not counted. */
const SECONDS = 3;
const letters = Object.fromEntries(Array.from({ length: 95 }, (_, i) => [String.fromCharCode(32 + i), i]));
const model = { type: "BPE", vocab: letters, merges: [], unk_token: "?" };
const build = (parts: object, more: object = {}) =>
  Tokenizer.fromFiles({ tokenizerJson: { model, ...parts }, ...more });
const MANY = /^(?:reading them|decoding|a text of \d+ characters) needs more than \d+ steps of the tokenizer's files/;

function quickly(what: string, work: () => void): void {
  const before = process.cpuUsage();
  work();
  const { user, system } = process.cpuUsage(before);
  assert.ok((user + system) / 1e6 < SECONDS, `${what} takes ${(user + system) / 1e6} s`);
}

const times = <T>(count: number, make: (i: number) => T): T[] => Array.from({ length: count }, (_, i) => make(i));
const replacing = (pattern: object, content: string) => ({ type: "Replace", pattern, content });
const normalizers = (...steps: object[]) => ({ normalizer: { type: "Sequence", normalizers: steps } });
/** Makes a text of 250,000 characters of the first. */
const book = (text: string) => replacing({ Regex: "^." }, text.repeat(250_000 / text.length));
const added = (id: number, content: string) => ({ id: 1000 + id, content, normalized: true });

test("hundreds of regular expressions that are long to read", () => {
  const patterns = {
    repetitions: "((((((a?b?){0,3}c?){0,3}d?){0,3}e?){0,3}f?){0,3}g?){0,3}",
    cases: `(?i:${"ab".repeat(3000)})`,
    properties: String.raw`\p{Latin}\p{Han}`.repeat(1000),
    options: `(?:${"a?".repeat(4000)})b`,
    sets: times(900, (i) => String.fromCharCode(0x4e00 + i)).join("|"),
  };
  for (const [what, Regex] of Object.entries(patterns)) {
    const steps = normalizers(...times(256, () => replacing({ Regex }, "a")));
    quickly(what, () => refusedSync(() => build(steps), "tokenizer", MANY));
  }
});

test("hundreds of steps over every piece of a text", () => {
  const Regex = `(?:${times(60, (i) => String.fromCharCode(0x4e00 + i)).join("|")})`;
  const cut = (pattern: object) => ({ type: "Split", pattern, behavior: "Isolated", invert: false });
  const tokenizer = build({
    pre_tokenizer: { type: "Sequence", pretokenizers: [cut({ Regex: "." }), ...times(25, () => cut({ Regex }))] },
  });
  assert.is(tokenizer.encode("a prompt").length, 8);
  quickly("cutting", () => refusedSync(() => tokenizer.encode("a prompt ".repeat(10_000)), "tokenizer", MANY));
});

test("a text that became a book, and then meets the longest pieces", () => {
  const vocab = [["?", -1], ["a".repeat(8000), -2], ["a", -3]]; // prettier-ignore
  const unigram = build({ ...normalizers(book("a")), model: { type: "Unigram", vocab, unk_id: 0 } });
  quickly("pieces", () => refusedSync(() => unigram.encode("hi"), "tokenizer", MANY));
  const marks = build(normalizers(book("\u0301\u0316"), { type: "NFD" }));
  quickly("marks", () => refusedSync(() => marks.encode("hi"), "tokenizer", MANY));
  const step = replacing({ Regex: "(a+)+z" }, "b");
  const again = build(normalizers(book("a"), ...times(60, () => step)));
  quickly("expressions", () => refusedSync(() => again.encode("hi"), "tokenizer", MANY));
});

test("a long text may take as many steps as it is long", () => {
  const vocab = [["?", -1], ["a".repeat(100), -2], ["a", -3]]; // prettier-ignore
  const tokenizer = build({ model: { type: "Unigram", vocab, unk_id: 0 } });
  assert.is(tokenizer.encode("a".repeat(300_000)).length, 3000);
});

test("added tokens that all but match at every place, or take white space again and again", () => {
  const near = build({
    ...normalizers(replacing({ Regex: "^H" }, "a".repeat(250_000))),
    added_tokens: times(250, (i) => added(i, `${"a".repeat(3900 - i)}b`)),
  });
  quickly("near", () => refusedSync(() => near.encode("Hi"), "tokenizer", MANY));
  const spaces = build({ added_tokens: [{ ...added(0, "  "), lstrip: true, rstrip: true }] });
  quickly("spaces", () => refusedSync(() => spaces.encode(" ".repeat(100_000)), "tokenizer", MANY));
  // V8 compiles no expression of this length
  const long = build({
    normalizer: replacing({ String: "é" }, "b".repeat(90_000)),
    added_tokens: [added(0, "é")],
  });
  assert.is(long.encode("a é").length, 3);
  assert.is(long.encode("a é")[2], 1000);
});

test("of added tokens the longest at the leftmost place counts, and one that is not taken hides others", () => {
  const tokens = ["ab", "abc", "bcd", "é"].map((content, id) => ({
    ...added(id, content),
    special: content === "abc",
  }));
  const tokenizer = build({ added_tokens: tokens });
  const names = (text: string, parseSpecial: boolean) =>
    [...tokenizer.encode(text, { parseSpecial })].map((id) => tokenizer.idToToken(id)).join(" ");
  assert.is(names("abcd", true), "abc d");
  assert.is(names("abcd", false), "a b c d");
  assert.is(names("xbcdé", true), "x bcd é");
  assert.is(names("abab", true), "ab ab");
  const twins = ["ZÉ", "Zé"].map((content, id) => added(id, content));
  const lower = build({ normalizer: { type: "Lowercase" }, added_tokens: twins });
  assert.equal([...lower.encode("zé")], [1000], "of two that read the same the first one");
});

test("lists of tokens and pieces that are longer than any published", () => {
  const words = times(300_000, (i) => `k${i}`);
  const few = /has 300000 tokens, needed at most 262144$/;
  refusedSync(() => build({}, { tokenizerConfig: { extra_special_tokens: words } }), "tokenizer", few);
  const long = times(900, (i): [string, number] => [`${i}`.padEnd(7000, "x"), -1]);
  const units = /^the pieces have \d+ characters together, needed at most 4194304$/;
  refusedSync(() => build({ model: { type: "Unigram", vocab: long, unk_id: 0 } }), "tokenizer", units);
});

test("a SentencePiece file of empty messages", () => {
  const bytes = new Uint8Array(10_000_000).fill(0);
  for (let i = 0; i < bytes.length; i += 2) bytes[i] = 0x12; // trainer_spec of no bytes
  quickly("messages", () => refusedSync(() => Tokenizer.fromFiles({ tokenizerModel: bytes }), "tokenizer", MANY));
});

test("a decoder of hundreds of expressions", () => {
  const step = replacing({ Regex: "(a+)+z" }, "b");
  const tokenizer = build({ decoder: { type: "Sequence", decoders: [{ type: "Fuse" }, ...times(60, () => step)] } });
  const ids = times(40_000, () => letters["a"]);
  assert.is(tokenizer.decode(ids.slice(0, 10)), "a".repeat(10));
  quickly("decoding", () => refusedSync(() => tokenizer.decode(ids), "tokenizer", MANY));
});

test.run();
