// The loop of steps without a GPU: every token is a digest of all before it, read from the pages, so that whoever waits, gives
// way, shares, copies or is cut off must end with exactly the tokens it has alone.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { PAGE } from "../../kernels/index.ts";
import { LlariatError } from "../../src/error.ts";
import { Scheduler } from "../../src/engine/scheduler.ts";
import { PoolEngine, type Text, VOCAB, expected, generate, ropes } from "../tools/pool.ts";
import { whole } from "../tools/random.ts";
import { refused, refusedSync } from "../tools/refused.ts";
import { nothingHeld } from "../tools/steps.ts";

const test = suite("loop");
const text = (length: number, seed = 1): number[] =>
  Array.from({ length }, (_, i) => (i * i * 7 + i * 31 + seed * 13) % VOCAB);

/** An engine whose pool has at most `pages` pages. */
function setUp(pages = 1000, options: ConstructorParameters<typeof PoolEngine>[0] = {}) {
  const { pageBytes } = new PoolEngine().memory.kv;
  const engine = new PoolEngine({ maxKvBytes: pages * pageBytes, ...options });
  return { engine, scheduler: new Scheduler(engine), memory: engine.memory };
}

/** Waits, turn by turn, until something is so. */
async function until(so: () => boolean): Promise<void> {
  for (let turns = 0; !so(); turns++) {
    assert.ok(turns < 10_000, `never: ${String(so)}`);
    await new Promise((resolve) => setImmediate(resolve));
  }
}

/** Texts of all kinds: fixed frequencies, and such that follow the length under every meaning. */
const kinds: readonly Text[] = [
  { prompt: text(50), count: 40 },
  { prompt: text(7, 2), count: 90, meaning: "current" },
  { prompt: text(90, 3), count: 33, rope: ropes.dynamic, meaning: "current" },
  { prompt: text(61, 4), count: 60, rope: ropes.dynamic, meaning: "as-inserted" },
  { prompt: text(20, 5), count: 70, rope: ropes.dynamic, meaning: "as-inserted" },
  { prompt: text(100, 6), count: 20, rope: ropes.dynamic },
];

test("alone and together, in chunks of every size, each gets its own tokens", async () => {
  for (const rows of [1, 7, 40, 300]) {
    const { scheduler, memory } = setUp(1000, { rows, outputs: rows });
    for (const kind of kinds) assert.equal(await generate(scheduler, kind).done, expected(kind), `${rows} rows`);
    const all = await Promise.all(kinds.map((kind) => generate(scheduler, kind).done));
    assert.equal(
      all,
      kinds.map((each) => expected(each)),
      `${rows} rows`,
    );
    nothingHeld(memory);
  }
});

test("those of one moment share their first step; of too many for a step nobody falls behind", async () => {
  const { engine, scheduler } = setUp();
  const many = engine.maxSequences + 5;
  const all = Array.from({ length: many }, (_, i) =>
    generate(scheduler, { prompt: [i + 1], count: 12, shared: false }),
  );
  await Promise.all(all.map(({ done }) => done));
  assert.is(engine.steps[0].length, engine.maxSequences);
  const had = new Map(all.map(({ sequence }) => [sequence, 0]));
  for (const segments of engine.steps) {
    for (const { sequence } of segments) had.set(sequence, had.get(sequence)! + 1);
    const counts = [...had.values()];
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, counts.join());
  }
});

test("a prompt gets its place beside as many as fill the steps, and the rows that they leave", async () => {
  const { engine, scheduler } = setUp(1000, { rows: 40 });
  const long = Array.from({ length: 20 }, (_, i) => generate(scheduler, { prompt: [i + 1], count: 60, shared: false }));
  await until(() => engine.steps.length >= 3);
  const before = engine.steps.length;
  const late = generate(scheduler, { prompt: text(100), count: 2, shared: false });
  await late.done;
  const took = engine.steps.length - before;
  assert.ok(took <= 6, `${took} steps: 25 rows of 40 are the prompt's`);
  const parts = engine.steps
    .slice(before)
    .flatMap((segments) => segments.filter(({ sequence }) => sequence === late.sequence));
  assert.equal(
    parts.slice(0, 4).map(({ count }) => count),
    [25, 25, 25, 25],
  );
  await Promise.all(long.map(({ done }) => done));
});

