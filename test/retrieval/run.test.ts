import { suite } from "uvu";
import * as assert from "uvu/assert";
import { refused, refusedSync } from "../tools/refused.ts";
import { type ErrorCode, LlariatError } from "../../src/error.ts";
import type { Engine, Report, RetrievalSettings } from "../../src/retrieval/index.ts";
import { mergeReports, parseReport, prompts, retrieve } from "../../src/retrieval/index.ts";
import { parseRope } from "../../src/rope/index.ts";
import { expected, reader, solve, tokenizer, words } from "./fake.ts";

const test = suite("retrieval run");

/** Finds what lies within trained length × factor, never beyond. */
const honest = (): ReturnType<typeof reader> =>
  reader(({ tokens, scaling }) => (tokens <= 512 * Number(scaling.split(":")[1] ?? 1) ? 1 : 0));
const small: RetrievalSettings = {
  model: "fake",
  trainedLength: 512,
  answerRoom: 0,
  tries: 3,
  positions: [0.2, 0.8],
  ropeScalings: ["none", "dynamic:2"],
  promptLengths: [200, "1.5x", 1200],
};

/** A report without what depends on clocks. */
const timeless = (report: Report): unknown =>
  JSON.parse(
    JSON.stringify(report, (key, value: unknown) =>
      ["created", "updated", "seconds"].includes(key) ? undefined : value,
    ),
  );

test("a grid: every cell is there, hopeless ones are not run, rates are right", async () => {
  const engine = honest();
  const report = await retrieve(engine, { ...small, tasks: ["uuid", "passkey"] });
  assert.is(report.cells.length, 2 * 3 * 2 * 2);
  assert.is(new Set(report.cells.map((cell) => cell.id)).size, report.cells.length);
  for (const cell of report.cells) {
    const reach = cell.scaling === "none" ? 512 : 1024;
    assert.is(cell.reach, reach);
    if (Number(cell.promptLen) > reach) {
      assert.is(cell.status, "no chance");
      assert.is(cell.rate, null);
      assert.is(cell.expected, cell.scaling === "none" ? "fail" : null);
    } else {
      assert.is(cell.status, "done");
      assert.is(cell.rate, 1);
      assert.is(cell.expected, "pass");
      assert.is(cell.attempts.length, 3);
      for (const { promptTokens } of cell.attempts)
        assert.ok(promptTokens <= Number(cell.promptLen) && promptTokens > Number(cell.promptLen) - 6);
      assert.equal(cell.rope, { scaling: cell.scaling });
    }
  }
  assert.is(engine.asked.length, 2 * 3 * 3 * 2);
  assert.ok(report.complete);
  assert.equal(report.prompts, {});
});

test("hopeless cells are run when asked, and their failures come with their prompts", async () => {
  const engine = honest();
  const report = await retrieve(engine, { ...small, runHopeless: true });
  const failed = report.cells.filter((cell) => cell.rate === 0);
  assert.equal(
    new Set(failed.map((cell) => `${cell.scaling} ${cell.promptLen}`)),
    new Set(["none 768", "none 1200", "dynamic:2 1200"]),
  );
  for (const { attempts } of failed) {
    for (const attempt of attempts)
      assert.ok(
        engine.asked.some(({ prompt }) => prompt === report.prompts[attempt.prompt]),
        "exactly as sent",
      );
  }
  assert.is(Object.keys(report.prompts).length, 2 * 2 * 3, "one text per prompt, however many scalings failed on it");
});

test("every scaling is asked the same, greedily, with its own setting", async () => {
  const engine = honest();
  await retrieve(engine, { ...small, promptLengths: [300], ropeScalings: ["own", "none", "dynamic:2/as-inserted"] });
  const byLabel = new Map<string, { prompt: string }[]>();
  for (const { prompt, options } of engine.asked) {
    const label = JSON.stringify(["ropeScaling" in options ? options.ropeScaling : "own", options.ropeAngles]);
    byLabel.set(label, [...(byLabel.get(label) ?? []), { prompt }]);
  }
  assert.is(byLabel.size, 3);
  assert.ok(
    byLabel.has('["own",null]') &&
      byLabel.has("[null,null]") &&
      byLabel.has('[{"rope_type":"dynamic","factor":2},"as-inserted"]'),
  );
  const [one, ...others] = [...byLabel.values()].map((asked) => asked.map(({ prompt }) => prompt).sort());
  for (const other of others) assert.equal(other, one);
  for (const { options } of engine.asked) {
    assert.is(options.temperature, 0);
    assert.is(options.allowBeyond, true);
    assert.is(options.maxNewTokens, 64);
  }
});

