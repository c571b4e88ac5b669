// Requests at the same time: each gets what it gets alone, steps are shared, nobody waits for ever, and what happens to
// one (abort, a consumer that throws, an end) is nothing to the others.
// Left out of samples: loop.test.ts has the loop without a device, engine.test.ts its steps on one.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Completion, type GenerateOptions, Llama, LlariatError } from "../../src/node/index.ts";
import type { RopeScaling } from "../../src/rope/index.ts";
import { goldenEntry, goldenJson } from "../tools/goldens.ts";
import { refused } from "../tools/refused.ts";
import { nothingHeld, recordSteps } from "../tools/steps.ts";
import { farthest, firstDifference, folder, ids, openDevice, variantsOf } from "../tools/models.ts";
import { whole } from "../tools/random.ts";

const tests = suite("scheduler");
const handle = await openDevice();
const { device } = handle;
const path = folder("goldens/rope_sweep");
/** What float32 may make of a logit of this model; a log-probability is a difference of two. */
const TOLERANCE = goldenEntry("rope_sweep/default/expected.safetensors").tolerance!.f32.abs!;

interface Request {
  readonly prompt: number[];
  readonly options: GenerateOptions;
}

const options = { ignoreEos: true, allowBeyond: true, logprobs: true, reusePrefix: false, maxNewTokens: 20 } as const;
const scaled = (ropeScaling: RopeScaling, more: GenerateOptions = {}): GenerateOptions => ({
  ...options,
  ropeScaling,
  ...more,
});
const requests: readonly Request[] = [
  { prompt: ids(50), options },
  { prompt: ids(7, 256, 2), options: scaled({ rope_type: "yarn", factor: 4 }) },
  {
    prompt: ids(90, 256, 3),
    options: scaled({ rope_type: "dynamic", factor: 2 }, { ropeAngles: "current", maxNewTokens: 33 }),
  },
  {
    prompt: ids(61, 256, 4),
    options: scaled({ rope_type: "dynamic", factor: 4 }, { ropeAngles: "as-inserted", maxNewTokens: 9 }),
  },
  {
    prompt: ids(150, 256, 5),
    options: scaled({ rope_type: "linear", factor: 2 }, { temperature: 0.7, topK: 20, seed: 5 }),
  },
];

const same = (what: string, got: Completion, want: Completion): void => {
  assert.equal(got.ids, want.ids, what);
  const { error } = farthest(got.logprobs!, want.logprobs!);
  assert.ok(error <= 2 * TOLERANCE, `${what}: a log-probability differs by ${error}`);
};

for (const variants of variantsOf(handle)) {
  for (const chunkRows of [undefined, 40]) {
    tests(`two and five sequences, ${variants}, ${chunkRows ?? "all"} rows a step: each as alone`, async () => {
      using llama = await Llama.load(path, { device, variants, chunkRows });
      const alone: Completion[] = [];
      for (const { prompt, options } of requests) alone.push(await llama.complete(prompt, options));
      const steps = recordSteps(llama.engine);
      for (const some of [
        [0, 1],
        [2, 3],
        [0, 1, 2, 3, 4],
      ]) {
        steps.length = 0;
        const done = await Promise.all(some.map((i) => llama.complete(requests[i].prompt, requests[i].options)));
        done.forEach((got, i) => same(`request ${some[i]} of ${some.join()}`, got, alone[some[i]]));
        const tokens = done.map((got) => got.ids.length);
        const shortest = Math.min(...tokens);
        const shared = steps.filter((segments) => segments.length === some.length).length;
        assert.ok(shared >= shortest - 5, `${shared} of ${steps.length} steps held all of ${tokens.join()} tokens`);
        // Alone they would take the sum; together about as many as the longest, and the chunks of the prompts.
        const chunks = some.reduce(
          (sum, i) => sum + Math.ceil(requests[i].prompt.length / llama.engine.maxRows) + 1,
          0,
        );
        assert.ok(steps.length <= Math.max(...tokens) + chunks, `${steps.length} steps for ${tokens.join()} tokens`);
      }
    });
  }
}

