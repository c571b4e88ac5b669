// The bundled model on every task, end to end, whatever it scores; what it computes of a conversation.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Llama } from "../../src/node/index.ts";
import { html, junit, parseQuestions, retrieve, terminalTable } from "../../src/retrieval/index.ts";
import { TASK_NAMES } from "../../src/retrieval/prompts/prompt.ts";
import { TASKS } from "../../src/retrieval/prompts/tasks.ts";
import { folder } from "../tools/models.ts";
import { essay } from "./fake.ts";

const test = suite("retrieval of the bundled model");
const llama = await Llama.load(folder("/models/kv-llama"));

/** Questions of few words, and much else to read. */
const part = (i: number): string => essay.slice(250 * i, 250 * i + 250);
const article = {
  paragraphs: [{ context: "The mill is red.", qas: [{ question: "What is red?", answers: [{ text: "mill" }] }] }],
};
const questions = [
  parseQuestions({ data: [article, { paragraphs: [{ context: essay.slice(0, 9000), qas: [] }] }] }),
  parseQuestions(
    Array.from({ length: 40 }, (_, i) => ({ question: "Who?", answer: "Ann", context: [[`Ann ${i}`, [part(i)]]] })),
  ),
];

test("every task runs to its end with prompts of its length", async () => {
  // The solved example of cwe alone has half a thousand tokens with this tokenizer.
  for (const [tasks, promptLengths] of [
    [TASK_NAMES.filter((task) => task !== "cwe"), [800]],
    [["cwe"], [1300]],
  ] as const) {
    const report = await retrieve(llama, {
      tasks,
      promptLengths,
      ropeScalings: ["yarn:4"],
      positions: [0.5],
      tries: 1,
      maxNewTokens: 4,
      filler: essay,
      documents: [{ name: "atomic", text: essay }],
      questions,
    });
    assert.is(report.cells.length, tasks.length);
    for (const { task, errors, attempts, status } of report.cells) {
      assert.is(errors, 0, attempts[0].error);
      assert.is(status, "done", task);
    }
    for (const page of [html(report), junit(report), terminalTable(report)])
      for (const { task } of report.cells) assert.ok(page.includes(task));
    assert.is(report.effectiveLength!.tasks.length, tasks.filter((task) => TASKS[task].ruler).length);
  }
});

test("multiturn: what is known of the conversation is not computed again", async () => {
  const report = await retrieve(llama, {
    tasks: ["multiturn"],
    seed: "computed",
    promptLengths: [1300],
    ropeScalings: ["yarn:4"],
    tries: 1,
  });
  const [cell] = report.cells;
  const [{ turns = [], promptTokens }] = cell.attempts;
  const computed = turns.map((turn) => turn.computedTokens!);
  assert.is(computed.length, 10);
  // The first question computes the list; each of the others its own line and the answer before it.
  assert.ok(computed[0] > 500, `${computed}`);
  for (const tokens of computed.slice(1)) assert.ok(tokens > 0 && tokens < 120, `${computed}`);
  assert.is(
    cell.computedTokens,
    computed.reduce((sum, each) => sum + each, 0),
  );
  assert.ok(cell.computedTokens! < promptTokens / 4, `${cell.computedTokens} of ${promptTokens}`);
  assert.ok(cell.score! >= 0.5, `kv-llama remembers lists: ${cell.score}`);
});

test.after(() => llama.close());
test.run();
