// limits.ts — what a device does at best: a large copy, an empty dispatch, multiply-adds out of registers, our matrix
// products; and rates as shares of it.

import { type StepShape, type Tensor, formats, linear, matrixOf, stepLayout } from "../kernels/index.ts";
import { randomBytes } from "../test/tools/normals.ts";
import { type Bench, type Result, type Timing, type Work, round } from "./harness.ts";

// GPUBufferUsage as numbers (WebGPU, "Buffer Usages").
const USAGE = { COPY_SRC: 0x4, COPY_DST: 0x8, STORAGE: 0x80 };

/** What rates are compared with. */
export interface Limits {
  /** Bytes read plus written by a large copy, per nanosecond. */
  readonly copyGbs: number;
  /** The most arithmetic that was seen: multiply-adds out of registers or, with units of its own, a matrix product. */
  readonly mostGflops: number;
}

const measured = new WeakMap<Bench, Promise<Limits>>();

/** The limits of a bench's device, measured and reported on first call; that takes the step buffer of its Gpu. */
export function limits(bench: Bench): Promise<Limits> {
  let found = measured.get(bench);
  if (!found) measured.set(bench, (found = measureLimits(bench)));
  return found;
}

/** Rates and percentages of a timing. */
export async function ratesOf(
  bench: Bench,
  work: Work,
  { ms }: Timing,
): Promise<Pick<Result, "bytes" | "flops" | "gbs" | "gflops" | "percent">> {
  const { copyGbs, mostGflops } = await limits(bench);
  const { bytes, flops, bound } = work;
  const [gbs, gflops] = [bytes / ms / 1e6, flops / ms / 1e6];
  return bound === "bytes"
    ? { bytes, flops, gbs: round(gbs), percent: round((100 * gbs) / copyGbs, 3) }
    : { bytes, flops, gflops: round(gflops), percent: round((100 * gflops) / mostGflops, 3) };
}

async function measureLimits(bench: Bench): Promise<Limits> {
  const copyGbs = await measureCopy(bench);
  await measureDispatch(bench);
  const rates = [await measureMultiplyAdd(bench, "f32")];
  if (bench.gpu.device.features.has("shader-f16")) rates.push(await measureMultiplyAdd(bench, "f16"));
  return { copyGbs, mostGflops: Math.max(...rates, await measureMatmul(bench)) };
}

async function measureCopy(bench: Bench): Promise<number> {
  const { device } = bench.gpu;
  const size = Math.min(device.limits.maxBufferSize, bench.adapter.isSoftware ? 128 << 20 : 1 << 30) & ~255;
  const [from, to] = [0, 1].map(() => device.createBuffer({ size, usage: USAGE.COPY_SRC | USAGE.COPY_DST }));
  const copy = (repeat: number) => {
    const encoder = device.createCommandEncoder();
    for (let i = 0; i < repeat; i++) encoder.copyBufferToBuffer(from, 0, to, 0, size);
    device.queue.submit([encoder.finish()]);
  };
  copy(1); // the first one finds the memory
  const found = await bench.timeWork(copy);
  from.destroy();
  to.destroy();
  const gbs = (2 * size) / found.best / 1e6;
  bench.report({ bench: "limits", kernel: "copy", shape: `${size >> 20} MiB`, ...found, gbs: round(gbs) });
  return gbs;
}

/** An empty dispatch between two that it depends on: reported only, no rate follows from it. */
async function measureDispatch(bench: Bench): Promise<void> {
  const { device } = bench.gpu;
  // It could write what the next one reads, so that the device keeps them apart as it does in a step.
  const code = `@group(0) @binding(0) var<storage, read_write> data: array<u32>;
    @compute @workgroup_size(1) fn empty() { if (data[0] == 1u) { data[0] = 2u; } }`;
  const { buffer, dispatch } = await plainKernel(device, "empty", code, 16);
  const found = await bench.timeWork((repeat) => dispatch(repeat, 1));
  buffer.destroy();
  bench.report({ bench: "limits", kernel: "empty dispatch", shape: "1 workgroup", ...found });
}

/** A kernel that is bound to one buffer of `bytes` bytes and to nothing of ours. */
async function plainKernel(device: GPUDevice, label: string, code: string, bytes: number) {
  const module = device.createShaderModule({ label, code });
  const pipeline = await device.createComputePipelineAsync({ layout: "auto", compute: { module } });
  const buffer = device.createBuffer({ size: bytes, usage: USAGE.STORAGE });
  const group = device.createBindGroup({
    layout: pipeline.getBindGroupLayout(0),
    entries: [{ binding: 0, resource: { buffer } }],
  });
  const dispatch = (repeat: number, workgroups: number): void => {
    const encoder = device.createCommandEncoder();
    const pass = encoder.beginComputePass();
    pass.setPipeline(pipeline);
    pass.setBindGroup(0, group);
    for (let i = 0; i < repeat; i++) pass.dispatchWorkgroups(workgroups);
    pass.end();
    device.queue.submit([encoder.finish()]);
  };
  return { buffer, dispatch };
}

