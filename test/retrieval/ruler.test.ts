// RULER's tasks against an independent generator in Python, against their definition, and at exact lengths.
import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Prompt, type SeededOptions, parseQuestions, prompts } from "../../src/retrieval/index.ts";
import { fitLines } from "../../src/retrieval/prompts/fit.ts";
import { LONG, SHORT, planCwe } from "../../src/retrieval/prompts/cwe.ts";
import { planFwe, zetaCounts } from "../../src/retrieval/prompts/fwe.ts";
import { NIAH, NOISE, type NiahName, planNiah } from "../../src/retrieval/prompts/niah.ts";
import { planMultiturn } from "../../src/retrieval/prompts/multiturn.ts";
import { planQa } from "../../src/retrieval/prompts/qa.ts";
import { sentences, singleSpaced } from "../../src/retrieval/prompts/sentences.ts";
import { planVt } from "../../src/retrieval/prompts/vt.ts";
import { ADJECTIVES, NOUNS } from "../../src/retrieval/prompts/words.ts";
import { refusedSync } from "../tools/refused.ts";
import { essay, squad, tokenizer, words } from "./fake.ts";

const test = suite("retrieval ruler");

/** A prompt of the Python generator, and the sizes that it was made with. */
interface Recorded {
  readonly task: string;
  readonly key: (string | number)[];
  readonly tokens: number;
  readonly size: number;
  readonly once: number;
  readonly dots: number;
  readonly index: number;
  readonly characters: number;
  readonly text: string;
  readonly values: string[];
}
const recorded = JSON.parse(readFileSync(new URL("../fixtures/ruler/prompts.json", import.meta.url), "utf8")) as {
  essay: string;
  squad: unknown;
  hotpotqa: unknown;
  prompts: Recorded[];
};

/** The same from the suite's own plans, at the same size. */
function made({ task, key, tokens, size, once, dots, index, characters }: Recorded): {
  text: string;
  values: readonly string[];
} {
  if (task in NIAH) {
    const plan = planNiah(task as NiahName, { key });
    const { haystack } = NIAH[task as NiahName];
    const unit = haystack === "repeat" ? `${NOISE}\n` : `${singleSpaced(recorded.essay)} `;
    const hay = haystack === "needle" ? Array.from({ length: size }, plan.line) : unit.repeat(20).slice(0, size);
    return { text: plan.compose(hay), values: plan.values };
  }
  if (task === "vt") {
    const plan = planVt({ tokens, key });
    return { text: plan.compose(`${NOISE}\n`.repeat(20).slice(0, size), 0), values: plan.variables };
  }
  if (task === "cwe") {
    const plan = planCwe({ tokens, key }, tokens < 4000 ? SHORT : LONG);
    return { text: plan.compose(size, plan.words.slice(size, size + once), 0), values: plan.words.slice(0, 10) };
  }
  if (task === "fwe") {
    const plan = planFwe({ tokens, key });
    return { text: plan.compose(size, " ...".repeat(dots).slice(0, dots), 0), values: plan.words.slice(1, 4) };
  }
  if (task === "multiturn") {
    const plan = planMultiturn({ key });
    const lines = Array.from({ length: size }, plan.line);
    return { text: plan.compose(lines, 10), values: plan.asked.map((each) => each[1]) };
  }
  const plan = planQa({ tokens, key, index, questions: parseQuestions(recorded[task as "squad" | "hotpotqa"]) });
  const beginning = characters === 0 ? "" : plan.others[size].slice(0, characters).trimEnd();
  return { text: plan.compose(size, beginning), values: plan.answers };
}

test("every task: the strings of the Python generator, for the same seed and size", () => {
  assert.is(new Set(recorded.prompts.map((each) => each.task)).size, 8 + 6);
  for (const each of recorded.prompts) {
    const { text, values } = made(each);
    const name = `${each.task} ${JSON.stringify(each.key)} ${each.size}`;
    assert.is(text, each.text, name);
    assert.equal(values, each.values, name);
  }
});

const counters: Record<string, (text: string) => number> = { words: (text) => words.encode(text).length };
for (const name of ["kv-llama", "llama2-metaspace", "llama3", "smollm"]) {
  const read = tokenizer(name);
  counters[name] = (text) => read.encode(text).length;
}
const questions = parseQuestions(squad());
const niah = (name: NiahName) =>
  [name, (options: SeededOptions) => prompts.niah(name, { ...options, filler: essay })] as const;
const builders: Record<string, (options: SeededOptions) => Prompt> = {
  ...Object.fromEntries((Object.keys(NIAH) as NiahName[]).map(niah)),
  vt: prompts.vt,
  cwe: prompts.cwe,
  fwe: prompts.fwe,
  qa: (options) => prompts.qa({ ...options, questions, index: 3 }),
  multiturn: prompts.multiturn,
};

/** Where lines, or words of a list, have the same number of tokens, or nearly, some lengths of short prompts do not exist. */
const STEPS: Record<string, Record<string, number>> = {
  words: { niah_multikey_2: 19, niah_multikey_3: 30, cwe: 3, multiturn: 5 },
  "kv-llama": { multiturn: 18 },
  smollm: { niah_multikey_3: 93 },
};

