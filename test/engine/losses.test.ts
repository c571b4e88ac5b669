// A real device that is lost at random moments: while a model is loaded, its kernels are compiled, in prompts, answers, logits,
// scores and embeddings, alone and together, at rest, and while it is being opened again, in formats and caches of several kinds.
// Everybody ends with what it has without a loss.
// `npm run test:losses` has 150 moments; here it is a share. LLARIAT_LOSSES and LLARIAT_SEED choose others.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { FileSet } from "../../src/checkpoint/bytes.ts";
import { memoryFiles } from "../../src/checkpoint/memory.ts";
import type { DeviceHandle } from "../../src/device/handle.ts";
import { Llama, LlariatError, type LoadOptions, type Reload, type TokenMask } from "../../src/node/index.ts";
import { requestDevice } from "../../src/node/gpu.ts";
import { sourceFiles } from "../../src/node/sources.ts";
import { usePlatform } from "../../src/platform.ts";
import { SHAPES, randomFiles } from "../tools/checkpoint.ts";
import { collect } from "../tools/damage.ts";
import { ids } from "../tools/models.ts";
import { whole } from "../tools/random.ts";
import { refused } from "../tools/refused.ts";
import { nothingHeld } from "../tools/steps.ts";

const tests = suite("losses");
const count = Number(process.env["LLARIAT_LOSSES"] ?? 16);
const first = Number(process.env["LLARIAT_SEED"] ?? 1);
const unhandled: unknown[] = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));
const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** What the next devices do: how many of them fail to open, and after how many calls to which device it is lost. */
const plan = { refused: 0, calls: Infinity, told: "destroyed" as "destroyed" | "before" | "after" };
/** Devices that are open, the last one last. */
const open: GPUDevice[] = [];
let made = 0;
let lose = (): void => {};

async function openLosable(): Promise<DeviceHandle> {
  made++;
  if (plan.refused-- > 0) throw new LlariatError("device", "no adapter for now");
  const handle = await requestDevice({ log: () => {} });
  const { device } = handle;
  open.push(device);
  lose = losable(device);
  return {
    ...handle,
    release() {
      if (open.includes(device)) open.splice(open.indexOf(device), 1);
      handle.release();
    },
  };
}

usePlatform({ files: sourceFiles, requestDevice: openLosable });

/** Counts the calls to a device and loses it when the plan says so; a loss that nobody asked for is told as `unknown`. */
function losable(device: GPUDevice): () => void {
  let tell!: (info: GPUDeviceLostInfo) => void;
  const { lost } = device;
  const unknown = new Promise<GPUDeviceLostInfo>((resolve) => (tell = resolve));
  let destroyed = true;
  Object.defineProperty(device, "lost", {
    value: Promise.race([unknown, lost.then((info) => (destroyed ? info : unknown))]),
  });
  const fail = (): void => {
    const told = () => tell({ reason: "unknown", message: "as if it had been lost" } as GPUDeviceLostInfo);
    destroyed = plan.told === "destroyed";
    if (plan.told === "before") told();
    device.destroy();
    if (plan.told === "after") void turn().then(turn).then(told);
  };
  const watch = (object: object, names: readonly string[]): void => {
    for (const name of names) {
      const call = (object as Record<string, (...all: unknown[]) => unknown>)[name].bind(object);
      Object.defineProperty(object, name, {
        value: (...all: unknown[]) => {
          if (--plan.calls === 0) fail();
          return call(...all);
        },
      });
    }
  };
  watch(device, ["createBuffer", "createBindGroup", "createShaderModule", "createComputePipelineAsync"]);
  watch(device, ["createCommandEncoder", "pushErrorScope", "popErrorScope"]);
  watch(device.queue, ["writeBuffer", "submit", "onSubmittedWorkDone"]);
  return fail;
}

const files = randomFiles({ shape: SHAPES.tiny, dtype: "f32" });

/** The same weights in a model whose every layer has a window: pages before it are given back while it runs. */
async function windowed(): Promise<FileSet> {
  const bytes = await collect(files);
  const { attention_bias: _, mlp_bias: __, ...config } = JSON.parse(new TextDecoder().decode(bytes["config.json"]));
  const mistral = { ...config, architectures: ["MistralForCausalLM"], model_type: "mistral", sliding_window: 24 };
  return memoryFiles({ ...bytes, "config.json": new TextEncoder().encode(JSON.stringify(mistral)) });
}

