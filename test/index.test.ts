// Loading and closing: who owns what, what stays when loading fails, memory as reported, limits of devices.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { create } from "webgpu";
import { type FileSet } from "../src/checkpoint/bytes.ts";
import { memoryFiles } from "../src/checkpoint/memory.ts";
import { type Completion, type ErrorCode, Llama, LlariatError, type LoadProgress } from "../src/node/index.ts";
import { folderFiles } from "../src/node/files.ts";
import { useSwiftShader } from "../src/node/software.ts";
import { platform, usePlatform } from "../src/platform.ts";
import { lanesOf } from "../kernels/index.ts";
import { deviceFacts } from "../src/device/facts.ts";
import { goldenEntry, goldenJson, goldenTensors } from "./tools/goldens.ts";
import { countCalls, farthest, folder, ids, openDevice, replaced, variantsOf } from "./tools/models.ts";
import { refused } from "./tools/refused.ts";
import { recordSteps } from "./tools/steps.ts";

const tests = suite("llama");
const handle = await openDevice();
const { device } = handle;
const calls = countCalls(device);
const sweep = folder("goldens/rope_sweep");

tests("choosing the kernels of a device leaves no buffer behind, and is done once", async () => {
  calls.reset();
  const [facts, again] = await Promise.all([deviceFacts(device), deviceFacts(device)]);
  assert.is(again, facts);
  assert.is(calls.alive.size, 0);
  const { createBuffer } = calls;
  assert.is(await deviceFacts(device), facts);
  assert.is(calls.createBuffer, createBuffer);
  assert.is(lanesOf(facts.facts) > 0, variantsOf(handle).includes("shuffle"));
});

tests("a device of the caller's outlives the model; nothing of the model outlives close", async () => {
  const llama = await Llama.load(sweep, { device });
  assert.is(llama.adapter, undefined);
  const want = await llama.logits(ids(30));
  await llama.complete(ids(70), { allowBeyond: true, maxNewTokens: 5 });
  assert.ok(calls.alive.size > 20);
  llama.close();
  llama[Symbol.dispose]();
  assert.is(calls.alive.size, 0);
  await device.queue.onSubmittedWorkDone();
  {
    using again = await Llama.load(sweep, { device });
    assert.is(farthest(await again.logits(ids(30)), want).error, 0);
  }
  assert.is(calls.alive.size, 0);
});

tests("a device that load asked for is given back: by close, and by a load that fails", async () => {
  const own = platform();
  let [asked, released] = [0, 0];
  usePlatform({
    ...own,
    async requestDevice(options) {
      asked++;
      const got = await own.requestDevice(options);
      return {
        ...got,
        release() {
          released++;
          got.release();
        },
      };
    },
  });
  try {
    const llama = await Llama.load(sweep);
    assert.ok(llama.adapter!.description.length > 0);
    await llama.logits([1, 2, 3]);
    assert.equal([asked, released], [1, 0]);
    llama.close();
    llama.close();
    assert.equal([asked, released], [1, 1]);
    await refused(Llama.load(await replaced(sweep, { "config.json": "{}" })), "config");
    assert.equal([asked, released], [1, 1], "files are judged before a device is asked for");
    const onProgress = () => {
      throw new RangeError("no more");
    };
    const error = await Llama.load(sweep, { onProgress }).catch((reason: unknown) => reason);
    assert.instance(error, RangeError);
    assert.equal([asked, released], [2, 2]);
  } finally {
    usePlatform(own);
  }
});

tests("memory as reported is the buffers that exist", async () => {
  using llama = await Llama.load(sweep, { device });
  await llama.complete(ids(70), { allowBeyond: true, maxNewTokens: 5 });
  const bytes = { weights: 0, kv: 0, activations: 0, other: 0 };
  const activations = new Set(
    "x h ahead qkv attended gateUp gated picked final logits candidates partials table".split(" "),
  );
  for (const { label, size } of calls.alive) {
    if (/^(keys|values)\.\d+$/.test(label)) bytes.kv += size;
    else if (activations.has(label)) bytes.activations += size;
    else if (label === "step" || label.startsWith("read ")) bytes.other += size;
    else bytes.weights += size;
  }
  const { other, ...counted } = bytes;
  assert.equal({ ...llama.memory }, counted);
  assert.is(llama.memory.weights, llama.engine.weights.bytes);
  assert.ok(other < 2 ** 20, `${other} bytes for the step and for readers`);
  assert.ok(llama.memory.kv >= llama.kvBytes(75));
});