tests("logits in the company of others that generate are the logits alone", async () => {
  using llama = await Llama.load(path, { device });
  const want = await llama.logits(ids(120));
  const alone = await llama.complete(requests[1].prompt, requests[1].options);
  const [other, got, last] = await Promise.all([
    llama.complete(requests[1].prompt, requests[1].options),
    llama.logits(ids(120)),
    llama.logits(ids(120), { rows: "last" }),
  ]);
  same("the one that generates", other, alone);
  assert.ok(farthest(got, want).error <= TOLERANCE);
  assert.ok(farthest(last, want.subarray(-256)).error <= TOLERANCE);
});

tests("more sequences than a step holds", async () => {
  using llama = await Llama.load(path, { device });
  const prompts = Array.from({ length: 37 }, (_, i) => ids(3 + i, 256, i));
  const alone: Completion[] = [];
  for (const prompt of prompts) alone.push(await llama.complete(prompt, { ...options, maxNewTokens: 6 }));
  const steps = recordSteps(llama.engine);
  const done = await Promise.all(prompts.map((prompt) => llama.complete(prompt, { ...options, maxNewTokens: 6 })));
  done.forEach((got, i) => same(`prompt ${i}`, got, alone[i]));
  assert.ok(Math.max(...steps.map(({ length }) => length)) === llama.engine.maxSequences, "steps are filled");
});

tests("requests of one moment share their first step, and of too many for a step nobody falls behind", async () => {
  using llama = await Llama.load(path, { device });
  const steps = recordSteps(llama.engine);
  const many = llama.engine.maxSequences + 5;
  await Promise.all(Array.from({ length: many }, (_, i) => llama.complete([i + 1], { ...options, maxNewTokens: 12 })));
  assert.is(steps[0].length, llama.engine.maxSequences);
  const had = new Map(steps.flat().map(({ sequence }) => [sequence, 0]));
  assert.is(had.size, many);
  for (const segments of steps) {
    for (const { sequence } of segments) had.set(sequence, had.get(sequence)! + 1);
    const counts = [...had.values()];
    assert.ok(Math.max(...counts) - Math.min(...counts) <= 1, counts.join());
  }
});

tests("a prompt does not wait until those that generate have ended", async () => {
  using llama = await Llama.load(path, { device });
  const order: string[] = [];
  const many = llama.engine.maxSequences + 4;
  const long = Array.from({ length: many }, (_, i) =>
    llama.complete(ids(5, 256, i), { ...options, maxNewTokens: 60 }).then(() => order.push("long")),
  );
  for await (const _ of llama.generate(ids(5, 256, 99), { ...options, maxNewTokens: 5 })) order.push("token");
  await Promise.all(long);
  // The late prompt's five tokens came while the others were at theirs.
  assert.equal(
    order.slice(0, 5),
    Array.from({ length: 5 }, () => "token"),
  );
});

tests("one that is aborted is gone; the other notices nothing", async () => {
  using llama = await Llama.load(path, { device, chunkRows: 16 });
  const want = await llama.complete(requests[0].prompt, requests[0].options);
  const { kv } = llama.engine.memory;
  // During its prompt, then while it generates.
  for (const when of ["prefill", "decode"] as const) {
    const abort = new AbortController();
    const mine = llama.complete(requests[0].prompt, requests[0].options);
    let seen = 0;
    const stop = () => ++seen === 3 && abort.abort(new Error("enough"));
    const other = (async () => {
      const onPrefill = when === "prefill" ? stop : undefined;
      const given = { ...requests[4].options, signal: abort.signal, onPrefill };
      for await (const _ of llama.generate(requests[4].prompt, given)) if (when === "decode") stop();
    })();
    const error = await other.then(
      () => undefined,
      (reason: unknown) => reason,
    );
    if (!(error instanceof LlariatError)) return assert.unreachable(`${when}: ${String(error)}`);
    assert.is(error.code, "aborted");
    assert.is((error.cause as Error).message, "enough");
    assert.is(seen, 3, `${when}: nothing came after the abort`);
    same(when, await mine, want);
    assert.is(kv.freePages, kv.pages, when);
  }
});

tests("a progress callback that throws ends its own request, with its own error", async () => {
  using llama = await Llama.load(path, { device, chunkRows: 16 });
  const want = await llama.complete(requests[0].prompt, requests[0].options);
  const mine = llama.complete(requests[0].prompt, requests[0].options);
  const broken = llama.complete(ids(60, 256, 8), {
    ...options,
    onPrefill() {
      throw new RangeError("the bar is full");
    },
  });
  const error = await broken.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(error, RangeError);
  same("the other", await mine, want);
  assert.is(llama.engine.memory.kv.freePages, llama.engine.memory.kv.pages);
});

