// A sink for weights that keeps them, and the comparison of what arrived with the files.
import * as assert from "uvu/assert";
import { type Matrix, stride, type Tensor, tensorBytes } from "../../kernels/index.ts";
import type { FileSet } from "../../src/checkpoint/bytes.ts";
import { openCheckpoint } from "../../src/model/checkpoint.ts";
import type { Checkpoint } from "../../src/model/checkpoint.ts";
import { widen } from "../../kernels/formats/floats.ts";
import type { FloatKind } from "../../kernels/formats/floats.ts";
import { readTensor } from "../../src/checkpoint/safetensors.ts";
import { loadWeights } from "../../src/model/weights.ts";
import type { Weights, WeightSink } from "../../src/model/weights.ts";

/** No limit that a test reaches. */
export const LARGE = 2 ** 31;

/** A sink that keeps everything and checks the contract of every call. */
export class Keep implements WeightSink {
  readonly maxBindingBytes: number;
  readonly buffers = new Map<string, Uint8Array>();
  constructor(maxBindingBytes = LARGE) {
    this.maxBindingBytes = maxBindingBytes;
  }
  create(tensor: Tensor): void {
    assert.not(this.buffers.has(tensor.name), `${tensor.name} created twice`);
    assert.ok(tensorBytes(tensor) <= this.maxBindingBytes, `${tensor.name} is larger than a binding`);
    this.buffers.set(tensor.name, new Uint8Array(tensorBytes(tensor)));
  }
  write(tensor: Tensor, byteOffset: number, data: Uint8Array): void {
    if (byteOffset % 4 || data.length % 4) assert.unreachable(`${tensor.name}: ${data.length} bytes at ${byteOffset}`);
    this.buffers.get(tensor.name)!.set(data, byteOffset); // throws beyond the end
  }
  /** The elements of a tensor as f32, without padding; fails if the padding is not zero. */
  values(tensor: Tensor): Float32Array {
    const bytes = this.buffers.get(tensor.name)!;
    const columns = tensor.shape.at(-1)!;
    const rows = tensor.shape.length > 1 ? tensor.shape[0] : 1;
    const all = new Float32Array(rows * stride(columns));
    widen(tensor.dtype as FloatKind, bytes, all);
    const out = new Float32Array(rows * columns);
    for (let row = 0; row < rows; row++) {
      const at = row * stride(columns);
      out.set(all.subarray(at, at + columns), row * columns);
      if (all.subarray(at + columns, at + stride(columns)).some((pad) => pad !== 0))
        assert.unreachable(`${tensor.name}: padding of row ${row}`);
    }
    return out;
  }
}

const join32 = (parts: readonly Float32Array[]) => {
  const out = new Float32Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.length;
  }
  return out;
};

