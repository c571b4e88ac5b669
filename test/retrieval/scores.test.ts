// What answers are worth: scoring tables by hand, engines of every kind on every task, effective lengths as RULER prints them.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Cell, Engine, Prompt, Report, TaskName } from "../../src/retrieval/index.ts";
import {
  checkExpectation,
  effectiveLength,
  mergeReports,
  parseExpectation,
  parseQuestions,
  parseReport,
  prompts,
  retrieve,
  wilson,
} from "../../src/retrieval/index.ts";
import { refusedSync } from "../tools/refused.ts";
import { judge } from "../../src/retrieval/judge.ts";
import { summarize } from "../../src/retrieval/length.ts";
import { TASK_NAMES } from "../../src/retrieval/prompts/prompt.ts";
import { TASKS } from "../../src/retrieval/prompts/tasks.ts";
import { scoreInterval } from "../../src/retrieval/stats.ts";
import { essay, squad, tokenizer } from "./fake.ts";
import { answersTo } from "./solver.ts";

const test = suite("retrieval scores");

const asked = (task: TaskName, values: readonly string[], others: readonly string[] = []): Prompt => ({
  task,
  text: "",
  value: values.join(", "),
  values,
  answers: values,
  others,
  tokens: 1,
  distance: 1,
});

test("string match, all: the share of the strings in the answer, in either case of letters", () => {
  const prompt = asked("vt", ["ABCDE", "FGHIJ", "KLMNO", "PQRST"], ["UVWXY"]);
  const rows: [string, number, string][] = [
    ["ABCDE FGHIJ KLMNO PQRST", 1, "found alone exact"],
    ["PQRST, KLMNO, FGHIJ, and ABCDE.", 1, "found alone exact"],
    ["1. abcde\n2. fghij\n3. klmno\n4. pqrst", 1, "found alone exact"],
    ["They are ABCDE, FGHIJ, KLMNO and PQRST", 1, "found alone"],
    ["ABCDE FGHIJ KLMNO PQRST UVWXY", 1, "found"],
    ["ABCDEFGHIJKLMNOPQRST", 1, "found exact"], // run together: nothing else is there, but no string by itself
    ["ABCDE and FGHIJ", 0.5, ""],
    ["ABCDE", 0.25, ""],
    ["UVWXY", 0, ""],
    ["", 0, ""],
  ];
  for (const [answer, score, words] of rows) {
    const verdict = judge(prompt, answer);
    assert.is(verdict.score, score, answer);
    const got = (["found", "alone", "exact"] as const).filter((name) => verdict[name]).join(" ");
    assert.is(got, words, answer);
  }
});

test("string match, part: any of the strings", () => {
  const prompt = asked("qa_1", ["812", "812 inhabitants"]);
  for (const [answer, score, exact] of [
    ["812", 1, true],
    [" 812 inhabitants.", 1, true],
    ["It has 812 INHABITANTS", 1, false],
    ["8 12", 0, false],
    ["", 0, false],
  ] as const) {
    const verdict = judge(prompt, answer);
    assert.equal([verdict.score, verdict.found, verdict.exact], [score, score === 1, exact], answer);
  }
});

const questions = [parseQuestions(squad()), parseQuestions(hotpot())];

/** A file in HotpotQA's form whose questions the solver can read. */
function hotpot(): unknown {
  return Array.from({ length: 60 }, (_, i) => ({
    question: `How many people live in Ville-${i}?`,
    answer: String(50_021 + 331 * i),
    context: [
      [`Ville-${i}`, [`In Ville-${i} live ${50_021 + 331 * i} people.`, " It has a mill."]],
      [`Mill of Ville-${i}`, [essay.slice(200 * i, 200 * i + 300)]],
    ],
  }));
}

const llama = tokenizer("llama2-metaspace");
const everything = {
  trainedLength: 4096,
  tasks: TASK_NAMES,
  promptLengths: [2200],
  positions: [0.5],
  tries: 4,
  filler: essay,
  documents: [{ name: "atomic", text: essay }],
  titles: "made" as const,
  questions,
};
/** An engine that says this of what a prompt asks for. */
const says = (say: (answers: string[], prompt: string) => string): Engine => ({
  tokenizer: llama,
  complete: async (prompt) => ({ text: say(answersTo(prompt), prompt) }),
});
const byTask = (report: Report): Record<string, Cell> =>
  Object.fromEntries(report.cells.map((cell) => [cell.task, cell]));
