import { suite } from "uvu";
import * as assert from "uvu/assert";
import { checkExpectation, isDecided, parseExpectation } from "../../src/retrieval/expect.ts";
import { type Cell, type Report, mergeReports, parseReport, retrieve } from "../../src/retrieval/index.ts";
import { wilson } from "../../src/retrieval/stats.ts";
import { stream } from "../../src/retrieval/stream.ts";
import { reader } from "./fake.ts";

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
  const outcome = check("dynamic:2>=0.65@1.5x", near, far, cell("none", 768, 0, 10), cell("dynamic:2", 972, 0, 10));
  assert.ok(outcome.held);
  assert.equal(outcome.groups, [
    { task: "uuid", promptLen: 768, found: 18, tries: 20, held: true, interval: wilson(18, 20) },
  ]);
  assert.ok(check("dynamic:2>=0.65@1.5x#0.2", near, far).undecided, "8 of 10: from 49 to 94 %");
  const all = check("dynamic:2>=0.6", near, far, cell("dynamic:2", 972, 2, 10));
  assert.not.ok(all.held);
  assert.is(all.undecided, undefined);
  assert.is(all.reason, "uuid at 972: 2 of 10 found");
});

const outcomeOf = ({ held, undecided }: ReturnType<typeof check>): string =>
  held ? "held" : undecided ? "undecided" : "failed";

test("held, failed or undecided, and the tries that would decide, by hand", () => {
  // All found: Wilson's low end is n / (n + z²) with z² = 3.8415, above 0.9 from 34.57 tries on; none: the same mirrored.
  // 9 of 10: from 59.6 to 98.2 %. At 27 of 30 it is from 74.4 to 96.5 %. Half of n: 0.5 ± z / 2√(n + z²).
  for (const [text, found, tries, outcome, enough] of [
    ["none>=0.9", 35, 35, "held", undefined],
    ["none>=0.9", 34, 34, "undecided", 35],
    ["none>0.9", 34, 34, "undecided", 35],
    ["none>=0.9", 30, 30, "undecided", 35],
    ["none>=0.9", 27, 30, "undecided", undefined],
    ["none>=0.9", 0, 1, "failed", undefined],
    ["none<=0.1", 0, 35, "held", undefined],
    ["none<=0.1", 0, 34, "undecided", 35],
    ["none<0.1", 1, 1, "failed", undefined],
    ["none>=0.6", 9, 10, "undecided", 11], // 9.9 of 11: from 60.5 %
    ["none>=0.59", 9, 10, "held", undefined],
    ["none<=0.99", 9, 10, "held", undefined],
    ["none<=0.98", 9, 10, "undecided", 12], // to 98.09 % at 9.9 of 11, 97.97 % at 10.8 of 12
    ["none<0.59", 9, 10, "failed", undefined],
    ["none>=0.4", 50, 100, "held", undefined], // from 40.4 %
    ["none>=0.4", 46, 92, "undecided", 93], // n + z² > z² / (4 · 0.1²) from 92.2 on
    ["none>=0.6", 46, 92, "undecided", 93],
    ["none>=0.6", 47, 94, "failed", undefined],
    // About the tries themselves: nothing is left open.
    ["none>=1", 1, 1, "held", undefined],
    ["none>=1", 99, 100, "failed", undefined],
    ["none<=0", 0, 1, "held", undefined],
    ["none<=0", 1, 100, "failed", undefined],
    ["none=0.9", 9, 10, "held", undefined],
    ["none=0.8", 9, 10, "failed", undefined],
    // What no try can contradict, or one can show.
    ["none>=0", 0, 1, "held", undefined],
    ["none<=1", 1, 1, "held", undefined],
    ["none>0", 1, 10, "held", undefined],
    ["none>0", 0, 10, "undecided", undefined],
    ["none<1", 10, 10, "undecided", undefined],
    ["none>1", 10, 10, "failed", undefined],
    // The cell is at 500 tokens of 512 trained: inside every bound that does not shut it out.
    ["none>=0.5@500", 9, 10, "held", undefined],
    ["none>=0.5@<=1x", 9, 10, "held", undefined],
    ["none>=0.5@<=500", 9, 10, "held", undefined],
    ["none>=0.5@>=500", 9, 10, "held", undefined],
    ["none>=0.5@<1x", 9, 10, "held", undefined],
    ["none>=0.5@>499", 9, 10, "held", undefined],
  ] as const) {
    const said = check(text, cell("none", 500, found, tries));
    assert.is(outcomeOf(said), outcome, `${text}: ${found} of ${tries}`);
    assert.is(said.groups[0].enough, enough, `${text}: ${found} of ${tries}`);
    assert.is(said.groups[0].undecided, outcome === "undecided" ? true : undefined);
  }
});

