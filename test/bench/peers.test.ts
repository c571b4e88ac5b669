// The writers of the peers' files: GGUF read back and ONNX taken apart, on a checkpoint of two layers. No peer is needed.
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { interleaved, writeGguf } from "../../bench/peers/gguf.ts";
import { writeOnnx } from "../../bench/peers/onnx.ts";
import { nibbles, q4_0, q8_0 } from "../../bench/peers/quantise.ts";
import { openSource } from "../../bench/peers/source.ts";
import { widenF16 } from "../../kernels/formats/floats.ts";
import { formats } from "../../kernels/index.ts";
import { SHAPES, randomFiles } from "../tools/checkpoint.ts";
import { byteLevelTokenizer } from "../tools/bytelevel.ts";
import { normal } from "../tools/random.ts";

const test = suite("bench/peers");

const SHAPE = { ...SHAPES["tiny"], dim: 64, heads: 4, kvHeads: 2, headDim: 16, hidden: 96, vocab: 320, tied: true };
const folder = mkdtempSync(join(tmpdir(), "llariat-peers-"));
test.after(() => rmSync(folder, { recursive: true, force: true }));

const half = (bits: number): number => {
  const out = new Float32Array(1);
  widenF16(Uint16Array.of(bits), out);
  return out[0];
};

/** ggml's blocks as numbers. */
function widened(kind: "q4_0" | "q8_0", bytes: Uint8Array): number[] {
  const size = kind === "q4_0" ? 18 : 34;
  const out: number[] = [];
  for (let at = 0; at < bytes.length; at += size) {
    const d = half(bytes[at] | (bytes[at + 1] << 8));
    const block = bytes.subarray(at + 2, at + size);
    const codes =
      kind === "q4_0"
        ? [...block].map((byte) => (byte & 15) - 8).concat([...block].map((byte) => (byte >> 4) - 8))
        : [...new Int8Array(block)];
    out.push(...codes.map((code) => code * d + 0)); // no −0
  }
  return out;
}

test("blocks hold the numbers of our own formats, in ggml's layout", () => {
  const next = normal(3);
  const row = Float32Array.from({ length: 256 }, (_, i) => (i >= 64 && i < 96 ? 0 : next()));
  for (const [kind, pack] of [
    ["q4_0", q4_0],
    ["q8_0", q8_0],
  ] as const) {
    const format = formats[kind];
    const bytes = Object.fromEntries(
      Object.entries(format.rowBytes(256)).map(([name, n]) => [name, new Uint8Array(n)]),
    );
    format.pack(row, bytes, 0);
    const ours = new Float32Array(256);
    format.unpack(bytes, 0, ours);
    assert.equal(
      widened(kind, pack(row)),
      [...ours].map((value) => value + 0),
      kind,
    );
  }
  const { codes, scales } = nibbles(row);
  for (let i = 0; i < 256; i++) {
    const value = (((codes[i >> 1] >> (4 * (i & 1))) & 15) - 8) * scales[i >> 5];
    assert.ok(Math.abs(value - row[i]) <= Math.abs(scales[i >> 5]) * 1.001, `element ${i}`);
  }
});

test("rows of a head are interleaved: its halves become pairs", () => {
  const rows = Float32Array.from({ length: 16 }, (_, i) => i); // 2 heads of 4 rows of 2
  assert.equal([...interleaved(rows, 2, 2)], [0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15]);
});

/** A GGUF file's values and tensors, read by the format's description. */
function readGguf(bytes: Buffer) {
  let at = 0;
  const u32 = (): number => bytes.readUInt32LE((at += 4) - 4);
  const u64 = (): number => Number(bytes.readBigUInt64LE((at += 8) - 8));
  const string = (): string => {
    const length = u64();
    return bytes.toString("utf8", at, (at += length));
  };
  const value = (type: number): unknown => {
    if (type === 4 || type === 5) return u32();
    if (type === 6) return bytes.readFloatLE((at += 4) - 4);
    if (type === 7) return bytes[at++] === 1;
    if (type === 8) return string();
    assert.is(type, 9);
    const of = u32();
    return Array.from({ length: u64() }, () => value(of));
  };
  assert.is(bytes.toString("latin1", 0, (at = 4)), "GGUF");
  assert.is(u32(), 3);
  const [tensors, values] = [u64(), u64()];
  const meta = new Map(Array.from({ length: values }, () => [string(), value(u32())] as const));
  const infos = new Map(
    Array.from({ length: tensors }, () => {
      const name = string();
      const dims = Array.from({ length: u32() }, u64);
      return [name, { dims, type: u32(), offset: u64() }] as const;
    }),
  );
  const start = Math.ceil(at / 32) * 32;
  return {
    meta,
    infos,
    data: (offset: number, length: number) => bytes.subarray(start + offset, start + offset + length),
  };
}

