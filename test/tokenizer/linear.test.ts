// Regular expressions of a hostile file on texts that make V8 backtrack for ever: they end, with the right matches.

import * as assert from "uvu/assert";
import { suite } from "uvu";

import { Tokenizer } from "../../tokenizer/index.ts";
import { readRegex } from "../../tokenizer/regex/index.ts";
import { sourceOf } from "../../tokenizer/regex/linear.ts";
import { Matcher } from "../../tokenizer/regex/matcher.ts";
import { parseRegex } from "../../tokenizer/regex/parse.ts";
import { compile } from "../../tokenizer/regex/program.ts";
import { uniform } from "../tools/random.ts";
import { refusedSync } from "../tools/refused.ts";
import { pick } from "./fixtures.ts";

const test = suite("linear");
const raw = String.raw;

function spans(regex: Matcher, text: string): [number, number][] {
  const found: [number, number][] = [];
  regex.each(text, (start, end) => found.push([start, end]));
  return found;
}

/** Pattern, and what it leaves in a long run of `a` without the `b` it waits for. */
const HOSTILE = [
  "(a+)+b",
  "(a|a)*b",
  "(?:a|aa)+b",
  "((((a+)+)+)+)+b",
  "(?:a{0,99}){3}b",
  "a{0,99}a{0,99}a{0,99}b",
  "(?:a?){50}b",
  "(?:(?:a|a)(?:a|a)){9}b",
  "(?>(?:a|a)*)b",
  "(?=(?:a|aa)*b)a",
  "(?:a+?)+?b",
  "a*a*a*a*a*b",
  raw`(?:\w+\s?)+b`,
];

test("what backtracks without end elsewhere ends here", () => {
  for (const pattern of HOSTILE) {
    const regex = readRegex(pattern, "test");
    for (const length of [40, 400]) {
      assert.equal(spans(regex, "a".repeat(length)), [], pattern);
      const found = spans(regex, `${"a".repeat(length)}b`);
      assert.is(found.length > 0, true, pattern);
    }
  }
  assert.equal(spans(readRegex("(a+)+b", "test"), `${"a".repeat(100_000)}b`), [[0, 100_001]]);
  assert.equal(spans(readRegex("a+$", "test"), `${"a".repeat(100_000)}b`), []);
});

test("in a normalizer, a pre-tokenizer and a decoder alike", () => {
  const model = { type: "BPE", vocab: { a: 0, b: 1 }, merges: [] };
  const text = "a".repeat(60);
  for (const Regex of HOSTILE) {
    const replace = { type: "Replace", pattern: { Regex }, content: "" };
    const tokenizer = Tokenizer.fromFiles({
      tokenizerJson: {
        model,
        normalizer: replace,
        pre_tokenizer: { type: "Split", pattern: { Regex }, behavior: "Isolated", invert: false },
        decoder: { type: "Sequence", decoders: [{ type: "Fuse" }, replace] },
      },
    });
    const ids = tokenizer.encode(text);
    assert.is(ids.length, 60);
    assert.is(tokenizer.decode(ids), text);
  }
});

test("what needs more steps than a text of its length may take is refused by name", () => {
  const regex = readRegex("a{0,1000}a{0,1000}a{0,1000}b", "pre_tokenizer.pattern");
  refusedSync(
    () => spans(regex, "a".repeat(3000)),
    "tokenizer",
    /^pre_tokenizer\.pattern: the regular expression needs more than 2500000 steps for a text of 3000 characters; give/,
  );
  assert.equal(spans(regex, "aab"), [[0, 3]], "and works again with another text");
});

/** Patterns of GPT-2, Llama 3, Qwen, o200k, DeepSeek, BLOOM: V8 runs them as it always did. */
const PUBLISHED = [
  raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
  raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  raw`[!"#$%&'()*+,\-./:;<=>?@\[\\\]^_{|}~][A-Za-z]+|[^\r\n\p{L}\p{P}\p{S}]?[\p{L}\p{M}]+| ?[\p{P}\p{S}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
  raw` ?[^(\s|[.,!?…。，、।۔،])]+`,
  raw`\p{N}{1,3}`,
  raw`[一-龥぀-ゟ゠-ヿ]+`,
  "[0-9][0-9][0-9]",
  " {2,}",
];
/** What V8 needs the square of a run for, or worse. */
const SLOW = [
  "(a+)+b",
  "a+b",
  "a*[bc]+",
  raw`\s+$`,
  "a+a+",
  "(?:ab)*",
  "a+(?!b)",
  "(?>a)",
  "a+?b",
  "a{1,200}b",
  "a+(?!b)|a",
];

test("patterns of published checkpoints are V8's, those it may take long for are not", () => {
  for (const pattern of PUBLISHED) assert.ok(readRegex(pattern, "test").isNative, pattern);
  for (const pattern of SLOW) assert.not.ok(readRegex(pattern, "test").isNative, pattern);
});

test("V8 and the machine find the same", () => {
  const random = uniform(17);
  const chars = [..."aAbZ 1²\n\r\t'!(ſ中日🙂é\u0301ǅ", "'s", "'LL", "  ", "\r\n", "\u0085"];
  for (const pattern of PUBLISHED) {
    const { node, nested } = parseRegex(pattern, "test");
    const machine = new Matcher(compile(node, "test", nested), "test");
    const native = readRegex(pattern, "test");
    assert.ok(new RegExp(sourceOf(node), nested ? "v" : "u"));
    for (let round = 0; round < 200; round++) {
      const text = Array.from({ length: Math.floor(random() * 40) }, () => pick(random, chars)).join("");
      assert.equal(spans(machine, text), spans(native, text), `${pattern} ${JSON.stringify(text)}`);
    }
  }
});

test.run();
