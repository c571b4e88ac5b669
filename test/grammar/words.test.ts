// The machines of words: numbers between bounds, patterns, lengths and spellings, held against JavaScript's own.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { anyText, both, lengths, matching, otherText } from "../../src/grammar/chars.ts";
import { FORMATS } from "../../src/grammar/formats.ts";
import { type Bounds, numbers } from "../../src/grammar/number.ts";
import { parsePattern } from "../../src/grammar/pattern.ts";
import { Spelling } from "../../src/grammar/spelling.ts";
import type { Terminal } from "../../src/grammar/terminal.ts";
import { Work } from "../../src/grammar/work.ts";
import { whole } from "../tools/random.ts";
import { refused } from "../tools/refused.ts";

const tests = suite("words of a grammar");
const utf8 = new TextEncoder();
const machine = (pattern: string) => matching(parsePattern(pattern, "", new Work()), "", new Work());

/** Whether a text is a word; -1 as soon as no word begins so. */
function takes(terminal: Terminal, text: string): boolean | -1 {
  let state = terminal.start;
  for (const byte of utf8.encode(text)) {
    state = terminal.step(state, byte);
    if (state < 0) return -1;
  }
  return terminal.outcome(state) >= 0;
}

const accepts = (chars: ReturnType<typeof machine>, text: string): boolean => {
  let state = chars.start;
  for (const char of text) state = state < 0 ? -1 : chars.next(state, char.codePointAt(0)!);
  return state >= 0 && chars.accepts(state);
};

tests("a number is taken where it is between the bounds, and only there", () => {
  const next = whole(5);
  const bounds = [
    0,
    1,
    -1,
    0.5,
    -0.5,
    9,
    10,
    99.95,
    100,
    -100,
    1e21,
    123.456,
    -7.25,
    1e-7,
    2 ** 53,
    Infinity,
    -Infinity,
  ];
  const pick = () => bounds[next(bounds.length)];
  let [inside, outside] = [0, 0];
  for (let i = 0; i < 400; i++) {
    const [a, b] = [pick(), pick()];
    const limits: Bounds = {
      whole: next(3) === 0,
      min: Math.min(a, b),
      max: Math.max(a, b),
      above: next(2) === 0,
      below: next(2) === 0,
    };
    if (limits.min === Infinity || limits.max === -Infinity) continue;
    const table = numbers(limits);
    for (let j = 0; j < 60; j++) {
      const near = [limits.min, limits.max, 0][next(3)];
      const value =
        (Number.isFinite(near) ? near : 0) +
        [0, 1, -1, 0.5, 0.25, -0.5, next(50), -next(50), next(1000) / 100][next(9)];
      const text = String(value === 0 ? 0 : value);
      if (text.includes("e") || (text.split(".")[1] ?? "").length > 12) continue;
      if (text.includes(".") && [limits.min, limits.max].some((bound) => Math.abs(bound) > 1e9 && bound !== Infinity))
        continue;
      const fits =
        (limits.above ? value > limits.min : value >= limits.min) &&
        (limits.below ? value < limits.max : value <= limits.max) &&
        (!limits.whole || Number.isInteger(value));
      assert.is(
        table !== undefined && takes(table, text) === true,
        fits,
        `${text} in ${JSON.stringify(limits)} ${limits.min} ${limits.max}`,
      );
      if (fits) inside++;
      else outside++;
    }
  }
  assert.ok(inside > 1000 && outside > 1000, `${inside} ${outside}`);
});

tests("numbers are written as JSON writes them", () => {
  const free = numbers({ whole: false, min: -Infinity, max: Infinity, above: false, below: false })!;
  for (const text of ["0", "-0", "1.5", "-12.25e-3", "1E+21", "1e279", "123456789012345680000"])
    assert.is(takes(free, text), true, text);
  for (const text of ["01", "+1", ".5", "1e280", "--1", "1.2.3", "1e+-2", "1ee"])
    assert.is(takes(free, text), -1, text);
  for (const text of ["-", "1.", "1e", "1e+"]) assert.is(takes(free, text), false, text);
  const int = numbers({ whole: true, min: -5, max: 12, above: false, below: false })!;
  for (const text of ["-0", "1.0", "13", "-6", "1e0", "00"]) assert.is(takes(int, text), -1, text);
  assert.is(numbers({ whole: true, min: 0.2, max: 0.8, above: false, below: false }), undefined);
  assert.is(numbers({ whole: false, min: 3, max: 3, above: true, below: false }), undefined);
});