/** Strings asked for per prompt, by RULER's parameters. */
const ASKED: Partial<Record<TaskName, number>> = { niah_multivalue: 4, niah_multiquery: 4, vt: 5, cwe: 10, fwe: 3 };

test("a perfect engine has every point, and its answers are exact", async () => {
  const report = await retrieve(
    says((answers) => ` ${answers.join(", ")}.`),
    everything,
  );
  assert.is(report.cells.length, TASK_NAMES.length);
  for (const cell of report.cells) {
    assert.is(cell.errors, 0, cell.attempts[0].error);
    assert.equal([cell.score, cell.found, cell.exact, cell.alone], [1, 4, 4, 4], cell.task);
    for (const { promptTokens, turns, score } of cell.attempts) {
      assert.is(score, undefined);
      if (turns) assert.ok(turns.length === 10 && turns.every((turn) => turn.found));
      else assert.is(promptTokens, 2200 - (TASKS[cell.task].ruler ? TASKS[cell.task].answerTokens : 256), cell.task);
    }
  }
  assert.ok(report.effectiveLength!.rows[0].length === 2200 && report.effectiveLength!.rows[0].open);
});

test("a deaf engine has none", async () => {
  for (const cell of (
    await retrieve(
      says(() => "I do not know."),
      everything,
    )
  ).cells)
    assert.equal([cell.score, cell.found, cell.exact, cell.alone], [0, 0, 0, 0], cell.task);
});

test("a half-deaf engine has the share that it says", async () => {
  const half = (answers: string[]): string => answers.slice(0, Math.floor(answers.length / 2)).join(", ");
  for (const cell of (await retrieve(says(half), everything)).cells) {
    const count = ASKED[cell.task] ?? 1;
    assert.ok(Math.abs(cell.score! - Math.floor(count / 2) / count) < 1e-12, `${cell.task}: ${cell.score}`);
    assert.is(cell.found, 0, cell.task);
    assert.is(cell.interval.low, scoreInterval(cell.score! * 4, 4).low);
  }
});

test("a lucky engine has the tries in which it was lucky, a question of a conversation counts by itself", async () => {
  let count = 0;
  const report = await retrieve(
    says((answers) => (count++ % 4 === 0 ? answers.join(" ") : "no")),
    { ...everything, batch: 1, tries: 8 },
  );
  for (const cell of report.cells) {
    if (cell.task === "multiturn") {
      // 80 questions, of which every fourth is answered; a conversation is found only as a whole
      assert.equal([cell.score, cell.found], [0.25, 0]);
      assert.is(cell.attempts.flatMap((each) => each.turns!).filter((turn) => turn.found).length, 20);
    } else assert.equal([cell.score, cell.found, cell.attempts.length], [0.25, 2, 8], cell.task);
  }
});

test("a conversation whose last answer alone is right is not found", async () => {
  const last = says((answers, prompt) => (prompt.split("What is the value").length === 11 ? answers.join() : "no"));
  const { cells } = await retrieve(last, { ...everything, tasks: ["multiturn"] });
  assert.ok(Math.abs(cells[0].score! - 0.1) < 1e-12, `${cells[0].score}`);
  assert.equal([cells[0].found, cells[0].alone, cells[0].exact], [0, 0, 0]);
});

test("a verbose engine has RULER's points, but not alone and not exactly", async () => {
  // Everything that the prompt holds: a title's answer may not be so long.
  const cells = byTask(
    await retrieve(
      says((_, prompt) => prompt),
      everything,
    ),
  );
  for (const cell of Object.values(cells)) {
    assert.is(cell.score, cell.task === "title" ? 0 : 1, cell.task);
    assert.is(cell.exact, 0, cell.task);
  }
  for (const task of ["uuid", "multiturn", "niah_multikey_1", "niah_multikey_2", "niah_multikey_3", "cwe", "fwe"])
    assert.is(cells[task].alone, 0, task);
});

