// weights.ts — a checkpoint's tensors on their way to the GPU: read by range, checked for NaN, laid out, uploaded.
// Layout: rows start on multiples of 4 elements with zeros between (kernels/dispatch.ts); q, k, v are one matrix and
// gate, up another, so that a step launches fewer kernels; norm weights and biases become f32. Host memory is a few
// staging buffers whatever the size of the checkpoint.

import type { Matrix, Tensor } from "../../kernels/dispatch.ts";
import { stride } from "../../kernels/dispatch.ts";
import { readInto } from "../checkpoint/bytes.ts";
import type { Checkpoint } from "../checkpoint/index.ts";
import { LlariatError, checkAborted } from "../error.ts";
import { findNonFinite, widen } from "../../kernels/formats/floats.ts";
import type { FloatKind } from "../../kernels/formats/floats.ts";
import { tensorBytes } from "../../kernels/index.ts";
import { floatKind } from "../checkpoint/safetensors.ts";
import type { StoredTensor } from "../checkpoint/safetensors.ts";

/** A loaded model: every weight a tensor the sink has created and filled. The sink's owner frees them. */
export interface Weights {
  /** [vocab, dim] */
  readonly embed: Matrix;
  readonly layers: readonly LayerWeights[];
  /** [dim] f32 */
  readonly norm: Tensor;
  /** [vocab, dim]; the same object as `embed` when tied. */
  readonly head: Matrix;
  /** Bytes in the sink, padding included. */
  readonly bytes: number;
}

/** One block. Matrices keep the checkpoint's format unless fused parts differ in it; vectors are f32. */
export interface LayerWeights {
  readonly inputNorm: Tensor; // [dim]
  readonly qkv: Matrix; // [(heads + 2·kvHeads)·headDim, dim]: rows of q, then k, then v
  readonly qkvBias?: Tensor; // [(heads + 2·kvHeads)·headDim]
  readonly o: Matrix; // [dim, heads·headDim]
  readonly oBias?: Tensor; // [dim]
  readonly postNorm: Tensor; // [dim]
  readonly gateUp: Matrix; // [2·hidden, dim]: rows of gate, then up
  readonly gateUpBias?: Tensor; // [2·hidden]
  readonly down: Matrix; // [dim, hidden]
  readonly downBias?: Tensor; // [dim]
}

/** Where weights go: the GPU, or a test that counts. */
export interface WeightSink {
  /** Most bytes one tensor may have (maxStorageBufferBindingSize); larger matrices are split by rows. */
  readonly maxBindingBytes: number;
  /** Makes room for a tensor, zeroed: `tensorBytes` bytes. Called once per tensor, before it is written. */
  create(tensor: Tensor): void;
  /**
   * Writes `data` at `byteOffset`; both are multiples of 4. `data` is staging memory that is used again as soon as the
   * answer has settled.
   */
  write(tensor: Tensor, byteOffset: number, data: Uint8Array<ArrayBuffer>): void | Promise<void>;
}

/** Stored bytes read so far, of all; and the tensor of the checkpoint that was just uploaded (in part). */
export interface LoadProgress {
  readonly loadedBytes: number;
  readonly totalBytes: number;
  readonly tensor: string;
}

/** How to follow and how to stop a load. */
export interface LoadOptions {
  readonly onProgress?: (progress: LoadProgress) => void;
  readonly signal?: AbortSignal;
}

/** Bytes per read and per upload: large enough for any disk's full speed, small against the memory of a laptop. */
const CHUNK_BYTES = 16 * 2 ** 20;

/**
 * Streams every tensor of a checkpoint into the sink. Peak host memory is two chunks as stored and one as uploaded
 * (48 MiB), plus what the source allocates per read. Throws LlariatError "checkpoint" naming the tensor and element for
 * NaN or infinity, "device" for a row that fits no binding, "source" and "aborted"; after a failure the sink holds part of
 * the weights, which its owner frees.
 */
export async function loadWeights(
  checkpoint: Checkpoint,
  sink: WeightSink,
  options: LoadOptions = {},
): Promise<Weights> {
  const { weights, jobs } = plan(checkpoint, sink.maxBindingBytes);
  await stream(jobs, checkpoint.bytes, sink, options);
  return weights;
}

/** Bytes that `loadWeights` puts on a GPU, known from the headers alone. */
export function weightBytes(checkpoint: Checkpoint): number {
  return plan(checkpoint, Infinity).weights.bytes;
}

/** A run of rows of one stored tensor and the place of one target tensor it goes to. */
interface Job {
  readonly source: StoredTensor;
  readonly sourceByte: number;
  readonly rows: number;
  readonly columns: number;
  /** Elements from row to row in the target; a vector has no padding, another part may follow. */
  readonly wide: number;
  readonly target: Tensor;
  readonly targetByte: number;
}