test("when the pool is full the youngest gives way and comes again with the same tokens", async () => {
  for (const pages of [5, 6, 8, 11]) {
    const { engine, scheduler, memory } = setUp(pages, { rows: 24 });
    let gave = 0;
    const giveUp = memory.giveUp.bind(memory);
    const all = kinds.map((kind) => generate(scheduler, kind));
    const age = new Map(all.map(({ sequence }, i) => [sequence, i]));
    memory.giveUp = (sequence) => {
      // Whoever gives way is younger than someone who has pages and goes on.
      if (sequence.tokens.length < sequence.capacity - 1) {
        gave++;
        const others = all.filter((each) => each.sequence !== sequence && each.sequence.pages.length > 0);
        assert.ok(others.some((each) => age.get(each.sequence)! < age.get(sequence)!) || others.length === 0);
      }
      giveUp(sequence);
    };
    assert.equal(
      await Promise.all(all.map(({ done }) => done)),
      kinds.map((each) => expected(each)),
      `${pages} pages`,
    );
    assert.ok(gave > 0, `${pages} pages: nobody had to`);
    assert.ok(memory.kv.pages <= pages);
    assert.ok(engine.steps.every((segments) => segments.every(({ count }) => count > 0)));
    nothingHeld(memory, `${pages} pages`);
  }
});

test("who waits for memory is not overtaken by younger ones that would fit", async () => {
  const { scheduler } = setUp(8);
  const order: string[] = [];
  const run = (name: string, length: number, count: number, seed: number) =>
    generate(scheduler, { prompt: text(length, seed), count, shared: false }).done.then(() => order.push(name));
  const small = Array.from({ length: 5 }, (_, i) => run.bind(undefined, "small", 20, 5, 3 + i));
  await Promise.all([run("first", 60, 30, 1), run("large", 230, 20, 2), ...small.map((start) => start())]);
  assert.equal(order.slice(0, 2), ["first", "large"]);
});

test("admitting counts what the others will still take for their prompts", async () => {
  const { engine, scheduler, memory } = setUp(8, { rows: 10 });
  let gave = 0;
  const giveUp = memory.giveUp.bind(memory);
  memory.giveUp = (sequence) => {
    if (sequence.tokens.length < sequence.capacity - 1) gave++;
    giveUp(sequence);
  };
  // Five pages each: the second would fit beside the first page of the first.
  const two = [1, 2].map((seed) => ({ prompt: text(150, seed), count: 3, shared: false }));
  assert.equal(
    await Promise.all(two.map((each) => generate(scheduler, each).done)),
    two.map((each) => expected(each)),
  );
  assert.is(gave, 0, "nobody began in vain");
  assert.ok(engine.steps.length > 30);
});

test("one that rests gives its pages up, is computed again, and goes on", async () => {
  const { scheduler, memory } = setUp(7);
  const [a, b] = [kinds[3], { prompt: text(150, 9), count: 30 }];
  const sequence = scheduler.open({ capacity: 130, rope: a.rope!, meaning: a.meaning!, planned: 130 });
  const tokens = [((await sequence.feed(a.prompt))[0] as Float32Array)[0]];
  for (let i = 0; i < 10; i++) tokens.push(((await sequence.feed([tokens[i]]))[0] as Float32Array)[0]);
  assert.equal(await generate(scheduler, b).done, expected(b));
  assert.equal([sequence.length, sequence.pages.length, sequence.pending], [0, 0, a.prompt.length + 10]);
  for (let i = 10; i < 59; i++) tokens.push(((await sequence.feed([tokens[i]]))[0] as Float32Array)[0]);
  assert.equal(tokens, expected(a));
  sequence.close();
  nothingHeld(memory);
});

