// harness.ts — what a kernel test needs: steps by plan, tensors on both sides, a device with all that it can stand for.

import type {
  CacheFormat,
  Dispatch,
  DType,
  Format,
  KvLayer,
  Matrix,
  StepLayout,
  StepShape,
  Choices,
  DeviceFacts,
  Tensor,
} from "../../kernels/index.ts";
import {
  PAGE,
  SPLIT,
  caches,
  choose,
  formats,
  kvLayer,
  kvStride,
  lanesOf,
  rowStride,
  stepLayout,
} from "../../kernels/index.ts";
import { subgroupSizes } from "../../src/device/facts.ts";
import { Gpu } from "../../src/device/gpu.ts";
import { tensorBytes } from "../../kernels/index.ts";
import { requestDevice } from "../../src/node/gpu.ts";
import { type Difference, elements, lockstep, upload, widen } from "./lockstep.ts";
import { normal } from "./random.ts";
import { Reference } from "./reference.ts";

/** One sequence of a step: `rows` tokens from position `start` on. */
export interface Run {
  readonly start: number;
  readonly rows: number;
  /** Pool pages that hold positions 0 … start + rows − 1, in order. */
  readonly pages: readonly number[];
  /** Row of the rotary table that holds position 0. */
  readonly angle?: number;
  readonly raw?: boolean;
}

export interface StepPlan {
  readonly runs?: readonly Run[];
  /** One per row; default 0, 1, … */
  readonly tokens?: readonly number[];
  readonly outputs?: readonly { readonly row: number; readonly k?: number }[];
  readonly fills?: readonly { angle: number; position: number; count: number; setting?: number }[];
  readonly settings?: readonly { turns: Uint32Array; scaling?: number }[];
  /** Elements of a head that turn; default all. */
  readonly rotaryDim?: number;
  /** Rows per tile at most; one tile per run and tileRows. */
  readonly tileRows?: number;
}

/** Capacity of every step that fits it: offsets are compiled into kernels, so equal ones save compiling. */
const CAPACITY = 64;

/** A layout that holds the plan, and the plan in it. */
export function planStep(
  headDim: number,
  plan: StepPlan,
): { layout: StepLayout; shape: StepShape; data: Uint32Array<ArrayBuffer> } {
  const { runs = [], outputs = [], fills = [], settings = [], tileRows = 16, rotaryDim = headDim } = plan;
  const rows = runs.reduce((sum, run) => sum + run.rows, 0);
  const layout = stepLayout({
    rows: Math.max(rows, CAPACITY),
    outputs: Math.max(outputs.length, CAPACITY),
    sequences: Math.max(runs.length, settings.length, CAPACITY),
    fills: Math.max(fills.length, CAPACITY),
    headDim,
    rotaryDim,
  });
  const data = new Uint32Array(layout.pageAt + runs.reduce((sum, run) => sum + run.pages.length, 1));
  let [row, tile, page] = [0, 0, 0];
  runs.forEach((run, sequence) => {
    const { start, pages, angle = 0, raw = false } = run;
    if (pages.length * PAGE < start + run.rows) throw new Error(`run ${sequence} needs more pages`);
    data.set([page, angle, Number(raw)], layout.sequenceAt + 4 * sequence);
    data.set(pages, layout.pageAt + page);
    page += pages.length;
    for (let i = 0; i < run.rows; i++, row++) {
      if (i % tileRows === 0) data.set([row, Math.min(tileRows, run.rows - i), sequence], layout.tileAt + 4 * tile++);
      data.set([plan.tokens?.[row] ?? row, start + i, sequence, angle + start + i], layout.rowAt + 4 * row);
    }
  });
  outputs.forEach(({ row: of, k = 1 }, i) => data.set([of, k], layout.outputAt + 2 * i));
  fills.forEach(({ angle, position, count, setting = 0 }, i) =>
    data.set([angle, position, count, setting], layout.fillAt + 4 * i),
  );
  settings.forEach(({ turns, scaling = 1 }, i) => {
    const at = layout.turnsAt + layout.turnsStride * i;
    data.set(turns, at);
    new Float32Array(data.buffer, 4 * (at + rotaryDim), 1)[0] = scaling;
  });
  const longest = Math.max(0, ...runs.map((run) => run.start + run.rows));
  const shape = {
    rows,
    outputs: outputs.length,
    singles: rows, // every row may be taken alone and in a tile: a kernel test runs one or the other
    tiles: tile,
    splits: Math.ceil(longest / SPLIT),
    fills: fills.length,
    fillRows: Math.max(0, ...fills.map((fill) => fill.count)),
  };
  data.set([shape.rows, shape.outputs, shape.tiles, shape.splits]);
  return { layout, shape, data };
}