tests("a consumer that pauses holds nobody up, and one that leaves takes nobody along", async () => {
  using llama = await Llama.load(path, { device });
  const [a, b] = [requests[0], requests[1]];
  const alone = [await llama.complete(a.prompt, a.options), await llama.complete(b.prompt, b.options)];
  const slow = llama.generate(a.prompt, a.options);
  const first = await slow.next();
  // The slow one is asked for nothing while the other runs to its end, and a third begins and leaves.
  same("the fast one", await llama.complete(b.prompt, b.options), alone[1]);
  for await (const _ of llama.generate(requests[2].prompt, requests[2].options)) break;
  const got = [(first.value as { id: number }).id];
  for await (const { id } of slow) got.push(id);
  assert.equal(got, alone[0].ids);
  assert.is(llama.engine.memory.kv.freePages, llama.engine.memory.kv.pages);
});

tests("one request's tokens are asked for one after the other; a second call for the next waits its turn", async () => {
  using llama = await Llama.load(path, { device });
  const want = await llama.complete(requests[0].prompt, requests[0].options);
  const pieces = llama.generate(requests[0].prompt, requests[0].options);
  const all = await Promise.all(Array.from({ length: 21 }, () => pieces.next()));
  assert.equal(
    all.slice(0, 20).map(({ value }) => (value as { id: number }).id),
    want.ids,
  );
  assert.is(all[20].done, true);
});

tests("a crowd that comes, shares beginnings, is cut off and goes: whoever stays gets what it gets alone", async () => {
  const settings: GenerateOptions[] = [
    {},
    { ropeScaling: { rope_type: "yarn", factor: 4 } },
    { ropeScaling: { rope_type: "dynamic", factor: 2 }, ropeAngles: "current" },
    { ropeScaling: { rope_type: "dynamic", factor: 2 }, ropeAngles: "as-inserted" },
    { ropeScaling: { rope_type: "dynamic", factor: 2 }, ropeLength: 200 },
  ];
  for (const [seed, chunkRows] of [
    [1, 16],
    [2, 40],
    [3, undefined],
  ] as const) {
    const below = whole(seed);
    const crowd = Array.from({ length: 50 }, (_, i) => ({
      // Two beginnings, cut anywhere: most prompts share whole pages with others.
      prompt: ids(1 + below(180), 256, below(2)),
      given: {
        ...options,
        ...settings[below(3) ? 0 : below(settings.length)],
        reusePrefix: below(4) > 0,
        maxNewTokens: 5 + below(40),
      },
      starts: 28 * i, // when all others together have come so far
      leaves: below(3) ? Infinity : below(12), // when it has come so far itself
      aborts: below(2) === 0,
    }));
    using quiet = await Llama.load(path, { device, chunkRows });
    using busy = await Llama.load(path, { device, chunkRows });
    // Chunks of prompts and tokens so far; who waits for how many; how many run.
    let [ticks, running] = [0, 0];
    const waiting: { at: number; go: () => void }[] = [];
    const tick = () => {
      ticks++;
      while (waiting.length > 0 && (waiting[0].at <= ticks || running === 0)) {
        running++;
        waiting.shift()!.go();
      }
    };
    let [stayed, cut, cached] = [0, 0, 0];
    const one = async ({ prompt, given, starts, leaves, aborts }: (typeof crowd)[number]) => {
      await new Promise<void>((go) => void waiting.push({ at: starts, go }));
      const abort = new AbortController();
      let come = 0;
      const onPrefill = () => {
        tick();
        if (++come === leaves && aborts) abort.abort();
      };
      const pieces = busy.generate(prompt, { ...given, signal: abort.signal, onPrefill });
      try {
        let next = await pieces.next();
        for (; !next.done; next = await pieces.next()) {
          tick();
          if (++come < leaves) continue;
          if (aborts) abort.abort();
          else return void (await pieces.return(undefined as never));
        }
        return next.value;
      } catch (error) {
        if (error instanceof LlariatError && error.code === "aborted") return undefined;
        throw error;
      } finally {
        running--;
        tick();
      }
    };
    const started = crowd.map(one);
    tick();
    const answers = await Promise.all(started);
    for (const [i, { prompt, given }] of crowd.entries()) {
      const got = answers[i];
      if (!got) {
        cut++;
        continue;
      }
      const alone = await quiet.complete(prompt, { ...given, reusePrefix: false });
      const found = firstDifference(got.ids, alone.ids);
      const at = found < 0 ? got.ids.length : found;
      const what = `seed ${seed}, request ${i}, ${prompt.length} ids, token ${at}`;
      // Other steps take other kernels, so two logits as close as their errors may change places.
      if (found >= 0) assert.ok(Math.abs(got.logprobs![at] - alone.logprobs![at]) <= 4 * TOLERANCE, what);
      const { error } = farthest(got.logprobs!.slice(0, at), alone.logprobs!.slice(0, at));
      assert.ok(error <= 2 * TOLERANCE, `${what}: a log-probability before it differs by ${error}`);
      stayed++;
      cached += got.usage.cachedTokens;
    }
    assert.ok(stayed > 15 && cut > 5 && cached > 100, `${stayed} stayed, ${cut} were cut off, ${cached} tokens shared`);
    nothingHeld(busy.engine.memory);
  }
});