test("outputs of all rows, in chunks, also where memory was lost between them", async () => {
  const { scheduler, memory } = setUp(8, { rows: 50, outputs: 9 });
  const ids = text(160);
  const all = (from: number, count: number) =>
    Array.from({ length: count }, (_, i) => expected({ prompt: ids.slice(0, from + i + 1), count: 1 })[0]);
  const sequence = scheduler.open({ capacity: 160, rope: ropes.fixed, meaning: "planned", planned: 160 });
  const first = await sequence.feed(ids.slice(0, 70), { rows: "all" });
  assert.equal(
    first.map((row) => (row as Float32Array)[0]),
    all(0, 70),
  );
  await generate(scheduler, { prompt: text(200, 3), count: 5 }).done;
  assert.is(sequence.length, 0, "its pages were needed");
  const progress: number[] = [];
  const second = await sequence.feed(ids.slice(70), { rows: "all", onProgress: (done) => progress.push(done) });
  assert.equal(
    second.map((row) => (row as Float32Array)[0]),
    all(70, 90),
  );
  assert.equal(progress.at(-1), 90);
  assert.ok(
    progress.every((done, i) => done > (progress[i - 1] ?? 0)),
    progress.join(),
  );
  sequence.close();
  nothingHeld(memory);
});

test("what has been computed is known: whole pages, and the beginning of one by a copy", async () => {
  const { engine, scheduler, memory } = setUp();
  const first = { prompt: text(75), count: 30 };
  const done = generate(scheduler, first);
  const answer = await done.done;
  assert.is(done.cached(), 0);
  // The next turn of the conversation: all but the answer's last token, which was never fed.
  const next = { prompt: [...first.prompt, ...answer, 1, 2, 3], count: 12 };
  const turn = generate(scheduler, next);
  assert.equal(await turn.done, expected(next));
  assert.is(turn.cached(), 75 + 29);
  const branch = { prompt: [...first.prompt.slice(0, 70), 9, 9, 9], count: 6 };
  const other = generate(scheduler, branch);
  assert.equal(await other.done, expected(branch));
  assert.is(other.cached(), 70);
  assert.ok(engine.device.copies >= 2);
  const again = generate(scheduler, first);
  assert.equal(await again.done, answer);
  assert.is(again.cached(), 74, "one token is computed for its logits");
  const apart = generate(scheduler, { ...first, shared: false });
  assert.equal(await apart.done, answer);
  assert.is(apart.cached(), 0);
  const inserted = { ...first, rope: ropes.dynamic, meaning: "as-inserted" } as const;
  for (let i = 0; i < 2; i++) {
    const each = generate(scheduler, inserted);
    assert.equal(await each.done, expected(inserted));
    assert.is(each.cached(), 0, "frequencies that follow the length are nobody else's");
  }
  nothingHeld(memory);
});

test("equal prompts at the same time share what the first has published, and write into no page of another", async () => {
  const { engine, scheduler, memory } = setUp();
  const same = { prompt: text(100), count: 40 };
  const first = generate(scheduler, same);
  await until(() => engine.steps.length >= 5); // its prompt takes three
  const later = [1, 2, 3].map((id) => ({ prompt: [...text(97), id, id], count: 40 }));
  const all = later.map((each) => generate(scheduler, each));
  assert.equal(await first.done, expected(same));
  assert.equal(
    await Promise.all(all.map(({ done }) => done)),
    later.map((each) => expected(each)),
  );
  for (const each of all) assert.ok(each.cached() >= 96, `${each.cached()}`);
  nothingHeld(memory);
});