/** Rows of no particular sequence, for kernels that look at nothing but their number. */
export const plainRows = (rows: number): StepPlan => ({
  runs: [{ start: 0, rows, pages: Array.from({ length: Math.ceil(rows / PAGE) }, (_, i) => i) }],
});

/** A page table of `count` pages out of a pool of `pool`, in scrambled order; pages repeat if the pool is smaller. */
export function scrambled(count: number, pool: number, seed = 1): number[] {
  const next = normal(seed);
  const order = Array.from({ length: pool }, (_, i) => ({ i, key: next() })).sort((a, b) => a.key - b.key);
  return Array.from({ length: count }, (_, i) => order[i % pool].i);
}

/** Makes tensors for one case, on the GPU and in the reference, and runs dispatches on both. */
export class Case {
  readonly gpu: Gpu;
  readonly layout: StepLayout;
  readonly reference: Reference;
  readonly #shape: StepShape;
  readonly #data: Uint32Array<ArrayBuffer>;
  readonly #tensors: Tensor[] = [];

  constructor(gpu: Gpu, headDim: number, plan: StepPlan) {
    const { layout, shape, data } = planStep(headDim, plan);
    this.gpu = gpu;
    this.layout = layout;
    this.reference = new Reference(layout);
    this.#shape = shape;
    this.#data = data;
    gpu.createStep(data.byteLength);
  }

  /** A tensor with these values, or made by a function of the index; without them, garbage that must be overwritten or kept. */
  tensor(
    name: string,
    shape: readonly number[],
    values?: ArrayLike<number> | ((i: number) => number),
    dtype: DType = "f32",
  ): Tensor {
    const tensor: Tensor = { name, shape, dtype };
    const make = values ?? ((i: number) => (dtype === "u32" ? i : 1000 + (i % 7)));
    const list = typeof make === "function" ? Float64Array.from({ length: elements(tensor) }, (_, i) => make(i)) : make;
    this.gpu.create(tensor, "activations");
    this.#tensors.push(tensor);
    this.reference.set(name, upload(this.gpu, tensor, list));
    return tensor;
  }

  /** A layer's cache with keys and values made by functions of the index. */
  kv(
    [slots, kvDim]: readonly [number, number],
    keys: (i: number) => number,
    values: (i: number) => number = keys,
    format: CacheFormat = caches.f32,
  ): KvLayer {
    const layer = kvLayer(format, "case", slots, kvDim);
    const stride = kvStride(format, kvDim);
    for (const [{ name, shape, dtype }, make] of [
      [layer.keys, keys],
      [layer.values, values],
    ] as const) {
      // The elements that fill up the last block of a slot are zero, as `append` leaves them.
      const element = (i: number) => (i % stride < kvDim ? make(Math.floor(i / stride) * kvDim + (i % stride)) : 0);
      this.tensor(name, shape, element, dtype);
    }
    return layer;
  }

