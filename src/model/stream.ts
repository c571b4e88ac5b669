// stream.ts — transfers on their way from files to the GPU: read by range, checked for NaN, laid out, uploaded. Host memory is
// a few staging buffers whatever the size of the checkpoint.

import { ELEMENT_BYTES, type Format, formats, type Tensor } from "../../kernels/index.ts";
import { type FloatKind, findBeyond, findNonFinite, widen } from "../../kernels/formats/floats.ts";
import { readInto } from "../checkpoint/bytes.ts";
import { floatKind } from "../checkpoint/safetensors.ts";
import type { StoredTensor } from "../checkpoint/safetensors.ts";
import { LlariatError, checkAborted } from "../error.ts";

/** Where weights go: the GPU, or a test that counts. */
export interface WeightSink {
  /** Most bytes one tensor may have (maxStorageBufferBindingSize); larger matrices are split by rows. */
  readonly maxBindingBytes: number;
  /** Makes room for a tensor, zeroed: `tensorBytes` bytes. Called once per tensor, before any of it is written. */
  create(tensor: Tensor): void;
  /**
   * Writes `data` at `byteOffset`; both are multiples of 4. `data` is staging memory that is used again as soon as the
   * answer has settled.
   */
  write(tensor: Tensor, byteOffset: number, data: Uint8Array<ArrayBuffer>): void | Promise<void>;
  /**
   * Packs rows, which `data` holds as the file does, and puts them where the run says, which `create` has made room for; to the bits
   * that `Format.pack` makes. Absent, or where it answers false, they are packed here and written. `data` as for `write`.
   */
  pack?(run: PackRun, data: Uint8Array<ArrayBuffer>): Promise<boolean>;
}

/** Rows of a stored matrix to be packed into a format. */
export interface PackRun {
  readonly kind: FloatKind;
  readonly rows: number;
  readonly columns: number;
  readonly format: Format;
  readonly targets: Job["targets"];
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

/** A run of rows of one stored tensor, and where each of its tensors in a format takes it. */
export interface Job {
  readonly source: StoredTensor;
  readonly sourceByte: number;
  readonly rows: number;
  readonly columns: number;
  readonly format: Format;
  /** Elements from row to row as they are packed; a vector has no padding, another part may follow. */
  readonly wide: number;
  /** By the names of the format: the tensor, the byte at which the run starts, the bytes of one row. */
  readonly targets: Readonly<Record<string, { tensor: Tensor; byte: number; rowBytes: number }>>;
}

type Bytes = Uint8Array<ArrayBuffer>;

const kindOf = ({ source }: Job): FloatKind => floatKind(source.dtype)!; // src/checkpoint has refused every other
/** Bytes of one row of a stored tensor. */
export const storedRowBytes = (source: StoredTensor, columns: number): number =>
  columns * ELEMENT_BYTES[floatKind(source.dtype)!];
const storedBytes = ({ source, rows, columns }: Job): number => rows * storedRowBytes(source, columns);
/** Whether the format holds the elements of the file as they are. */
const isKept = (job: Job): boolean => job.format === formats[kindOf(job)];
/** Whether the bytes on the GPU are the bytes of the file. */
const isPlain = (job: Job): boolean => isKept(job) && job.columns === job.wide;

/** Runs the jobs in order; while one is checked and uploaded the next is being read. Throws as `loadWeights` says. */
export async function stream(jobs: readonly Job[], sink: WeightSink, options: LoadOptions): Promise<void> {
  const { onProgress, signal } = options;
  const most = (sizes: number[]) => new Uint8Array(Math.ceil(sizes.reduce((a, b) => Math.max(a, b), 0) / 4) * 4);
  const staging = [most(jobs.map(storedBytes)), most(jobs.map(storedBytes))];
  const laidOut = jobs.filter((job) => !isPlain(job));
  const names = new Set(laidOut.flatMap(({ targets }) => Object.keys(targets)));
  const upload = Object.fromEntries(
    [...names].map((name) => [name, most(laidOut.map(({ rows, targets }) => rows * (targets[name]?.rowBytes ?? 0)))]),
  );
  const totalBytes = jobs.reduce((sum, job) => sum + storedBytes(job), 0);
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
      pending?.catch(() => {}); // it may fail while the sink is waited for; `await pending` throws it
      checkNumbers(job, staging[i % 2]);
      for (const { tensor } of Object.values(job.targets)) {
        if (!created.has(tensor)) sink.create(tensor);
        created.add(tensor);
      }
      if (!(await packed(job, staging[i % 2], sink))) {
        const data = layOut(job, staging[i % 2], upload);
        for (const [name, { tensor, byte }] of Object.entries(job.targets)) await sink.write(tensor, byte, data[name]);
      }
      checkAborted(signal, `loading ${job.source.name}`);
      loadedBytes += storedBytes(job);
      onProgress?.({ loadedBytes, totalBytes, tensor: job.source.name });
    }
  } finally {
    // Nobody else will look at the read that was under way when something failed.
    await pending?.catch(() => {});
  }
}