test("a rewind forgets tokens, lets shared pages go, and what follows is as if they had never been", async () => {
  const { scheduler, memory } = setUp();
  for (const [rope, meaning] of [
    [ropes.fixed, "planned"],
    [ropes.dynamic, "as-inserted"],
  ] as const) {
    const ids = text(140);
    const sequence = scheduler.open({ capacity: 200, rope, meaning, planned: 200, shared: true });
    await sequence.feed(ids.slice(0, 100));
    sequence.publish();
    await sequence.feed(ids.slice(100, 120));
    for (const to of [115, 100, 50]) {
      sequence.rewind(to);
      assert.is(sequence.tokens.length, to);
      assert.ok(sequence.prefix.length * PAGE <= to && sequence.length <= to);
      // The n of the prompt's tokens is still the whole prompt's.
      const [row] = await sequence.feed(ids.slice(to, to + 1));
      if (meaning === "planned") {
        assert.is((row as Float32Array)[0], expected({ prompt: ids.slice(0, to + 1), count: 1, rope, meaning })[0]);
      }
    }
    refusedSync(() => sequence.rewind(60), "kernel", /rewind: needs 0 … 51 tokens, got 60/);
    sequence.close();
  }
  nothingHeld(memory);
});

test("turns that cannot be are refused; what a turn throws is its own end", async () => {
  const { engine, scheduler, memory } = setUp(8);
  refusedSync(
    () => scheduler.open({ capacity: 8 * PAGE + 1, rope: ropes.fixed, meaning: "planned", planned: 1 }),
    "context",
    /within maxKvBytes one sequence holds 256 at most; .*larger maxKvBytes/,
  );
  const other = generate(scheduler, kinds[0]);
  const boom = new RangeError("boom");
  for (const place of ["onStart", "onProgress", "done"] as const) {
    const sequence = scheduler.open({ capacity: 60, rope: ropes.fixed, meaning: "planned", planned: 60 });
    const reason = await new Promise<unknown>((resolve) => {
      const fail = () => {
        throw boom;
      };
      const turn = {
        ids: text(50),
        rows: "last",
        want: "logits",
        k: 1,
        done: () => undefined,
        failed: resolve,
      } as const;
      sequence.submit({ ...turn, [place]: fail });
    });
    assert.is(reason, boom, place);
    await refused(sequence.feed([1]), "closed", /this sequence is closed/);
  }
  const sequence = scheduler.open({ capacity: 10, rope: ropes.fixed, meaning: "planned", planned: 10 });
  const fed = sequence.feed([1, 2]);
  refusedSync(
    () => sequence.submit({ ids: [3], rows: "last", want: "logits", k: 1, done: () => undefined, failed() {} }),
    "kernel",
    /before its last turn had ended/,
  );
  await fed;
  await refused(sequence.feed(text(9)), "kernel", /opened for 10 tokens got 2 \+ 9/);
  sequence.close();
  assert.equal(await other.done, expected(kinds[0]));
  nothingHeld(memory);
  assert.ok(engine.steps.length > 0);
});

test("a step that fails ends those in it; a closed scheduler everything, and at once", async () => {
  const { engine, scheduler, memory } = setUp();
  const gone = new LlariatError("device", "gone");
  engine.before = () => {
    throw gone;
  };
  const two = kinds.slice(0, 2).map((kind) => generate(scheduler, kind).done);
  for (const each of two) await refused(each, "device", /gone/);
  nothingHeld(memory);
  engine.before = () => {};
  const running = generate(scheduler, kinds[0]);
  const rests = scheduler.open({ capacity: 50, rope: ropes.fixed, meaning: "planned", planned: 50 });
  await rests.feed(text(5));
  scheduler.end(new LlariatError("closed", "over"));
  await refused(running.done, "closed", /over/);
  await refused(rests.feed([1]), "closed", /over/);
});

