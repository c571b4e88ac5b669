// harness.ts — runs kernel records on the GPU and in the reference side by side, with data and steps to feed them.

import type {
  CacheFormat,
  Dispatch,
  DType,
  Format,
  KernelName,
  KvLayer,
  Matrix,
  StepLayout,
  StepShape,
  Choices,
  DeviceFacts,
  Tensor,
} from "../../kernels/index.ts";
import {
  CANDIDATES,
  PAGE,
  SPLIT,
  caches,
  choose,
  formats,
  kvLayer,
  lanesOf,
  rowStride,
  stepLayout,
  stride,
} from "../../kernels/index.ts";
import { narrowBF16, narrowF16, widenBF16, widenF16 } from "../../kernels/formats/floats.ts";
import { subgroupSizes } from "../../src/device/facts.ts";
import { Gpu } from "../../src/device/gpu.ts";
import { tensorBytes } from "../../kernels/index.ts";
import { requestDevice } from "../../src/node/gpu.ts";
import { Reference, type Written, float } from "./reference.ts";

/** Standard normal numbers from a seed: mulberry32 (Tommy Ettinger 2017) through the Box–Muller transform. */
export function random(seed: number): () => number {
  let state = seed >>> 0;
  const uniform = () => {
    state = (state + 0x6d2b79f5) >>> 0;
    let t = Math.imul(state ^ (state >>> 15), state | 1);
    t ^= t + Math.imul(t ^ (t >>> 7), t | 61);
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}

const elements = (tensor: Tensor): number => tensor.shape.reduce((product, n) => product * n, 1);

/** Writes values [shape] into the tensor's padded buffer and returns what it then holds, rounded to its type. */
export function upload(gpu: Gpu, tensor: Tensor, values: ArrayLike<number>): Float64Array {
  if (values.length !== elements(tensor))
    throw new Error(`${tensor.name}: ${values.length} values for [${tensor.shape}]`);
  const [width, padded] = [tensor.shape.at(-1)!, stride(tensor.shape.at(-1)!)];
  const held = new Float64Array(values.length);
  const data = new ArrayBuffer(tensorBytes(tensor));
  const views = { f32: Float32Array, u32: Uint32Array, f16: Uint16Array, bf16: Uint16Array } as const;
  const stored = new views[tensor.dtype](data);
  const narrow = { f32: Math.fround, u32: (v: number) => v >>> 0, f16: narrowF16, bf16: narrowBF16 }[tensor.dtype];
  for (let i = 0; i < values.length; i++) stored[Math.floor(i / width) * padded + (i % width)] = narrow(values[i]);
  gpu.write(tensor, 0, new Uint8Array(data));
  widen(tensor, data).forEach((value, i) => (held[i] = value));
  return held;
}

/** Reads a whole tensor back without its padding, and checks that the padding is still zero, as kernels rely on. */
export async function download(gpu: Gpu, tensor: Tensor): Promise<Float64Array> {
  return widen(tensor, await gpu.read(tensor));
}

function widen(tensor: Tensor, data: ArrayBuffer): Float64Array {
  const as: Record<DType, () => ArrayLike<number>> = {
    f32: () => new Float32Array(data),
    u32: () => new Uint32Array(data),
    f16: () => widened(widenF16),
    bf16: () => widened(widenBF16),
  };
  const widened = (widenInto: (from: Uint16Array, to: Float32Array) => void) => {
    const to = new Float32Array(data.byteLength / 2);
    widenInto(new Uint16Array(data), to);
    return to;
  };
  const stored = as[tensor.dtype]();
  const [width, padded] = [tensor.shape.at(-1)!, stride(tensor.shape.at(-1)!)];
  const values = new Float64Array(elements(tensor));
  for (let row = 0; row * width < values.length; row++) {
    for (let i = 0; i < padded; i++) {
      const value = stored[row * padded + i];
      if (i < width) values[row * width + i] = value;
      else if (value !== 0) throw new Error(`${tensor.name}: padding of row ${row} holds ${value}, must be 0`);
    }
  }
  return values;
}

/**
 * Rounding errors that may reach an element, in units of 2^-24 (half a unit in the last place of f32) times its scale.
 * A sum of n terms collects about √n of them, and four times that is as good as never exceeded (4 sigma).
 */
const ROUNDINGS: Readonly<Record<KernelName, (dispatch: Dispatch) => number>> = {
  embed: ({ constants }) => (constants.SCALE === 1 ? 0 : 2), // a copy, or the rounding of the factor and of the product
  gather: () => 0,
  append: () => 0,
  rmsnorm: ({ bind }) => 12 + Math.sqrt(bind.x.shape[1]), // half of the sum's error survives the root; WGSL gives the root 2 ulp
  headnorm: ({ bind }) => 12 + Math.sqrt(bind.weight.shape[0] / 2), // as rmsnorm
  matvec: ({ bind }) => 4 + 4 * Math.sqrt(bind.x.shape[1]),
  matmul_tiled: ({ bind }) => 4 + 4 * Math.sqrt(bind.x.shape[1]),
  matmul_shuffle: ({ bind }) => 4 + 4 * Math.sqrt(bind.x.shape[1]),
  angles: () => 5, // the angle's own rounding, six of the polynomial that shrink with a² ≤ 0.62, and the scaling
  rope: () => 4, // two products and their sum
  attention_prefill_tiled: () => 1, // its scale counts them
  attention_prefill_shuffle: () => 1,
  attention_decode_tiled: () => 1,
  attention_decode_shuffle: () => 1,
  attention_merge: () => 1,
  swiglu: () => 16, // exp 3 + 2·|v| ulp (in the scale), division 2.5 ulp, three more
  topk: () => 16, // of log Σ e^logit alone; everything else is copied
};

/** Below this f32 results may be flushed to zero or lose digits (WGSL, "Floating Point Accuracy"), and nobody notices. */
const TINY = 1e-30;

/** What a comparison found, over all elements that the dispatch wrote. */
export interface Difference {
  readonly kernel: KernelName;
  readonly tensor: string;
  /** Largest error in units of what is allowed; above 1 is a failure. */
  readonly worst: number;
  /** Σ (got − want)² / Σ want². */
  readonly nmse: number;
}

/**
 * Runs each dispatch on the GPU and in the reference and throws at the first whose result differs, naming kernel, tensor
 * and index. The reference is fed with what the GPU made of the dispatches before, so that errors do not add up and the
 * bound is that of one kernel. Elements that a dispatch must not write must not change, padding must stay zero.
 * The reference must hold what the GPU holds: tensors it does not know are fetched; who writes to the GPU in between
 * sets them in the reference too.
 */
export async function lockstep(
  gpu: Gpu,
  reference: Reference,
  dispatches: readonly Dispatch[],
  shape: StepShape,
  data: Uint32Array<ArrayBuffer>,
): Promise<Difference[]> {
  const found: Difference[] = [];
  for (const [i, dispatch] of dispatches.entries()) {
    for (const tensor of Object.values(dispatch.bind)) {
      if (!reference.has(tensor.name)) reference.set(tensor.name, await download(gpu, tensor));
    }
    const written = reference.run(dispatch, shape, data);
    await gpu.run(await gpu.record([dispatch]), shape, data);
    for (const each of written) {
      const got = await download(gpu, each.tensor);
      found.push(compare(`dispatch ${i}, ${dispatch.kernel}`, dispatch, reference.get(each.tensor.name), got, each));
      reference.set(each.tensor.name, got);
    }
  }
  await gpu.idle();
  return found;
}

function compare(
  what: string,
  dispatch: Dispatch,
  want: Float64Array,
  got: Float64Array,
  written: Written,
): Difference {
  const { tensor, scale } = written;
  if (dispatch.kernel === "topk") return compareCandidates(what, want, got, tensor);
  const allowed = ROUNDINGS[dispatch.kernel](dispatch) * 2 ** -24;
  let [worst, errors, squares] = [0, 0, 0];
  for (let i = 0; i < want.length; i++) {
    const error = Math.abs(got[i] - want[i]);
    const limit = scale[i] < 0 || allowed === 0 ? 0 : allowed * scale[i] + TINY;
    if (!(error <= limit)) {
      const index = indexOf(tensor, i);
      const why = scale[i] < 0 ? "which it must leave alone" : `allowed ${limit.toExponential(2)}`;
      throw new Error(
        `${what}: ${tensor.name}[${index}] is ${got[i]}, needed ${want[i]}, error ${error.toExponential(2)}, ${why}`,
      );
    }
    if (limit > 0) worst = Math.max(worst, error / limit);
    if (scale[i] < 0) continue;
    errors += error * error;
    squares += want[i] * want[i];
  }
  return { kernel: dispatch.kernel, tensor: tensor.name, worst, nmse: squares === 0 ? errors : errors / squares };
}

const indexOf = ({ shape }: Tensor, i: number): string =>
  shape.map((size, axis) => Math.floor(i / shape.slice(axis + 1).reduce((a, b) => a * b, 1)) % size).join(", ");

/** Candidates come in no order, so they are compared as sets; of a row with too many only the head counts. */
function compareCandidates(what: string, want: Float64Array, got: Float64Array, tensor: Tensor): Difference {
  let worst = 0;
  const width = tensor.shape[1];
  for (let row = 0; row * width < want.length; row++) {
    const [mine, theirs] = [want, got].map((all) => all.subarray(row * width, (row + 1) * width));
    const fail = (of: string, a: unknown, b: unknown) => {
      throw new Error(`${what}: ${tensor.name} row ${row}: ${of} is ${String(a)}, needed ${String(b)}`);
    };
    if (theirs[0] !== mine[0]) fail("count", theirs[0], mine[0]);
    if (float(theirs[1]) !== float(mine[1])) fail("largest", float(theirs[1]), float(mine[1]));
    const [logSum, needed, top] = [float(theirs[2]), float(mine[2]), float(mine[1])];
    const limit = ROUNDINGS.topk({} as Dispatch) * 2 ** -24 * (1 + Math.abs(top) + Math.abs(needed - top));
    if (!(Math.abs(logSum - needed) <= limit)) fail("log Σ e^logit", logSum, needed);
    worst = Math.max(worst, Math.abs(logSum - needed) / limit);
    if (mine[0] > CANDIDATES) continue;
    const pairs = (words: Float64Array) =>
      Array.from({ length: mine[0] }, (_, i) => `${words[4 + 2 * i]}: ${float(words[5 + 2 * i])}`)
        .sort()
        .join();
    if (pairs(theirs) !== pairs(mine)) fail("set of candidates", pairs(theirs), pairs(mine));
  }
  return { kernel: "topk", tensor: tensor.name, worst, nmse: 0 };
}

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
  const next = random(seed);
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
    for (const [tensor, make] of [
      [layer.keys, keys],
      [layer.values, values],
    ] as const)
      this.tensor(tensor.name, tensor.shape, make, tensor.dtype);
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
      const many = { rows: Infinity, n: 1, k: 1 };
      return [...new Map(devices.map((each) => [choose(kernel, many, each), each])).values()];
    },
    name: ({ subgroupMin: min, subgroupMax: max, variants }) =>
      `${variants}, ${max === 0 ? "no subgroups" : `subgroups of ${min === max ? min : `${min}–${max}`}`}`,
    close: () => {
      gpu.close();
      release();
    },
  };
}