/** Reads a request with something to wait for after each piece. */
async function politely(llama: Llama, request: Request, wait: (read: number) => Promise<void>): Promise<number[]> {
  const got: number[] = [];
  for await (const { id } of llama.generate(request.prompt, request.options)) {
    got.push(id);
    await wait(got.length);
  }
  return got;
}

tests("consumers that wait for something after each piece share every step all the same", async () => {
  using llama = await Llama.load(path, { device });
  const four = Array.from({ length: 4 }, (_, i) => ({
    prompt: ids(12, 256, i),
    options: { ...options, maxNewTokens: 40 },
  }));
  const alone: number[][] = [];
  for (const { prompt, options } of four) alone.push((await llama.complete(prompt, options)).ids);
  const turn = () => new Promise<void>((resolve) => setImmediate(resolve));
  for (const lag of [0, 3]) {
    const steps = recordSteps(llama.engine);
    // Each reads on once the loop is so many steps ahead of it, the last one nine: fewer pieces than are kept for a reader.
    const ahead = (i: number) => async (read: number) => {
      do await turn();
      while (steps.length < Math.min(read + lag * i, 40));
    };
    const waits = four.map((_, i) => ahead(i));
    const got = await Promise.all(four.map((request, i) => politely(llama, request, waits[i])));
    assert.equal(got, alone);
    const rows = steps.reduce((sum, segments) => sum + segments.length, 0) / steps.length;
    assert.ok(rows > 3.9, `${rows.toFixed(2)} sequences a step`);
  }
});

tests(
  "a consumer that does not read stops its own request, after a bounded number of pieces, and nobody else's",
  async () => {
    using llama = await Llama.load(path, { device });
    const want = await llama.complete(requests[0].prompt, { ...options, maxNewTokens: 90 });
    const steps = recordSteps(llama.engine);
    const idle = llama.generate(requests[0].prompt, { ...options, maxNewTokens: 90 });
    const got = [((await idle.next()).value as { id: number }).id];
    await llama.complete(ids(5, 256, 9), { ...options, maxNewTokens: 80 });
    const computed = steps.flat().filter(({ sequence }) => sequence.capacity === requests[0].prompt.length + 90).length;
    assert.ok(computed >= 10 && computed <= 20, `${computed} steps for one piece read`);
    for await (const { id } of idle) got.push(id);
    assert.equal(got, want.ids);
  },
);

tests("decoding rows beside a prompt are taken by the kernels made for them", async () => {
  for (const variants of variantsOf(handle)) {
    using llama = await Llama.load(path, { device, variants, chunkRows: 40 });
    const { engine } = llama;
    const alone = await llama.complete(requests[0].prompt, requests[0].options);
    const plans = new Set<string>();
    const prepare = engine.prepare.bind(engine);
    engine.prepare = (segments, want) => {
      plans.add(engine.plan(segments, want).attention);
      return prepare(segments, want);
    };
    // Its prompt takes two steps; in the fourth it generates, and a prompt comes beside it.
    let beside: Promise<unknown> | undefined;
    recordSteps(engine, (number) => {
      if (number === 4) beside = llama.logits(ids(200, 256, 7));
    });
    const first = llama.complete(requests[0].prompt, requests[0].options);
    same("beside prompts", await first, alone);
    await beside;
    assert.equal([...plans].sort(), ["both", "decode", "prefill"]);
  }
});