/** How models are loaded: the first until a load is the moment, then one by chance. */
const settings: readonly { readonly options: LoadOptions; readonly source?: FileSet }[] = [
  { options: {} },
  { options: { quantize: "q4_0", kvCache: "q8" } },
  { options: { quantize: { weights: "q8_0", embedding: "f16" }, kvCache: "f16" } },
  { options: {}, source: await windowed() },
  { options: { kvCache: "q8" }, source: await windowed() },
  { options: { maxKvBytes: 1 << 18, variants: "tiled" } },
];
const long = { ignoreEos: true, allowBeyond: true, maxNewTokens: 24 } as const;
const prompt = (length: number, seed = 1): number[] => ids(length, SHAPES.tiny.vocab, seed);
const text = async (llama: Llama, length: number, options: object): Promise<number[]> => [
  ...(await llama.complete(prompt(length, length), { ...long, ...options })).ids,
];

/** A mask that lets every third id through, and the next third after each token. */
function thirds(): TokenMask {
  let count = 0;
  return {
    complete: false,
    over: false,
    allowed() {
      const mask = new Uint32Array(Math.ceil(SHAPES.tiny.vocab / 32));
      for (let id = count % 3; id < SHAPES.tiny.vocab; id += 3) mask[id >> 5] |= 1 << (id & 31);
      return mask;
    },
    accept(id) {
      assert.is(id % 3, count++ % 3);
    },
  };
}

/** Everything a model computes, by kind: what comes of it is the same with and without losses. */
const kinds: Readonly<Record<string, (llama: Llama) => Promise<unknown>>> = {
  greedy: (llama) => text(llama, 30, {}),
  sampled: (llama) => text(llama, 9, { temperature: 1, topK: 40, seed: 7 }),
  "of all logits": (llama) => text(llama, 12, { temperature: 0.9, topK: 0, seed: 3, repetitionPenalty: 1.2 }),
  "of a form": (llama) =>
    text(llama, 15, { responseFormat: { type: "mask", start: thirds }, temperature: 1, topK: 0, seed: 5 }),
  speculating: (llama) =>
    // The prompt has runs of itself, so that there is something to guess.
    llama
      .complete([...prompt(20), ...prompt(20)], { ...long, maxNewTokens: 40, speculate: true })
      .then((done) => [...done.ids]),
  dynamic: (llama) =>
    text(llama, 100, { ropeScaling: { rope_type: "dynamic", factor: 4 }, ropeAngles: "current", maxNewTokens: 40 }),
  "several answers": async (llama) =>
    (await llama.completions(prompt(40), { ...long, n: 3, temperature: 1, seed: 5 })).map((done) => [...done.ids]),
  together: (llama) =>
    Promise.all([kinds["greedy"](llama), kinds["sampled"](llama), kinds["dynamic"](llama), text(llama, 70, {})]),
  logits: async (llama) => [...(await llama.logits(prompt(60)))],
  "logits with gaps": async (llama) => [
    ...(await llama.logits(prompt(50), {
      positions: Array.from({ length: 50 }, (_, i) => i + 40 * Math.floor(i / 20)),
    })),
  ],
  embed: async (llama) => [...(await llama.embed([prompt(70)]))[0]],
  "several of a form": async (llama) => {
    const options = {
      ...long,
      n: 3,
      seed: 5,
      responseFormat: { type: "mask", start: thirds },
      temperature: 1,
    } as const;
    return (await llama.completions(prompt(20), options)).map((done) => [...done.ids]);
  },
  "several speculating": async (llama) => {
    const options = { ...long, n: 3, temperature: 0, speculate: true } as const;
    return (await llama.completions([...prompt(20), ...prompt(20)], options)).map((done) => [...done.ids]);
  },
  score: async (llama) => [...(await llama.score(prompt(80)))],
  "read slowly": async (llama) => {
    const own: number[] = [];
    for await (const { id } of llama.generate(prompt(20), { ...long, maxNewTokens: 40 })) {
      own.push(id);
      for (let i = 0; i < 3; i++) await turn();
    }
    return own;
  },
  trim: (llama) => llama.trim().then(() => text(llama, 30, {})),
};
const names = Object.keys(kinds);
const controls = new Map<string, { result: unknown; calls: number }>();
const load = (onReload?: (reload: Reload) => void, { source = files, options } = settings[0]): Promise<Llama> =>
  Llama.load(source, { onDeviceLost: "reload", onReload, chunkRows: 24, idleKvBytes: 1 << 16, ...options });

/** What comes of `work` without a loss, and the calls it takes; worked out once by name. */
async function control(name: string, work: () => Promise<unknown>): Promise<{ result: unknown; calls: number }> {
  const known = controls.get(name);
  if (known) return known;
  plan.calls = 1e9;
  const result = await work();
  const found = { result, calls: 1e9 - plan.calls };
  plan.calls = Infinity;
  controls.set(name, found);
  return found;
}

