// checkpoint.ts — mutations of what reads a checkpoint: the safetensors header, shards, and weights on their way to the GPU.
import { type Mutation, of } from "./mutation.ts";

const HEADER = ["checkpoint/safetensors", "checkpoint/damaged"];
const SHARDS = ["model/checkpoint", "checkpoint/damaged"];
const STREAM = ["model/weights-stream", "model/weights"];

/** What must not pass when a file is hostile, and no value may be lost on its way. */
export const checkpoint: readonly Mutation[] = [
  ...of("src/checkpoint/safetensors.ts", HEADER, [
    ["header: longer than the file", "headerBytes > BigInt(source.size - 8) || ", ""],
    ["header: bytes that are not UTF-8", '"utf-8", { fatal: true, ignoreBOM: true }', '"utf-8", { ignoreBOM: true }'],
    ["header: gaps between tensors", "if (tensor.start !== end) {", "if (tensor.start < end) {"],
    ["header: tensors that overlap", "if (tensor.start !== end) {", "if (tensor.start > end) {"],
    ["header: bytes after the last tensor", "if (end !== source.size) {", "if (end > source.size) {"],
    ["header: data beyond the file", "if (end > source.size) {\n", "if (end > 2 * source.size) {\n"],
    ["header: a dtype named like a method", "!Object.hasOwn(BITS, dtype)", "!(dtype in BITS)"],
    ["header: sizes beyond 2^53", "bits !== BigInt(end - start) * 8n", "Number(bits) !== (end - start) * 8"],
    ["header: shapes not compared with the bytes", "bits !== BigInt(end - start) * 8n", "bits % 8n !== 0n"],
    ["header: negative sizes", "Number.isSafeInteger(value) && (value as number) >= 0", "Number.isSafeInteger(value)"],
    ["header: any number of dimensions", "shape.length > MAX_DIMENSIONS ||", ""],
    ["header: further keys", 'if (key !== "dtype" && key !== "shape"', 'if (key === "" && key !== "dtype" && key !== "shape"'],
    ["read: at the place where it happens to lie", "new Uint8Array(await tensor.source.read(tensor.start, tensor.end, signal))", "await tensor.source.read(tensor.start, tensor.end, signal)"],
    ["read: F16 taken for BF16", 'tensor.dtype === "F16" ? widenF16 : widenBF16', 'tensor.dtype === "BF16" ? widenF16 : widenBF16'],
  ]),
  ...of("src/checkpoint/shards.ts", SHARDS, [
    ["shards: a path out of the folder", 'typeof shard !== "string" || !isPlainName(shard) ||', 'typeof shard !== "string" ||'],
    ["shards: a tensor the index does not know", "!names.has(name) && !isLegacy(name)", "name === \"\" && !isLegacy(name)"],
  ]),
  ...of("src/checkpoint/bytes.ts", ["checkpoint/bytes", "model/weights-stream"], [
    ["bytes: a range past the end", " && end <= source.size)", ")"],
    ["bytes: a short read", "if (got.byteLength !== end - start) throw", "if (got.byteLength > end - start) throw"],
    ["bytes: what the source did not read in place is lost", "target.set(got);", "target.set(got.subarray(0, 0));"],
  ]),
  ...of("kernels/formats/floats.ts", ["kernels/floats", "model/weights-stream"], [
    ["floats: bf16 cut instead of rounded", "(bits + 0x7fff + ((bits >>> 16) & 1)) >>> 16", "bits >>> 16"],
    ["floats: a tie of bf16 always up", "0x7fff + ((bits >>> 16) & 1)", "0x8000"],
    ["floats: f16 has no subnormals", "size < 2 ** -14 ? -14 :", "size === 0 ? -14 :"],
    ["floats: the last odd element is not looked at", "(count + 1) >> 1", "count >> 1"],
    ["floats: NaN only in upper halves of f16", "0x7c00_7c00 : 0x7f80_7f80", "0x7c00_0000 : 0x7f80_7f80"],
    ["floats: the wrong half is named", "(hit & 0x8000 ? 0 : 1)", "(hit & 0x8000 ? 1 : 0)"],
  ]),
  ...of("src/model/families.ts", ["model/config", "model/checkpoint", "model/weights"], [
    ["families: a window of Mistral's is overlooked", 'fields.all["sliding_window"] !== null', 'fields.get("sliding_window") !== undefined'],
    ["families: a window of Qwen2's is overlooked", 'if (fields.flag("use_sliding_window"))', 'if (fields.flag("use_sliding_window") && false)'],
    ["families: Qwen3's head as wide as Llama's", "headDim: 128,", ""],
    ["families: a bias on Qwen2's o", "{ qkvBias: true, oBias: false, mlpBias: false }", "{ qkvBias: true, oBias: true, mlpBias: false }"],
    ["families: no bias on Qwen2's q, k and v", "{ qkvBias: true, oBias: false, mlpBias: false }", "{ qkvBias: false, oBias: false, mlpBias: false }"],
    ["families: Llama's attention bias without o", "oBias: attention,", "oBias: attention && false,"],
    ["families: k and v change places", '["self_attn.k_proj", "kv"],\n        ["self_attn.v_proj", "kv"],', '["self_attn.v_proj", "kv"],\n        ["self_attn.k_proj", "kv"],'],
    ["families: up before gate", '["mlp.gate_proj", "hidden"],\n        ["mlp.up_proj", "hidden"],', '["mlp.up_proj", "hidden"],\n        ["mlp.gate_proj", "hidden"],'],
  ]),
  ...of("src/model/config.ts", ["model/config"], [
    ["config: any architecture of the type", "if (found) return found;", "return found ?? possible[0];"],
    ["config: the context of Llama for all", "?? family.maxPositions", "?? 2048"],
  ]),
  ...of("src/model/match.ts", SHARDS, [
    ["match: tensors nobody asked for", "if (extra.length) {", "if (extra.length > 1e9) {"],
    ["match: shapes not compared", "tensor.shape.some((size, i) => size !== shape[i])", "tensor.shape.some(() => false)"],
    ["match: a tied head kept twice", "tensors.delete(HEAD);", ""],
    ["match: ties without looking at the values", "if (x.bits[i] !== y.bits[i]) return false;", "if (i < 0) return false;"],
  ]),
  ...of("src/model/weights.ts", STREAM, [
    ["weights: every chunk from the beginning", "source.start + (firstRow + row) * stored,", "source.start + firstRow * stored,"],
    ["weights: every chunk to the beginning", "byte: (targetRow + row) * rowBytes[name]", "byte: targetRow * rowBytes[name]"],
    ["weights: pieces of any height", "most < 4 ? most : most - (most % 4)", "most"],
    ["weights: the format of the first part", 'formats[kinds.size === 1 ? kind : "f32"]', "formats[kind]"],
    ["weights: parts of a vector over each other", "byte: 4 * first,", "byte: 0 * first,"],
  ]),
  ...of("src/model/stream.ts", STREAM, [
    ["stream: the first element may be NaN", "if (bad >= 0) throw", "if (bad > 0) throw"],
    ["stream: half a word of the chunk before", "if (length % 4 !== 0) stored.fill(0, length, length + 2);", ""],
    ["stream: padding of rows that are kept", "weight.fill(0, row * rowBytes + width, (row + 1) * rowBytes);", ""],
    ["stream: rows that are kept without stride", "row * rowBytes);\n", "row * width);\n"],
    ["stream: every row packed over the first", "format.pack(values, out, row)", "format.pack(values, out, 0 * row)"],
    ["stream: tensors made anew for every run", "if (!created.has(tensor)) sink.create(tensor);", "sink.create(tensor);"],
    ["stream: progress of what was uploaded", "loadedBytes += storedBytes(job);", "loadedBytes += job.rows * job.wide * 4;"],
  ]),
]; // prettier-ignore