for (const [task, build] of Object.entries(builders)) {
  test(`${task}: exactly as long as asked, for every tokenizer, in linear time`, () => {
    for (const [name, count] of Object.entries(counters)) {
      for (const tokens of [1200, 1777, 4301]) {
        let read = 0;
        const counting = (text: string): number => {
          read += text.length;
          return count(text);
        };
        const prompt = build({ count: counting, tokens, key: ["exact", tokens] });
        const where = `${name}, ${tokens} tokens`;
        assert.is(prompt.tokens, count(prompt.text), `${where}: the stated length is the real one`);
        const step = STEPS[name]?.[task] ?? 1;
        assert.ok(prompt.tokens <= tokens && prompt.tokens > tokens - step, `${where}: ${prompt.tokens}`);
        assert.ok(prompt.distance > 0 && prompt.distance <= prompt.tokens, where);
        // Eight draws of 12 rounds and the cuts near the end are the worst case; typical is 5 to 20. A short prompt that needs
        // a rare sum prices 512 lines of up to 120 characters in each draw.
        assert.ok(
          read < 320 * prompt.text.length + 8 * 512 * 2 * 120,
          `${where}: read ${read / prompt.text.length} times`,
        );
      }
    }
  });

  test(`${task}: the same key gives the same prompt, another key another`, () => {
    const make = (...key: (string | number)[]): string => build({ count: counters["words"], tokens: 1500, key }).text;
    assert.is(make(1, "a"), make(1, "a"));
    assert.is.not(make(1, "a"), make(2, "a"));
    assert.is.not(make(1, "a"), make(1, "b"));
  });
}

test("needles: as many keys, values and questions as RULER's parameters say", () => {
  for (const [name, { haystack, keys, values, queries, value }] of Object.entries(NIAH)) {
    const { text, values: asked = [] } = builders[name]({ count: counters["llama3"], tokens: 2000, key: [name] });
    const found = [...text.matchAll(/One of the special magic (\w+) for ([\w-]+) is: ([\w-]+)\./g)];
    assert.ok(found.every((each) => each[1] === value));
    if (haystack !== "needle") assert.is(found.length, keys * values, name);
    else assert.ok(found.length > 10, name);
    assert.is(new Set(found.map((each) => each[3])).size, found.length, "no value stands twice");
    assert.is(new Set(found.map((each) => each[2])).size, haystack === "needle" ? found.length : keys, name);
    assert.is(asked.length, queries * values);
    const shape =
      value === "numbers" ? /^[1-9]\d{6}$/ : /^[\da-f]{8}-[\da-f]{4}-4[\da-f]{3}-[89ab][\da-f]{3}-[\da-f]{12}$/;
    for (const each of found) assert.match(each[3], shape);
    const one = queries * values === 1;
    assert.ok(text.startsWith(one ? "A special magic " : "Some special magic "));
    assert.match(text, one ? /mentioned in the provided text is$/ : /mentioned in the provided text are$/);
  }
});

test("needles stand anywhere: 40 depths of essays, every gap between lines", () => {
  const places = (name: NiahName, tokens: number): number[] =>
    Array.from({ length: 300 }, (_, i) => {
      const plan = planNiah(name, { key: [i] });
      const unit = NIAH[name].haystack === "repeat" ? `${NOISE}\n` : "One two. ";
      const text = plan.compose(
        NIAH[name].haystack === "needle" ? Array.from({ length: tokens }, plan.line) : unit.repeat(tokens),
      );
      return text.indexOf(plan.needles[0]) / text.length;
    });
  for (const name of ["niah_single_1", "niah_single_2", "niah_multikey_2"] as const) {
    const found = places(name, 200).sort((a, b) => a - b);
    const mean = found.reduce((sum, each) => sum + each, 0) / found.length;
    assert.ok(Math.abs(mean - 0.5) < 0.06, `${name}: mean ${mean}`); // 3.5 standard errors of 300 uniform draws
    // Kolmogorov and Smirnov: 1.95 / √300 at p = 0.001, and the head and the question that no needle stands in.
    const worst = Math.max(...found.map((each, i) => Math.abs(each - (i + 0.5) / found.length)));
    assert.ok(worst < 0.113 + 0.03, `${name}: ${worst}`);
  }
});

test("frequent words: counts follow the Zeta distribution, and the third stands more often than the fourth", () => {
  // ⌊1000 / (k² π²/6)⌋ by hand
  assert.equal(zetaCounts(1000, 6), [607, 151, 67, 37, 24, 16]);
  for (const tokens of [300, 800, 4000]) {
    const { text, values = [] } = prompts.fwe({ count: counters["llama3"], tokens, key: [tokens] });
    const coded = text.slice(text.indexOf("coded words. ") + 13, text.indexOf("\nQuestion"));
    const counts = new Map<string, number>();
    for (const word of coded.split(" ")) counts.set(word, (counts.get(word) ?? 0) + 1);
    const ranked = [...counts].filter(([word]) => !/^\.*$/.test(word)).sort((a, b) => b[1] - a[1]);
    assert.equal(
      ranked.slice(0, 3).map(([word]) => word),
      values,
    );
    assert.ok(ranked[2][1] > (ranked[3]?.[1] ?? 0), `${tokens}: ${ranked.slice(0, 5).join(" ")}`);
    for (const [word] of ranked) assert.match(word, /^[a-z]{6}$/);
  }
});