/** Sums that each lane has under way: more than the 4 cycles of latency times the 2 units of a CPU core, or of a GPU's. */
const CHAINS = 10;
/** Multiply-adds of each sum in a turn of the loop, whose own counting then does not count. */
const UNROLLED = 16;

/** Multiply-adds whose operands are in registers: nobody's matrix product is faster without units of its own. */
async function measureMultiplyAdd(bench: Bench, type: "f32" | "f16"): Promise<number> {
  const { device } = bench.gpu;
  const [lanes, workgroups, turns] = bench.adapter.isSoftware ? [64, 64, 1 << 8] : [256, 4096, 1 << 8];
  const sums = Array.from({ length: CHAINS }, (_, i) => `s${i}`);
  // f16 comes in pairs: GPUs that are faster at it are so for two at a time.
  const vector = type === "f16" ? "vec2<f16>" : "f32";
  const wide = type === "f16" ? 2 : 1;
  const multiplyAdds = sums.map((s) => `${s} = fma(${s}, m, a);`).join(" ");
  const code = `${type === "f16" ? "enable f16;" : ""}
    @group(0) @binding(0) var<storage, read_write> data: array<f32>;
    @compute @workgroup_size(${lanes}) fn multiply_add(@builtin(local_invocation_index) lane: u32) {
      let m = ${vector}(${type}(data[0])); let a = ${vector}(${type}(data[1] + f32(lane)));
      ${sums.map((s, i) => `var ${s} = ${vector}(${type}(${i}));`).join(" ")}
      for (var i = 0u; i < ${turns}u; i++) { ${Array(UNROLLED).fill(multiplyAdds).join("\n        ")} }
      let sum = ${sums.join(" + ")};
      if (f32(${type === "f16" ? "sum.x + sum.y" : "sum"}) == 0.5) { data[2] = 1.0; }
    }`;
  const { buffer, dispatch } = await plainKernel(device, "multiply_add", code, 16);
  const found = await bench.timeWork((repeat) => dispatch(repeat, workgroups));
  buffer.destroy();
  const flops = 2 * wide * lanes * workgroups * turns * UNROLLED * CHAINS;
  const gflops = flops / found.best / 1e6;
  const shape = `${CHAINS} sums a lane, ${lanes * workgroups} lanes`;
  bench.report({
    bench: "limits",
    kernel: "multiply-add",
    shape,
    format: type,
    ...found,
    flops,
    gflops: round(gflops),
  });
  return gflops;
}

/** The faster variants, with weights in f32 and in f16. */
async function measureMatmul(bench: Bench): Promise<number> {
  const { gpu } = bench;
  const [rows, size] = bench.adapter.isSoftware ? [256, 1024] : [2048, 4096];
  const step = stepLayout({ rows, outputs: 1, sequences: 1, fills: 1, headDim: 2 });
  gpu.createStep(4 * (step.pageAt + 4));
  const shape: StepShape = { rows, outputs: 0, singles: 0, tiles: 0, splits: 1, fills: 0, fillRows: 0 };
  let most = 0;
  for (const dtype of ["f16", "f32"] as const) {
    const tensor = (name: string, n: number): Tensor => ({ name: `limits.${name}`, dtype: "f32", shape: [n, size] });
    const [x, y, matrix] = [
      tensor("x", rows),
      tensor("y", rows),
      matrixOf(formats[dtype], "limits.weight", size, size),
    ];
    const { weight } = matrix.pieces[0].tensors;
    for (const each of [x, weight, y]) gpu.create(each, "activations");
    gpu.write(x, 0, randomBytes(x, 1));
    gpu.write(weight, 0, randomBytes(weight, size ** -0.5));
    const { facts } = gpu;
    const dispatches = linear({ x, weight: matrix, y, rows, step, device: facts });
    const recording = await gpu.record(dispatches);
    const found = await bench.time(recording, shape, Uint32Array.of(rows, 0, 0, 1, ...Array<number>(12).fill(0)));
    for (const each of [x, weight, y]) gpu.destroy(each);
    const gflops = (2 * rows * size * size) / found.best / 1e6;
    most = Math.max(most, gflops);
    const [{ kernel: name }] = dispatches;
    const result = { shape: `${rows} × ${size} × ${size}`, format: dtype, variants: facts.variants, ...found };
    bench.report({ bench: "limits", kernel: name, ...result, gflops: round(gflops) });
  }
  return most;
}