/** Decides every tensor and every transfer before the first byte is read. */
function plan(checkpoint: Checkpoint, maxBindingBytes: number): { weights: Weights; jobs: Job[] } {
  const { config, tensors, tied } = checkpoint;
  const jobs: Job[] = [];
  let bytes = 0;
  const stored = (name: string): StoredTensor => {
    const tensor = tensors.get(name);
    if (tensor) return tensor;
    throw new LlariatError(
      "checkpoint",
      `${checkpoint.describe}: ${name}: got no such tensor, needed it for this config`,
    );
  };

  /** The parts' rows one after another, in as many pieces as the binding limit asks for. */
  const matrix = (name: string, parts: readonly StoredTensor[]): Matrix => {
    const kinds = new Set(parts.map(({ dtype }) => floatKind(dtype)!));
    const [dtype] = kinds.size === 1 ? kinds : (["f32"] as const); // f32 holds every f16 and bf16 exactly
    const rows = parts.reduce((sum, { shape }) => sum + shape[0], 0);
    const columns = parts[0].shape[1];
    const pieces = split(name, dtype, rows, columns, maxBindingBytes);
    let firstRow = 0;
    for (const part of parts) {
      for (const piece of pieces) {
        const from = Math.max(firstRow, piece.firstRow);
        const to = Math.min(firstRow + part.shape[0], piece.firstRow + piece.tensor.shape[0]);
        if (from < to) jobs.push(...chunks(part, from - firstRow, to - from, piece.tensor, from - piece.firstRow));
      }
      firstRow += part.shape[0];
    }
    for (const { tensor } of pieces) bytes += tensorBytes(tensor);
    return { rows, columns, pieces };
  };

  /** The parts one after another as one f32 vector. */
  const vector = (name: string, parts: readonly StoredTensor[]): Tensor => {
    const target: Tensor = { name, dtype: "f32", shape: [parts.reduce((sum, { shape }) => sum + shape[0], 0)] };
    let first = 0;
    for (const source of parts) {
      const [columns] = source.shape;
      jobs.push({ source, sourceByte: source.start, rows: 1, columns, wide: columns, target, targetByte: 4 * first });
      first += columns;
    }
    bytes += tensorBytes(target);
    return target;
  };

  const embed = matrix("embed", [stored("model.embed_tokens.weight")]);
  const layers = Array.from({ length: config.layers }, (_, i): LayerWeights => {
    const at = `model.layers.${i}`;
    const weights = (...names: string[]) => names.map((name) => stored(`${at}.${name}.weight`));
    const biases = (...names: string[]) => names.map((name) => stored(`${at}.${name}.bias`));
    const [attention, mlp] = [config.attentionBias, config.mlpBias];
    const [q, k, v, o] = ["self_attn.q_proj", "self_attn.k_proj", "self_attn.v_proj", "self_attn.o_proj"];
    const [gate, up, down] = ["mlp.gate_proj", "mlp.up_proj", "mlp.down_proj"];
    const name = (what: string) => `layers.${i}.${what}`;
    return {
      inputNorm: vector(name("inputNorm"), weights("input_layernorm")),
      qkv: matrix(name("qkv"), weights(q, k, v)),
      ...(attention && { qkvBias: vector(name("qkvBias"), biases(q, k, v)) }),
      o: matrix(name("o"), weights(o)),
      ...(attention && { oBias: vector(name("oBias"), biases(o)) }),
      postNorm: vector(name("postNorm"), weights("post_attention_layernorm")),
      gateUp: matrix(name("gateUp"), weights(gate, up)),
      ...(mlp && { gateUpBias: vector(name("gateUpBias"), biases(gate, up)) }),
      down: matrix(name("down"), weights(down)),
      ...(mlp && { downBias: vector(name("downBias"), biases(down)) }),
    };
  });
  const norm = vector("norm", [stored("model.norm.weight")]);
  const head = tied ? embed : matrix("head", [stored("lm_head.weight")]);
  return { weights: { embed, layers, norm, head, bytes }, jobs };
}

/** One tensor per piece, equally tall to a multiple of 4 rows, so that kernels see few different shapes. */
function split(name: string, dtype: FloatKind, rows: number, columns: number, maxBytes: number): Matrix["pieces"] {
  const most = Math.floor(maxBytes / tensorBytes({ name, dtype, shape: [1, columns] }));
  if (rows <= most) return [{ tensor: { name, dtype, shape: [rows, columns] }, firstRow: 0 }];
  if (most < 1) {
    throw new LlariatError(
      "device",
      `${name}: got rows of ${columns} elements in ${dtype}, needed one to fit the device's binding limit of ${maxBytes} bytes`,
    );
  }
  const step = most < 4 ? most : most - (most % 4);
  const even = Math.ceil(rows / Math.ceil(rows / step));
  const tall = Math.min(step, Math.ceil(even / 4) * 4);
  return Array.from({ length: Math.ceil(rows / tall) }, (_, i) => ({
    tensor: { name: `${name}#${i}`, dtype, shape: [Math.min(tall, rows - i * tall), columns] },
    firstRow: i * tall,
  }));
}

