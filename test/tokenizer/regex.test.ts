// Oniguruma patterns translated to JavaScript: what they match where the two languages differ, and what is refused.

import * as assert from "uvu/assert";
import { suite } from "uvu";

import { LlariatError } from "../../src/error.ts";
import { uniform } from "../tools/random.ts";
import { refusedSync } from "../tools/refused.ts";
import { readRegex } from "../../tokenizer/regex/index.ts";

const test = suite("regex");
function matches(pattern: string, text: string): string[] {
  const found: string[] = [];
  readRegex(pattern, "test").each(text, (start, end) => found.push(text.slice(start, end)));
  return found;
}
const raw = String.raw;

test(String.raw`\s is White_Space: U+0085 is in it, U+FEFF, U+200B and U+180E are not`, () => {
  assert.equal(matches(raw`\s`, "\t\n\v\f\r \x85\xa0\u1680\u2003\u2028\u2029\u202f\u205f\u3000").length, 15);
  assert.equal(matches(raw`\s`, "\ufeff\u200b\u180e\x1c\x1f\u2060"), []);
  assert.equal(matches(raw`[^\s]+|[\S]`, "a\ufeffb\x85c"), ["a\ufeffb", "c"]);
});

test(String.raw`\d, \w and \h know what Oniguruma knows`, () => {
  assert.equal(matches(raw`\d`, "7٣१²Ⅷ½"), ["7", "٣", "१"]);
  assert.equal(matches(raw`\w+`, "aé_7\u0301中 ²-‿Ⅷ"), ["aé_7\u0301中", "²", "‿Ⅷ"]);
  assert.equal(matches(raw`[\w]+`, "a² ½b"), ["a", "b"], "in brackets ², ½ and the like are none");
  assert.equal(matches(raw`\W`, "a²! "), ["!", " "]);
  assert.equal(matches(raw`\h+`, "fg0A"), ["f", "0A"]);
  assert.equal(matches(raw`\W\D\H`, "+x!"), ["+x!"]);
});

test("(?i:…) folds as Unicode does, in the group only", () => {
  assert.equal(matches("(?i:'s|'k)x", "'sx'Sx'ſx'\u212ax'sX"), ["'sx", "'Sx", "'ſx", "'\u212ax"]);
  assert.equal(matches("(?i:[sdmt])", "sſDΜM"), ["s", "ſ", "D", "M"]);
  assert.equal(matches("(?i:[a-c])b", "Ab BB cb"), ["Ab", "cb"]);
  assert.equal(matches("a(?i)b|c", "aB AB aC ac"), ["aB", "aC", "ac"]);
  assert.equal(matches("(?i:a(?-i:b))", "Ab AB"), ["Ab"]);
  assert.equal(matches("(?i:é)", "éÉ"), ["é", "É"]);
});

test("possessive repetitions and atomic groups give nothing back", () => {
  assert.equal(matches("a++ab|b", "aaab"), ["b"]);
  assert.equal(matches("(?>a+)b", "aab"), ["aab"]);
  assert.equal(matches("(?>a|ab)c", "abc ac"), ["ac"]);
  assert.equal(matches(raw`[^\r\n\p{L}\p{N}]?+\p{L}+`, " ab1c"), [" ab", "c"]);
  assert.equal(matches("x*+x", "xxx"), []);
  assert.equal(matches("(?>(?>a+)b|a)c", "aabc ac"), ["aabc", "ac"]);
});

test("Ruby's repetitions: {n}+ repeats, {n}? is optional, {,n} starts at nothing, a lone brace is a brace", () => {
  assert.equal(matches("a{2}+", "aaaaa"), ["aaaa"]);
  assert.equal(matches("ba{2}?b", "bb baab bab"), ["bb", "baab"]);
  assert.equal(matches("ba{,2}b", "bb bab baaab"), ["bb", "bab"]);
  assert.equal(matches("a{2,}?", "aaaa"), ["aa", "aa"]);
  assert.equal(matches("{a}", "{a}"), ["{a}"]);
});

test("^ and $ are about lines, \\A, \\z and \\Z about the text, . is anything but \\n", () => {
  assert.equal(matches("^a", "a\na\rab"), ["a", "a"]);
  assert.equal(matches("b$", "b\nb\r b"), ["b", "b"]);
  assert.equal(matches(raw`\Aa|a\z`, "a a a"), ["a", "a"]);
  assert.equal(matches(raw`a\Z`, "a\na\n"), ["a"]);
  assert.equal(matches(".+", "a\r\u2028b\nc"), ["a\r\u2028b", "c"]);
  assert.equal(matches("(?m:.+)", "a\nb"), ["a\nb"]);
  assert.equal(matches(raw`\bé\b`, "é aé é_ é"), ["é", "é"]);
  assert.equal(matches(raw`\R`, "\r\n\n\x85\u2028x").length, 4);
});

test("classes: ranges, escapes, nesting, intersection, POSIX", () => {
  assert.equal(matches("[a-z&&[^aeiou]]+", "hello"), ["h", "ll"]);
  assert.equal(matches("[ab[cd]]+", "abcde"), ["abcd"]);
  assert.equal(matches("[[:alpha:]_]+", "aé_1"), ["aé_"]);
  assert.equal(matches("[^[:space:]]+", "a b"), ["a", "b"]);
  assert.equal(matches("[[:^digit:]]", "1a"), ["a"]);
  assert.equal(matches("[[:punct:]]", "a!$+<=>^`|~«_"), [..."!$+<=>^`|~«_"]);
  assert.equal(matches("[]a]+", "]a["), ["]a"]);
  assert.equal(matches("[a-]+", "a-b"), ["a-"]);
  assert.equal(matches(raw`[\]\\\-^]+`, "]\\-^"), ["]\\-^"]);
  assert.equal(matches(raw`[\x41-\x{43}\u0044\t]+`, "ABCD\tE"), ["ABCD\t"]);
  assert.equal(matches("[一-龥぀-ゟ゠-ヿ]+", "日本語カナ abc"), ["日本語カナ"]);
  assert.equal(matches("[🙂-🙄]", "🙃🙂"), ["🙃", "🙂"]);
});

