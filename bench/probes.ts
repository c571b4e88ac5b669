// probes.ts — one kernel at one shape: built twice from the same description, small to be checked against the reference in
// f64 (test/tools/reference.ts), and at its real size to be timed.

import {
  type CacheFormat,
  type DType,
  type Dispatch,
  type Format,
  type KvLayer,
  type Matrix,
  type StepLayout,
  type DeviceFacts,
  type Tensor,
} from "../kernels/index.ts";
import { caches, kvLayer, matrixOf, rowStride, tensorBytes } from "../kernels/index.ts";
import { Case, type StepPlan, planStep } from "../test/tools/harness.ts";
import type { Bench, Timing, Work } from "./harness.ts";
import { limits } from "./limits.ts";
import { randomBytes } from "../test/tools/normals.ts";
import { normal } from "../test/tools/random.ts";
import { work } from "./work.ts";

/** Names a tensor into being: normal numbers, or pairs (cos, sin) for "table", so that rotating in place keeps lengths. */
export interface Make {
  (name: string, shape: readonly number[], dtype?: DType): Tensor;
  /** A weight of normal numbers, in as many pieces as bindings allow. */
  matrix(name: string, rows: number, columns: number, format: Format): Matrix;
  /** Keys and values of a layer; default in f32. */
  kv(slots: number, kvDim: number, format?: CacheFormat): KvLayer;
}

/** What a probe builds: the step and the dispatches. `S` is whatever sizes it depends on. */
export interface Probe<S> {
  readonly headDim: number;
  readonly plan: (size: S) => StepPlan;
  readonly record: (make: Make, size: S, step: StepLayout, device: DeviceFacts) => Dispatch[];
  /** Real size, and the reduced one that is checked. */
  readonly size: S;
  readonly small: S;
  /** Keys that each row attends to; attention only. */
  readonly lengths?: (size: S) => number[];
  /** Tensors so large together that none is in a cache when its turn comes, as in a step over all layers. */
  readonly fromMemory?: boolean;
}

/** Together larger than the caches of the devices that benchmarks run on, yet soon written. */
const BEYOND_CACHES = 128 * 2 ** 20;
/** Random bytes made once per tensor and repeated over it. */
const BLOCK = 16 * 2 ** 20;

/** Largest error found in units of what is allowed (test/tools/lockstep.ts); throws where it is above 1. */
export async function checkProbe<S>(bench: Bench, probe: Probe<S>, device: DeviceFacts): Promise<number> {
  const { headDim, plan, record, small } = probe;
  const one = new Case(bench.gpu, headDim, plan(small));
  const next = normal(1);
  const tensor = (name: string, shape: readonly number[], dtype?: DType) => {
    const values = name.startsWith("table") ? pair : dtype === "u32" ? () => 0 : next;
    return one.tensor(name, shape, values, dtype);
  };
  const make: Make = Object.assign(tensor, {
    matrix: (name: string, rows: number, k: number, format: Format) => one.matrix(name, [rows, k], next, format),
    kv: (slots: number, kvDim: number, format?: CacheFormat) => one.kv([slots, kvDim], next, next, format),
  });
  const found = await one.run(record(make, small, one.layout, device));
  one.close();
  return found.reduce((most, { worst }) => Math.max(most, worst), 0);
}

/** Time of one run of the probe's dispatches at their real size, and the work it is. */
export async function timeProbe<S>(
  bench: Bench,
  probe: Probe<S>,
  device: DeviceFacts,
  options: { trials?: number; atLeastMs?: number } = {},
): Promise<{ timing: Timing; work: Work }> {
  const { gpu } = bench;
  const { headDim, plan, record, size, lengths, fromMemory = false } = probe;
  await limits(bench); // it makes a step buffer of its own
  const { layout, shape, data } = planStep(headDim, plan(size));
  gpu.createStep(data.byteLength);
  const tensors: Tensor[] = [];
  const build = (copy: number) =>
    record(
      Object.assign(
        (name: string, dims: readonly number[], dtype: DType = "f32") =>
          makeTensor(bench, tensors, `${name}#${copy}`, dims, dtype),
        {
          matrix: (name: string, rows: number, columns: number, format: Format) =>
            makeMatrix(bench, tensors, `${name}#${copy}`, rows, columns, format),
          kv: (slots: number, kvDim: number, format: CacheFormat = caches.f32) => {
            const layer = kvLayer(format, copy, slots, kvDim);
            for (const { name, shape: dims, dtype } of [layer.keys, layer.values])
              makeTensor(bench, tensors, name, dims, dtype);
            return layer;
          },
        },
      ),
      size,
      layout,
      device,
    );
  try {
    const dispatches = build(0);
    const once = tensors.reduce((sum, tensor) => sum + tensorBytes(tensor), 0);
    const copies = fromMemory ? Math.min(64, Math.ceil(BEYOND_CACHES / once)) : 1;
    for (let copy = 1; copy < copies; copy++) dispatches.push(...build(copy));
    const found = await bench.time(await gpu.record(dispatches), shape, data, options);
    const all = dispatches.map((dispatch) => work(dispatch, shape, lengths?.(size)));
    const sum = (key: "bytes" | "flops") => all.reduce((total, each) => total + each[key], 0) / copies;
    return {
      timing: {
        ms: found.ms / copies,
        best: found.best / copies,
        spread: found.spread,
        trials: found.trials,
        ...(found.cpuMs !== undefined && { cpuMs: found.cpuMs / copies }),
      },
      work: { bytes: sum("bytes"), flops: sum("flops"), bound: all[0].bound },
    };
  } finally {
    for (const tensor of tensors) gpu.destroy(tensor);
  }
}

