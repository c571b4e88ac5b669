// safetensors.ts — the header of a safetensors file, read strictly: what passes here can be streamed without a check.
//   u64 little endian: header length n · n bytes of JSON { name: { dtype, shape, data_offsets } } · tensor data
// Format: https://github.com/huggingface/safetensors (README, "Format"). Offsets count from the end of the header and
// are aligned to nothing: a 16-bit tensor may start at an odd byte.

import { pause } from "./pause.ts";
import { checkPointer } from "./bytes.ts";
import type { ByteSource } from "./bytes.ts";
import { LlariatError, checkAborted } from "../error.ts";
import { widenBF16, widenF16 } from "../../kernels/formats/floats.ts";
import type { FloatKind } from "../../kernels/formats/floats.ts";
import { isObject, parseJson, show } from "../text/json.ts";
import { short } from "../text/wording.ts";

/** Bits per element of every dtype the format knows (safetensors 0.6, `Dtype::bitsize`). */
// prettier-ignore
export const BITS = {
  BOOL: 8, U8: 8, I8: 8, U16: 16, I16: 16, U32: 32, I32: 32, U64: 64, I64: 64,
  F16: 16, BF16: 16, F32: 32, F64: 64, C64: 64,
  F8_E4M3: 8, F8_E5M2: 8, F8_E8M0: 8, F6_E2M3: 6, F6_E3M2: 6, F4: 4,
} as const;

/** The dtypes of the format, as headers spell them. */
export type StoredDType = keyof typeof BITS;

/** A tensor in a file: elements [shape], row-major, in bytes `start` to `end` (exclusive, absolute) of `source`. */
export interface StoredTensor {
  readonly name: string;
  readonly dtype: StoredDType;
  readonly shape: readonly number[];
  /**
   * Elements from one to the next along each axis, where they are not row-major: a transposed or sliced view, as only
   * pytorch_model.bin can hold it. `start` is then the first element's and `end` the last one's.
   */
  readonly strides?: readonly number[];
  readonly start: number;
  readonly end: number;
  readonly source: ByteSource;
}

/** The tensors of one file, in the order of their bytes, and its free-form `__metadata__`. */
export interface SafetensorsFile {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly metadata: Readonly<Record<string, string>>;
}

/** The limit of the Rust reader (`MAX_HEADER_SIZE`), so that what it refuses is refused here. */
const MAX_HEADER_BYTES = 100_000_000;

/** Tensors of one file, each an object with two lists; the largest published shards have a few thousand. */
const MAX_TENSORS = 200_000;
/** Headers from here on, and every so many tensors, let others have a turn: some ten milliseconds of work. */
const LONG_HEADER = 2 ** 20;
const PAUSE_AFTER = 10_000;

/** What numpy and torch can hold; a product of more would only cost time. */
export const MAX_DIMENSIONS = 64;

/** Whether a value from a file can be a size or a number of elements. */
export const isSize = (value: unknown): value is number => Number.isSafeInteger(value) && (value as number) >= 0;

/**
 * Reads and checks the header of one safetensors file; only header bytes are read. Throws LlariatError "checkpoint"
 * naming file and tensor unless every dtype is known, shape × dtype equals the byte range, and the ranges cover the file
 * from the header's end to its last byte without overlap or gap; "source" or "aborted" from reading.
 */
export async function readHeader(source: ByteSource, signal?: AbortSignal): Promise<SafetensorsFile> {
  const bad = (rest: string, options?: { cause: unknown }) =>
    new LlariatError("checkpoint", `${source.name}: ${rest}`, options);
  if (source.size < 8) {
    throw bad(`got ${source.size} bytes, needed at least the 8 of a safetensors header length; the file is truncated`);
  }
  const prefix = await source.read(0, 8, signal);
  const headerBytes = new DataView(prefix.buffer, prefix.byteOffset, 8).getBigUint64(0, true);
  checkPointer(source.name, prefix);
  // Also what a pickle or a zip under this name looks like: its text read as a huge number.
  if (headerBytes > BigInt(source.size - 8) || headerBytes > BigInt(MAX_HEADER_BYTES)) {
    throw bad(
      `got a header length of ${headerBytes}, needed at most ${Math.min(source.size - 8, MAX_HEADER_BYTES)} in a file of ` +
        `${source.size} bytes; it is truncated or no safetensors file`,
    );
  }
  const dataStart = 8 + Number(headerBytes);
  const bytes = await source.read(8, dataStart, signal);
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(bytes);
  } catch (cause) {
    throw bad("got a header that is not UTF-8, needed JSON in UTF-8; the file is damaged", { cause });
  }
  if (!text.startsWith("{")) throw bad(`got a header that starts with ${show(text.slice(0, 1))}, needed {`);
  const reading = `reading the header of ${source.name}`;
  if (headerBytes > LONG_HEADER) await pause(signal, reading);
  const header = parseJson(text, `${source.name} header`, "checkpoint", 3 * MAX_TENSORS + 2) as Record<string, unknown>;

  const found: StoredTensor[] = [];
  let metadata: Record<string, string> = {};
  for (const [name, entry] of Object.entries(header)) {
    if (name === "__metadata__") metadata = checkMetadata(entry, source.name);
    else found.push(checkEntry(name, entry, source, dataStart));
    if (found.length % PAUSE_AFTER === 0) await pause(signal, reading);
  }
  found.sort((a, b) => a.start - b.start || a.end - b.end);
  let end = dataStart;
  let before = "the header";
  for (const tensor of found) {
    if (tensor.start !== end) {
      const what = tensor.start < end ? "overlaps" : "leaves a gap after";
      throw bad(
        `${short(tensor.name)}: got data_offsets that start at byte ${tensor.start}, which ${what} ${before}, needed ${end}`,
      );
    }
    end = tensor.end;
    before = short(tensor.name);
  }
  if (end !== source.size) {
    throw bad(
      `got ${source.size} bytes, needed ${end} for the tensors of its header; the file has ${source.size - end} bytes too many`,
    );
  }
  return { tensors: new Map(found.map((tensor) => [tensor.name, tensor])), metadata };
}

