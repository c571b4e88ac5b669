// The engine: the whole forward pass record by record against float64, and what it does when memory does not suffice.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { randomFiles } from "../tools/checkpoint.ts";
import { type Dispatch, type KernelName, kernels, PAGE } from "../../kernels/index.ts";
import { Llama, type Quantize } from "../../src/node/index.ts";
import { type RopeAngles, type RopeScaling, parseRopeScaling } from "../../src/rope/index.ts";
import type { Sequence } from "../../src/engine/sequence.ts";
import type { Segment } from "../../src/engine/step.ts";
import type { Want } from "../../src/model/forward.ts";
import { lockstep } from "../tools/lockstep.ts";
import { countCalls, farthest, feed, folder, ids, openDevice, variantsOf } from "../tools/models.ts";
import { refused } from "../tools/refused.ts";
import { noteSampled, sampling } from "../tools/sample.ts";
import { Reference } from "../tools/reference.ts";

const tests = suite("engine");
const handle = await openDevice();
const { device } = handle;
const sweep = folder("goldens/rope_sweep");

interface Run {
  readonly count: number;
  readonly meaning?: RopeAngles;
  readonly ropeScaling?: RopeScaling;
}

/** Runs steps of several sequences in lockstep; returns the kernels that ran and the worst error per kernel. */
async function lockstepRuns(
  llama: Llama,
  steps: readonly (readonly Run[])[],
  want: Want = "candidates",
): Promise<Map<KernelName, number>> {
  const { engine, scheduler } = llama;
  const worst = new Map<KernelName, number>();
  const sequences: Sequence[] = [];
  for (const [i, { meaning = "planned", ropeScaling }] of steps[0].entries()) {
    const capacity = steps.reduce((sum, step) => sum + (step[i]?.count ?? 0), 0);
    const rope = parseRopeScaling(ropeScaling, llama.rope);
    sequences.push(scheduler.open({ capacity, rope, meaning, planned: capacity }));
  }
  const reference = new Reference(engine.dispatches({ ...PLAN }).layout);
  for (const [at, step] of steps.entries()) {
    const segments: Segment[] = [];
    for (const [i, { count }] of step.entries()) {
      const sequence = sequences[i];
      const end = sequence.length + count;
      sequence.push(ids(end, engine.config.vocab, i).slice(-count));
      assert.is(await engine.memory.reserve(sequence, end), undefined);
      const outputs = at % 2 === 0 ? [count - 1] : Array.from({ length: count }, (_, row) => row);
      // Of hidden rows all but the first are added up.
      const first = Math.min(1, count - 1);
      const wanted = want === "hidden" ? { outputs: [first], k: count - first } : { outputs, k: 3 };
      segments.push({ sequence, count, n: end, ...wanted });
    }
    const { dispatches, writer } = engine.dispatches(engine.plan(segments, want));
    const { shape, data } = writer.write(segments);
    for (const found of await lockstep(engine.gpu, reference, dispatches, shape, data)) {
      worst.set(found.kernel, Math.max(worst.get(found.kernel) ?? 0, found.worst));
    }
    segments.forEach(({ sequence, count }) => sequence.advance(count));
  }
  sequences.forEach((sequence) => sequence.close());
  return worst;
}

const PLAN = { rows: 1, outputs: 1, attention: "decode", rawKeys: false, want: "candidates" } as const;

/** A prompt, single tokens, and steps that mix sequences, settings and meanings, as the batch makes them. */
const STEPS: readonly (readonly Run[])[] = [
  [
    { count: 21, ropeScaling: { rope_type: "yarn", factor: 4 } },
    { count: 9, meaning: "current", ropeScaling: { rope_type: "dynamic", factor: 2 } },
    { count: 1, meaning: "as-inserted", ropeScaling: { rope_type: "dynamic", factor: 4 } },
  ],
  [{ count: 1 }, { count: 1 }, { count: 1 }],
  [{ count: 3 }, { count: 7 }, { count: 11 }],
  [{ count: 1 }],
  [{ count: 45 }, { count: 50 }],
  [{ count: 1 }, { count: 1 }],
];

