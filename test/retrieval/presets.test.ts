import { readFileSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { memorySource } from "../../src/checkpoint/memory.ts";
import { Llama } from "../../src/node/index.ts";
import { randomFiles } from "../tools/checkpoint.ts";
import { llama2TokenizerJson } from "../tokenizer/llama2.ts";
import { parseQuestions, preset, presets, retrieve } from "../../src/retrieval/index.ts";
import { resolveSettings } from "../../src/retrieval/settings.ts";
import { reader } from "./fake.ts";

const test = suite("retrieval presets");
const document = { name: "paper.txt", text: `On Long Papers\n\n${"Words follow words here. ".repeat(1500)}` };

test("h2oGPT's conditions, as its test states them", () => {
  const { settings } = preset("h2ogpt-uuid");
  assert.equal(settings.ropeScalings, ["dynamic:2"]);
  assert.equal(settings.promptLengths, [5000, 6000]);
  assert.equal(settings.positions, [0.2]);
  assert.is(settings.answerRoom, 256);
  assert.is(settings.maxNewTokens, 300);
  assert.is(preset("h2ogpt-title").settings.leastTokens, 6200);
  assert.throws(() => preset("h2ogpt-uid"), /did you mean h2ogpt-uuid\?/);
  assert.throws(() => preset("toString"), /is none of/);
});

test("every preset is a complete set of settings", () => {
  for (const { settings, about } of Object.values(presets)) {
    assert.ok(about.length > 20);
    const questions = [
      parseQuestions({
        data: [{ paragraphs: [{ context: "x", qas: [{ question: "?", answers: [{ text: "x" }] }] }] }],
      }),
      parseQuestions([{ question: "?", answer: "x", context: [["t", ["x"]]] }]),
    ];
    const more = { documents: [document], ...(settings.tasks?.includes("qa_1") ? { questions } : {}) };
    resolveSettings(
      reader(() => 1),
      { ...settings, ...more, trainedLength: 4096 },
    );
  }
});

test("on a model of 4096 tokens: passes if dynamic scaling works, fails if it does not", async () => {
  for (const [reach, held] of [
    [8192, true],
    [4096, false],
  ] as const) {
    const engine = reader(({ tokens, scaling }) => (tokens <= (scaling === "none" ? 4096 : reach) ? 1 : 0));
    for (const [name, more] of [
      ["h2ogpt-uuid", {}],
      ["h2ogpt-title", { documents: [document] }],
    ] as const) {
      const report = await retrieve(engine, { ...preset(name).settings, ...more, trainedLength: 4096 });
      assert.is(
        report.expectations.every((each) => each.held),
        held,
        name,
      );
      assert.ok(report.complete && report.cells.every((cell) => cell.errors === 0));
    }
  }
});

test("title: a model that finds it without scaling breaks the rule that it must not", async () => {
  const report = await retrieve(
    reader(() => 1),
    { ...preset("h2ogpt-title").settings, documents: [document], trainedLength: 4096 },
  );
  assert.equal(
    report.expectations.map((each) => each.held),
    [false, true, true],
  );
});

/** A checkpoint with the 7B's config but for its sizes: vocabulary, trained length, tokenizer and proportions are Llama 2's. */
function scaledDown(): Parameters<typeof Llama.load>[0] {
  const sizes = { dim: 32, hidden: 86, layers: 2, heads: 2, kvHeads: 2, headDim: 16 };
  const files = randomFiles({
    shape: { ...sizes, vocab: 32_000, tied: false, maxPositions: 4096, ropeTheta: 10_000 },
  });
  const tokenizer = new TextEncoder().encode(JSON.stringify(llama2TokenizerJson()));
  const list = async (): Promise<string[]> => [...new Set([...(await files.list()), "tokenizer.json"])];
  return {
    ...files,
    list,
    open: async (name: string) =>
      name === "tokenizer.json"
        ? memorySource(name, tokenizer)
        : name === "tokenizer_config.json"
          ? undefined
          : files.open(name),
  };
}

test("end to end on random weights with the 7B's config scaled down: nothing but the weights is missing", async () => {
  const llama = await Llama.load(scaledDown());
  try {
    const text = readFileSync(new URL("../fixtures/documents/atomic-commit.txt", import.meta.url), "utf8");
    const paper = { name: "atomic-commit.txt", text };
    // Random weights ramble: 24 tokens of it prove as much as 300.
    const more = { maxNewTokens: 24, batch: 3, model: "scaled-down 7B" };
    const uuid = await retrieve(llama, { ...preset("h2ogpt-uuid").settings, ...more });
    assert.equal(
      uuid.cells.map((cell) => cell.attempts[0].promptTokens),
      [4744, 5744],
      "exactly the length less 256",
    );
    const title = await retrieve(llama, { ...preset("h2ogpt-title").settings, ...more, documents: [paper] });
    for (const { attempts } of title.cells) {
      assert.ok(attempts[0].promptTokens > 6200, "h2oGPT's own condition, in Llama's tokens");
      assert.is(attempts[0].value, "Atomic Commit In SQLite");
    }
    for (const cell of [...uuid.cells, ...title.cells]) {
      assert.is(cell.status, "done");
      assert.is(cell.errors, 0, cell.attempts[0].error);
      assert.ok(cell.completionTokens > 0 && cell.completionTokens <= 24);
      const { type, factor } = cell.rope as { type: string; factor: number };
      assert.is(type === "default" ? "none" : `${type}:${factor}`, cell.scaling);
    }
    assert.equal(
      title.expectations.map((each) => each.held),
      [true, false, false],
      "random weights find nothing",
    );
    assert.not.ok(uuid.expectations[0].held);
  } finally {
    llama.close();
  }
});

test.run();