test("a GGUF file has every tensor where it says, under llama.cpp's names", async () => {
  const source = await openSource(randomFiles({ shape: SHAPE, dtype: "f16" }));
  const file = join(folder, "m.gguf");
  await writeGguf(file, source, byteLevelTokenizer(SHAPE.vocab)!(), "q4_0");
  const { meta, infos, data } = readGguf(readFileSync(file));
  assert.is(meta.get("llama.attention.head_count_kv"), 2);
  assert.is((meta.get("tokenizer.ggml.tokens") as string[]).length, 320);
  assert.is(infos.size, 2 + 9 * 2);
  const down = infos.get("blk.1.ffn_down.weight")!;
  assert.equal([down.dims, down.type], [[96, 64], 2]);
  const values = await source.read("model.layers.1.mlp.down_proj.weight");
  assert.equal(data(down.offset, (96 * 64 * 18) / 32), Buffer.from(q4_0(values)));
  const embed = infos.get("token_embd.weight")!;
  assert.equal([embed.dims, embed.type], [[64, 320], 8]);
  const norm = infos.get("output_norm.weight")!;
  assert.equal([norm.dims, norm.type], [[64], 0]);
  const q = infos.get("blk.0.attn_q.weight")!;
  const turned = interleaved(await source.read("model.layers.0.self_attn.q_proj.weight"), 4, 64);
  assert.equal(data(q.offset, (64 * 64 * 18) / 32), Buffer.from(q4_0(turned)));
});

/** The fields of a protobuf message: numbers and bytes. */
function fields(bytes: Uint8Array): [number, number | Uint8Array][] {
  const out: [number, number | Uint8Array][] = [];
  let at = 0;
  const varint = (): number => {
    let [value, shift] = [0, 1];
    for (;;) {
      const byte = bytes[at++];
      value += (byte & 127) * shift;
      if (byte < 128) return value;
      shift *= 128;
    }
  };
  while (at < bytes.length) {
    const key = varint();
    if (key % 8 === 0) out.push([key >> 3, varint()]);
    else if (key % 8 === 5) out.push([key >> 3, bytes.subarray(at, (at += 4))]);
    else {
      const length = varint();
      out.push([key >> 3, bytes.subarray(at, (at += length))]);
    }
  }
  return out;
}
const all = (message: Uint8Array, number: number): Uint8Array[] =>
  fields(message).flatMap(([each, value]) => (each === number && typeof value !== "number" ? [value] : []));
const texts = (message: Uint8Array, number: number): string[] =>
  all(message, number).map((each) => Buffer.from(each).toString());

test("an ONNX graph uses nothing that is not made before, and its weights are where it says", async () => {
  const source = await openSource(randomFiles({ shape: SHAPE, dtype: "f16" }));
  for (const int4 of [false, true]) {
    const file = join(folder, `m-${int4}.onnx`);
    await writeOnnx(file, source, { io: "f32", int4 });
    const [graph] = all(readFileSync(file), 7);
    const data = readFileSync(`${file}.data`);
    const constants = new Map(all(graph, 5).map((each) => [texts(each, 8)[0], each]));
    const known = new Set(["", ...constants.keys(), ...all(graph, 11).flatMap((each) => texts(each, 1))]);
    const kinds = new Map<string, number>();
    for (const node of all(graph, 1)) {
      for (const input of texts(node, 1)) assert.ok(known.has(input), `${texts(node, 3)[0]} uses ${input}`);
      for (const output of texts(node, 2)) known.add(output);
      const [kind] = texts(node, 4);
      kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
    }
    assert.is(kinds.get(int4 ? "MatMulNBits" : "MatMul"), 2 * 5 + 1);
    assert.is(kinds.get("GroupQueryAttention"), 2);
    for (const output of all(graph, 12).flatMap((each) => texts(each, 1))) assert.ok(known.has(output), output);
    if (int4) continue;
    const down = constants.get("down.1.w")!;
    const where = Object.fromEntries(all(down, 13).map((each) => [texts(each, 1)[0], texts(each, 2)[0]]));
    assert.equal(
      fields(down).flatMap(([number, value]) => (number === 1 ? [value] : [])),
      [96, 64],
    );
    const bytes = data.subarray(Number(where["offset"]), Number(where["offset"]) + Number(where["length"]));
    const stored = new Float32Array(new Uint8Array(bytes).buffer);
    const values = await source.read("model.layers.1.mlp.down_proj.weight"); // [64, 96]
    assert.ok(stored.every((value, i) => value === values[(i % 64) * 96 + Math.floor(i / 64)]));
  }
});

test.run();