const ran = new Set<KernelName>();
const HELD: readonly (readonly [name: string, quantize?: Quantize])[] = [
  ["goldens/rope_sweep"],
  ["goldens/models/odd-everything-bf16"],
  ["goldens/models/attn-bias-bf16"],
  ["families/qwen3"],
  ["goldens/models/odd-everything-bf16", "q4_0"],
  ["goldens/models/attn-bias-bf16", { weights: "q8_0", embedding: "q4_0", output: "f16" }],
];
// In samples models and variants take turns.
const all = variantsOf(handle).flatMap((variants, turn) =>
  HELD.map(([name, quantize], i) => ({ variants, name, quantize, chosen: !sampling || (i + turn) % 2 === 0 })),
);
if (sampling) noteSampled("models under variants", all.filter(({ chosen }) => chosen).length, all.length);
for (const { variants, name, quantize, chosen } of all) {
  if (chosen) {
    const held = quantize === undefined ? "" : ` held as ${JSON.stringify(quantize)}`;
    tests(
      `${name}${held}, ${variants}: every dispatch of prefill, decode and mixed steps, against float64`,
      async () => {
        using llama = await Llama.load(folder(name), { device, variants, chunkRows: 100, quantize });
        for (const [steps, want] of [
          [STEPS],
          [[[{ count: 40 }], [{ count: 1 }], [{ count: 4 }]]],
          [
            [
              [{ count: 33 }, { count: 2 }],
              [{ count: 1 }, { count: 5 }],
            ],
            "hidden",
          ],
        ] as const) {
          const worst = await lockstepRuns(llama, steps, want);
          for (const [kernel, error] of worst) {
            assert.ok(error <= 1, `${kernel}: ${error} of what is allowed`);
            ran.add(kernel);
          }
        }
      },
    );
  }
}

tests("every kernel ran in one of these", () => {
  const ofSteps = (Object.keys(kernels) as KernelName[]).filter((kernel) => kernel !== "quantize"); // of loading
  const missing = ofSteps.filter((kernel) => !ran.has(kernel));
  const shuffles = missing.filter((kernel) => kernel.endsWith("_shuffle"));
  if (variantsOf(handle).length === 2) assert.equal(missing, []);
  else assert.equal(missing, shuffles);
});

tests("a kernel with a wrong constant is named, and nothing after it", async () => {
  using llama = await Llama.load(sweep, { device, chunkRows: 100 });
  const { gpu } = llama.engine;
  const record = gpu.record.bind(gpu);
  const wrong: [KernelName, Dispatch["constants"]][] = [
    ["rmsnorm", { EPS: 0.01 }],
    ["rope", { HEADS: 3 }],
    ["append", { K_AT: 0 }],
    ["attention_decode_tiled", { SCALE: 0.2 }],
    ["attention_decode_shuffle", { SCALE: 0.2 }],
    ["topk", { VOCAB: 255 }],
  ];
  for (const [kernel, constants] of wrong) {
    let tried = false;
    gpu.record = (dispatches) =>
      record(
        dispatches.map((dispatch) => {
          const known = Object.keys(constants).every((key) => key in dispatch.constants);
          if (dispatch.kernel !== kernel || !known) return dispatch;
          tried = true;
          return { ...dispatch, constants: { ...dispatch.constants, ...constants } };
        }),
      );
    const failure = await lockstepRuns(llama, [[{ count: 30 }], [{ count: 1 }]]).then(
      () => "nothing was noticed",
      (error: Error) => error.message,
    );
    if (!tried && kernel.endsWith("_shuffle") && gpu.facts.variants === "tiled") continue;
    if (!tried && kernel === "attention_decode_tiled" && gpu.facts.variants === "shuffle") continue;
    assert.ok(tried, `${kernel} has no ${Object.keys(constants).join()}, or did not run`);
    assert.match(failure, new RegExp(`^dispatch \\d+, ${kernel}: `), kernel);
  }
});

tests("what other requests left in the cache reaches no result, were it NaN", async () => {
  for (const variants of variantsOf(handle)) {
    using llama = await Llama.load(sweep, { device, variants });
    const { engine } = llama;
    const prompt = ids(45, 256);
    const want = await feed(llama, prompt, [37, 1, 3]);
    const got = await feed(llama, prompt, [37, 1, 3], { raw: true });
    const { kv } = engine.memory;
    const nan = new Float32Array(kv.pages * PAGE * engine.config.kvHeads * engine.config.headDim).fill(NaN);
    const spoil = () => {
      for (const { keys, values } of kv.layers) for (const tensor of [keys, values]) engine.gpu.write(tensor, 0, nan);
    };
    spoil();
    assert.is(farthest(await feed(llama, prompt, [37, 1, 3]), want).error, 0, variants);
    spoil();
    assert.is(farthest(await feed(llama, prompt, [37, 1, 3], { raw: true }), got).error, 0, variants);
  }
});

/** Many query heads on one small key/value head: parts of attention outgrow a binding long before the keys do. */
const wide = randomFiles({
  shape: {
    dim: 128,
    hidden: 32,
    layers: 1,
    heads: 64,
    kvHeads: 1,
    headDim: 2,
    vocab: 64,
    tied: true,
    maxPositions: 64,
    ropeTheta: 10_000,
  },
  dtype: "f32",
});

