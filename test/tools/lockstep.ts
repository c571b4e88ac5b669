// lockstep.ts — runs kernel records on the GPU and in the reference side by side, and compares every element.

import type { Candidates, Dispatch, DType, KernelName, StepShape, Tensor } from "../../kernels/index.ts";
import { CANDIDATES, readCandidates, stride, tensorBytes } from "../../kernels/index.ts";
import { narrowBF16, narrowF16, widenBF16, widenF16 } from "../../kernels/formats/floats.ts";
import type { Gpu } from "../../src/device/gpu.ts";
import { narrowQ8, widenQ8 } from "./blocks.ts";
import { type Reference, type Written, float } from "./reference.ts";

/** How many elements a tensor has, without padding. */
export const elements = (tensor: Tensor): number => tensor.shape.reduce((product, n) => product * n, 1);

/** Writes values [shape] into the tensor's padded buffer and returns what it then holds, rounded to its type. */
export function upload(gpu: Gpu, tensor: Tensor, values: ArrayLike<number>): Float64Array {
  if (values.length !== elements(tensor))
    throw new Error(`${tensor.name}: ${values.length} values for [${tensor.shape}]`);
  const [width, padded] = [tensor.shape.at(-1)!, stride(tensor.shape.at(-1)!)];
  const held = new Float64Array(values.length);
  const data = new ArrayBuffer(tensorBytes(tensor));
  const { dtype } = tensor;
  if (dtype === "q8") narrowQ8(values, data); // whole blocks: there is no padding
  else {
    const views = { f32: Float32Array, u32: Uint32Array, f16: Uint16Array, bf16: Uint16Array } as const;
    const stored = new views[dtype](data);
    const narrow = { f32: Math.fround, u32: (v: number) => v >>> 0, f16: narrowF16, bf16: narrowBF16 }[dtype];
    for (let i = 0; i < values.length; i++) stored[Math.floor(i / width) * padded + (i % width)] = narrow(values[i]);
  }
  gpu.write(tensor, 0, new Uint8Array(data));
  widen(tensor, data).forEach((value, i) => (held[i] = value));
  return held;
}

/** Reads a whole tensor back without its padding, and checks that the padding is still zero, as kernels rely on. */
export async function download(gpu: Gpu, tensor: Tensor): Promise<Float64Array> {
  return widen(tensor, await gpu.read(tensor));
}

/** The elements that a padded buffer holds, without padding, which must be zero. */
export function widen(tensor: Tensor, data: ArrayBuffer): Float64Array {
  const as: Record<DType, () => ArrayLike<number>> = {
    f32: () => new Float32Array(data),
    u32: () => new Uint32Array(data),
    f16: () => widened(widenF16),
    bf16: () => widened(widenBF16),
    q8: () => widenQ8(data),
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
  // A copy, or the rounding of the factor and of the product; a compiler may multiply the factor by a block's scale first.
  embed: ({ constants, bind }) => (constants.SCALE === 1 ? 0 : "scale" in bind ? 3 : 2),
  gather: () => 0,
  // Copies, rounded as the reference rounds them; of q8 half a step, which is 1/254 of the scale, and a little for the quotient.
  append: ({ parts }) => (parts.includes("cache/q8") ? (2 ** 24 / 254) * (1 + 2 ** -20) : 0),
  rmsnorm: ({ bind }) => 12 + Math.sqrt(bind.x.shape[1]), // half of the sum's error survives the root; WGSL gives the root 2 ulp
  headnorm: ({ bind }) => 12 + Math.sqrt(bind.weight.shape[0] / 2), // as rmsnorm
  matvec: ({ bind }) => 4 + 4 * Math.sqrt(bind.x.shape[1]),
  matvec_shuffle: ({ bind }) => 4 + 4 * Math.sqrt(bind.x.shape[1]),
  matvec_rows: ({ bind }) => 4 + 4 * Math.sqrt(bind.x.shape[1]),
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
  quantize: () => 0, // whole numbers, to the bit
  pool: ({ bind }) => 4 * Math.sqrt(bind.x.shape[0]),
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
  const [mine, theirs] = [want, got].map((all) => Uint32Array.from(all));
  for (let row = 0; row < tensor.shape[0]; row++) {
    const [needed, found] = [mine, theirs].map((words) => readCandidates(words, row));
    const fail = (of: string, a: unknown, b: unknown) => {
      throw new Error(`${what}: ${tensor.name} row ${row}: ${of} is ${String(a)}, needed ${String(b)}`);
    };
    if (found.count !== needed.count) fail("count", found.count, needed.count);
    // The second word is the largest logit, which `readCandidates` has no use for.
    const [largest, top] = [theirs, mine].map((words) => float(words[row * tensor.shape[1] + 1]));
    if (largest !== top) fail("largest", largest, top);
    const error = Math.abs(found.logSumExp - needed.logSumExp);
    const limit = ROUNDINGS.topk({} as Dispatch) * 2 ** -24 * (1 + Math.abs(top) + Math.abs(needed.logSumExp - top));
    if (!(error <= limit)) fail("log Σ e^logit", found.logSumExp, needed.logSumExp);
    worst = Math.max(worst, error / limit);
    if (needed.count > CANDIDATES) continue;
    const pairs = ({ ids, logits }: Candidates) => Array.from(ids, (id, i) => `${id}: ${logits[i]}`).sort().join(); // prettier-ignore
    if (pairs(found) !== pairs(needed)) fail("set of candidates", pairs(found), pairs(needed));
  }
  return { kernel: "topk", tensor: tensor.name, worst, nmse: 0 };
}