/** Bytes of a pool of `pages` pages. */
const poolOf = (llama: Llama, pages: number): number => pages * llama.engine.memory.kv.pageBytes;

tests(
  "when the pool is full the youngest waits and is computed again, with the same tokens under every meaning",
  async () => {
    using free = await Llama.load(path, { device, chunkRows: 40 });
    const crowd = [...requests, ...requests.map(({ prompt, options }) => ({ prompt: prompt.slice(3), options }))].map(
      ({ prompt, options }) => ({ prompt, options: { ...options, maxNewTokens: 45, reusePrefix: true } }),
    );
    const alone: Completion[] = [];
    for (const { prompt, options } of crowd) {
      alone.push(await free.complete(prompt, { ...options, reusePrefix: false }));
    }
    for (const pages of [7, 9, 14]) {
      using llama = await Llama.load(path, { device, chunkRows: 40, maxKvBytes: poolOf(free, pages) });
      const { memory } = llama.engine;
      const giveUp = memory.giveUp.bind(memory);
      let preempted = 0;
      memory.giveUp = (sequence) => {
        if (sequence.pages.length > 0 && sequence.tokens.length < sequence.capacity - 1) preempted++;
        giveUp(sequence);
      };
      const done = await Promise.all(crowd.map(({ prompt, options }) => llama.complete(prompt, options)));
      for (const [i, got] of done.entries()) {
        const found = firstDifference(got.ids, alone[i].ids);
        const at = found < 0 ? got.ids.length : found;
        const what = `${pages} pages, request ${i}, token ${at}`;
        // Computed again in other chunks, two logits as close as their errors may change places.
        if (found >= 0) assert.ok(Math.abs(got.logprobs![at] - alone[i].logprobs![at]) <= 4 * TOLERANCE, what);
        const { error } = farthest(got.logprobs!.slice(0, at), alone[i].logprobs!.slice(0, at));
        assert.ok(error <= 2 * TOLERANCE, `${what}: a log-probability before it differs by ${error}`);
        assert.is(got.ids.length, 45);
      }
      assert.ok(pages > 9 || preempted > 0, `${pages} pages: nobody had to wait`);
      assert.ok(memory.kv.pages <= pages, `${memory.kv.pages} pages`);
      nothingHeld(memory);
    }
  },
);

tests("a model with a window holds the window's pages, also where it must give way and come again", async () => {
  const windowed = folder("families/mistral-window");
  using free = await Llama.load(windowed, { device, chunkRows: 40 });
  const { vocab } = free.engine.config;
  assert.is(free.engine.memory.window, 16);
  const golden = goldenJson("../families/mistral-window/expected.json") as { tolerance: { f32: { abs: number } } };
  const tolerance = golden.tolerance.f32.abs;
  const crowd = [150, 9, 70, 120].map((length, i) => ({
    prompt: ids(length, vocab, i),
    options: { ...options, maxNewTokens: 60, ...(i === 2 && scaled({ rope_type: "dynamic", factor: 2 })) },
  }));
  const alone: Completion[] = [];
  for (const { prompt, options } of crowd) alone.push(await free.complete(prompt, options));
  // One sequence: the keys of a chunk of 40 rows and the 15 before it lie in at most 3 pages.
  for (const pages of [3, 5]) {
    using llama = await Llama.load(windowed, { device, chunkRows: 40, maxKvBytes: poolOf(free, pages) });
    const shared = { reusePrefix: pages === 5 };
    const done = await Promise.all(
      crowd.map(({ prompt, options }) => llama.complete(prompt, { ...options, ...shared })),
    );
    for (const [i, got] of done.entries()) {
      const found = firstDifference(got.ids, alone[i].ids);
      const at = found < 0 ? got.ids.length : found;
      const what = `${pages} pages, request ${i}, token ${at}`;
      if (found >= 0) assert.ok(Math.abs(got.logprobs![at] - alone[i].logprobs![at]) <= 4 * tolerance, what);
      const { error } = farthest(got.logprobs!.slice(0, at), alone[i].logprobs!.slice(0, at));
      assert.ok(error <= 2 * tolerance, `${what}: a log-probability before it differs by ${error}`);
    }
    assert.ok(llama.engine.memory.kv.pages <= pages);
    nothingHeld(llama.engine.memory);
  }
});