tests("patterns take what RegExp takes", () => {
  const next = whole(9);
  const patterns = [
    "^[A-Z]{2,4}-\\d+$",
    "ab+c",
    "a|^b|c$",
    "^(?:a|b)*$",
    "^a{0,2}b?$",
    "",
    "^$",
    "^\\p{Lu}\\p{L}*$",
    "[^a-c]",
    "^.$",
    "^(?!ab)[a-c]+$",
    "^(?=.*a)(?!.*bb)[ab]{0,4}$",
    "\\u0041|\\x42|\\n",
    "^(a(b(c)?)?)+$",
    "(^a|b)$",
    "^[\\w.-]+@[a-c]+$",
    "^\\D\\S\\W$",
    "^[\\u{1F44D}é]+$",
    "a{2}",
    "^-?[ab]",
  ];
  for (const pattern of patterns) {
    const own = machine(pattern);
    const theirs = new RegExp(pattern, "u");
    for (let i = 0; i < 300; i++) {
      const text = Array.from({ length: next(6) }, () => [..."abcABé👍-1@. \n"][next(13)]).join("");
      assert.is(accepts(own, text), theirs.test(text), `${pattern} on ${JSON.stringify(text)}`);
    }
  }
});

tests("patterns that no machine can match are refused by name, and large ones for their size", async () => {
  for (const [pattern, message] of [
    ["(a)\\1", /has \\1 at/],
    ["a\\b", /has \\b at/],
    ["(?<=a)b", /has \(\?<= at/],
    ["a(?=b)", /has \(\?=b at/],
    ["^(?!a)b|c", /alternatives beside a look-ahead/],
    ["[", /is no regular expression/],
    ["a{1001}", /a repetition above 1000/],
    ["(?:a{100}){100}", /longer than 8192 places/],
    ["(a|b)*a(a|b){14}$", /more than 4096 states|too much work/],
    [`${"(".repeat(40)}a${")".repeat(40)}`, /more than 32 levels/],
    ["a".repeat(1001), /has 1001 characters/],
  ] as const)
    await refused(async () => machine(pattern), "request", message);
});

tests("conditions meet: both patterns, and a length", () => {
  const work = new Work();
  const table = both(both(machine("^a"), machine("b$"), "", work), lengths(2, 3, ""), "", work);
  for (const text of ["ab", "aab", "a b"]) assert.ok(accepts(table, text), text);
  for (const text of ["a", "b", "abab", "ba", ""]) assert.not.ok(accepts(table, text), text);
  assert.ok(both(machine("^a$"), machine("^b$"), "", work).empty);
});

tests(
  "texts are spelt as JSON spells them, and every other spelling of JSON.parse that is no control is one, too",
  () => {
    const next = whole(21);
    const any = new Spelling(anyText());
    for (let i = 0; i < 500; i++) {
      const text = Array.from({ length: next(5) }, () =>
        String.fromCodePoint([9, 34, 92, 47, 97, 233, 0x65e5, 0x1f44d, 0x10ffff, 0x7f][next(10)]),
      ).join("");
      assert.is(takes(any, JSON.stringify(text)), true, text);
      const escaped = `"${Array.from({ length: text.length }, (_, at) => `\\u${text.charCodeAt(at).toString(16).padStart(4, "0")}`).join("")}"`;
      assert.is(takes(any, escaped), true, escaped);
    }
    for (const text of ['"\t"', '"\\x"', '"\\ud800"', '"\\udc00"', '"\\ud83d\\u0041"', '"a"b', "'a'"])
      assert.is(takes(any, text), -1, text);
    const bytes = (...list: number[]) =>
      list.reduce((state, byte) => (state < 0 ? -1 : any.step(state, byte)), any.start);
    for (const wrong of [[0xc1], [0xe0, 0x80], [0xed, 0xa0], [0xf4, 0x90], [0xf5], [0x80], [0xf0, 0x80]])
      assert.is(bytes(0x22, ...wrong), -1);
    assert.ok(bytes(0x22, 0xf4, 0x8f, 0xbf, 0xbf, 0x22) >= 0);
    const ascii = new Spelling(anyText(), false);
    assert.is(takes(ascii, '"é"'), -1);
    assert.is(takes(ascii, '"\\u00e9"'), true);
  },
);

tests("half a character comes only if a whole one may: nothing begins that cannot end", () => {
  const only = new Spelling(machine("^[é👍]$"));
  assert.is(takes(only, '"é"'), true);
  assert.is(takes(only, '"\\ud83d\\udc4d"'), true);
  for (const text of ['"a', '"è', '"\\u00e8', '"\\ud83e', '"\\ud83d\\udc4e', '"\\n', '"\\u1', '"😀'])
    assert.is(takes(only, text), -1, text);
  const other = new Spelling(otherText(["a", "ab"]));
  assert.is(takes(other, '"a"'), -1);
  assert.is(takes(other, '"\\u0061"'), -1);
  for (const text of ['"aa"', '""', '"b"', '"abc"']) assert.is(takes(other, text), true, text);
  const counted = new Spelling(anyText(1, 2));
  assert.is(takes(counted, '""'), -1);
  assert.is(takes(counted, '"👍é"'), true);
  assert.is(takes(counted, '"abc'), -1);
});

tests("every format is a pattern that can be read", () => {
  for (const [name, pattern] of Object.entries(FORMATS)) assert.not.ok(machine(pattern).empty, name);
});

tests.run();
