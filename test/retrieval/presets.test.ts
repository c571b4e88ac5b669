import { suite } from "uvu";
import * as assert from "uvu/assert";
import { preset, presets, retrieve } from "../../src/retrieval/index.ts";
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
    const more = settings.tasks?.includes("title") ? { documents: [document] } : {};
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

test.run();