/** Rows `firstRow …` of a stored matrix to rows `targetRow …` of a piece, cut so that no upload exceeds a chunk. */
function* chunks(
  source: StoredTensor,
  firstRow: number,
  rows: number,
  target: Tensor,
  targetRow: number,
): Generator<Job> {
  const columns = source.shape[1];
  const rowBytes = tensorBytes({ ...target, shape: [1, columns] });
  const storedRowBytes = columns * storedWidth(source);
  const most = Math.max(1, Math.floor(CHUNK_BYTES / rowBytes)); // src/checkpoint/config.ts keeps a row below a chunk
  for (let row = 0; row < rows; row += most) {
    yield {
      source,
      sourceByte: source.start + (firstRow + row) * storedRowBytes,
      rows: Math.min(most, rows - row),
      columns,
      wide: stride(columns),
      target,
      targetByte: (targetRow + row) * rowBytes,
    };
  }
}

const storedWidth = ({ dtype }: StoredTensor): number => (dtype === "F32" ? 4 : 2);
const storedBytes = ({ source, rows, columns }: Job): number => rows * columns * storedWidth(source);
const uploadBytes = ({ target, rows, wide }: Job): number => rows * wide * (target.dtype === "f32" ? 4 : 2);
/** Whether the bytes on the GPU are the bytes of the file. */
const isPlain = ({ source, target, columns, wide }: Job): boolean =>
  floatKind(source.dtype) === target.dtype && columns === wide;

/** Runs the jobs in order; while one is checked and uploaded the next is being read. */
async function stream(jobs: readonly Job[], totalBytes: number, sink: WeightSink, options: LoadOptions): Promise<void> {
  const { onProgress, signal } = options;
  const most = (sizes: number[]) => new Uint8Array(Math.ceil(sizes.reduce((a, b) => Math.max(a, b), 0) / 4) * 4);
  const staging = [most(jobs.map(storedBytes)), most(jobs.map(storedBytes))];
  const upload = most(jobs.map((job) => (isPlain(job) ? 0 : uploadBytes(job))));
  const created = new Set<Tensor>();
  const read = (i: number): Promise<void> | undefined => {
    if (i >= jobs.length) return undefined;
    const { source, sourceByte } = jobs[i];
    return readInto(source.source, sourceByte, sourceByte + storedBytes(jobs[i]), staging[i % 2], signal);
  };

  let loadedBytes = 0;
  let pending = read(0);
  try {
    for (const [i, job] of jobs.entries()) {
      await pending;
      pending = read(i + 1);
      const data = layOut(job, staging[i % 2], upload);
      if (!created.has(job.target)) sink.create(job.target);
      created.add(job.target);
      await sink.write(job.target, job.targetByte, data);
      checkAborted(signal, `loading ${job.source.name}`);
      loadedBytes += storedBytes(job);
      onProgress?.({ loadedBytes, totalBytes, tensor: job.source.name });
    }
  } finally {
    // Nobody else will look at the read that was under way when something failed.
    await pending?.catch(() => {});
  }
}

/** The bytes to upload: the stored ones as they are, or rows spread to their stride, widened to f32 where the target is. */
function layOut(job: Job, stored: Uint8Array<ArrayBuffer>, upload: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const { source, rows, columns, wide, target } = job;
  const kind = floatKind(source.dtype)!;
  const count = rows * columns;
  const length = storedBytes(job);
  // An odd number of 16-bit elements ends in half a word: what an earlier chunk left there is no NaN of this one.
  if (length % 4 !== 0) stored.fill(0, length, length + 2);
  const bad = findNonFinite(kind, new Uint32Array(stored.buffer, 0, Math.ceil(length / 4)), count);
  if (bad >= 0) throw notFinite(job, stored, bad);
  if (isPlain(job)) return stored.subarray(0, length);

  const out = upload.subarray(0, uploadBytes(job));
  if (target.dtype === "f32") {
    const values = new Float32Array(out.buffer, 0, rows * wide);
    const width = storedWidth(source);
    for (let row = 0; row < rows; row++) {
      widen(kind, stored.subarray(row * columns * width), values.subarray(row * wide, row * wide + columns));
      values.fill(0, row * wide + columns, (row + 1) * wide);
    }
  } else {
    const from = new Uint16Array(stored.buffer, 0, count);
    const to = new Uint16Array(out.buffer, 0, rows * wide);
    for (let row = 0; row < rows; row++) {
      to.set(from.subarray(row * columns, (row + 1) * columns), row * wide);
      to.fill(0, row * wide + columns, (row + 1) * wide);
    }
  }
  return out;
}

function notFinite(job: Job, stored: Uint8Array, index: number): LlariatError {
  const { source, sourceByte } = job;
  const width = storedWidth(source);
  const value = new Float32Array(1);
  widen(floatKind(source.dtype)!, stored.slice(index * width, (index + 1) * width), value);
  const element = (sourceByte - source.start) / width + index;
  const columns = source.shape.at(-1)!;
  const place = source.shape.length > 1 ? `[${Math.floor(element / columns)}, ${element % columns}]` : `[${element}]`;
  return new LlariatError(
    "checkpoint",
    `${source.source.name}: ${source.name}: got ${value[0]} at ${place}, needed finite numbers; the file is damaged or the training diverged`,
  );
}