tests("what a prompt and the tokens after it need is compiled when load has ended", async () => {
  using llama = await Llama.load(sweep, { device });
  calls.reset();
  const { ids: answer } = await llama.complete(ids(70), { allowBeyond: true, maxNewTokens: 5, ignoreEos: true });
  assert.is(answer.length, 5);
  assert.is(calls.createComputePipelineAsync, 0);
});

/** A checkpoint with something wrong, by what is wrong. */
const damaged: Record<string, [() => Promise<FileSet>, ErrorCode]> = {
  "no weights": [async () => memoryFiles({ "config.json": readFileSync(join(sweep, "config.json")) }), "checkpoint"],
  "a NaN among the weights": [
    async () => {
      const bytes = readFileSync(join(sweep, "model.safetensors"));
      bytes.writeUInt16LE(0x7fc0, bytes.length - 2);
      return memoryFiles({ "config.json": readFileSync(join(sweep, "config.json")), "model.safetensors": bytes });
    },
    "checkpoint",
  ],
  "a tokenizer that is none": [() => replaced(sweep, { "tokenizer.json": "{}" }), "tokenizer"],
  "a RoPE setting that is none": [
    async () => {
      const config = JSON.parse(readFileSync(join(sweep, "config.json"), "utf8"));
      return replaced(sweep, { "config.json": JSON.stringify({ ...config, rope_parameters: { rope_type: "yarrn" } }) });
    },
    "rope",
  ],
  "a file that ends early": [
    async () => {
      const files = await replaced(sweep, {});
      return {
        ...files,
        async open(name, signal) {
          const source = await files.open(name, signal);
          if (!source || !name.endsWith(".safetensors")) return source;
          let reads = 0;
          return {
            ...source,
            name,
            size: source.size,
            read: async (start, end, ...rest) => {
              if (++reads > 4) throw new LlariatError("source", "the disk is gone");
              return source.read(start, end, ...rest);
            },
          };
        },
      };
    },
    "source",
  ],
};

for (const [what, [files, code]] of Object.entries(damaged)) {
  tests(`${what}: refused, and nothing stays allocated`, async () => {
    const set = await files();
    await refused(Llama.load(set, { device }), code);
    assert.is(calls.alive.size, 0);
    await set.close();
  });
}

tests("prompts that a checkpoint cannot take are refused before a byte of weights is read", async () => {
  const onProgress = () => assert.unreachable("weights were read");
  for (const prompts of ["text", "messages"] as const) {
    await refused(Llama.load(sweep, { device, prompts, onProgress }), "tokenizer", /give token ids, or add the file/);
  }
  await refused(Llama.load(sweep, { device, prompts: "words" as never }), "request", /prompts: must be ids, text or/);
  assert.is(calls.alive.size, 0);
  (await Llama.load(sweep, { device, prompts: "ids" })).close();
});

tests("a load can be stopped at any moment, and its progress is followed to the end", async () => {
  const seen: LoadProgress[] = [];
  (await Llama.load(sweep, { device, onProgress: (progress) => seen.push({ ...progress }) })).close();
  assert.ok(seen.length > 5);
  seen.reduce((before, { loadedBytes, totalBytes }) => {
    assert.ok(loadedBytes >= before && loadedBytes <= totalBytes);
    return loadedBytes;
  }, 0);
  assert.is(seen.at(-1)!.loadedBytes, seen.at(-1)!.totalBytes);
  for (const at of [0, 1, 3, seen.length - 2]) {
    const abort = new AbortController();
    let count = 0;
    const onProgress = () => count++ === at && abort.abort();
    await refused(Llama.load(sweep, { device, signal: abort.signal, onProgress }), "aborted");
    assert.is(calls.alive.size, 0, `after ${at}`);
  }
  await refused(Llama.load(sweep, { device, signal: AbortSignal.abort() }), "aborted");
});

tests("onConfig sees the config before weights are read, and may refuse; every file is opened once", async () => {
  const files = await folderFiles(sweep);
  const opened: string[] = [];
  const read: string[] = [];
  const counting: FileSet = {
    ...files,
    async open(name, signal) {
      opened.push(name);
      const source = await files.open(name, signal);
      return (
        source && {
          name,
          size: source.size,
          read: (...range) => (read.push(`${name} ${range[0]}`), source.read(...range)),
        }
      );
    },
  };
  const refusal = new LlariatError("request", "not this one");
  const error = await refused(
    Llama.load(counting, {
      onConfig: ({ rope, layers }) => {
        assert.equal([rope.type, layers], ["default", 2]);
        throw refusal;
      },
    }),
    "request",
  );
  assert.is(error, refusal);
  assert.equal([...new Set(opened)], opened, "once each");
  const weights = read.filter((each) => each.startsWith("model.safetensors"));
  assert.equal(weights, ["model.safetensors 0", "model.safetensors 8"], "the header's length, and the header");
  await files.close();
});