tests("one that rests gives its memory up for those that go on, and comes to its end all the same", async () => {
  using free = await Llama.load(path, { device });
  const [a, b] = [ids(100, 256, 1), ids(150, 256, 2)];
  const long = { ...options, maxNewTokens: 60 };
  const want = [await free.complete(a, long), await free.complete(b, long)];
  using llama = await Llama.load(path, { device, maxKvBytes: poolOf(free, 7) });
  const slow = llama.generate(a, long);
  const got = [((await slow.next()).value as { id: number }).id];
  // 5 pages and 7 pages: both at a time there is no room for.
  same("the one that goes on", await llama.complete(b, long), want[1]);
  for await (const { id } of slow) got.push(id);
  assert.equal(got, want[0].ids);
});

tests(
  "what can never fit is refused before it starts; nobody overtakes one that waits for memory for ever",
  async () => {
    using free = await Llama.load(path, { device });
    using llama = await Llama.load(path, { device, maxKvBytes: poolOf(free, 8) });
    const steps = recordSteps(llama.engine);
    await refused(
      llama.complete(ids(100), { ...options, maxNewTokens: 157 }),
      "context",
      /257 tokens .* within maxKvBytes one sequence holds 256 at most; .* larger maxKvBytes/,
    );
    await refused(llama.logits(ids(257)), "context", /within maxKvBytes one sequence holds 256 at most/);
    assert.is(steps.length, 0);
    const order: string[] = [];
    const run = (name: string, length: number, maxNewTokens: number, seed: number) =>
      llama.complete(ids(length, 256, seed), { ...options, maxNewTokens }).then(() => order.push(name));
    await Promise.all([
      run("first", 60, 30, 1),
      run("large", 230, 20, 2),
      ...Array.from({ length: 6 }, (_, i) => run("small", 20, 10, 3 + i)),
    ]);
    assert.is(order[0], "first");
    assert.is(order[1], "large", "six small ones that would have fitted came after it");
  },
);

tests("many random comings and goings on a pool that is too small leave no page behind", async () => {
  using free = await Llama.load(path, { device });
  using llama = await Llama.load(path, { device, chunkRows: 24, maxKvBytes: poolOf(free, 10) });
  const below = whole(11);
  await Promise.all(
    Array.from({ length: 60 }, async (_, i) => {
      await new Promise((resolve) => setTimeout(resolve, below(400)));
      const abort = new AbortController();
      const leaves = below(3) === 0 ? below(12) : Infinity;
      const given = { ...options, maxNewTokens: 1 + below(60), reusePrefix: below(2) === 0, signal: abort.signal };
      let come = 0;
      try {
        for await (const _ of llama.generate(ids(1 + below(200), 256, below(3)), given)) {
          if (++come < leaves) continue;
          if (below(2) === 0) abort.abort();
          else break;
        }
      } catch (error) {
        if (!(error instanceof LlariatError && error.code === "aborted")) throw error;
      }
      if (i % 10 === 0) await llama.logits(ids(1 + below(200), 256, i), { positions: undefined });
    }),
  );
  const { kv, prefixes } = llama.engine.memory;
  nothingHeld(llama.engine.memory);
  await llama.trim();
  assert.equal([kv.pages, kv.freePages, prefixes.idle, llama.memory.kv], [0, 0, 0, 0]);
  const again = await llama.complete(ids(40, 256, 3), { ...options, maxNewTokens: 5 });
  same("after all that", again, await free.complete(ids(40, 256, 3), { ...options, maxNewTokens: 5 }));
});

tests("trim gives back what nobody holds, while others go on", async () => {
  using llama = await Llama.load(path, { device });
  const long = { ...options, maxNewTokens: 60, reusePrefix: true };
  const want = await llama.complete(ids(50, 256, 4), long);
  await Promise.all([1, 2, 3].map((seed) => llama.complete(ids(190, 256, seed), long)));
  const before = llama.memory;
  const running = llama.generate(ids(50, 256, 4), { ...long, reusePrefix: false });
  const got: number[] = [];
  for await (const { id } of running) {
    got.push(id);
    if (got.length === 20) await llama.trim();
  }
  assert.equal(got, want.ids);
  const after = llama.memory;
  assert.ok(after.kv < before.kv, `${before.kv} → ${after.kv}`);
  await llama.trim();
  assert.is(llama.memory.kv, 0);
  assert.ok(llama.memory.activations < before.activations);
});

tests.after(() => handle.release());
tests.run();
