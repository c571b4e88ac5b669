// compile.test.ts — every kernel × format × known model shape compiles, on Dawn's Null backend, which computes nothing;
// and what does not compile is reported by file, line and constant.
import { readdirSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { refused } from "../tools/refused.ts";
import {
  CANDIDATE_STRIDE,
  ROW_CLASSES,
  type CacheFormat,
  type DType,
  type Dispatch,
  type Format,
  type KernelName,
  type Matrix,
  type DeviceFacts,
  type Tensor,
  caches,
  formats,
  type PartName,
  declarations,
  kernels,
  kvLayer,
  matrixOf,
  parts,
  quantize,
  rmsnorm,
  stepLayout,
  swiglu,
  topk,
} from "../../kernels/index.ts";
import { parseConfig } from "../../src/model/config.ts";
import { type ModelConfig, families } from "../../src/model/families.ts";
import { Gpu } from "../../src/device/gpu.ts";
import { type Activations, type Plan, forward } from "../../src/model/forward.ts";
import { requestDevice } from "../../src/node/gpu.ts";
import { goldenJson } from "../tools/goldens.ts";

const test = suite("compile");
const { device, release } = await requestDevice({ adapter: "null", log: () => {} });
test.after(() => release());

type Shape = { readonly rotaryDim?: number } & Pick<
  ModelConfig,
  "dim" | "hidden" | "heads" | "kvHeads" | "headDim" | "vocab" | "qkvBias" | "oBias" | "mlpBias"
> &
  Partial<
    Pick<
      ModelConfig,
      "family" | "windows" | "embeddingMultiplier" | "attentionMultiplier" | "residualMultiplier" | "logitsScaling"
    >
  >;

const plain = { qkvBias: false, oBias: false, mlpBias: false };
const models: Record<string, Shape> = {
  "SmolLM2 135M": { dim: 576, hidden: 1536, heads: 9, kvHeads: 3, headDim: 64, vocab: 49_152, ...plain },
  "TinyLlama 1.1B": { dim: 2048, hidden: 5632, heads: 32, kvHeads: 4, headDim: 64, vocab: 32_000, ...plain },
  "Llama 2 7B": { dim: 4096, hidden: 11_008, heads: 32, kvHeads: 32, headDim: 128, vocab: 32_000, ...plain },
  "Llama 3.1 70B": { dim: 8192, hidden: 28_672, heads: 64, kvHeads: 8, headDim: 128, vocab: 128_256, ...plain },
  "heads of 256": { dim: 2048, hidden: 2048, heads: 8, kvHeads: 1, headDim: 256, vocab: 32_000, ...plain },
  "Mistral 7B v0.1": {
    dim: 4096,
    hidden: 14_336,
    heads: 32,
    kvHeads: 8,
    headDim: 128,
    vocab: 32_000,
    ...plain,
    windows: [4096],
  },
  "Mistral 7B": { dim: 4096, hidden: 14_336, heads: 32, kvHeads: 8, headDim: 128, vocab: 32_768, ...plain },
  "Qwen2.5 0.5B": {
    dim: 896,
    hidden: 4864,
    heads: 14,
    kvHeads: 2,
    headDim: 64,
    vocab: 151_936,
    ...plain,
    qkvBias: true,
  },
  "Qwen3 0.6B": {
    family: "qwen3",
    dim: 1024,
    hidden: 3072,
    heads: 16,
    kvHeads: 8,
    headDim: 128,
    vocab: 151_936,
    ...plain,
  },
  "Granite 3.3 2B": {
    dim: 2048,
    hidden: 8192,
    heads: 32,
    kvHeads: 8,
    headDim: 64,
    vocab: 49_159,
    ...plain,
    embeddingMultiplier: 12,
    attentionMultiplier: 0.015625,
    residualMultiplier: 0.22,
    logitsScaling: 8,
  },
  "Phi-4-mini": {
    dim: 3072,
    hidden: 8192,
    heads: 24,
    kvHeads: 8,
    headDim: 128,
    rotaryDim: 96,
    vocab: 200_064,
    ...plain,
  },
  "kv-llama": { dim: 256, hidden: 384, heads: 4, kvHeads: 2, headDim: 64, vocab: 768, ...plain },
};
for (const name of readdirSync(new URL("../fixtures/goldens/models", import.meta.url))) {
  models[name] = parseConfig(goldenJson(`models/${name}/config.json`));
}

/** Subgroups of one size on GPUs, lavapipe (8, or 4 and 16 as it is told) and SwiftShader (4); of varying size; none. */
const devices: DeviceFacts[] = [
  { subgroupMin: 0, subgroupMax: 0, variants: "tiled" },
  { subgroupMin: 4, subgroupMax: 128, variants: "tiled" },
  ...[4, 8, 16, 32, 64].flatMap((lanes): DeviceFacts[] => {
    const sizes = { subgroupMin: lanes, subgroupMax: lanes };
    return [
      { ...sizes, variants: "tiled" },
      { ...sizes, variants: "shuffle" },
    ];
  }),
];
const plans: Plan[] = [1, ROW_CLASSES.at(-1)!, 256].flatMap((rows) =>
  [false, true].map((rawKeys) => ({
    rows,
    outputs: rows,
    attention: rows === 256 ? "prefill" : "decode",
    rawKeys,
    want: "candidates",
  })),
);
plans.push({ rows: 256, outputs: 16, attention: "prefill", rawKeys: false, want: "hidden" });

/** One block of a model whose tensors have no contents: the records that its forward pass makes. */
function record(
  shape: Shape,
  [format, cache]: readonly [Format, CacheFormat],
  device: DeviceFacts,
  plan: Plan,
): Dispatch[] {
  const { family = "llama", dim, hidden, heads, kvHeads, headDim, vocab, qkvBias, oBias, mlpBias } = shape;
  const tensor = (name: string, sizes: number[], dtype: DType = "f32"): Tensor => ({ name, dtype, shape: sizes });
  // In two pieces, as a weight beyond the limit of one binding is; of one row in one, so that layers of it can be joined.
  const matrix = (name: string, rows: number, columns: number): Matrix =>
    matrixOf(format, name, rows, columns, plan.rows === 1 && name !== "embed" ? rows : Math.ceil(rows / 2));
  const qkvDim = (heads + 2 * kvHeads) * headDim;
  const layer = {
    inputNorm: tensor("inputNorm", [dim]),
    qkv: matrix("qkvWeight", qkvDim, dim),
    o: matrix("o", dim, heads * headDim),
    postNorm: tensor("postNorm", [dim]),
    gateUp: matrix("gateUpWeight", 2 * hidden, dim),
    down: matrix("down", dim, hidden),
    ...(families[family].slots.layer.headNorm && { headNorm: tensor("headNorm", [2 * headDim]) }),
    ...(qkvBias && { qkvBias: tensor("qkvBias", [qkvDim]) }),
    ...(oBias && { oBias: tensor("oBias", [dim]) }),
    ...(mlpBias && { gateUpBias: tensor("gateUpBias", [2 * hidden]), downBias: tensor("downBias", [dim]) }),
  };
  const rows = 256;
  const activations: Activations = {
    x: tensor("x", [rows, dim]),
    h: tensor("h", [rows, dim]),
    ahead: tensor("ahead", [2, dim]),
    qkv: tensor("qkv", [rows, qkvDim]),
    attended: tensor("attended", [rows, heads * headDim]),
    gateUp: tensor("gateUp", [rows, 2 * hidden]),
    gated: tensor("gated", [rows, hidden]),
    picked: tensor("picked", [16, dim]),
    final: tensor("final", [16, dim]),
    logits: tensor("logits", [16, vocab]),
    candidates: tensor("candidates", [16, CANDIDATE_STRIDE], "u32"),
    partials: tensor("partials", [rows * heads, headDim + 2]),
    table: tensor("table", [rows, shape.rotaryDim ?? headDim]),
  };
  const kv = kvLayer(cache, 0, rows, kvHeads * headDim);
  const embed = matrix("embed", vocab, dim);
  const weights = { embed, layers: [layer], norm: tensor("norm", [dim]), head: embed, bytes: 0 };
  const rotaryDim = shape.rotaryDim ?? headDim;
  const step = stepLayout({ rows, outputs: 16, sequences: 16, fills: 16, headDim, rotaryDim });
  const config = { ...shape, rmsEps: 1e-5 } as ModelConfig;
  const list: Dispatch[] = [];
  forward(
    (dispatch) => list.push(...[dispatch].flat()),
    { config, weights, activations, kv: [kv], step, device },
    plan,
  );
  return list;
}

/** Compiles and binds records whose tensors are stand-ins of a few bytes: the shapes are in the constants. */
async function compile(gpu: Gpu, dispatches: readonly Dispatch[]): Promise<void> {
  for (const { bind } of dispatches) {
    for (const tensor of Object.values(bind)) {
      gpu.destroy(tensor);
      gpu.create({ ...tensor, shape: [32] }, "activations"); // a block of every storage type
    }
  }
  await gpu.record(dispatches);
}

/** Every format of weights and every one of the cache; they meet in lib/placed alone, so not every pair of them. */
const WAYS: (readonly [Format, CacheFormat])[] = [
  ...Object.values(formats).map((format) => [format, caches.f32] as const),
  ...Object.values(caches)
    .map((cache) => [formats.f32, cache] as const)
    .slice(1), // the first is f32 again
  [formats.f16, caches.f16],
];

const seen = new Set<KernelName>();
const linked = new Set<string>();
/** What was compiled, of whatever model: the same again would show nothing. */
const compiled = new Set<string>();

for (const [name, shape] of Object.entries(models)) {
  test(`${name}: all formats, plans and devices`, async () => {
    for (const ways of WAYS) {
      for (const facts of devices) {
        const gpu = new Gpu(device, facts);
        const all = plans.flatMap((plan) => record(shape, ways, facts, plan));
        const dispatches = all.filter(({ kernel, parts: names, constants, lengths }) => {
          const key = JSON.stringify([kernel, names, constants, lengths]);
          return !compiled.has(key) && compiled.add(key);
        });
        for (const dispatch of dispatches) {
          seen.add(dispatch.kernel);
          for (const part of dispatch.parts) linked.add(part);
        }
        await compile(gpu, dispatches);
        await gpu.idle(); // an error that no promise carries
        gpu.close();
      }
    }
  });
}

test("packing: every kind of stored numbers and every format that is packed on a device", async () => {
  const facts = devices[0];
  const gpu = new Gpu(device, facts);
  const source: Tensor = { name: "source", dtype: "u32", shape: [16] };
  for (const format of Object.values(formats).filter(({ packing }) => packing)) {
    for (const kind of ["f32", "f16", "bf16"] as const) {
      const dispatch = quantize({ source, kind, columns: 576, format, into: format.tensors("packed", 1, 576) });
      seen.add(dispatch.kernel);
      for (const part of dispatch.parts) linked.add(part);
      await compile(gpu, [dispatch]);
    }
  }
  await gpu.idle();
  gpu.close();
});

test("no kernel and no part was left out", () => {
  assert.equal([...seen].toSorted(), Object.keys(kernels).toSorted());
  assert.equal([...linked].toSorted(), Object.keys(parts).toSorted());
});

const gpu = new Gpu(device, devices[0]);
test.after(() => gpu.close());
const x: Tensor = { name: "x", dtype: "f32", shape: [4, 16] };
const y: Tensor = { name: "y", dtype: "f32", shape: [4, 8] };
const dispatch = swiglu({ x, y, device: devices[0] });

test("these models need no larger workgroups than every device has", () => {
  assert.is(device.limits.maxComputeWorkgroupStorageSize, 16_384); // so that those beyond it would not have compiled
  assert.is(device.limits.maxComputeInvocationsPerWorkgroup, 256);
});

test("no kernel binds more storage buffers than every device has room for", () => {
  // The step's, and what is declared: most where matvec does what lies between it and the next, and the format has two tensors.
  const storage = (name: KernelName | PartName) => declarations[name].bindings.filter(({ type }) => type !== "uniform");
  const counts = plans.flatMap((plan) =>
    devices.flatMap((facts) =>
      ["mlp-bias-f16", "attn-bias-bf16", "kv-llama"].flatMap((name) =>
        WAYS.flatMap((way) => record(models[name], way, facts, plan)).map(({ kernel, parts: names }) => {
          return new Set([kernel, ...names, "lib/step" as const].flatMap(storage)).size;
        }),
      ),
    ),
  );
  assert.is(Math.max(...counts), 8); // WebGPU's default of maxStorageBuffersPerShaderStage
});

test("a misspelt constant fails by name", async () => {
  const { HIDDEN, ...rest } = dispatch.constants;
  await fails({ ...dispatch, constants: { ...rest, HIDEN: HIDDEN } }, /kernels\/swiglu\.wgsl .*has no override HIDEN/);
});

test("a missing constant fails by name", async () => {
  const { HIDDEN: _, ...rest } = dispatch.constants;
  await fails({ ...dispatch, constants: rest }, /kernels\/swiglu\.wgsl.*HIDDEN/s);
});

test("an error in a kernel, in a part and in an appended constant is reported by file and line", async () => {
  const lineOf = (text: string, part: string): number => text.slice(0, text.indexOf(part)).split("\n").length;
  await withText(kernels, "swiglu", "gate * sigmoid * up", "gate * sigmoid * upp", (text) =>
    fails(dispatch, new RegExp(`kernels/swiglu\\.wgsl:${lineOf(text, "upp;")}:\\d+ unresolved value 'upp'`)),
  );
  const step = stepLayout({ rows: 4, outputs: 4, sequences: 1, fills: 1, headDim: 2 });
  const candidates: Tensor = { name: "candidates", dtype: "u32", shape: [4, CANDIDATE_STRIDE] };
  const linked = topk({ logits: x, candidates, step, device: devices[0] });
  await withText(parts, "lib/step", "fn output_k(output: u32) -> u32", "fn output_k(output: u32) -> f32", (text) =>
    fails(linked, new RegExp(`kernels/lib/step\\.wgsl:${lineOf(text, "fn output_k")}:\\d+ `)),
  );
  await withText(parts, "lib/reduce_workgroup", "workgroupBarrier();", "workgroupBarier();", (text) =>
    fails(linked, new RegExp(`kernels/lib/reduce_workgroup\\.wgsl:${lineOf(text, "Barier")}:\\d+ .*workgroupBarier`)),
  );
  await fails({ ...dispatch, lengths: { HIDDEN: 3 } }, /kernels\/swiglu\.wgsl.*redeclaration of 'HIDDEN'/s);
});

test("subgroups that a record does not declare fail by file and line", async () => {
  const weight: Tensor = { name: "weight", dtype: "f32", shape: [16] };
  const device = { subgroupMin: 8, subgroupMax: 8, variants: "shuffle" } as const;
  const normed = rmsnorm({ x, weight, y: { ...x, name: "h" }, eps: 1e-5, device });
  assert.equal(normed.enables, ["subgroups"]);
  await fails({ ...normed, enables: [] }, /kernels\/lib\/reduce_shuffle\.wgsl:\d+:\d+ .*subgroupShuffleXor.*subgroups/);
});

test("a binding that no text declares, and one that the record leaves out, fail by name", async () => {
  await refused(
    () => compile(gpu, [{ ...dispatch, bind: { ...dispatch.bind, z: x } }]),
    "kernel",
    /swiglu declares no binding z/,
  );
  await refused(() => compile(gpu, [{ ...dispatch, bind: { x } }]), "kernel", /swiglu: no tensor is bound for y/);
});

test("a tensor that nobody made fails by name", async () => {
  for (const each of [x, y]) gpu.destroy(each);
  await refused(() => gpu.record([dispatch]), "kernel", /no tensor is bound for [xy]/);
});

/** Runs `then` while a text has an error in it. */
async function withText<K extends string>(
  texts: Readonly<Record<K, string>>,
  name: K,
  right: string,
  wrong: string,
  then: (text: string) => Promise<void>,
): Promise<void> {
  const text = texts[name];
  assert.ok(text.includes(right));
  const writable = texts as Record<K, string>;
  writable[name] = text.replace(right, wrong);
  try {
    await then(writable[name]);
  } finally {
    writable[name] = text;
  }
}

/** Fails unless compiling does, with this message. */
async function fails(broken: Dispatch, message: RegExp): Promise<void> {
  device.pushErrorScope("validation"); // or Dawn prints the error too
  await refused(() => compile(new Gpu(device, devices[0]), [broken]), "kernel", message);
  await device.popErrorScope();
}

test.run();