test("undecided is said with its interval and its way out, after what fails", () => {
  const open = cell("none", 500, 30, 30);
  assert.is(
    check("none>=0.9", open).reason,
    "uuid at 500: 30 of 30 found, so with 95 % a rate from 88.6 to 100 %; 35 tries would decide at the rate seen",
  );
  assert.match(check("none>=0.9", cell("none", 500, 9, 10)).reason!, /98\.2 %; no number of tries would decide/);
  const both = check("none>=0.9", open, cell("none", 600, 0, 10));
  assert.is(outcomeOf(both), "failed");
  assert.is(both.reason, "uuid at 600: 0 of 10 found");
  const halves = check("none>=0.4", cell("none", 500, 0, 100, { score: 0.5 }));
  assert.ok(halves.held, "scores count as rates do");
  assert.is(halves.groups[0].score, 0.5);
});

test("where tries said when to stop, the interval allows it", () => {
  // 20 (n + 1) 0.9ⁿ ≤ 1 from n = 69 on, 60 (1 - p)² = 1 at p = 0.8709
  const said = (found: number, tries: number, settled?: "decided"): string =>
    outcomeOf(check("none>=0.9", cell("none", 500, found, tries, settled ? { settled } : {})));
  assert.is(said(68, 68, "decided"), "undecided");
  assert.is(said(69, 69, "decided"), "held");
  assert.is(said(68, 68), "held");
  assert.is(said(0, 1, "decided"), "undecided");
  assert.is(said(0, 2, "decided"), "failed");
  const condition = parseExpectation("none>=0.9");
  assert.ok(checkExpectation(condition, [cell("none", 500, 60, 60)], 512, true).undecided);
  assert.is(checkExpectation(condition, [cell("none", 500, 60, 60)], 512, true).groups[0].enough, 69);
});

const settings = {
  trainedLength: 512,
  answerRoom: 0,
  positions: [0.2, 0.5, 0.8],
  ropeScalings: ["none"],
  promptLengths: [300],
  expect: ["none>=0.9"],
};

test("engines get the verdict they deserve: perfect, deaf, half-deaf, lucky", async () => {
  const verdicts = async (chance: number, more: object): Promise<string> => {
    const report = await retrieve(
      reader(() => chance),
      { ...settings, ...more },
    );
    const [said] = report.expectations;
    return `${outcomeOf(said)} after ${said.groups[0].tries}`;
  };
  assert.is(await verdicts(1, { tries: 10 }), "undecided after 30");
  assert.is(await verdicts(1, { tries: 12 }), "held after 36");
  assert.is(await verdicts(0, { tries: 1 }), "failed after 3");
  assert.is(await verdicts(0.5, { tries: 10 }), "failed after 30");
  // Rounds of three tries: 69 decide for the perfect one, 2 against the deaf one.
  assert.is(await verdicts(1, { sequential: true }), "held after 69");
  assert.is(await verdicts(0, { sequential: true }), "failed after 3");
  assert.match(await verdicts(0.5, { sequential: true }), /^failed after (9|1\d|2\d)$/);
  assert.is(await verdicts(0.9, { sequential: true, tries: 20 }), "undecided after 60", "a cap is a cap");
  assert.is(await verdicts(1, { sequential: true, tries: 20 }), "undecided after 60");
  // About the tries themselves: all of them, up to the first that breaks it.
  assert.is(await verdicts(1, { sequential: true, tries: 5, expect: ["none>=1"] }), "held after 15");
  assert.is(await verdicts(0, { sequential: true, tries: 5, expect: ["none>=1"] }), "failed after 3");
});