/** Compares everything in the sink, by bits, with direct reads of the files; returns the number of values. */
export async function compare(checkpoint: Checkpoint, weights: Weights, sink: Keep): Promise<number> {
  let count = 0;
  const seen = new Set<string>();
  const stored = async (names: string[]) => {
    const tensors = names.map((name) => checkpoint.tensors.get(name)!);
    return {
      tensors,
      values: join32(await Promise.all(tensors.map(async (t) => (await readTensor(t)) as Float32Array))),
    };
  };
  const same = (label: string, got: Float32Array, want: Float32Array) => {
    assert.is(got.length, want.length, label);
    const [a, b] = [new Uint32Array(got.buffer), new Uint32Array(want.buffer)];
    for (let i = 0; i < a.length; i++)
      if (a[i] !== b[i]) assert.unreachable(`${label}[${i}]: ${got[i]} instead of ${want[i]}`);
    count += got.length;
  };
  const matrix = async (label: string, { name, rows, columns, format, pieces }: Matrix, names: string[]) => {
    const { tensors, values } = await stored(names);
    assert.is(name, label);
    assert.is(
      rows,
      tensors.reduce((sum, { shape }) => sum + shape[0], 0),
      label,
    );
    assert.is(columns, tensors[0].shape[1], label);
    const kinds = new Set(tensors.map(({ dtype }) => dtype.toLowerCase()));
    assert.is(format.name, kinds.size === 1 ? [...kinds][0] : "f32", label);
    let firstRow = 0;
    for (const [i, { tensors: parts, rows: tall, firstRow: at }] of pieces.entries()) {
      assert.equal(Object.keys(parts), ["weight"], label);
      const tensor = parts.weight;
      seen.add(tensor.name);
      assert.is(at, firstRow, tensor.name);
      assert.is(tensor.name, pieces.length > 1 ? `${label}#${i}` : label);
      assert.is(tensor.dtype, format.name, tensor.name);
      assert.equal(tensor.shape, [tall, columns]);
      if (i < pieces.length - 1 && sink.maxBindingBytes >= 4 * tensorBytes({ ...tensor, shape: [1, columns] })) {
        assert.is(tall % 4, 0, `${tensor.name} has ${tall} rows`);
      }
      firstRow += tall;
    }
    assert.is(firstRow, rows, label);
    same(label, join32(pieces.map(({ tensors: parts }) => sink.values(parts.weight))), values);
  };
  const vector = async (label: string, tensor: Tensor | undefined, names: string[]) => {
    if (!checkpoint.tensors.has(names[0])) return void assert.is(tensor, undefined, label);
    const { values } = await stored(names);
    assert.equal(tensor, { name: label, dtype: "f32", shape: [values.length] });
    seen.add(label);
    same(label, sink.values(tensor!), values);
  };
  await matrix("embed", weights.embed, ["model.embed_tokens.weight"]);
  if (checkpoint.tied) assert.is(weights.head, weights.embed);
  else await matrix("head", weights.head, ["lm_head.weight"]);
  await vector("norm", weights.norm, ["model.norm.weight"]);
  assert.is(weights.layers.length, checkpoint.config.layers);
  for (const [i, layer] of weights.layers.entries()) {
    const names = (parts: string, kind: string) => parts.split(" ").map((part) => `model.layers.${i}.${part}.${kind}`);
    const at = `layers.${i}`;
    await vector(`${at}.inputNorm`, layer.inputNorm, names("input_layernorm", "weight"));
    await vector(`${at}.postNorm`, layer.postNorm, names("post_attention_layernorm", "weight"));
    await vector(`${at}.headNorm`, layer.headNorm, names("self_attn.q_norm self_attn.k_norm", "weight"));
    const fused = checkpoint.config.family === "phi3"; // in the files already
    for (const [key, parts] of [
      ["qkv", fused ? "self_attn.qkv_proj" : "self_attn.q_proj self_attn.k_proj self_attn.v_proj"],
      ["o", "self_attn.o_proj"],
      ["gateUp", fused ? "mlp.gate_up_proj" : "mlp.gate_proj mlp.up_proj"],
      ["down", "mlp.down_proj"],
    ] as const) {
      await matrix(`${at}.${key}`, layer[key], names(parts, "weight"));
      await vector(`${at}.${key}Bias`, layer[`${key}Bias`], names(parts, "bias"));
    }
  }
  assert.equal([...seen].toSorted(), [...sink.buffers.keys()].toSorted(), "tensors nobody asked for");
  assert.is(
    weights.bytes,
    [...sink.buffers.values()].reduce((sum, bytes) => sum + bytes.length, 0),
  );
  return count;
}

/** Opens, loads and compares; every parameter must arrive exactly once. */
export async function check(files: FileSet, maxBindingBytes = LARGE): Promise<number> {
  const checkpoint = await openCheckpoint(files);
  const sink = new Keep(maxBindingBytes);
  const count = await compare(checkpoint, await loadWeights(checkpoint, sink), sink);
  assert.is(count, checkpoint.parameters, "every parameter exactly once");
  return count;
}