test("prompts of a cell are in flight together, no more than asked for", async () => {
  for (const batch of [1, 4]) {
    const engine = honest();
    await retrieve(engine, { ...small, tries: 10, batch, promptLengths: [200] });
    assert.is(engine.most, batch);
  }
});

test("the result does not depend on the batch, nor on the order of answers", async () => {
  const noisy = (): Engine => reader(() => 0.6);
  for (const sequential of [false, true]) {
    const runs = await Promise.all(
      [1, 3, 8].map((batch) => retrieve(noisy(), { ...small, tries: 20, batch, sequential })),
    );
    for (const run of runs.slice(1)) assert.equal(timeless(run), timeless(runs[0]));
  }
});

test("a settled cell stops early, by its first tries alone", async () => {
  const engine = reader(({ scaling }) => (scaling === "none" ? 0 : 1));
  const report = await retrieve(engine, { ...small, tries: 50, promptLengths: [300], batch: 1, sequential: true });
  for (const cell of report.cells) {
    assert.is(cell.settled, cell.scaling === "none" ? "fail" : "pass");
    assert.is(cell.attempts.length, cell.scaling === "none" ? 2 : 6);
    assert.is(cell.status, "done");
    assert.is(cell.tries, 50);
  }
  assert.is(engine.asked.length, 2 * 2 + 2 * 6);
});

test("interrupted anywhere and resumed: the same report, nothing asked twice", async () => {
  const settings: RetrievalSettings = {
    ...small,
    tasks: ["uuid", "passkey"],
    runHopeless: true,
    batch: 2,
    expect: ["dynamic:2>=0.9@1.5x"],
  };
  const noisy = (): ReturnType<typeof reader> => reader(({ tokens }) => (tokens < 600 ? 0.8 : 0.3));
  const whole = await retrieve(noisy(), settings);
  for (const after of [1, 5, 23, 60]) {
    const stop = new AbortController();
    let saved: Report | undefined;
    const first = noisy();
    const complete = first.complete.bind(first);
    first.complete = (prompt, options) => {
      if (first.asked.length === after) stop.abort();
      return complete(prompt, options);
    };
    const onSave = (report: Report): void => void (saved = JSON.parse(JSON.stringify(report)) as Report);
    await refused(retrieve(first, settings, { signal: stop.signal, onSave }), "aborted", /aborted/);
    assert.ok(saved, "saved before the abort is thrown");
    assert.not.ok(saved.complete);
    const second = noisy();
    const resumed = await retrieve(second, settings, { resume: saved });
    assert.equal(timeless(resumed), timeless(whole), `after ${after}`);
    const kept = saved.cells.reduce((sum, cell) => sum + cell.attempts.length, 0);
    assert.is(second.asked.length, 72 - kept);
    assert.ok(kept >= after, `${kept} of ${after} answers were kept`);
  }
});

test("attempts without an answer are asked again when resumed", async () => {
  const good = honest();
  let calls = 0;
  const flaky: Engine = {
    tokenizer: words as unknown as Engine["tokenizer"],
    complete: (prompt, options) =>
      ++calls % 3 === 0 ? Promise.reject(new Error("out of luck")) : good.complete(prompt, options),
  };
  const broken = await retrieve(flaky, small);
  const errors = broken.cells.reduce((sum, cell) => sum + cell.errors, 0);
  assert.is(errors, Math.floor(calls / 3));
  assert.ok(
    broken.cells.some((cell) => cell.attempts.some((attempt) => attempt.error === "out of luck" && !attempt.found)),
  );
  const second = honest();
  const mended = await retrieve(second, small, { resume: broken });
  assert.is(second.asked.length, errors);
  assert.equal(timeless(mended), timeless(await retrieve(honest(), small)));
});