function checkMetadata(entry: unknown, file: string): Record<string, string> {
  if (!isObject(entry) || !Object.values(entry).every((value) => typeof value === "string")) {
    throw new LlariatError("checkpoint", `${file}: __metadata__: got ${show(entry)}, needed an object of strings`);
  }
  return { ...(entry as Record<string, string>) };
}

function checkEntry(name: string, entry: unknown, source: ByteSource, dataStart: number): StoredTensor {
  const bad = (rest: string) => new LlariatError("checkpoint", `${source.name}: ${short(name)}: ${rest}`);
  if (!isObject(entry)) throw bad(`got ${show(entry)}, needed { dtype, shape, data_offsets }`);
  for (const key of Object.keys(entry)) {
    if (key !== "dtype" && key !== "shape" && key !== "data_offsets") {
      throw bad(`got the key ${show(key)}, needed only dtype, shape and data_offsets`);
    }
  }
  const { dtype, shape, data_offsets: offsets } = entry;
  if (typeof dtype !== "string" || !Object.hasOwn(BITS, dtype)) {
    throw bad(`got dtype ${show(dtype)}, needed one of ${Object.keys(BITS).join(" ")}`);
  }
  if (!Array.isArray(shape) || shape.length > MAX_DIMENSIONS || !shape.every(isSize)) {
    throw bad(`got shape ${show(shape)}, needed a list of at most ${MAX_DIMENSIONS} non-negative integers`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isSize) || offsets[0] > offsets[1]) {
    throw bad(`got data_offsets ${show(offsets)}, needed [start, end] with 0 ≤ start ≤ end`);
  }
  const [start, end] = [dataStart + offsets[0], dataStart + offsets[1]];
  if (end > source.size) {
    throw bad(
      `got data up to byte ${end}, needed at most the file's ${source.size} bytes; the file is truncated or its offsets are wrong`,
    );
  }
  // BigInt: sizes from a file may multiply to anything, and 2⁵³ + 1 must not pass as 2⁵³.
  const bits = shape.reduce((product, size) => product * BigInt(size), BigInt(BITS[dtype as StoredDType]));
  if (bits !== BigInt(end - start) * 8n) {
    throw bad(
      `got ${end - start} bytes of data, needed ${bits % 8n ? `${bits} bits` : bits / 8n} for ${dtype} ${show(shape)}`,
    );
  }
  return { name, dtype: dtype as StoredDType, shape, start, end, source };
}

/** The formats a weight may be stored in, by the name the kernels use; undefined for every other dtype. */
export const floatKind = (dtype: StoredDType): FloatKind | undefined =>
  dtype === "F32" ? "f32" : dtype === "F16" ? "f16" : dtype === "BF16" ? "bf16" : undefined;

/** Throws LlariatError "checkpoint" for a tensor with strides. */
export function checkRowMajor({ name, shape, strides, source }: StoredTensor): void {
  if (strides === undefined) return;
  throw new LlariatError(
    "checkpoint",
    `${source.name}: ${name}: got ${show(shape)} with strides ${show(strides)}, needed it row-major; save it again after .contiguous()`,
  );
}

/** What a tensor's elements become in memory: f16 and bf16 are widened to f32, the integer types stay. */
export type TensorData = Float32Array | Float64Array | Int32Array | BigInt64Array | Uint8Array;

/**
 * One whole tensor in memory, freshly allocated: for small tensors and tests (weights are streamed, src/model/stream.ts).
 * F16 and BF16 widen to Float32Array. Throws LlariatError "checkpoint" for a dtype with no TensorData, and for strides.
 */
export async function readTensor(tensor: StoredTensor, signal?: AbortSignal): Promise<TensorData> {
  checkAborted(signal, `reading ${tensor.name}`);
  checkRowMajor(tensor);
  const bytes = new Uint8Array(await tensor.source.read(tensor.start, tensor.end, signal)); // a copy, so aligned
  switch (tensor.dtype) {
    case "F32":
      return new Float32Array(bytes.buffer);
    case "F64":
      return new Float64Array(bytes.buffer);
    case "I32":
      return new Int32Array(bytes.buffer);
    case "I64":
      return new BigInt64Array(bytes.buffer);
    case "U8":
    case "BOOL":
      return bytes;
    case "F16":
    case "BF16": {
      const out = new Float32Array(bytes.byteLength / 2);
      (tensor.dtype === "F16" ? widenF16 : widenBF16)(new Uint16Array(bytes.buffer), out);
      return out;
    }
    default:
      throw new LlariatError(
        "checkpoint",
        `${tensor.name}: got dtype ${tensor.dtype}, needed F32, F64, F16, BF16, I32, I64, U8 or BOOL`,
      );
  }
}

/** Every tensor of one file in memory, by name: `(await readTensors(source)).logits.data`. Throws as its parts do. */
export async function readTensors(
  source: ByteSource,
): Promise<Record<string, { dtype: StoredDType; shape: readonly number[]; data: TensorData }>> {
  const out: Record<string, { dtype: StoredDType; shape: readonly number[]; data: TensorData }> = Object.create(null);
  for (const tensor of (await readHeader(source)).tensors.values()) {
    out[tensor.name] = { dtype: tensor.dtype, shape: tensor.shape, data: await readTensor(tensor) };
  }
  return out;
}
