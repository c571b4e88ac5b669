// models.ts — what the tests of the whole engine share: a device, calls that are counted on it, checkpoints, and
// sequences fed step by step.

import { fileURLToPath } from "node:url";
import { type FileSet } from "../../src/checkpoint/bytes.ts";
import { memoryFiles } from "../../src/checkpoint/memory.ts";
import { openCheckpoint } from "../../src/model/checkpoint.ts";
import type { ModelConfig } from "../../src/model/families.ts";
import { folderFiles } from "../../src/node/files.ts";
import { type GpuHandle, requestDevice } from "../../src/node/gpu.ts";
import type { Llama } from "../../src/node/index.ts";
import { type RopeAngles, type RopeScaling, parseRopeScaling } from "../../src/rope/index.ts";
import { readTensor } from "../../src/checkpoint/safetensors.ts";

/** Folder below test/fixtures, or below the project with a leading `/`. */
export const folder = (path: string): string =>
  fileURLToPath(new URL(path.startsWith("/") ? `../..${path}` : `../fixtures/${path}`, import.meta.url));

export const openDevice = (): Promise<GpuHandle> => requestDevice({ log: () => {} });

/** Variants of kernels that run on a device; a note names the missing one. */
export function variantsOf({ adapter }: GpuHandle): ("shuffle" | "tiled")[] {
  const { subgroupMinSize, subgroupMaxSize, name } = adapter;
  if (subgroupMinSize === subgroupMaxSize && subgroupMinSize >= 4) return ["shuffle", "tiled"];
  console.log(`note: ${name} has no subgroups of one size, so only the tiled kernels are run here`);
  return ["tiled"];
}

/** GPU calls since the last `reset`, and the labels and bytes of the buffers that exist. */
export interface Calls {
  createBuffer: number;
  createBindGroup: number;
  createComputePipelineAsync: number;
  submit: number;
  /** Labels of the buffers written to. */
  readonly written: string[];
  /** Buffers created and not destroyed. */
  readonly alive: Set<GPUBuffer>;
  reset(): void;
}

/** Counts calls on a device from now on. The methods are replaced on this one object. */
export function countCalls(device: GPUDevice): Calls {
  const calls: Calls = {
    createBuffer: 0,
    createBindGroup: 0,
    createComputePipelineAsync: 0,
    submit: 0,
    written: [],
    alive: new Set(),
    reset() {
      calls.createBuffer = calls.createBindGroup = calls.createComputePipelineAsync = calls.submit = 0;
      calls.written.length = 0;
    },
  };
  const { queue } = device;
  const create = device.createBuffer.bind(device);
  device.createBuffer = (descriptor) => {
    calls.createBuffer++;
    const buffer = create(descriptor);
    const destroy = buffer.destroy.bind(buffer);
    buffer.destroy = () => {
      calls.alive.delete(buffer);
      return destroy();
    };
    calls.alive.add(buffer);
    return buffer;
  };
  const group = device.createBindGroup.bind(device);
  device.createBindGroup = (descriptor) => {
    calls.createBindGroup++;
    return group(descriptor);
  };
  const pipeline = device.createComputePipelineAsync.bind(device);
  device.createComputePipelineAsync = (descriptor) => {
    calls.createComputePipelineAsync++;
    return pipeline(descriptor);
  };
  const submit = queue.submit.bind(queue);
  queue.submit = (buffers) => {
    calls.submit++;
    return submit(buffers);
  };
  const write = queue.writeBuffer.bind(queue);
  queue.writeBuffer = (buffer: GPUBuffer, ...rest: unknown[]) => {
    calls.written.push(buffer.label);
    return (write as (...all: unknown[]) => undefined)(buffer, ...rest);
  };
  return calls;
}

/** A checkpoint folder with some files replaced. */
export async function replaced(path: string, files: Record<string, string>): Promise<FileSet> {
  const [own, other] = [memoryFiles(files), await folderFiles(path)];
  return {
    describe: path,
    list: async () => [...new Set([...(await own.list()), ...(await other.list())])],
    open: async (name, signal) => (await own.open(name)) ?? other.open(name, signal),
    close: () => other.close(),
  };
}

/** Config and every tensor of a checkpoint in f64. */
export async function readCheckpoint(
  files: FileSet | string,
): Promise<{ config: ModelConfig; tensors: Map<string, Float64Array> }> {
  const set = typeof files === "string" ? await folderFiles(files) : files;
  try {
    const { config, tensors } = await openCheckpoint(set);
    const values = new Map<string, Float64Array>();
    for (const tensor of tensors.values()) {
      values.set(tensor.name, Float64Array.from((await readTensor(tensor)) as Float32Array));
    }
    return { config, tensors: values };
  } finally {
    await set.close();
  }
}

export interface FeedOptions {
  readonly ropeScaling?: RopeScaling | "none" | null;
  readonly meaning?: RopeAngles;
  /** n of planned angles; default all ids. */
  readonly planned?: number;
  /** Cache raw keys whatever the meaning says. */
  readonly raw?: boolean;
}

/** Logits [ids.length, vocab] of a sequence that is fed in steps of these sizes; the last size repeats. */
export async function feed(
  llama: Llama,
  ids: readonly number[],
  sizes: readonly number[],
  options: FeedOptions = {},
): Promise<Float32Array> {
  const { vocab } = llama.config;
  const rope = parseRopeScaling(options.ropeScaling, llama.rope);
  const { meaning = "planned", planned = ids.length } = options;
  const sequence = llama.scheduler.open({ capacity: ids.length, rope, meaning, planned });
  if (options.raw) Object.defineProperty(sequence.angles, "rawKeys", { value: true });
  const logits = new Float32Array(ids.length * vocab);
  try {
    for (let from = 0, i = 0; from < ids.length; i++) {
      const count = Math.min(sizes[Math.min(i, sizes.length - 1)], ids.length - from);
      const rows = await sequence.feed(ids.slice(from, from + count), { rows: "all" });
      rows.forEach((row, at) => logits.set(row as Float32Array, (from + at) * vocab));
      from += count;
    }
  } finally {
    sequence.close();
  }
  return logits;
}

/** Largest |a − b|, and where; NaN counts as infinite. */
export function farthest(a: ArrayLike<number>, b: ArrayLike<number>): { error: number; at: number } {
  if (a.length !== b.length) throw new Error(`${a.length} values against ${b.length}`);
  let [error, at] = [0, 0];
  for (let i = 0; i < a.length; i++) {
    const difference = Math.abs(a[i] - b[i]);
    if (!(difference <= error)) [error, at] = [Number.isNaN(difference) ? Infinity : difference, i];
  }
  return { error, at };
}

/** Fails unless all of two lists of logits differ by no more than is allowed. */
export function near(what: string, got: ArrayLike<number>, want: ArrayLike<number>, allowed: number): void {
  const { error, at } = farthest(got, want);
  if (!(error <= allowed)) throw new Error(`${what}: [${at}] differs by ${error}, allowed ${allowed}`);
}

/** First index where two lists differ, -1 if they are equal. */
export function firstDifference(a: ArrayLike<number>, b: ArrayLike<number>): number {
  for (let i = 0; i < Math.max(a.length, b.length); i++) if (a[i] !== b[i]) return i;
  return -1;
}

export const argmax = (row: Float32Array): number => row.reduce((best, value, i) => (value > row[best] ? i : best), 0);

/** Token ids below `vocab`, the same for the same seed, that do not repeat soon. */
export const ids = (count: number, vocab = 256, seed = 1): number[] =>
  Array.from({ length: count }, (_, i) => (i * i * 7 + i * 31 + seed * 101) % vocab);
