// Weights on their way to the GPU: what arrives in the sink equals the file, for every golden and every layout the plan
// can make, and memory stays bounded for 2.5 GB.
import { readdir } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { randomFiles, SHAPES } from "../tools/checkpoint.ts";
import type { RandomCheckpoint } from "../tools/checkpoint.ts";
import { stride, type Tensor } from "../../kernels/dispatch.ts";
import type { FileSet } from "../../src/checkpoint/bytes.ts";
import { memoryFiles } from "../../src/checkpoint/memory.ts";
import { openCheckpoint } from "../../src/model/checkpoint.ts";
import type { FloatKind } from "../../kernels/formats/floats.ts";
import { tensorBytes } from "../../kernels/index.ts";
import { folderFiles } from "../../src/node/files.ts";
import { loadWeights } from "../../src/model/weights.ts";
import { collect } from "../tools/damage.ts";
import { whole } from "../tools/random.ts";
import { refused } from "../tools/refused.ts";
import { check, Keep, LARGE } from "../tools/sink.ts";

const fixtures = fileURLToPath(new URL("../fixtures/", import.meta.url));
const tests = suite("weights");

/** The same files with zeros for values: where only sizes count, making 2.5 GB of random numbers would take half the time. */
const blank = (files: FileSet): FileSet => ({
  ...files,
  async open(name, signal) {
    const source = await files.open(name, signal);
    if (!source || !name.endsWith(".safetensors")) return source;
    const head = 8 + Number(new DataView((await source.read(0, 8)).slice().buffer).getBigUint64(0, true));
    return {
      ...source,
      read: (start, end, stop, into) =>
        start < head
          ? source.read(start, end, stop, into)
          : Promise.resolve((into ?? new Uint8Array(end - start)).subarray(0, end - start).fill(0)),
    };
  },
});

const groups = ["goldens/models", "families"].map(async (group) =>
  (await readdir(join(fixtures, group))).map((name) => join(group, name)),
);
for (const path of (await Promise.all(groups)).flat()) {
  const name = basename(path);
  tests(`golden ${name}: every value arrives, whole and in pieces`, async () => {
    const files = await folderFiles(join(fixtures, path));
    try {
      for (const most of [LARGE, 20_000, 4096, 2048]) await check(files, most);
    } finally {
      await files.close();
    }
  });
}

const tiny = { ...SHAPES.tiny, attentionBias: true, mlpBias: true };
tests("mixed dtypes inside one fused matrix become f32, exactly", async () => {
  const dtype: RandomCheckpoint["dtype"] = (name) =>
    name.includes("k_proj") || name.includes("up_proj") ? "f16" : name.includes("v_proj") ? "f32" : "bf16";
  for (const most of [LARGE, 3000, 500]) await check(randomFiles({ shape: tiny, dtype }), most);
  const checkpoint = await openCheckpoint(randomFiles({ shape: tiny, dtype }));
  const { layers } = await loadWeights(checkpoint, new Keep());
  assert.equal(
    [layers[0].qkv, layers[0].gateUp, layers[0].o, layers[0].down].map(({ format }) => format.name),
    ["f32", "f32", "bf16", "bf16"],
  );
});

tests("shapes: odd widths, one head, head_dim unlike dim / heads, dtypes by turns", async () => {
  const random = whole(5);
  for (let i = 0; i < 24; i++) {
    const kvHeads = 1 + random(3);
    const heads = kvHeads * (1 + random(3));
    const shape = {
      ...tiny, heads, kvHeads, headDim: 2 * (1 + random(9)), dim: heads * (1 + random(15)), hidden: 1 + random(60), vocab: 1 + random(80),
      layers: 1 + random(3), tied: random(2) === 1, attentionBias: random(2) === 1, mlpBias: random(2) === 1,
    }; // prettier-ignore
    const kinds = (["f32", "f16", "bf16"] as const).slice(0, 1 + random(3));
    const dtype = () => kinds[random(kinds.length)];
    const rowBytes = 4 * stride(Math.max(shape.dim, shape.hidden, shape.heads * shape.headDim));
    const files = memoryFiles(await collect(randomFiles({ shape, dtype, seed: i, shardBytes: 2000 })));
    await check(files, rowBytes * (1 + random(9)) + 4 * random(3) + 1024);
  }
});