test("shards put together are one run; a missing shard is seen", async () => {
  const settings: RetrievalSettings = {
    ...small,
    tasks: ["uuid", "needle"],
    filler: "A short tale. It has an end. ".repeat(20),
    expect: ["dynamic:2>=1", "needle/none>=1@200"],
  };
  const whole = await retrieve(honest(), settings);
  assert.ok(whole.expectations.every((each) => each.held));
  for (const count of [2, 3, 8]) {
    const shards = await Promise.all(
      Array.from({ length: count }, (_, i) => retrieve(honest(), { ...settings, shard: { index: i + 1, count } })),
    );
    const sizes = shards.map((shard) => shard.cells.filter((cell) => cell.status === "done").length);
    assert.is(
      sizes.reduce((sum, size) => sum + size, 0),
      whole.cells.filter((cell) => cell.status === "done").length,
    );
    assert.equal(timeless(mergeReports(shards.reverse())), timeless(whole));
    const lacking = mergeReports(shards.slice(1));
    assert.not.ok(lacking.complete);
    assert.is(lacking.cells.length, whole.cells.length);
    assert.ok(lacking.expectations.some((each) => !each.held && /is pending/.test(each.reason!)));
  }
  assert.equal(timeless(mergeReports([whole, whole])), timeless(whole));
  // Cells are told by their names, not by where they stand.
  assert.equal(timeless(mergeReports([whole, { ...whole, cells: whole.cells.toReversed() }])), timeless(whole));
});

test("reports that do not belong together are refused", async () => {
  const [one, other, third] = await Promise.all([
    retrieve(honest(), small),
    retrieve(honest(), { ...small, seed: 1 }),
    retrieve(
      reader(() => 0),
      small,
    ),
  ]);
  assert.throws(() => mergeReports([one, other]), /reports of different runs/);
  assert.throws(() => mergeReports([one, third]), /two different answers, so not the same engine/);
  assert.throws(() => mergeReports([]), /at least one/);
  await refused(
    retrieve(honest(), small, { resume: other }),
    "request",
    /the saved report has seed 1, this run seed 0/,
  );
  await refused(
    retrieve(honest(), { ...small, model: "m2" }, { resume: one }),
    "request",
    /is of another model \(fake\)/,
  );
  assert.throws(() => parseReport([]), /needs format llariat-retrieval\/1/);
  assert.throws(() => parseReport(null), /needs an object, got null/);
  const wrong: Partial<Record<keyof Report, readonly unknown[]>> = {
    created: [undefined, 3],
    updated: [undefined, null],
    model: [undefined, null, "fake", { name: "fake" }, { trainedLength: 512 }],
    environment: [undefined, null, []],
    settings: [undefined, null, "none"],
    fingerprint: [undefined, 3],
    cells: [undefined, {}, [7], [null], [{ id: "a" }], [{ attempts: [] }], [{ id: "a", attempts: [null] }]],
    prompts: [undefined, null, []],
    expectations: [undefined, {}, [null], [{ held: true }]],
  };
  for (const [key, values] of Object.entries(wrong)) {
    for (const value of values) {
      const sentence = new RegExp(`^r\\.json: ${key} is missing or of another form; the file is damaged$`);
      refusedSync(() => parseReport({ ...one, [key]: value }, "r.json"), "request", sentence);
    }
  }
});