test("who is closed while kernels compile or memory grows is not computed, and leaves nothing", async () => {
  const { engine, scheduler, memory } = setUp();
  const stays = generate(scheduler, { ...kinds[0], shared: false });
  const leaves = generate(scheduler, { ...kinds[5], shared: false });
  let steps = 0;
  engine.before = async () => {
    if (++steps === 3) leaves.sequence.close();
    await Promise.resolve();
  };
  assert.equal(await stays.done, expected(kinds[0]));
  const after = engine.steps
    .slice(2)
    .flat()
    .filter(({ sequence }) => sequence === leaves.sequence);
  assert.is(after.length, 0);
  nothingHeld(memory);
});

test("who is closed while memory is made for it gets none", async () => {
  const { engine, scheduler, memory } = setUp();
  const first = generate(scheduler, { ...kinds[0], shared: false });
  engine.device.during = () => first.sequence.close();
  await until(() => engine.device.resized > 0);
  await scheduler.between(() => Promise.resolve());
  nothingHeld(memory);
  engine.device.during = () => {};
  assert.equal(await generate(scheduler, kinds[1]).done, expected(kinds[1]));
  nothingHeld(memory);
});

test("who is closed while memory is made for another holds nothing afterwards", async () => {
  // Both are admitted when the first needs a longer table in its first step; or the first needs it to copy the page that it
  // begins with, before the second has been admitted.
  for (const known of [false, true]) {
    const { engine, scheduler, memory } = setUp();
    const before = { prompt: text(75), count: 3 };
    if (known) await generate(scheduler, before).done;
    const resized = engine.device.resized;
    const [rope, meaning] = known ? [ropes.fixed, "planned" as const] : [ropes.dynamic, "as-inserted" as const];
    const [first, second] = [1, 2].map((seed) => ({
      prompt: [...text(70), ...text(9, seed)],
      count: 200,
      rope,
      meaning,
    }));
    const [one, other] = [generate(scheduler, first), generate(scheduler, second)];
    engine.device.during = () => other.sequence.close();
    assert.equal(await one.done, expected(first), `known: ${known}`);
    assert.ok(engine.device.resized > resized);
    assert.is(other.sequence.pages.length, 0);
    nothingHeld(memory, `known: ${known}`);
    assert.is(memory.angles.rows, 0, "no range of the table is anybody's");
    await scheduler.between(() => memory.trim());
    assert.equal([memory.kv.pages, memory.prefixes.idle], [0, 0], `known: ${known}`);
  }
});

test("work between two steps waits for the one under way, not for all who run", async () => {
  const { engine, scheduler, memory } = setUp();
  const kind = { prompt: text(60), count: 90, shared: false };
  let over = false;
  const done = generate(scheduler, kind).done.finally(() => (over = true));
  while (engine.steps.length < 5) await new Promise((resolve) => setImmediate(resolve));
  await scheduler.between(() => memory.trim());
  await refused(
    scheduler.between(() => Promise.reject(new LlariatError("device", "this work fails"))),
    "device",
    /this work fails/,
  );
  assert.ok(!over && engine.steps.length < 20, `${engine.steps.length} steps`);
  assert.equal(await done, expected(kind));
  nothingHeld(memory);
});

test("memory of the device that ends before the limit does: idle prefixes go, then the youngest wait, then it is said", async () => {
  const { engine, scheduler, memory } = setUp();
  await generate(scheduler, { prompt: text(100, 9), count: 3 }).done;
  assert.ok(memory.prefixes.idle > 0);
  engine.device.pages = 8;
  const all = kinds.map((kind) => generate(scheduler, kind));
  assert.equal(
    await Promise.all(all.map(({ done }) => done)),
    kinds.map((each) => expected(each)),
  );
  assert.ok(memory.kv.pages <= 8);
  await refused(generate(scheduler, { prompt: text(300), count: 3 }).done, "device", /out of memory/);
  nothingHeld(memory);
  engine.device.pages = Infinity;
  const large = { prompt: text(300), count: 3 };
  assert.equal(await generate(scheduler, large).done, expected(large), "with memory back");
});