test("a sequential run goes on for the slowest of its expectations, and is the same however it is cut", async () => {
  const engine = (): ReturnType<typeof reader> => reader(() => 0.7);
  const grid = { ...settings, promptLengths: [200, 300], ropeScalings: ["none", "dynamic:2"], sequential: true };
  const one = { ...grid, tries: 60, expect: ["none>=0.3", "none<=0.3@300", "none>=0.4@300#0.5"] };
  const report = await retrieve(engine(), one);
  const tries = (length: number, scaling: string): number[] =>
    report.cells
      .filter((cell) => cell.promptLen === length && cell.scaling === scaling)
      .map((cell) => cell.attempts.length);
  for (const length of [200, 300]) assert.is(new Set(tries(length, "none")).size, 1, "positions keep step");
  assert.ok(tries(300, "none")[0] > tries(200, "none")[0], "one position alone takes longer");
  assert.ok(report.cells.every((cell) => cell.status === "done"));
  const how = (scaling: string): Set<unknown> =>
    new Set(report.cells.filter((cell) => cell.scaling === scaling).map((cell) => cell.settled));
  assert.equal(how("none"), new Set(["decided"]));
  assert.ok(!how("dynamic:2").has("decided"), "what no expectation is about is settled as ever");
  assert.equal(report.expectations.map(outcomeOf), ["held", "failed", "held"]);
  const timeless = (each: typeof report): unknown => each.cells.map((cell) => ({ ...cell, seconds: 0 }));
  assert.equal(timeless(await retrieve(engine(), { ...one, batch: 7 })), timeless(report));
  const shards = await Promise.all(
    [1, 2, 3].map((index) => retrieve(engine(), { ...one, shard: { index, count: 3 } })),
  );
  const merged = mergeReports(parseReports(shards));
  assert.equal(timeless(merged), timeless(report));
  assert.equal(merged.expectations, report.expectations);
  // A harder expectation takes up the same cells again; the old one is found decided.
  const harder = { ...one, expect: ["none>=0.6"] };
  const resumed = await retrieve(engine(), harder, { resume: report });
  assert.equal(timeless(resumed), timeless(await retrieve(engine(), harder)));
});

test("a sequential run is resumed with expectations added or dropped, and is as if begun that way", async () => {
  const engine = (): ReturnType<typeof reader> => reader(() => 0.7);
  const bare = { ...settings, sequential: true, expect: undefined };
  const asked = { ...bare, expect: ["none>=0.5"] };
  const timeless = (each: Report): unknown => [each.cells.map((cell) => ({ ...cell, seconds: 0 })), each.expectations];
  const runs = [await retrieve(engine(), bare), await retrieve(engine(), asked)];
  assert.equal(
    runs.map((run) => run.cells.map((cell) => cell.tries)),
    [Array(3).fill(200), Array(3).fill(200)],
  );
  for (const [i, now] of [asked, bare].entries()) {
    const [resumed] = parseReports([await retrieve(engine(), now, { resume: runs[i] })]);
    assert.equal(timeless(resumed), timeless(parseReports([runs[1 - i]])[0]));
  }
});

const parseReports = (reports: readonly Report[]): Report[] =>
  reports.map((each) => parseReport(JSON.parse(JSON.stringify(each))));

test("looking after every round errs no more often than is said", async () => {
  // An engine exactly at the rate: neither side is true, and at most one run in twenty may decide.
  const random = stream("anytime");
  const condition = parseExpectation("none>=0.9");
  let wrong = 0;
  for (let run = 0; run < 100; run++) {
    let found = 0;
    for (let tries = 1; tries <= 100; tries++) {
      found += Number(random.below(10) < 9);
      if (isDecided(condition, found, tries)) {
        wrong++;
        break;
      }
    }
  }
  assert.ok(wrong <= 5 + 3 * Math.sqrt(4.75), `${wrong} of 100`);
});

test("nothing to count does not hold", () => {
  assert.is(check("yarn:4>=0", cell("none", 500, 1, 1)).reason, "no cell matches it");
  for (const length of ["501", "<500", ">500", "<=499", ">=501", ">1x", "501..1x", "0.1x..499"]) {
    const outcome = check(`none>=0@${length}`, cell("none", 500, 1, 1));
    assert.is(outcome.reason, "no cell matches it", length);
    assert.is(outcomeOf(outcome), "failed", length);
  }
  const hopeless = cell("none", 700, 0, 0, { status: "no chance", rate: null });
  assert.match(check("none<=0@>1x", hopeless).reason!, /have no chance and were not run/);
  assert.ok(check("none>=0.7", cell("none", 500, 10, 10), hopeless).held, "cells without a chance are left out");
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