tests(`${count} losses at random moments: the same tokens, nothing held, nobody hangs`, async () => {
  let reloads = 0;
  let onReload = (): void => {};
  let chosen = 0;
  let llama = await load(() => onReload());
  for (let seed = first; seed < first + count; seed++) {
    const below = whole(seed);
    const name = names[(seed - first) % names.length];
    const loads = seed % 7 === 0;
    if (loads) {
      llama.close();
      chosen = below(settings.length);
    }
    const setting = settings[chosen];
    const what = `seed ${seed}, ${name}, setting ${chosen}`;
    // The calls of a load are counted without a loss, and a model whose load is the moment has its control before.
    const loading = loads
      ? await control(`${chosen}: load`, async () => (await load(undefined, setting)).close())
      : undefined;
    const { result, calls } = await control(`${chosen}: ${name}`, async () => {
      if (!loads) return kinds[name](llama);
      using clean = await load(undefined, setting);
      return await kinds[name](clean);
    });
    plan.told = (["destroyed", "before", "after"] as const)[below(3)];
    plan.refused = 0;
    plan.calls = Infinity;
    // One loss, perhaps another soon after or while the device is opened again, which perhaps fails once or twice.
    const fails = below(4) === 0 ? 1 + below(2) : 0;
    onReload = () => {
      reloads++;
      onReload = () => void reloads++;
      plan.calls = below(3) === 0 ? 1 + below(500) : Infinity;
    };
    if (loading) {
      plan.calls = 1 + below(loading.calls + 100); // in the load, or after it
      llama = await load(() => onReload(), setting);
    } else if (below(4) === 0) lose(); // at rest
    else plan.calls = 1 + below(calls);
    const before = reloads;
    plan.refused = fails;
    const running = kinds[name](llama);
    assert.equal(await running, result, what);
    plan.calls = Infinity;
    plan.refused = 0;
    nothingHeld(llama.engine.memory, what);
    assert.is(open.length, 1, what);
    assert.is(llama.engine.gpu.device, open[0], what);
    if (fails > 0 && reloads > before) assert.ok(reloads - before > fails, what);
  }
  llama.close();
  assert.is(open.length, 0);
  assert.ok(reloads >= count / 2, `${reloads} tries for ${count} moments`);
  console.log(`note: ${count} moments from seed ${first}: ${reloads} tries, ${made} devices`);
});

tests("a device that stays away: a typed error for all, and a later request tries again", async () => {
  const reloads: Reload[] = [];
  using llama = await load((reload) => reloads.push(reload));
  plan.told = "destroyed";
  const control = await kinds["greedy"](llama);
  const pieces = llama.generate(prompt(30, 30), long);
  const got = [(await pieces.next()).value];
  plan.refused = Infinity;
  lose();
  const running = [kinds["greedy"](llama), kinds["score"](llama), llama.trim(), kinds["logits"](llama)];
  const all = await Promise.allSettled(running);
  for (const each of all) assert.is((each as PromiseRejectedResult).reason?.code, "device");
  assert.equal(
    reloads.map(({ attempt, reason }) => [attempt, /no adapter for now/.test(reason)]),
    [1, 2, 3, 4].map((attempt) => [attempt, attempt > 1]),
  );
  assert.is(open.length, 0);
  await refused(
    async () => {
      for await (const piece of pieces) got.push(piece);
    },
    "device",
    /did not come back in 4 tries/,
  );
  plan.refused = 0;
  assert.equal(await kinds["greedy"](llama), control);
  nothingHeld(llama.engine.memory);
});

tests("close and abort end at once while a device is away; the files of a path stay open until then", async () => {
  plan.told = "after";
  let closed = 0;
  const named = { ...files, close: async () => void closed++ };
  usePlatform({ files: async () => named, requestDevice: openLosable });
  const llama = await Llama.load("tiny", { onDeviceLost: "reload" });
  assert.is(closed, 0);
  plan.refused = Infinity;
  const abort = new AbortController();
  lose();
  const [a, b] = [llama.complete(prompt(9), { ...long, signal: abort.signal }), llama.complete(prompt(8), long)];
  const ended = [refused(a, "aborted"), refused(b, "closed")];
  const before = made;
  while (made === before) await turn();
  ended.push(refused(llama.trim(), "closed"));
  abort.abort();
  await ended[0];
  llama.close();
  await Promise.all(ended);
  const tries = made;
  for (let i = 0; i < 20; i++) await turn();
  assert.equal([made, open.length, closed], [tries, 0, 1]);
  plan.refused = 0;
});

tests("reload with a device of the caller's, and words that mean nothing, are refused", async () => {
  const handle = await requestDevice({ log: () => {} });
  const sentence = /^onDeviceLost: reload needs a device that was opened by load, .*; leave out device$/;
  await refused(Llama.load(files, { device: handle.device, onDeviceLost: "reload" }), "request", sentence);
  await refused(
    Llama.load(files, { onDeviceLost: "again" as never }),
    "request",
    /^onDeviceLost: must be fail or reload/,
  );
  handle.release();
});

tests("no rejection was left to nobody", () => assert.equal(unhandled, []));

tests.run();