for (const [what, options] of [
  ["f32 rows of 4 n, 19 MB", { shape: { ...tiny, dim: 48, vocab: 100_003, tied: true }, dtype: "f32" }],
  [
    "bf16 rows that need padding, 18 MB",
    { shape: { ...tiny, heads: 5, kvHeads: 5, dim: 45, vocab: 200_003, tied: true }, dtype: "bf16" },
  ],
] as const) {
  tests(`matrices of several 16 MiB chunks: ${what}`, async () => {
    for (const most of [LARGE, 9_000_000]) await check(randomFiles(options), most);
  });
}

tests("gate and up of several chunks in different dtypes", async () => {
  const dtype = (name: string) => (name.includes("up_proj") ? "f16" : "bf16") as FloatKind;
  await check(randomFiles({ shape: { ...tiny, layers: 1, dim: 60, hidden: 100_001 }, dtype }), 50_000_000);
});

tests(
  "a 128,256 × 2,048 head is split under a 128 MiB binding; 2.5 GB stream in under 256 MiB of host memory",
  async () => {
    // k_proj in f32 makes qkv a widened matrix, so that the upload buffer is in use as well.
    const dtype = (name: string) => (name.includes("k_proj") ? "f32" : "bf16") as FloatKind;
    const files = blank(randomFiles({ shape: SHAPES["llama-3.2-1b"], dtype }));
    const checkpoint = await openCheckpoint(files);
    assert.ok(checkpoint.bytes > 2.4e9, `${checkpoint.bytes} bytes`);
    let [peak, bytes, calls] = [0, 0, 0];
    const sample = () => (peak = Math.max(peak, process.memoryUsage().arrayBuffers));
    const timer = setInterval(sample, 5);
    const created: Tensor[] = [];
    const progress: number[] = [];
    const weights = await loadWeights(
      checkpoint,
      {
        maxBindingBytes: 2 ** 27,
        create: (tensor) => void created.push(tensor),
        write(_tensor, _offset, data) {
          bytes += data.length;
          calls++;
          sample();
        },
      },
      { onProgress: ({ loadedBytes, totalBytes }) => progress.push(loadedBytes / totalBytes) },
    );
    clearInterval(timer);
    assert.is(bytes, weights.bytes);
    assert.is(
      weights.bytes,
      created.reduce((sum, tensor) => sum + tensorBytes(tensor), 0),
    );
    assert.equal(
      weights.embed.pieces,
      [0, 1, 2, 3].map((i) => ({
        firstRow: i * 32_064,
        rows: 32_064,
        tensors: { weight: { name: `embed#${i}`, dtype: "bf16", shape: [32_064, 2048] } },
      })),
    );
    for (const tensor of created) assert.ok(tensorBytes(tensor) <= 2 ** 27, tensor.name);
    assert.is(progress.length, calls);
    assert.is(progress.at(-1), 1);
    assert.ok(
      progress.every((part, i) => i === 0 || part > progress[i - 1]),
      "progress grows",
    );
    console.log(
      `note: ${(checkpoint.bytes / 1e9).toFixed(2)} GB streamed, at most ${(peak / 2 ** 20).toFixed(0)} MiB in array buffers`,
    );
    assert.ok(peak < 256 * 2 ** 20, `${peak} bytes of array buffers`);
  },
);

tests("a row larger than a binding is refused with the limit", async () => {
  const checkpoint = await openCheckpoint(randomFiles({ shape: tiny, dtype: "f32" }));
  await refused(
    () => loadWeights(checkpoint, new Keep(95)),
    "device",
    /embed: got rows of 24 elements in f32, needed one to fit .* 95 bytes/,
  );
});

tests.run();