/** Throws for the first number that is not finite, or larger than the format can hold. */
function checkNumbers(job: Job, stored: Bytes): void {
  const { rows, columns, format } = job;
  const kind = kindOf(job);
  const length = storedBytes(job);
  // An odd number of 16-bit elements ends in half a word: what an earlier chunk left there is no NaN of this one.
  if (length % 4 !== 0) stored.fill(0, length, length + 2);
  const words = new Uint32Array(stored.buffer, 0, Math.ceil(length / 4));
  const bad = findNonFinite(kind, words, rows * columns);
  if (bad >= 0) throw unfit(job, stored, bad, "finite numbers", "; the file is damaged or the training diverged");
  const { largest } = format;
  if (largest === undefined || isKept(job)) return;
  const beyond = findBeyond(kind, words, rows * columns, largest);
  const advice = `; load with another quantize`;
  if (beyond >= 0) throw unfit(job, stored, beyond, `at most ${largest}, the most that ${format.name} holds`, advice);
}

/** Has the sink pack a run, where it and the format can. */
async function packed(job: Job, stored: Bytes, sink: WeightSink): Promise<boolean> {
  if (!sink.pack || !job.format.packing) return false;
  const { rows, columns, format, targets } = job;
  const data = stored.subarray(0, Math.ceil(storedBytes(job) / 4) * 4);
  return sink.pack({ kind: kindOf(job), rows, columns, format, targets }, data);
}

/** The bytes to upload, by tensor of the format: the stored ones as they are, spread to their stride, or packed anew. */
function layOut(job: Job, stored: Bytes, upload: Readonly<Record<string, Bytes>>): Readonly<Record<string, Bytes>> {
  const { rows, columns, wide, format, targets } = job;
  const kind = kindOf(job);
  if (isPlain(job)) return { weight: stored.subarray(0, storedBytes(job)) };

  const out = Object.fromEntries(
    Object.entries(targets).map(([name, { rowBytes }]) => [name, upload[name].subarray(0, rows * rowBytes)]),
  );
  const width = columns * ELEMENT_BYTES[kind];
  if (isKept(job)) {
    const { weight } = out;
    const { rowBytes } = targets.weight;
    for (let row = 0; row < rows; row++) {
      weight.set(stored.subarray(row * width, (row + 1) * width), row * rowBytes);
      weight.fill(0, row * rowBytes + width, (row + 1) * rowBytes);
    }
  } else {
    const values = new Float32Array(wide); // zero beyond the columns
    for (let row = 0; row < rows; row++) {
      widen(kind, stored.subarray(row * width), values.subarray(0, columns));
      format.pack(values, out, row);
    }
  }
  return out;
}

function unfit(job: Job, stored: Uint8Array, index: number, needed: string, advice: string): LlariatError {
  const { source, sourceByte } = job;
  const width = ELEMENT_BYTES[kindOf(job)];
  const value = new Float32Array(1);
  widen(kindOf(job), stored.slice(index * width, (index + 1) * width), value);
  const element = (sourceByte - source.start) / width + index;
  const columns = source.shape.at(-1)!;
  const place = source.shape.length > 1 ? `[${Math.floor(element / columns)}, ${element % columns}]` : `[${element}]`;
  return new LlariatError(
    "checkpoint",
    `${source.source.name}: ${source.name}: got ${value[0]} at ${place}, needed ${needed}${advice}`,
  );
}