tests("options of load that mean nothing are refused by name", async () => {
  for (const value of [0, -1, 1.5, NaN, "5" as unknown as number]) {
    await refused(Llama.load(sweep, { device, maxContext: value }), "request", /maxContext/);
    await refused(Llama.load(sweep, { device, chunkRows: value }), "request", /chunkRows/);
    await refused(Llama.load(sweep, { device, maxKvBytes: value }), "request", /^maxKvBytes: must be .* of bytes ≥ 1/);
    if (value === 0) continue; // whatever nobody uses is forgotten before the pool grows
    await refused(
      Llama.load(sweep, { device, idleKvBytes: value }),
      "request",
      /^idleKvBytes: must be .* of bytes ≥ 0/,
    );
  }
  for (const idleKvBytes of [0, undefined]) {
    using llama = await Llama.load(sweep, { device, ...(idleKvBytes === 0 && { idleKvBytes }) });
    const kv: number[] = [];
    for (const seed of [1, 2, 3]) {
      await llama.complete(ids(250, 256, seed), { ignoreEos: true, allowBeyond: true, maxNewTokens: 2 });
      kv.push(llama.memory.kv);
    }
    if (idleKvBytes === 0) assert.equal(kv, [kv[0], kv[0], kv[0]]);
    else assert.ok(kv[2] > kv[0], `${kv}`);
  }
  await refused(Llama.load(sweep, { device, variants: "fast" as "shuffle" }), "request", /variants/);
  await refused(Llama.load(7, { device }), "source");
  await refused(Llama.load(folder("goldens/nowhere"), { device }), "source", /nowhere/);
  assert.is(calls.alive.size, 0);
});

tests("two models on one device at the same time, loaded at the same time", async () => {
  const paths = [sweep, folder("goldens/models/gqa-bf16")];
  const alone: Completion[] = [];
  for (const path of paths) {
    using llama = await Llama.load(path, { device });
    alone.push(await llama.complete(ids(20), { maxNewTokens: 10, ignoreEos: true }));
  }
  const both = await Promise.all(paths.map((path) => Llama.load(path, { device })));
  const done = await Promise.all(both.map((llama) => llama.complete(ids(20), { maxNewTokens: 10, ignoreEos: true })));
  done.forEach(({ ids }, i) => assert.equal(ids, alone[i].ids));
  both[0].close();
  assert.equal((await both[1].complete(ids(20), { maxNewTokens: 10, ignoreEos: true })).ids, alone[1].ids);
  both[1].close();
});

tests("a device with the least limits and no features gives the same tokens", async () => {
  // The driver that Dawn starts with where SwiftShader from npm is the adapter; any other is the system's.
  if (/swiftshader/.test(handle.adapter.name)) Object.assign(process.env, useSwiftShader().environment);
  const gpu = create([]);
  const plain = await (await gpu.requestAdapter())!.requestDevice();
  assert.is(plain.limits.maxComputeWorkgroupStorageSize, 16_384);
  assert.is(plain.features.has("subgroups") || plain.features.has("shader-f16"), false);
  const names = ["gqa-bf16", "odd-everything-bf16", "wide-head-bf16", "head128-bf16", "mlp-bias-f16"];
  for (const name of names) {
    using llama = await Llama.load(folder(`goldens/models/${name}`), { device: plain });
    const expected = goldenJson(`models/${name}/expected.json`) as { input_ids: number[]; greedy_ids: number[] };
    const want = (await goldenTensors(`models/${name}/expected.safetensors`)).get("logits")!;
    const tolerance = goldenEntry(`models/${name}/expected.safetensors`).tolerance!.f32.abs!;
    assert.ok(farthest(await llama.logits(expected.input_ids), want).error <= tolerance, name);
    const done = await llama.complete(expected.input_ids, { ignoreEos: true, maxNewTokens: 4 });
    assert.equal(done.ids, expected.greedy_ids.slice(0, 4), name);
    await refused(Llama.load(sweep, { device: plain, variants: "shuffle" }), "device", /subgroups/);
  }
  plain.destroy();
});

tests("a device that is lost: every request says so, and close still works", async () => {
  const own = await openDevice();
  const llama = await Llama.load(sweep, { device: own.device });
  recordSteps(llama.engine, (number) => {
    if (number === 5) own.device.destroy();
  });
  const running = llama.complete(ids(60), { maxNewTokens: 400, ignoreEos: true, allowBeyond: true });
  await refused(running, "device");
  await refused(llama.complete([1]), "device");
  await refused(llama.logits([1]), "device");
  llama.close();
});

tests.after(() => handle.release());
tests.run();