test("effective lengths and averages are those of RULER's own table", () => {
  // github.com/NVIDIA/RULER, README: model, effective length in K, percent at 4K … 128K, average, wAvg (inc), wAvg (dec)
  const table: [string, number, number[], number, number, number][] = [
    ["GPT-4-1106-preview", 64, [96.6, 96.3, 95.2, 93.2, 87.0, 81.2], 91.6, 89.0, 94.1],
    ["Llama3.1 (70B)", 64, [96.5, 95.8, 95.4, 94.8, 88.4, 66.6], 89.6, 85.5, 93.7],
    ["Qwen2", 32, [96.9, 96.1, 94.9, 94.1, 79.8, 53.7], 85.9, 79.6, 92.3],
    ["Mistral", 16, [93.6, 91.2, 87.2, 75.4, 49.0, 13.8], 68.4, 55.6, 81.2],
    ["InternLM2.5", 4, [88.1, 85.5, 84.5, 82.7, 75.5, 68.9], 80.9, 77.8, 83.9],
    ["LongChat", 0, [84.7, 79.9, 70.8, 59.3, 0.0, 0.0], 49.1, 33.1, 65.2],
    ["Gemini-1.5-pro", 128, [96.7, 95.8, 96.0, 95.9, 95.9, 94.4], 95.8, 95.5, 96.1],
  ];
  const lengths = [4, 8, 16, 32, 64, 128];
  for (const [model, effective, percent, average, increasing, decreasing] of table) {
    const scores = percent.map((score, i) => ({ promptLen: lengths[i], score: score / 100 }));
    const found = summarize(scores, 0.856);
    assert.is(found.length, effective, model);
    assert.is(found.open, effective === 128, model);
    for (const [mine, theirs] of [
      [found.average, average],
      [found.increasing, increasing],
      [found.decreasing, decreasing],
    ] as const)
      assert.ok(Math.abs(mine! * 100 - theirs) < 0.1001, `${model}: ${mine! * 100}, ${theirs}`); // from rounded numbers
  }
  assert.equal(summarize([], 0.856), { length: 0, open: false, average: null, increasing: null, decreasing: null });
  assert.is(summarize([{ promptLen: 4, score: 0.856 }], 0.856).length, 0, "the threshold must be exceeded");
});

test("a length counts where every task was measured to its end", async () => {
  const engine = says((answers, prompt) =>
    prompt.includes("VAR ") && llama.encode(prompt).length > 1500 ? answers.slice(0, 2).join(" ") : answers.join(" "),
  );
  const settings = {
    trainedLength: 2048,
    tasks: ["uuid", "vt", "fwe"] as const,
    promptLengths: [1200, 1800, 3000],
    tries: 2,
  };
  const report = await retrieve(engine, { ...settings, ropeScalings: ["none", "linear:2"] });
  const { tasks, threshold, rows } = report.effectiveLength!;
  assert.equal([tasks, threshold], [["vt", "fwe"], 0.856], "uuid is none of RULER's");
  // vt 0.4 and fwe 1 from 1500 tokens on; unscaled, 3000 tokens were not run
  const near = (a: number | null, b: number): void => assert.ok(Math.abs(a! - b) < 1e-12, `${a} ${b}`);
  assert.equal(
    rows.map((row) => [row.scaling, row.length, row.scores.map((each) => each.promptLen)]),
    [
      ["none", 1200, [1200, 1800]],
      ["linear:2", 1200, [1200, 1800, 3000]],
    ],
  );
  near(rows[0].average, 0.85);
  near(rows[1].increasing, (1 + 2 * 0.7 + 3 * 0.7) / 6);
  near(rows[1].decreasing, (3 + 2 * 0.7 + 0.7) / 6);
  assert.is(effectiveLength(report.cells, { tasks: ["vt", "fwe"], threshold: 0.6 }).rows[1].length, 3000);
  assert.is(effectiveLength(report.cells.slice(0, 3), { tasks: ["vt"], threshold: 0.5 }).rows.length, 0);
  for (const threshold of [-0.1, 1, 85.6, NaN, Infinity, "0.5"] as number[]) {
    refusedSync(
      () => effectiveLength(report.cells, { tasks: ["vt"], threshold }),
      "request",
      /^threshold: must be a mean score from 0 to below 1, got /,
    );
  }
  // it goes through a file, shards and an expectation
  const shards: Report[] = [];
  for (const index of [1, 2]) {
    const part = await retrieve(engine, {
      ...settings,
      ropeScalings: ["none", "linear:2"],
      shard: { index, count: 2 },
    });
    assert.ok(part.effectiveLength!.rows.every((row) => row.scores.length < 2));
    shards.push(parseReport(JSON.parse(JSON.stringify(part))));
  }
  assert.equal(mergeReports(shards).effectiveLength, report.effectiveLength);
  const held = (text: string): object => checkExpectation(parseExpectation(text), report.cells, 2048);
  assert.match(JSON.stringify(held("vt/none>=0.5@1800")), /"held":false.*"score":0\.4.*vt at 1800: 40 % of 2 found/);
  // Wilson of 0.8 of 2: 0.4658 ± 0.4027
  assert.match(JSON.stringify(held("vt/none>=0.06@1800")), /"held":true/);
  assert.match(JSON.stringify(held("vt/none>=0.07@1800")), /"undecided":true/);
  assert.match(JSON.stringify(held("niah_multikey_2/none>=0.4")), /no cell matches it/);
});

