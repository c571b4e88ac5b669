import { suite } from "uvu";
import * as assert from "uvu/assert";
import { effectiveContext } from "../../src/retrieval/index.ts";
import { refused } from "../tools/refused.ts";
import { reader, tokenizer } from "./fake.ts";

const test = suite("retrieval effective");
const kv = tokenizer("kv-llama");
/** Tokens from the passkey to the end, as the engine sees the prompt. */
const distance = (prompt: string): number =>
  kv.encode(prompt.slice(prompt.indexOf("The pass key is")), { addSpecialTokens: false }).length;

test("k_max is where the model stops finding, to within one distance", async () => {
  for (const limit of [300, 829, 5000]) {
    const engine = reader(({ prompt }) => (distance(prompt) <= limit ? 1 : 0), kv);
    const result = await effectiveContext(engine, { window: 2048, points: 16, tries: 3, ropeScalings: ["none"] });
    const [row] = result.rows;
    assert.is(row.points.length, 16);
    assert.is(row.promptTokens, 2037); // 69 + 24 · 82: the whole repetitions that fit into 2048 - 8
    const distances = row.points.map((point) => point.distance);
    // the 16 distances of kmax_x4.json, which RESULTS.md's table rests on
    assert.is(distances.join(), "36,157,301,421,565,685,829,949,1093,1213,1357,1477,1621,1741,1885,2005");
    const wanted = Math.max(...distances.filter((each) => each <= limit));
    assert.is(row.kMax, wanted, `limit ${limit}`);
    const failures = row.points.flatMap((point) => point.failures);
    assert.is(failures.length + row.points.reduce((sum, point) => sum + point.found, 0), 48);
  }
});

test("one hole ends the window, 20 % does not", async () => {
  const hole = reader(({ prompt }) => (distance(prompt) > 400 && distance(prompt) < 560 ? 0 : 1), kv);
  const [row] = (await effectiveContext(hole, { window: 1024, points: 8, tries: 2, ropeScalings: ["none"] })).rows;
  assert.ok(row.kMax > 100 && row.kMax <= 400, `${row.kMax}`);
  assert.ok(row.rate > 0.7);
  let asked = 0;
  const fifth = {
    ...reader(() => 0, kv),
    complete: async (prompt: string) => ({ text: asked++ % 5 === 0 ? /is (\d{5})/.exec(prompt)![1] : "no" }),
  };
  const [poor] = (await effectiveContext(fifth, { window: 512, points: 4, tries: 5, batch: 1 })).rows;
  assert.is(poor.kMax, poor.points.at(-1)!.distance);
  assert.is(poor.rate, 0.2);
});

test("a model that answers nothing, or always the same, has no effective context", async () => {
  for (const text of ["", "12345", "The grass is green."]) {
    const engine = { tokenizer: kv, complete: async () => ({ text }) };
    const [row] = (await effectiveContext(engine, { window: 600, points: 5, tries: 4 })).rows;
    assert.is(row.kMax, 0);
  }
});

test("every scaling gets the same prompts", async () => {
  const engine = reader(() => 1, kv);
  const { rows } = await effectiveContext(engine, {
    window: 300,
    points: 3,
    tries: 2,
    ropeScalings: ["none", "linear:4"],
  });
  assert.equal(
    rows.map((row) => row.scaling),
    ["none", "linear:4"],
  );
  const asked = engine.asked.map((each) => each.prompt).sort();
  for (let i = 0; i < asked.length; i += 2) assert.is(asked[i], asked[i + 1]);
  assert.is(asked.length, 12);
});

test("bad settings are refused", async () => {
  const engine = reader(() => 1, kv);
  for (const [settings, message, code = "request"] of [
    [{ window: 0 }, /window: must be a whole number ≥ 1/],
    [{ window: 20 }, /too few/],
    [{ window: 500, points: 1 }, /points: must be a whole number ≥ 2/],
    [{ window: 500, least: 0 }, /least: must be a rate above 0/],
    [{ window: 500, ropeScalings: ["linear:1"] }, /a factor of 1/, "rope"],
  ] as const) {
    await refused(effectiveContext(engine, settings), code, message);
  }
});

test.run();