test("the pool doubles as a text grows, not beyond what can come, and trim gives it back", async () => {
  const { engine, scheduler, memory } = setUp();
  const sizes: number[] = [];
  const { done, sequence } = generate(scheduler, { prompt: text(10), count: 900, shared: false }, () => {
    if (sizes.at(-1) !== memory.kv.pages) sizes.push(memory.kv.pages);
    return undefined;
  });
  await done;
  assert.equal(sizes, [8, 16, 32], "29 pages in the end, in groups of eight");
  assert.ok(engine.device.resized < 12, `${engine.device.resized}`);
  assert.is(sequence.pages.length, 0);
  const before = engine.steps.length;
  const held = generate(scheduler, { prompt: text(40), count: 200, shared: false });
  await until(() => engine.steps.length >= before + 3);
  await scheduler.between(() => memory.trim());
  assert.ok(memory.kv.pages < 9, `${memory.kv.pages}`);
  assert.equal(await held.done, expected({ prompt: text(40), count: 200 }));
  await scheduler.between(() => memory.trim());
  assert.equal([memory.kv.pages, memory.angles.tensor.shape[0]], [0, 64]);
});

test("idle prefixes stay up to their limit, beyond it the oldest go first", async () => {
  const { pageBytes } = new PoolEngine().memory.kv;
  const { scheduler, memory } = setUp(1000, { idleKvBytes: 10 * pageBytes });
  for (let seed = 1; seed <= 8; seed++) await generate(scheduler, { prompt: text(95, seed), count: 2 }).done;
  assert.ok(memory.prefixes.idle <= 16, `${memory.prefixes.idle} pages`);
  const [old, recent] = [1, 8].map((seed) => generate(scheduler, { prompt: text(95, seed), count: 2 }));
  await Promise.all([old.done, recent.done]);
  assert.equal([old.cached(), recent.cached()], [0, 94]);
});

test("rows that wait for memory keep no others from their step", async () => {
  // One row a step: whoever waits has waited longest, and must not be the only one that is looked at.
  const { scheduler, memory } = setUp(11, { rows: 1, outputs: 1 });
  const many = Array.from({ length: 9 }, (_, i) => ({ prompt: text(20 + i, i + 1), count: 60 }));
  assert.equal(
    await Promise.all(many.map((each) => generate(scheduler, each).done)),
    many.map((each) => expected(each)),
  );
  nothingHeld(memory);
});

/** Pages that are neither free nor kept in case they are wanted again. */
const held = ({ memory: { kv, prefixes } }: PoolEngine): number => kv.pages - kv.freePages - prefixes.idle;

test("where every layer has a window, pages that it has passed are given back, and no token changes", async () => {
  for (const [window, rows] of [
    [2, 7],
    [33, 24],
    [64, 100],
    [100, 1],
  ]) {
    const all: Text[] = [
      ...kinds,
      { prompt: text(400, 8), count: 100 },
      { prompt: text(300, 9), count: 60, shared: false },
    ];
    const { engine, scheduler, memory } = setUp(1000, { window, rows, outputs: rows, idleKvBytes: 0 });
    for (const each of all) {
      let most = 0;
      engine.before = () => void (most = Math.max(most, held(engine)));
      assert.equal(await generate(scheduler, each).done, expected(each, window), `window ${window}`);
      assert.ok(most <= Math.ceil((window + rows) / PAGE) + 1, `window ${window}, ${rows} rows: ${most} pages held`);
      nothingHeld(memory);
    }
    const together = await Promise.all(all.map((each) => generate(scheduler, each).done));
    assert.equal(
      together,
      all.map((each) => expected(each, window)),
      `window ${window}`,
    );
    nothingHeld(memory);
  }
});

test("the largest window of all layers counts, if all have one", () => {
  const windowOf = (windows: (number | null)[]) => new PoolEngine({ windows }).memory.window;
  assert.is(windowOf([8, 40, 16]), 40);
  for (const windows of [[null], [8, null], [null, 8], [8, null, 16]]) assert.is(windowOf(windows), undefined);
});