  /** A weight of [rows, columns] in a format, made by a function; `cuts` are the rows at which further pieces start. */
  matrix(
    name: string,
    [rows, columns]: readonly [number, number],
    next: () => number,
    format: Format = formats.f32,
    cuts: readonly number[] = [],
  ): Matrix {
    const starts = [0, ...cuts];
    const pieces = starts.map((firstRow, i) => {
      const held = (starts[i + 1] ?? rows) - firstRow;
      const tensors = format.tensors(starts.length > 1 ? `${name}.${i}` : name, held, columns);
      const bytes = Object.fromEntries(
        Object.entries(tensors).map(([key, tensor]) => [key, new Uint8Array(tensorBytes(tensor))]),
      );
      const row = new Float32Array(rowStride(format, columns));
      for (let at = 0; at < held; at++) {
        for (let column = 0; column < columns; column++) row[column] = next();
        format.pack(row, bytes, at);
      }
      for (const [key, tensor] of Object.entries(tensors)) {
        this.gpu.create(tensor, "activations");
        this.#tensors.push(tensor);
        this.gpu.write(tensor, 0, bytes[key]);
        this.reference.set(tensor.name, widen(tensor, bytes[key].buffer));
      }
      return { firstRow, rows: held, tensors };
    });
    return { name, rows, columns, format, pieces };
  }

  /** Both sides, compared; what the GPU made can be had from `values`. Destroys the tensors if the comparison fails. */
  async run(dispatches: readonly Dispatch[]): Promise<Difference[]> {
    try {
      return await lockstep(this.gpu, this.reference, dispatches, this.#shape, this.#data);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** The tensor as the GPU holds it after `run`. */
  values(tensor: Tensor): Float64Array {
    return this.reference.get(tensor.name);
  }

  close(): void {
    for (const tensor of this.#tensors) this.gpu.destroy(tensor);
  }
}

/** A device for one test file, and what its kernels must be right for. */
export interface Lab {
  readonly gpu: Gpu;
  /**
   * Kinds of device that this one can stand for: without subgroups; with subgroups whose size is said to vary; and, if it
   * does not, with that size and either variants.
   */
  readonly devices: readonly DeviceFacts[];
  /** One of `devices` for each variant of a kernel. */
  readonly differing: (kernel: keyof Choices) => DeviceFacts[];
  /** A short name of a device for a message. */
  readonly name: (device: DeviceFacts) => string;
  close(): void;
}

/**
 * Opens the adapter that LLARIAT_ADAPTER names, or the default one. LLARIAT_LANES is how many lanes its subgroups must have:
 * test/lanes.ts asks the driver for them, and an adapter with others would prove nothing.
 */
export async function openLab(): Promise<Lab> {
  const { device, adapter, release } = await requestDevice({ log: () => {} });
  const wanted = process.env["LLARIAT_LANES"];
  const own = subgroupSizes(device);
  const lanes = lanesOf(own);
  if (wanted !== undefined && lanes !== Number(wanted))
    throw new Error(
      `${adapter.name} has subgroups of ${own.subgroupMin} to ${own.subgroupMax} lanes, needed ${wanted}`,
    );
  const devices: DeviceFacts[] = [{ subgroupMin: 0, subgroupMax: 0, variants: "tiled" }];
  if (own.subgroupMax) devices.push({ ...own, subgroupMax: 2 * own.subgroupMax, variants: "tiled" });
  if (lanes) devices.push({ ...own, variants: "tiled" }, { ...own, variants: "shuffle" });
  else console.log(`note: ${adapter.name} has no subgroups of one size, so those kernels are not run here`);
  const gpu = new Gpu(device, devices.at(-1)!);
  return {
    gpu,
    devices,
    differing: (kernel) => {
      const size = { rows: kernel === "blocks" ? 1 : Infinity, n: 1, k: 1, format: "q4_0" };
      return [...new Map(devices.map((each) => [choose(kernel, size, each), each])).values()];
    },
    name: ({ subgroupMin: min, subgroupMax: max, variants }) =>
      `${variants}, ${max === 0 ? "no subgroups" : `subgroups of ${min === max ? min : `${min}–${max}`}`}`,
    close: () => {
      gpu.close();
      release();
    },
  };
}