test("common words: 30 times against 3, 6 against 1 below 4096, and no word inside another", () => {
  for (const [tokens, common, other] of [
    [6000, 30, 3],
    [2000, 6, 1],
  ] as const) {
    const { text, values = [], others } = prompts.cwe({ count: counters["llama3"], tokens, key: [tokens] });
    const list = text.slice(text.lastIndexOf("most often.\n") + 12, text.lastIndexOf("\nQuestion"));
    const entries = list.split(/ (?=\d+\. )/).map((each) => each.split(". "));
    assert.equal(
      entries.map((each) => Number(each[0])),
      entries.map((_, i) => i + 1),
    );
    const counts = new Map<string, number>();
    for (const [, word] of entries) counts.set(word, (counts.get(word) ?? 0) + 1);
    assert.equal(
      [...counts]
        .filter(([, times]) => times === common)
        .map(([word]) => word)
        .sort(),
      [...values].sort(),
    );
    const rest = [...counts].filter(([word]) => !values.includes(word));
    assert.ok(rest.every(([word, times]) => others.includes(word) && (times === other || times === 1)));
    const once = rest.filter(([, times]) => times !== other).length;
    assert.ok(once < 80, `${once} words stand once to make the length exact`);
    const example = text.slice(0, text.lastIndexOf("Below is"));
    assert.is(example.match(/\d+\. [\w-]+/g)!.length, (tokens === 6000 ? 10 * 10 + 30 * 3 : 10 * 3 + 10) + 10);
  }
  const all = [...ADJECTIVES, ...NOUNS];
  assert.is(new Set(all).size, all.length);
  for (const word of all) assert.is(all.filter((other) => other.includes(word)).length, 1, word);
});

test("a text is taken apart into its sentences, and nothing of it is lost", () => {
  assert.equal(sentences('Yes. "No!" (Or?) 3.5 is less... Is it'), [
    "Yes.",
    '"No!"',
    "(Or?)",
    "3.5 is less...",
    "Is it",
  ]);
  assert.equal(sentences(""), []);
  assert.is(sentences(singleSpaced(essay)).join(" "), singleSpaced(essay));
});

test("question sets: both forms, and what is neither is refused by its place", () => {
  const { form, documents, questions: read } = parseQuestions(recorded.squad, "s.json");
  assert.is(form, "squad");
  assert.is(documents.length, 5);
  assert.is(read.length, 5, "without the questions that have no answer");
  assert.equal(read[0].answers, ["812", "812 inhabitants"]);
  assert.equal(
    read[0].near.map((i) => documents[i].slice(0, 5)),
    ["Brill", "Corve"],
  );
  const hotpot = parseQuestions(recorded.hotpotqa);
  assert.equal([hotpot.form, hotpot.documents.length, hotpot.questions[0].documents.length], ["hotpotqa", 6, 2]);
  const paragraph = (qas: unknown): unknown => ({ data: [{ paragraphs: [{ context: "x", qas }] }] });
  for (const [json, message] of [
    [7, /q\.json: it must be a list, as HotpotQA's files are, or an object/],
    [{ data: [7] }, /data\[0\] must be an object, got 7/],
    [{ data: [{ paragraphs: [{}] }] }, /data\[0\]\.paragraphs\[0\]\.context must be a text/],
    [paragraph(7), /data\[0\]\.paragraphs\[0\]\.qas must be a list/],
    [paragraph([{ question: "", answers: [{ text: "x" }] }]), /qas\[0\]\.question must be a text, got ""/],
    [paragraph([{ question: "x", answers: [{}] }]), /qas\[0\]\.answers\[0\]\.text must be a text/],
    [paragraph([]), /holds no question with an answer/],
    [[{ question: "x", answer: "y", context: [["t", [7]]] }], /\[0\]\.context\[0\]\[1\]\[0\] must be a text, got 7/],
    [[{ question: "x", context: [] }], /\[0\]\.answer must be a text/],
  ] as const) {
    refusedSync(() => parseQuestions(json, "q.json"), "request", message);
  }
});

test("what cannot be built is refused with a reason", () => {
  const count = counters["llama3"];
  for (const build of Object.values(builders))
    refusedSync(() => build({ count, tokens: 20, key: [1] }), "request", /20 tokens are too few/);
  refusedSync(() => prompts.niah("niah_single_2", { count, tokens: 500, key: [1] }), "request", /needs essays/);
  refusedSync(
    () => prompts.qa({ count, tokens: 90_000, key: [1], questions, index: 0 }),
    "request",
    /need more filler text/,
  );
});

test("lines: none is lost where the haystack is short", () => {
  assert.equal(fitLines({ target: 3, count: (text) => text.length, draw: () => "x", compose: (all) => all.join("") }), [
    "x",
    "x",
    "x",
  ]);
});

test.run();