test("with a window a text may be longer than the pool; without, it is refused", async () => {
  const long = { prompt: text(500), count: 50, shared: false };
  const window = 40;
  const { scheduler, memory } = setUp(3, { window, rows: 24 });
  assert.is(memory.need(550), 3);
  assert.equal(
    [1, PAGE, PAGE + 1, 550].map((tokens) => memory.bytes(tokens) / memory.kv.pageBytes),
    [1, 1, 2, 3],
  );
  assert.equal(await generate(scheduler, long).done, expected(long, window));
  assert.is(memory.kv.pages, 3);
  refusedSync(() => generate(setUp(3, { rows: 24 }).scheduler, long), "context", /one sequence holds 96 at most/);
  refusedSync(
    () => generate(setUp(2, { window, rows: 24 }).scheduler, long),
    "context",
    /one sequence holds 64 at most/,
  );
});

test("with a window the next turn of a conversation goes on from the last pages alone", async () => {
  const window = 70;
  const { scheduler, memory } = setUp(1000, { window });
  const first = { prompt: text(300), count: 40 };
  const answer = await generate(scheduler, first).done;
  assert.ok(memory.prefixes.idle <= Math.ceil((window + 300) / PAGE), `${memory.prefixes.idle} pages are kept`);
  const next = { prompt: [...first.prompt, ...answer, 3, 1, 4], count: 30 };
  const again = generate(scheduler, next);
  assert.equal(await again.done, expected(next, window));
  assert.ok(again.cached() >= 339 - PAGE && again.cached() < 343, `${again.cached()} of 343 known`);
  nothingHeld(memory);
});

test("known pages that a window has passed go when memory is short; who needs them computes and brings them again", async () => {
  const window = 40;
  const { engine, scheduler, memory } = setUp(14, { window, rows: 24 });
  const prompt = text(260);
  const run = async (count: number, seed?: number) => {
    const own = seed === undefined ? { prompt, count } : { prompt: text(260, seed), count };
    const got = generate(scheduler, own);
    assert.equal(await got.done, expected(own, window));
    return got.cached();
  };
  await run(100);
  // All of it is known; it goes on while others need the memory.
  const longer = { prompt: [...prompt, ...expected({ prompt, count: 100 }, window)], count: 250 };
  let begin!: () => void;
  const beside = new Promise<void>((resolve) => (begin = resolve)).then(() => run(60, 5));
  const slow = generate(scheduler, longer, (_, tokens) => void (tokens.length === 150 && begin()));
  const [got] = await Promise.all([slow.done, beside]);
  assert.equal(got, expected(longer, window));
  assert.ok(slow.cached() >= 320, `${slow.cached()} tokens known`);
  nothingHeld(memory);
  for (let i = 0; i < 3; i++) await run(20, 20 + i);
  await run(20);
  assert.ok((await run(20)) >= 256 - PAGE, "what was computed again is known again");
  nothingHeld(memory);
  await scheduler.between(() => memory.trim());
  assert.equal([memory.kv.pages, memory.prefixes.idle], [0, 0]);
  assert.ok(engine.steps.length > 0);
});

test("a rewind to where a window reaches back to pages that are gone computes the text again", async () => {
  const window = 40;
  for (const shared of [true, false]) {
    const { scheduler, memory } = setUp(1000, { window, rows: 50 });
    const ids = text(300);
    const open = { capacity: 320, rope: ropes.fixed, meaning: "planned", planned: 320, shared } as const;
    const sequence = scheduler.open(open);
    await sequence.feed(ids.slice(0, 200));
    sequence.publish();
    await sequence.feed(ids.slice(200));
    for (const to of [295, 199, 130, 60, 3]) {
      sequence.rewind(to);
      const [row] = await sequence.feed(ids.slice(to, to + 5));
      assert.is((row as Float32Array)[0], expected({ prompt: ids.slice(0, to + 5), count: 1 }, window)[0], `to ${to}`);
    }
    sequence.close();
    nothingHeld(memory);
    const again = { prompt: ids.slice(0, 250), count: 3 };
    assert.equal(await generate(scheduler, again).done, expected(again, window));
    nothingHeld(memory);
  }
});