test("a broken engine does not pass", async () => {
  const expect = ["none>=0.9@200"];
  const constant: Engine = {
    tokenizer: words as unknown as Engine["tokenizer"],
    complete: async () => ({ text: " The value of the key is 'd486'." }),
  };
  assert.not.ok((await retrieve(constant, { ...small, tries: 20, expect })).expectations[0].held);
  const mute: Engine = { ...constant, complete: async () => ({ text: "" }) };
  assert.not.ok((await retrieve(mute, { ...small, expect })).expectations[0].held);
  const dead: Engine = { ...constant, complete: () => Promise.reject(new Error("no")) };
  const report = await retrieve(dead, { ...small, expect });
  assert.not.ok(report.expectations[0].held);
  assert.is(
    report.cells.filter((cell) => cell.status !== "no chance").every((cell) => cell.errors === 3),
    true,
  );
  const parrot: Engine = { ...constant, complete: async (prompt) => ({ text: prompt }) };
  const repeated = (await retrieve(parrot, small)).cells.filter((cell) => cell.rate !== null);
  assert.ok(
    repeated.every((cell) => cell.found === 3 && cell.alone === 0 && cell.exact === 0),
    "who repeats the prompt has found nothing alone",
  );
  const short: Engine = {
    ...constant,
    complete: async (prompt) => ({ text: solve(prompt), usage: { promptTokens: 17 } }),
  };
  const changed = await retrieve(short, small);
  assert.match(
    changed.cells[0].attempts[0].error!,
    /did not go through unchanged: it has \d+ tokens, the engine read 17/,
  );
  const silent = { ...constant, complete: async () => undefined } as unknown as Engine;
  assert.match((await retrieve(silent, small)).cells[0].attempts[0].error!, /returned no text/);
});

test("an engine that ignores its RoPE setting fails where scaling should pass", async () => {
  const deaf = reader(({ tokens }) => (tokens <= 512 ? 1 : 0));
  const report = await retrieve(deaf, { ...small, expect: ["dynamic:2>=0.9@1.5x"] });
  assert.not.ok(report.expectations[0].held);
});

test("a device that is gone ends the run, and what was done is saved", async () => {
  const engine = honest();
  const complete = engine.complete.bind(engine);
  engine.complete = (prompt, options) =>
    engine.asked.length > 6
      ? Promise.reject(new LlariatError("device", "the device was lost"))
      : complete(prompt, options);
  let saved: Report | undefined;
  await refused(
    retrieve(engine, small, { onSave: (report) => void (saved = report) }),
    "device",
    /the device was lost/,
  );
  assert.ok(saved!.cells.some((cell) => cell.status === "done"));
  assert.is(
    saved!.cells.reduce((sum, cell) => sum + cell.errors, 0),
    0,
  );
});

test("progress counts cells and time left", async () => {
  const seen: { done: number; of: number; left: number | undefined }[] = [];
  await retrieve(honest(), small, {
    onProgress: ({ cellsDone, cells, secondsLeft }) => seen.push({ done: cellsDone, of: cells, left: secondsLeft }),
  });
  assert.is(seen.at(-1)!.done, 6);
  assert.is(seen.at(-1)!.left, 0);
  assert.ok(seen.every(({ done, of }, i) => of === 6 && done >= (seen[i - 1]?.done ?? 0)));
  assert.ok(seen.slice(2, -2).some(({ left }) => left !== undefined && left > 0));
});

test("titles and fixtures have the cells their prompts allow", async () => {
  const documents = ["Llamas", "Alpacas"].map((name) => ({
    name,
    text: `On ${name}\n\n${"They eat grass and hum. ".repeat(300)}`,
  }));
  const own = await retrieve(honest(), {
    ...small,
    tasks: ["title"],
    documents,
    promptLengths: [300, "whole"],
    runHopeless: true,
  });
  assert.is(own.cells.length, 4);
  assert.ok(
    own.cells.every((cell) => cell.position === null && cell.tries === 2),
    "a document is asked about once",
  );
  assert.equal(
    own.cells[0].attempts.map((attempt) => attempt.value),
    ["On Llamas", "On Alpacas"],
  );
  await refused(
    retrieve(honest(), { ...small, tasks: ["title"], documents, promptLengths: ["whole"], leastTokens: 9000 }),
    "request",
    /Llamas: its prompt has \d+ tokens, this test needs more than 9000/,
  );

  const kv = tokenizer("kv-llama");
  const count = (text: string): number => kv.encode(text).length;
  const fixture = prompts.fromFixture(expected("kv.json"), count);
  const report = await retrieve(
    reader(() => 1, kv),
    { trainedLength: 512, fixture, ropeScalings: ["yarn:2"] },
  );
  assert.is(report.cells.length, 15);
  assert.ok(report.cells.every((cell) => cell.tries === 6 && cell.found === 6));
  await refused(retrieve(honest(), { trainedLength: 512, fixture, tries: 2 }), "request", /a fixture brings its own/);
});