test("properties: categories, scripts, negation", () => {
  assert.equal(matches(raw`\p{Han}+|\p{Hiragana}`, "漢字かa"), ["漢字", "か"]);
  assert.equal(matches(raw`\p{^L}|\P{L}`, "a1"), ["1"]);
  assert.equal(matches(raw`\P{^Lu}`, "aB"), ["B"]);
  assert.equal(matches(raw`[\p{Lu}\p{Lt}]`, "aBǅ"), ["B", "ǅ"]);
  assert.equal(matches(raw`\p{Alpha}\p{alnum}`, "a1"), ["a1"]);
});

test("groups: captures and names are plain, look-around and comments work", () => {
  assert.equal(matches("(a)(?<name>b)(?#a comment)c", "abc"), ["abc"]);
  assert.equal(matches(raw`\s+(?!\S)|\s+`, "a   b  "), ["  ", " ", "  "]);
  assert.equal(matches("(?<=a)b(?=c)", "abc bbc"), ["b"]);
  assert.equal(matches("(?<!a)b", "ab b"), ["b"]);
});

test("the patterns of published checkpoints translate, and leave no character out", () => {
  const patterns = [
    raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
    raw`'(?i:[sdmt]|ll|ve|re)|[^\r\n\p{L}\p{N}]?+\p{L}++|\p{N}{1,3}+| ?[^\s\p{L}\p{N}]++[\r\n]*+|\s++$|\s*[\r\n]|\s+(?!\S)|\s`,
    raw`[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]*[\p{Ll}\p{Lm}\p{Lo}\p{M}]+(?i:'s|'t|'re|'ve|'m|'ll|'d)?|[^\r\n\p{L}\p{N}]?[\p{Lu}\p{Lt}\p{Lm}\p{Lo}\p{M}]+[\p{Ll}\p{Lm}\p{Lo}\p{M}]*(?i:'s|'t|'re|'ve|'m|'ll|'d)?|\p{N}{1,3}| ?[^\s\p{L}\p{N}]+[\r\n/]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
    raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
  ];
  const text = "It's THEY'LL don't 12345 x²\r\n\r\n  é\u0301 中文 🙂!? \t\ufeff\x85 end  \n ";
  for (const pattern of patterns) assert.is(matches(pattern, text).join(""), text, pattern);
});

test("what has no counterpart is refused with its name and place", () => {
  const wrong: readonly (readonly [string, RegExp])[] = [
    [raw`(a)\1`, /the escape \\1/],
    [raw`\G`, /the escape \\G/],
    [raw`\K`, /the escape \\K/],
    [raw`\X`, /the escape \\X/],
    ["(?x: a)", /the group \(\?x/],
    ["(?~a)", /the group \(\?~a/],
    ["(*FAIL)", /a callout/],
    [raw`\p{Nonsense}`, /the property \\p\{Nonsense\}/],
    [raw`(?i:\p{Lu})`, /\\p\{Lu\} without case/],
    ["(?i:straße)", /without case/],
    ["(?i:first)", /"st" without case|"rst" without case|without case/],
    ["(a", /a group that does not end/],
    ["a)", /an unmatched \)/],
    ["[a", /a class that does not end/],
    ["[b-a]", /the empty range b-a/],
    ["*a", /nothing to repeat/],
    [raw`\x{110000}`, /no character/],
    ["\\", /an unfinished part/],
    ["(?<=(?>a))b", /a lookbehind of more than characters/],
    ["(?<=a+)b", /a lookbehind of more than characters/],
    ["(a*)*", /a repetition without end of what may be nothing/],
    ["(?:(?:abc){1000}){1000}", /more than 10000 steps written out/],
    ["(?:(?:(?:){1000}){1000}){1000}", /repetitions of repetitions/],
    ["a{3,1}", /the empty range \{3,1\}/],
    ["a{1000000}", /a repetition above/],
    [`${"(".repeat(100)}a${")".repeat(100)}`, /more than 64 levels/],
    [`${"[".repeat(100)}a${"]".repeat(100)}`, /more than 64 levels/],
    ["a".repeat(30_000), /30000 characters, needed at most/],
  ];
  for (const [pattern, sentence] of wrong) {
    const { message } = refusedSync(() => readRegex(pattern, "pre_tokenizer.pattern"), "tokenizer", sentence);
    assert.match(message, /^pre_tokenizer\.pattern: the regular expression has /);
  }
});

test("any pattern either translates or is refused, never crashes", async () => {
  const { pick } = await import("./fixtures.ts");
  const random = uniform(3);
  const parts = [
    ..."ab.*+?{}[]()|^$\\-&:,1<>=!#é🙂",
    "(?",
    "(?i:",
    "(?<",
    "\\p{",
    "L}",
    "[:",
    ":]",
    "&&",
    "{1,",
    "\\x",
    "\\s",
  ];
  let translated = 0;
  for (let round = 0; round < 20_000; round++) {
    const pattern = Array.from({ length: 1 + Math.floor(random() * 8) }, () => pick(random, parts)).join("");
    try {
      readRegex(pattern, "fuzz");
      translated++;
    } catch (error) {
      assert.ok(error instanceof LlariatError, `${pattern}: ${error as Error}`);
      assert.not.match(error.message, "cannot be translated", `${pattern} should have been understood or named`);
    }
  }
  assert.ok(translated > 2000, `${translated} of 20000 translated`);
});

test.run();