test("the interval of a mean score is Wilson's, also between two counts", () => {
  assert.equal(scoreInterval(3, 10), wilson(3, 10));
  const [low, middle, high] = [wilson(3, 10), scoreInterval(3.5, 10), wilson(4, 10)];
  assert.ok(low.low < middle.low && middle.low < high.low && low.high < middle.high && middle.high < high.high);
});

test("a chat frame is around every prompt, and lengths stay exact", async () => {
  const seen: string[] = [];
  const engine: Engine = { tokenizer: llama, complete: async (prompt) => (seen.push(prompt), { text: "" }) };
  const chat = (exchanges: readonly (readonly [string, string])[]): string =>
    exchanges.map(([question, reply]) => `<|user|>${question.trim()}<|assistant|>${reply}`).join("<|end|>");
  const report = await retrieve(engine, { ...everything, tries: 1, chat });
  for (const prompt of seen) assert.match(prompt, /^<\|user\|>[^<]+<\|assistant\|>/);
  for (const cell of report.cells) {
    assert.is(cell.errors, 0, cell.attempts[0].error);
    assert.ok(
      cell.attempts[0].distance > 0 && cell.attempts[0].distance <= 2200,
      `${cell.task} ${cell.attempts[0].distance}`,
    );
  }
  assert.is(report.cells.find((cell) => cell.task === "uuid")!.attempts[0].promptTokens, 2200 - 256);
  assert.is(report.cells.find((cell) => cell.task === "vt")!.attempts[0].promptTokens, 2200 - 30);
  assert.not.ok(
    seen.some((prompt) => prompt.includes("[INST]")),
    "one chat format is enough",
  );
  assert.match(
    seen.find((prompt) => prompt.includes("Document 1:"))!,
    /<\|assistant\|> Answer:$/,
  );
  assert.ok("chat" in report.settings);
});

test("multiturn: every question comes after the ones before it and their right answers", () => {
  const {
    turns = [],
    text,
    values = [],
  } = prompts.multiturn({ count: (each) => llama.encode(each).length, tokens: 2000, key: [1] });
  assert.is(turns.length, 10);
  turns.forEach((turn, i) => {
    assert.is(turn.tokens, llama.encode(turn.text).length);
    assert.equal(answersTo(turn.text), [values[i]]);
    if (i === 0) return;
    const before = turns[i - 1];
    assert.ok(turn.text.startsWith(`${before.text} The value of the key '`), "the prompt before is a beginning of it");
    assert.ok(turn.text.includes(` is '${before.value}'.\n[INST] `));
  });
  assert.is(text, turns[9].text);
});

test.run();