test("bad settings are refused by name, before anything is asked", async () => {
  const engine = honest();
  for (const [change, message, code = "request"] of [
    [{ promptLengths: [] }, /promptLengths: needs at least one/],
    [{ promptLengths: ["long"] }, /promptLengths: needs tokens, "1\.5x" .* got "long"/],
    [{ promptLengths: [200, "200"] }, /promptLengths: 200 is given twice/],
    [{ promptLengths: ["whole"] }, /only the title task has it/],
    [{ positions: [0.5, 2] }, /positions: must be between 0 and 1, got 2/],
    [{ tries: 0 }, /tries: must be a whole number ≥ 1, got 0/],
    [{ tasks: ["uid"] }, /tasks: "uid" is none of uuid, passkey, title, needle, .*; did you mean uuid\?/],
    [{ tasks: ["niah_multikey_4"] }, /did you mean niah_multikey_1\?/],
    [{ tasks: ["niah_single_2"] }, /niah_single_2: needs essays/],
    [{ tasks: ["qa_1"] }, /qa_1: needs questions in SQuAD's form/],
    [{ tasks: ["qa_2"] }, /qa_2: needs questions in HotpotQA's form/],
    [{ tasks: ["vt"], promptLengths: ["whole"] }, /only the title task has it/],
    [{ questions: [{}] }, /questions: holds sets as parseQuestions gives them/],
    [{ threshold: 1 }, /threshold: must be a mean score from 0 to below 1, got 1/],
    [{ effectiveTasks: ["vt"] }, /effectiveTasks: vt is none of this run's tasks/],
    [{ effectiveTasks: ["x"] }, /effectiveTasks: "x" is none of uuid/],
    [{ tasks: ["title"] }, /title: needs documents/],
    [{ tasks: ["needle"] }, /needle: needs filler/],
    [{ ropeScalings: ["none", "none"] }, /ropeScalings: none is given twice/],
    [{ ropeScalings: ["dynamic:1"] }, /a factor of 1 scales nothing/, "rope"],
    [{ trainedLength: undefined }, /trainedLength: needs the tokens/],
    [{ shard: { index: 3, count: 2 } }, /shard: 3 of 2 does not exist/],
    [{ expect: ["dynamic"] }, /is not understood/],
    [{ sequential: { fail: 0.9, pass: 0.5, error: 0.05 } }, /0 < fail < pass < 1/],
    [{ runHopelss: true }, /^runHopelss: there is no such option; did you mean runHopeless\?$/],
  ] as [object, RegExp, ErrorCode?][]) {
    await refused(retrieve(engine, { ...small, ...change }), code, message);
  }
  await refused(
    retrieve({ complete: async () => ({ text: "" }) }, small),
    "tokenizer",
    /no tokenizer; give countTokens/,
  );
  const rope = parseRope({ hidden_size: 64, num_attention_heads: 4, max_position_embeddings: 512 });
  await refused(
    retrieve({ ...engine, rope }, { ...small, ropeScalings: ["longrope:short_factor=[1],long_factor=[1],factor=2"] }),
    "rope",
    /short_factor/,
  );
  assert.is(engine.asked.length, 0);
});

test("the trained length and the answer's room follow from the engine", async () => {
  const rope = parseRope({ hidden_size: 64, num_attention_heads: 4, max_position_embeddings: 640 });
  const report = await retrieve({ ...honest(), rope }, { promptLengths: ["0.5x"], tries: 1, model: "m" });
  assert.is(report.model.trainedLength, 640);
  assert.is(report.cells[0].promptLen, 320);
  assert.is(report.settings.answerRoom, 40); // 256 of 4096, scaled down
  assert.ok(report.cells[0].attempts[0].promptTokens <= 280);
});

test.run();
