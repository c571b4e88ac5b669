// Two settings on the same prompts: who finds what the other does not, and how sure that makes one.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { html, mcnemar, pairings, retrieve, terminalTable } from "../../src/retrieval/index.ts";
import { pairingSentence } from "../../src/retrieval/paired.ts";
import { reader } from "./fake.ts";

const test = suite("retrieval paired");

test("McNemar's exact test, by hand", () => {
  // 2 · Σ_{k ≤ min} C(n, k) / 2ⁿ
  for (const [one, other, p] of [
    [0, 0, 1],
    [1, 0, 1],
    [5, 0, 2 / 32],
    [0, 6, 2 / 64],
    [8, 2, (2 * (1 + 10 + 45)) / 1024],
    [5, 5, 1],
    [14, 0, 2 / 16_384],
  ] as const) {
    assert.ok(Math.abs(mcnemar(one, other) - p) < 1e-12, `${one}, ${other}: ${mcnemar(one, other)}`);
    assert.is(mcnemar(one, other), mcnemar(other, one));
  }
  assert.throws(() => mcnemar(1.5, 2), /whole numbers/);
});

const engine = reader(({ tokens, scaling }) => (scaling === "dynamic:2" ? 1 : tokens > 512 ? 0 : 0.5));
const settings = {
  trainedLength: 512,
  answerRoom: 0,
  tries: 10,
  positions: [0.2, 0.8],
  ropeScalings: ["none", "dynamic:2", "yarn:2"],
  promptLengths: [300, 600],
};

test("prompts that both answered are counted, by who found them", async () => {
  const { cells } = await retrieve(engine, settings);
  const found = (scaling: string): Set<string> =>
    new Set(
      cells
        .filter((cell) => cell.scaling === scaling)
        .flatMap((cell) => cell.attempts.filter((each) => each.found).map((each) => each.prompt)),
    );
  const [none, dynamic, yarn] = ["none", "dynamic:2", "yarn:2"].map(found);
  const only = (a: Set<string>, b: Set<string>, length: string): number =>
    [...a].filter((prompt) => !b.has(prompt) && prompt.includes(length)).length;
  const [first, second, third] = pairings(cells);
  // unscaled, 600 tokens have no chance and were not run: only the 20 prompts of 300 tokens are common
  assert.equal(first, {
    one: "none",
    other: "dynamic:2",
    prompts: 20,
    onlyOne: 0,
    onlyOther: 20 - none.size,
    p: mcnemar(0, 20 - none.size),
  });
  assert.equal(
    [second.prompts, second.onlyOne, second.onlyOther],
    [20, only(none, yarn, "/300/"), only(yarn, none, "/300/")],
  );
  assert.equal([third.prompts, third.onlyOne, third.onlyOther], [40, 40 - yarn.size, 0]);
  assert.ok(none.size > 3 && none.size < 17 && second.onlyOne > 0 && second.onlyOther > 0, "the test tells them apart");
  assert.is(dynamic.size, 40);
});

test("attempts without an answer are not compared, and one setting has no pair", async () => {
  const report = await retrieve(engine, settings);
  const broken = report.cells.map((cell) => ({
    ...cell,
    attempts: cell.attempts.map((each) => (each.try === 0 ? { ...each, error: "x" } : each)),
  }));
  assert.equal(
    pairings(broken).map((pair) => pair.prompts),
    [18, 18, 36],
  );
  assert.equal(pairings(report.cells.filter((cell) => cell.scaling === "none")), []);
});

test("sentences name the better one first; page and terminal have them", async () => {
  const pair = { one: "none", other: "dynamic:2", prompts: 120, onlyOne: 0, onlyOther: 14, p: mcnemar(0, 14) };
  assert.is(pairingSentence(pair), "dynamic:2 finds 14 of 120 that none does not, 0 the other way");
  assert.is(
    pairingSentence({ ...pair, onlyOne: 15 }),
    "none finds 15 of 120 that dynamic:2 does not, 14 the other way",
  );
  assert.is(pairingSentence({ ...pair, onlyOther: 0 }), "none and dynamic:2 find the same of 120");
  const report = await retrieve(engine, settings);
  const page = html(report);
  for (const each of pairings(report.cells))
    assert.ok(page.includes(`>${pairingSentence(each)}<`), pairingSentence(each));
  const text = terminalTable(report);
  assert.ok(text.includes(pairingSentence(pairings(report.cells)[0])));
  assert.not.ok(text.includes(pairingSentence(pairings(report.cells)[2])), "only those with the first");
});

test.run();
