import { suite } from "uvu";
import * as assert from "uvu/assert";
import { checkExpectation, parseExpectation } from "../../src/retrieval/expect.ts";
import type { Cell } from "../../src/retrieval/index.ts";
import { wilson } from "../../src/retrieval/stats.ts";

const test = suite("retrieval expect");

function cell(
  scaling: string,
  promptLen: number | "whole",
  found: number,
  tries: number,
  more: Partial<Cell> = {},
): Cell {
  const attempts = Array.from({ length: tries }, (_, i) => ({ try: i }) as Cell["attempts"][number]);
  return {
    id: `uuid/${scaling}/${promptLen}/0.2`,
    task: "uuid",
    scaling,
    promptLen,
    position: 0.2,
    reach: 1024,
    status: "done",
    expected: null,
    tries,
    attempts,
    found,
    alone: found,
    exact: found,
    errors: 0,
    rate: found / tries,
    interval: wilson(found, tries),
    promptTokens: 0,
    completionTokens: 0,
    seconds: 0,
    ...more,
  };
}
const check = (text: string, ...cells: Cell[]): ReturnType<typeof checkExpectation> =>
  checkExpectation(parseExpectation(text), cells, 512);

test("conditions are read", () => {
  assert.equal(parseExpectation("dynamic:2>=0.9@1.5x"), {
    text: "dynamic:2>=0.9@1.5x",
    scaling: "dynamic:2",
    comparison: ">=",
    rate: 0.9,
    whole: false,
    lengths: [{ comparison: "=", value: 1.5, times: true }],
  });
  assert.equal(parseExpectation(" uuid/none<=.1@>1x#0.2 "), {
    text: "uuid/none<=.1@>1x#0.2",
    task: "uuid",
    scaling: "none",
    comparison: "<=",
    rate: 0.1,
    whole: false,
    position: 0.2,
    lengths: [{ comparison: ">", value: 1, times: true }],
  });
  assert.equal(parseExpectation("dynamic:2/planned>=1").lengths, []);
  assert.is(parseExpectation("dynamic:2/planned>=1").scaling, "dynamic:2/planned");
  assert.is(parseExpectation("yarn:4,beta_fast=32>=1@6000").scaling, "yarn:4,beta_fast=32");
  assert.equal(parseExpectation("own=1@500..2x").lengths, [
    { comparison: ">=", value: 500, times: false },
    { comparison: "<=", value: 2, times: true },
  ]);
});

test("what is no condition is refused with an example", () => {
  for (const text of [
    "",
    "dynamic:2",
    "dynamic:2>=",
    ">=0.9",
    "dynamic:2>=0.9@long",
    "dynamic:2>=0.9@1..y",
    "none>=2",
    "none>=1#7",
  ]) {
    assert.throws(() => parseExpectation(text), /write SETTING>=RATE@LENGTH, for example dynamic:2>=0\.9@1\.5x/, text);
  }
});

test("positions are pooled, lengths are not", () => {
  const [near, far] = [cell("dynamic:2", 768, 8, 10), cell("dynamic:2", 768, 10, 10, { position: 0.8 })];
  const outcome = check("dynamic:2>=0.9@1.5x", near, far, cell("none", 768, 0, 10), cell("dynamic:2", 972, 0, 10));
  assert.ok(outcome.held);
  assert.equal(outcome.groups, [{ task: "uuid", promptLen: 768, found: 18, tries: 20, held: true }]);
  assert.not.ok(check("dynamic:2>=0.9@1.5x#0.2", near, far).held);
  const all = check("dynamic:2>=0.9", near, far, cell("dynamic:2", 972, 8, 10));
  assert.not.ok(all.held);
  assert.is(all.reason, "uuid at 972: 8 of 10 found");
});

test("every comparison, at its edge", () => {
  const nine = cell("none", 500, 9, 10);
  for (const [text, held] of [
    ["none>=0.9", true],
    ["none>0.9", false],
    ["none<=0.9", true],
    ["none<0.9", false],
    ["none=0.9", true],
    ["none=0.8", false],
    ["none>=0.9@500", true],
    ["none>=0.9@<=1x", true],
    ["none>=0.9@<500", false],
  ] as const) {
    assert.is(check(text, nine).held, held, text);
  }
});

test("nothing to count does not hold", () => {
  assert.is(check("yarn:4>=0", cell("none", 500, 1, 1)).reason, "no cell matches it");
  assert.is(check("none>=0@501", cell("none", 500, 1, 1)).reason, "no cell matches it");
  const hopeless = cell("none", 700, 0, 0, { status: "no chance", rate: null });
  assert.match(check("none<=0@>1x", hopeless).reason!, /have no chance and were not run/);
  assert.ok(check("none>=0.9", cell("none", 500, 10, 10), hopeless).held, "cells without a chance are left out");
  assert.is(check("none>=0", cell("none", 500, 1, 2, { status: "partial" })).reason, "uuid/none/500/0.2 is partial");
  assert.match(check("none<=1", cell("none", 500, 1, 2, { errors: 1 })).reason!, /1 attempts without an answer/);
});

test("whole documents are lengths of their own", () => {
  const whole = cell("none", "whole", 0, 1, { task: "title" });
  assert.ok(check("none<=0", whole).held);
  assert.ok(check("none<=0@whole", whole).held);
  assert.not.ok(check("none<=0@1x", whole).held);
});

test.run();
