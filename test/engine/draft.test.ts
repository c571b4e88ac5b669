// Drafts in the loop of steps, without a GPU: every token is a digest of all before it and of its own frequencies, so that a
// guess that is taken for a token, a page given back too early or an angle of another length changes the text.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LlariatError } from "../../src/error.ts";
import { Scheduler } from "../../src/engine/scheduler.ts";
import { MAX_SINGLES } from "../../src/engine/step.ts";
import { PoolEngine, type Text, VOCAB, expected, generate, ropes } from "../tools/pool.ts";
import { whole } from "../tools/random.ts";
import { refused } from "../tools/refused.ts";
import { nothingHeld } from "../tools/steps.ts";

const test = suite("draft");
const text = (length: number, seed = 1): number[] =>
  Array.from({ length }, (_, i) => (i * i * 7 + i * 31 + seed * 13) % VOCAB);

function setUp(pages = 1000, options: ConstructorParameters<typeof PoolEngine>[0] = {}) {
  const { pageBytes } = new PoolEngine().memory.kv;
  const engine = new PoolEngine({ maxKvBytes: pages * pageBytes, ...options });
  return { engine, scheduler: new Scheduler(engine), memory: engine.memory };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Waits, turn by turn, until something is so. */
async function until(so: () => boolean): Promise<void> {
  for (let turns = 0; !so(); turns++) {
    assert.ok(turns < 10_000, `never: ${String(so)}`);
    await turn();
  }
}

/** What a promise gives, or an error where nothing goes on any more: a test that only waits would end without a word. */
async function ends<T>(promise: Promise<T>): Promise<T> {
  let over = false;
  const end = () => void (over = true);
  promise.then(end, end);
  await until(() => over);
  return promise;
}

/** A text whose drafts are right for a while that `random` says, and wrong from there on. */
function guessed(given: Text, random: (below: number) => number, window?: number) {
  const truth = expected(given, window);
  const draft: Text["draft"] = (answer, most) => {
    const right = truth.slice(answer.length, answer.length + random(10));
    const wrong = [(truth[answer.length + right.length] + 1) % VOCAB, ...text(3, answer.length)];
    return [...right, ...wrong].slice(0, Math.max(0, most));
  };
  return { truth, given: { ...given, draft } };
}

/** Texts of all kinds: fixed frequencies, and such that follow the length from 64 tokens on under every meaning. */
const kinds: readonly Text[] = [
  { prompt: text(50), count: 40 },
  { prompt: text(7, 2), count: 90, meaning: "current" },
  { prompt: text(30, 3), count: 63, rope: ropes.dynamic, meaning: "current" },
  { prompt: text(61, 4), count: 60, rope: ropes.dynamic, meaning: "as-inserted" },
  { prompt: text(20, 5), count: 70, rope: ropes.dynamic, meaning: "as-inserted" },
  { prompt: text(100, 6), count: 20, rope: ropes.dynamic },
];

/** Steps in which something of these sequences was drafted. */
const drafts = (engine: PoolEngine) => engine.steps.flat().filter(({ outputs }) => outputs.length > 1);

test("whatever is guessed, alone and together, in steps of every size: each text is its own", async () => {
  for (const rows of [1, 3, 7, 40, 300]) {
    const { engine, scheduler, memory } = setUp(1000, { rows, outputs: rows });
    const random = whole(rows);
    const texts = kinds.map((kind) => guessed(kind, random));
    for (const { given, truth } of texts) {
      assert.equal(await ends(generate(scheduler, given).done), truth, `${rows} rows`);
    }
    const alone = engine.steps.length;
    const all = await Promise.all(texts.map(({ given }) => ends(generate(scheduler, given).done)));
    assert.equal(
      all,
      texts.map(({ truth }) => truth),
      `${rows} rows`,
    );
    assert.ok(engine.steps.every((segments) => segments.reduce((sum, { count }) => sum + count, 0) <= rows));
    const tokens = kinds.reduce((sum, { count }) => sum + count, 0);
    if (rows >= 40) assert.ok(alone < 0.6 * tokens, `${alone} steps for ${tokens} tokens`);
    if (rows === 1) assert.is(drafts(engine).length, 0);
    nothingHeld(memory);
  }
});

test("a draft ends where frequencies would be others, and none begins while they change with each token", async () => {
  for (const meaning of ["current", "as-inserted"] as const) {
    const kind = { prompt: text(30), count: 80, rope: ropes.dynamic, meaning };
    const { engine, scheduler } = setUp();
    const truth = expected(kind);
    // All that follows is guessed right; the 64th token is the last one that has the frequencies of the first.
    const draft: Text["draft"] = (answer, most) => truth.slice(answer.length, answer.length + most);
    assert.equal(await generate(scheduler, { ...kind, draft }).done, truth, meaning);
    const ends = drafts(engine).map(({ sequence, n }) => sequence.angles.setting(n).key);
    assert.ok(drafts(engine).length >= 2, meaning);
    assert.is(new Set(ends).size, 1, meaning);
    for (const { n, count } of drafts(engine)) assert.ok(n <= 64, `${meaning}: ${count} rows to ${n} tokens`);
    // 30 of the prompt, steps of 16 rows to 64, then one by one.
    assert.is(engine.steps.length, 1 + Math.ceil(34 / 16) + (80 - 1 - 34), meaning);
  }
});

test("each draft is computed in one step, whose rows those who decode share", async () => {
  const { engine, scheduler } = setUp();
  const kind: Text = { prompt: text(5), count: 60 };
  for (const many of [1, 2, 3, 8, 9, 20]) {
    engine.steps.length = 0;
    const asked: number[] = [];
    const truth = expected(kind);
    const draft: Text["draft"] = (answer, most) => {
      asked.push(most);
      return truth.slice(answer.length, answer.length + Math.max(most, 0));
    };
    await Promise.all(Array.from({ length: many }, () => generate(scheduler, { ...kind, draft }).done));
    const each = Math.max(0, Math.floor(MAX_SINGLES / many) - 1);
    const counts = drafts(engine).map(({ count }) => count - 1);
    // The last are alone, and each answer's end is nearer than what there is room for.
    if (many > MAX_SINGLES / 2) assert.ok(counts.length < many, `${many}: ${counts.join()}`);
    else assert.ok(counts.filter((count) => count === each).length > counts.length / 2, `${many}: ${counts.join()}`);
    assert.ok(Math.max(...asked) <= MAX_SINGLES - 1);
  }
});

test("a prompt goes on beside drafts: at least half of the rows are its own", async () => {
  const { engine, scheduler } = setUp(1000, { rows: 12, outputs: 12 });
  const kind: Text = { prompt: text(5), count: 90 };
  const { given, truth } = guessed(kind, () => 9);
  const first = generate(scheduler, given);
  await until(() => engine.steps.length === 2);
  const late = generate(scheduler, { prompt: text(60, 2), count: 1, shared: false });
  await ends(late.done);
  const own = engine.steps.flat().filter(({ sequence }) => sequence === late.sequence);
  assert.ok(own.length <= 11 && own.every(({ count }, i) => count >= 6 || i === own.length - 1));
  assert.equal(await ends(first.done), truth);
});

test("windows: the pages of a text are given back as its tokens pass, whatever is guessed", async () => {
  for (const window of [2, 31, 32, 33, 70]) {
    const { engine, scheduler, memory } = setUp(1000, { window, rows: 40 });
    const random = whole(window);
    const texts = [
      { prompt: text(50), count: 150 },
      { prompt: text(120, 2), count: 90 },
    ].map((kind) => guessed(kind, random, window));
    const all = texts.map(({ given }) =>
      generate(scheduler, given, ({ pages, passed }) => {
        assert.ok(pages.length - passed <= memory.need(Infinity), `${pages.length - passed} pages`);
        return undefined;
      }),
    );
    assert.equal(
      await Promise.all(all.map(({ done }) => ends(done))),
      texts.map(({ truth }) => truth),
      `window ${window}`,
    );
    // Nothing was computed twice: a rejected draft never reaches back to a page that is gone.
    const rows = engine.steps
      .flat()
      .reduce((sum, { count, outputs }) => sum + count - Math.max(0, outputs.length - 1), 0);
    const steps = engine.steps.flat().filter(({ outputs }) => outputs.length > 0).length;
    assert.is(rows, 50 + 120 + steps - 2, `window ${window}`);
    nothingHeld(memory);
  }
});

test("memory is short: nobody gives way for a draft, and whoever gives way ends with the same tokens", async () => {
  for (const pages of [5, 6, 8, 11]) {
    const { scheduler, memory } = setUp(pages, { rows: 24 });
    const random = whole(pages);
    const texts = kinds.map((kind) => guessed(kind, random));
    let gave = 0;
    const giveUp = memory.giveUp.bind(memory);
    memory.giveUp = (sequence) => {
      gave += Number(sequence.tokens.length < sequence.capacity - 1);
      giveUp(sequence);
    };
    assert.equal(
      await Promise.all(texts.map(({ given }) => ends(generate(scheduler, given).done))),
      texts.map(({ truth }) => truth),
      `${pages} pages`,
    );
    assert.ok(gave > 0, `${pages} pages: nobody had to`);
    nothingHeld(memory, `${pages} pages`);
  }
  // The older text's draft would need a page that the younger has until its end, which comes before that page is due.
  const { scheduler, memory } = setUp(3, { rows: 64 });
  let gave = 0;
  const giveUp = memory.giveUp.bind(memory);
  memory.giveUp = (sequence) => {
    gave += Number(sequence.pages.length > 0 && sequence.tokens.length < sequence.capacity - 1);
    giveUp(sequence);
  };
  const older = guessed({ prompt: text(28), count: 30, shared: false }, () => 5);
  const younger = { prompt: text(33, 2), count: 3, shared: false };
  const both = [generate(scheduler, older.given), generate(scheduler, younger)].map(({ done }) => ends(done));
  assert.equal(await Promise.all(both), [older.truth, expected(younger)]);
  assert.is(gave, 0);
});

test("a draft that fails ends its own text, and no other", async () => {
  const { scheduler, memory } = setUp();
  const kind: Text = { prompt: text(50), count: 20 };
  const draft: Text["draft"] = (answer) => {
    if (answer.length === 3) throw new LlariatError("kernel", "the draft cannot be made");
    return [];
  };
  const failing = generate(scheduler, { ...kind, draft });
  const other = generate(scheduler, kind);
  await refused(ends(failing.done), "kernel", /the draft cannot be made/);
  assert.equal(await ends(other.done), expected(kind));
  nothingHeld(memory);
});

test.run();