tests("a request that no binding can hold is refused by its length, and changes nothing", async () => {
  using llama = await Llama.load(wide, { device });
  const { engine } = llama;
  const options = { ignoreEos: true, allowBeyond: true, reusePrefix: false } as const;
  const want = await llama.complete(ids(20, 64), { ...options, maxNewTokens: 5 });
  const before = { ...llama.memory };
  const { kv, maxTokens: most } = engine.memory;
  assert.ok(most < kv.maxPages * PAGE, "the keys are not what binds here");
  await refused(
    llama.complete(ids(20, 64), { ...options, maxNewTokens: most }),
    "context",
    /on this device .*; use a shorter prompt or fewer new tokens, or use another adapter/,
  );
  await refused(
    llama.complete(ids(20, 64), { ...options, maxNewTokens: 2 ** 30 }),
    "context",
    /use a shorter prompt or fewer new tokens/,
  );
  assert.equal({ ...llama.memory }, before);
  const { rope } = llama;
  const open = async (capacity: number) =>
    llama.scheduler.open({ capacity, rope, meaning: "planned", planned: capacity });
  await refused(open(most + 1), "context", /one sequence on this device holds \d+ at most/);
  assert.equal({ ...llama.memory }, before);
  assert.is(kv.freePages, kv.pages);
  assert.equal((await llama.complete(ids(20, 64), { ...options, maxNewTokens: 5 })).ids, want.ids);
  await refused(llama.logits(new Uint32Array(most + 1)), "context", /this device holds/);
});

tests(
  "when memory runs out a request is refused; those in flight go on, and what was taken is given back",
  async () => {
    const own = await openDevice();
    const calls = countCalls(own.device);
    const llama = await Llama.load(sweep, { device: own.device });
    const { engine } = llama;
    const options = { maxNewTokens: 24, ignoreEos: true, allowBeyond: true, reusePrefix: false } as const;
    const want = await llama.complete(ids(40, 256), options);
    const before = { ...llama.memory };
    const alive = calls.alive.size;
    const [push, pop] = [own.device.pushErrorScope.bind(own.device), own.device.popErrorScope.bind(own.device)];
    const scopes: string[] = [];
    own.device.pushErrorScope = (kind) => {
      scopes.push(kind);
      return push(kind);
    };
    const popped = async () => {
      scopes.pop();
      return pop();
    };
    own.device.popErrorScope = popped;
    let failures = 0;
    const pieces = llama.generate(ids(40, 256), options);
    const got: number[] = [];
    for await (const { id } of pieces) {
      got.push(id);
      if (got.length !== 5) continue;
      own.device.popErrorScope = async () => {
        const kind = scopes.pop();
        const error = await pop();
        if (kind !== "out-of-memory") return error;
        failures++;
        return { message: "no memory left" };
      };
      await refused(
        llama.complete(ids(900, 256), options),
        "device",
        /the GPU is out of memory: .* need \d+ bytes; ask for fewer/,
      );
      await refused(llama.logits(ids(700, 256)), "device", /out of memory/);
      own.device.popErrorScope = popped;
    }
    assert.ok(failures >= 2, `${failures}`);
    assert.equal(got, want.ids);
    assert.equal({ ...llama.memory }, before);
    assert.is(calls.alive.size, alive);
    assert.is(engine.memory.kv.freePages, engine.memory.kv.pages);
    // With memory back, the same request runs, and the pool keeps what others had in it.
    const long = await llama.complete(ids(900, 256), options);
    assert.is(long.ids.length, 24);
    assert.ok(llama.memory.kv > before.kv);
    assert.equal((await llama.complete(ids(40, 256), options)).ids, want.ids);
    llama.close();
    assert.is(calls.alive.size, 0);
    own.release();
  },
);

tests("a prompt can be cancelled between its chunks: at most one waits behind the one that is computed", async () => {
  using llama = await Llama.load(sweep, { device, chunkRows: 8 });
  const { gpu } = llama.engine;
  const submitted = gpu.submitted.bind(gpu);
  let [chunks, waiting, most] = [0, 0, 0];
  gpu.submitted = async () => {
    chunks++;
    most = Math.max(most, ++waiting);
    await submitted();
    waiting--;
  };
  const abort = new AbortController();
  const onPrefill = (): void => void setImmediate(() => abort.abort());
  const running = llama.complete(ids(200), { onPrefill, signal: abort.signal, allowBeyond: true, maxNewTokens: 3 });
  await refused(running, "aborted", /^aborted while computing a request$/);
  gpu.submitted = submitted;
  await gpu.idle();
  assert.is(most, 2, `${most} of ${chunks} chunks at a time`);
  assert.is((await llama.complete(ids(200), { maxNewTokens: 3, ignoreEos: true, allowBeyond: true })).ids.length, 3);
});

tests("a pool that grows under a living sequence keeps its keys", async () => {
  using llama = await Llama.load(sweep, { device });
  const options = { maxNewTokens: 24, ignoreEos: true, allowBeyond: true, reusePrefix: false } as const;
  const want = await llama.complete(ids(40, 256), options);
  using other = await Llama.load(sweep, { device });
  const got: number[] = [];
  for await (const { id } of other.generate(ids(40, 256), options)) {
    got.push(id);
    // Every one needs another table row, more pages, or both.
    await other.logits(ids(100 * got.length, 256, got.length), {
      rows: "last",
      ropeScaling: { type: "linear", factor: got.length + 1 },
    });
  }
  assert.equal(got, want.ids);
});

tests.after(() => handle.release());
tests.run();
