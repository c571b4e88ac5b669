// h2oGPT's long-context matrix at the scale of the small models: values found per RoPE setting, prompt length and position
// of the secret, against what transformers found in the same prompts; and broken engines do not get through.
// LLARIAT_ALL=1 asks ten prompts of every cell instead of two, or four where transformers found some but not all.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Engine, type Expectation, checkExpectation, parseExpectation } from "../../src/retrieval/index.ts";
import { type Pair, disagreements, power } from "./compare.ts";
import { Model, TRAINED, broken, withoutScaling } from "./bundled.ts";
import { forget, save } from "./parts.ts";
import { type Outcome, PASSKEY_ROWS, PI_ROW, ROWS, type Row, cellsOf, joined, run } from "./rows.ts";

const test = suite("rates");
forget("rates-kv-llama", "rates-kv-llama-pi");

/** What RESULTS.md says of the whole picture; for the report, and checked. */
const EXPECTATIONS = [
  "uuid/none>=0.9@<=1x",
  "uuid/none<=0.3@1.5x..9x#0.1",
  "uuid/none<=0@3.5x",
  "uuid/linear:2<=0",
  "uuid/dynamic:2/current>=0.9",
  "uuid/dynamic:2 of the prompt>=0.9",
  "uuid/dynamic:4/as-inserted<=0.4@1.9x..9x",
  "uuid/dynamic:4 of the prompt>=0.7@<2x",
  "uuid/dynamic:4 of the prompt<=0.4@>2x",
  "uuid/yarn:2>=0.9",
  "uuid/yarn:4>=0.9",
  "passkey/yarn:2>=0.9",
  "passkey/dynamic:2/as-inserted>=0.9",
];

let kv: Model;
test.before(async () => {
  kv = await Model.load("kv-llama");
});
test.after(() => kv.llama.close());

const outcomes = new Map<Row, Outcome>();
const name = ({ task, scaling }: Row): string => `${task} ${scaling.label}`;

function line(pairs: readonly Pair[]): string {
  const lengths = [...new Set(pairs.map(({ length }) => length))];
  const cells = lengths.map((length) => {
    const here = pairs.filter((pair) => pair.length === length);
    return `${length}: ${here.map(({ ours, theirs }) => `${ours.found}/${ours.tries}~${Math.round((100 * theirs.found) / theirs.tries)}`).join(" ")}`;
  });
  return cells.join(" | ");
}

async function check(row: Row, model: Model): Promise<void> {
  const [started, tokens] = [performance.now(), model.tokens];
  const outcome = await run(row, model);
  outcomes.set(row, outcome);
  const { report, value, exact } = outcome;
  const errors = report.cells.flatMap((cell) => cell.attempts.flatMap((attempt) => attempt.error ?? []));
  assert.equal(errors, []);
  const seconds = ((performance.now() - started) / 1000).toFixed(0);
  console.log(`note: ${name(row)} (found of tried ~ transformers' percent, by length and position): ${line(value)}`);
  console.log(
    `note: ${model.tokens - tokens} tokens in ${seconds} s; noticed with 95 %: ${(100 * power(value)).toFixed(0)} % wrong answers where transformers has none, or none right`,
  );
  const wrong = [...disagreements(value), ...disagreements(exact).map((each) => `whole answers, ${each}`)];
  assert.is(wrong.length, 0, wrong.join("\n"));
}

for (const row of [...ROWS, ...PASSKEY_ROWS]) test(`${name(row)}: the rates of transformers`, () => check(row, kv));

test("kv-llama-pi under its own scaling: the rates of transformers", async () => {
  using model = await Model.load("kv-llama-pi");
  await check(PI_ROW, model);
  save("rates-kv-llama-pi", outcomes.get(PI_ROW)!.report);
});

test("the whole picture is that of RESULTS.md", () => {
  const report = joined([...ROWS, ...PASSKEY_ROWS].map((row) => outcomes.get(row)!.report));
  const expectations = EXPECTATIONS.map((text) => checkExpectation(parseExpectation(text), report.cells, TRAINED));
  save("rates-kv-llama", { ...report, expectations });
  // What these tries leave undecided must still be so of the tries themselves, as of all the others.
  const missed = expectations
    .filter((each) => !each.held && !isSeen(each))
    .map(({ text, reason }) => `${text}: ${reason}`);
  assert.is(missed.length, 0, missed.join("\n"));
});

/** Is an undecided expectation met by the rates of its tries? */
function isSeen({ text, undecided, groups }: Expectation): boolean {
  const { comparison, rate } = parseExpectation(text);
  const seen = groups.map((group) => (group.score ?? group.found / group.tries) - rate);
  return undecided === true && seen.every((above) => (comparison === ">=" ? above >= -1e-9 : above <= 1e-9));
}

/** The disagreements of an engine. Nearly all that it answers was asked before, under another setting. */
async function judged(row: Row, engine: Engine): Promise<string[]> {
  const cells = cellsOf(row).filter(({ reference: { set } }) => set === "rates");
  const { value, exact } = await run(row, kv, engine, cells);
  return [...disagreements(value), ...disagreements(exact)];
}

test("an engine that ignores scaling is caught in every row", async () => {
  const caught: string[] = [];
  const deaf = withoutScaling(kv);
  for (const row of [...ROWS, ...PASSKEY_ROWS]) {
    const found = await judged(row, deaf);
    if (row.scaling.label === "none") assert.equal(found, []);
    else assert.ok(found.length > 0, `${name(row)}: ignored, and nobody noticed`);
    caught.push(`${name(row)} ${found.length}`);
  }
  console.log(`note: disagreements of an engine that ignores scaling: ${caught.join(", ")}`);
});

test("an engine that takes one meaning of dynamic for another is caught", async () => {
  const caught: string[] = [];
  for (const [label, other] of [
    ["dynamic:4/as-inserted", "planned"],
    ["dynamic:2/as-inserted", "planned"],
    ["dynamic:4 of the prompt", "as-inserted"],
  ] as const) {
    const row = ROWS.find(({ scaling }) => scaling.label === label)!;
    const lengths = row.lengths.filter((length) => length > 1 && length < 2);
    const found = await judged(
      { ...row, lengths },
      broken(kv, (options) => ({ ...options, ropeAngles: other })),
    );
    assert.ok(found.length > 0, `${label} taken as ${other}, and nobody noticed`);
    caught.push(`${label} as ${other}: ${found.length}`);
  }
  console.log(`note: disagreements of an engine that mistakes the meaning: ${caught.join(", ")}`);
});

test.run();