test("who waits for memory gets the pages that the windows of others have passed", async () => {
  const window = 40;
  const { scheduler } = setUp(5, { window, rows: 24 });
  const order: string[] = [];
  const run = async (name: string, own: Text) => {
    assert.equal(await generate(scheduler, own).done, expected(own, window));
    order.push(name);
  };
  await Promise.all([
    run("long", { prompt: text(10), count: 600, shared: false }),
    run("short", { prompt: text(10, 2), count: 100, shared: false }),
  ]);
  assert.equal(order, ["short", "long"]);
});

test("random comings and goings on pools of every size: exact tokens, no page lost, nobody waits for ever", async () => {
  for (let seed = 1; seed <= 16; seed++) {
    const below = whole(seed);
    const pages = 5 + below(12);
    const window = seed % 2 === 0 ? 2 + below(60) : undefined;
    const { scheduler, memory, engine } = setUp(pages, {
      window,
      rows: 1 + below(60),
      outputs: 1 + below(60),
      idleKvBytes: below(3) * 4096,
    });
    if (below(3) === 0) engine.device.pages = Math.max(5, pages - below(6));
    const jobs = Array.from({ length: 40 }, async () => {
      await new Promise((resolve) => setTimeout(resolve, below(30)));
      const kind = kinds[below(kinds.length)];
      const own = {
        ...kind,
        prompt: kind.prompt.slice(0, 1 + below(kind.prompt.length)),
        count: 1 + below(60),
        shared: below(3) > 0,
      };
      const leaves = below(3) === 0 ? 1 + below(own.count) : Infinity;
      const want = expected(own, window);
      const { done } = generate(scheduler, own, (_, tokens) => tokens.length < leaves);
      const got = await done;
      assert.equal(got, want.slice(0, Math.min(own.count, leaves)), `seed ${seed}`);
    });
    await Promise.all(jobs);
    nothingHeld(memory, `seed ${seed}`);
    await scheduler.between(() => memory.trim());
    assert.equal([memory.kv.pages, memory.prefixes.idle], [0, 0], `seed ${seed}`);
  }
});

test("whatever a request throws at its end, the loop and the others go on", async () => {
  const { scheduler, memory } = setUp();
  const bad = { rows: "last", want: "candidates", k: 1 } as const;
  const boom = () => {
    throw new Error("boom");
  };
  const open = () =>
    scheduler.open({ capacity: 50, rope: ropes.fixed, meaning: "planned", planned: 50, shared: false });
  const other = generate(scheduler, { prompt: text(20), count: 30 });
  open().submit({ ...bad, ids: text(9, 2), done: boom, failed: boom });
  open().submit({ ...bad, ids: text(9, 3), done: () => undefined, onStart: boom, failed: boom });
  open().submit({ ...bad, ids: text(9, 4), done: () => undefined, onProgress: boom, failed: boom });
  await refused(
    scheduler.between(() => {
      throw new LlariatError("kernel", "work that throws at once");
    }),
    "kernel",
  );
  assert.equal(await other.done, expected({ prompt: text(20), count: 30 }));
  // A fault of the engine's own ends those who wait, and not the loop.
  Object.defineProperty(memory, "fits", {
    configurable: true,
    value() {
      Reflect.deleteProperty(memory, "fits");
      return boom();
    },
  });
  const failing = generate(scheduler, { prompt: text(5), count: 3 });
  assert.match(String(await failing.done.catch(String)), /boom/);
  assert.equal(
    await generate(scheduler, { prompt: text(20), count: 5 }).done,
    expected({ prompt: text(20), count: 5 }),
  );
  nothingHeld(memory);
});

test.run();