/** cos and sin of half as many radians as the index says. */
const pair = (i: number): number => (i % 2 === 0 ? Math.cos(i / 2) : Math.sin((i - 1) / 2));

function makeTensor({ gpu }: Bench, tensors: Tensor[], name: string, shape: readonly number[], dtype: DType): Tensor {
  const tensor: Tensor = { name, shape, dtype };
  gpu.create(tensor, "activations");
  tensors.push(tensor);
  if (dtype === "u32") return tensor; // results only: zero
  const bytes = tensorBytes(tensor);
  if (name.startsWith("table")) {
    gpu.write(
      tensor,
      0,
      Float32Array.from({ length: bytes / 4 }, (_, i) => pair(i)),
    );
    return tensor;
  }
  const width = Math.ceil(shape.at(-1)! / 4) * 4;
  const rowBytes = (bytes / shape.slice(0, -1).reduce((a, b) => a * b, 1)) | 0;
  const rows = Math.max(1, Math.min(bytes / rowBytes, Math.floor(BLOCK / rowBytes)));
  const block = randomBytes({ ...tensor, name: name.split("#")[0], shape: [rows, width] }, width ** -0.5);
  for (let at = 0; at < bytes; at += block.length)
    gpu.write(tensor, at, block.subarray(0, Math.min(block.length, bytes - at)));
  return tensor;
}

/** Packed rows by format and width: packing is slow, and repeated rows cost as much to read as different ones. */
const packed = new Map<string, { rows: number; bytes: Readonly<Record<string, Uint8Array<ArrayBuffer>>> }>();

function packedRows(format: Format, columns: number) {
  const key = `${format.name} ${columns}`;
  let block = packed.get(key);
  if (!block) {
    const rows = Math.ceil(2 ** 20 / columns);
    const sizes = Object.entries(format.rowBytes(columns));
    block = { rows, bytes: Object.fromEntries(sizes.map(([name, size]) => [name, new Uint8Array(rows * size)])) };
    const values = randomBytes({ name: key, dtype: "f32", shape: [rows, columns] }, columns ** -0.5);
    const row = new Float32Array(rowStride(format, columns));
    for (let i = 0; i < rows; i++) {
      row.set(new Float32Array(values.buffer, 4 * i * columns, columns));
      format.pack(row, block.bytes, i);
    }
    packed.set(key, block);
  }
  return block;
}

function makeMatrix(
  { gpu }: Bench,
  tensors: Tensor[],
  name: string,
  rows: number,
  columns: number,
  format: Format,
): Matrix {
  const rowBytes = Math.max(...Object.values(format.rowBytes(columns)));
  const most = Math.floor(gpu.maxBindingBytes / rowBytes / 8) * 8;
  const matrix = matrixOf(format, name, rows, columns, Math.min(rows, most));
  const block = packedRows(format, columns);
  for (const piece of matrix.pieces) {
    for (const [key, tensor] of Object.entries(piece.tensors)) {
      gpu.create(tensor, "activations");
      tensors.push(tensor);
      const size = block.bytes[key].length / block.rows;
      for (let at = 0; at < piece.rows; at += block.rows) {
        gpu.write(tensor, at * size, block.bytes[key].subarray(0, Math.min(block.rows, piece.rows - at) * size));
      }
    }
  }
  return matrix;
}
