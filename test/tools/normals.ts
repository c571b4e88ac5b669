// normals.ts — safetensors files of normal numbers, made as they are read. Every 64 KiB block of a tensor is drawn from a
// generator keyed by (seed, tensor, block): any range can be made without the rest, and always holds the same bytes.

import { ELEMENT_BYTES, type Tensor } from "../../kernels/dispatch.ts";
import { byteSource } from "../../src/checkpoint/bytes.ts";
import type { ByteSource } from "../../src/checkpoint/bytes.ts";
import { narrowBF16, narrowF16 } from "../../kernels/formats/floats.ts";
import type { FloatKind } from "../../kernels/formats/floats.ts";

/** A safetensors file to be made: header bytes, then tensors back to back. */
export interface RandomFile {
  readonly head: Uint8Array;
  readonly size: number;
  readonly tensors: readonly RandomTensor[];
}

/** Normal numbers of this mean and deviation in bytes `start` to `end` of the file. */
export interface RandomTensor {
  readonly name: string;
  readonly kind: FloatKind;
  readonly shape: readonly number[];
  readonly mean: number;
  readonly deviation: number;
  start: number;
  end: number;
}

const BLOCK_BYTES = 65_536;

/** The bytes of one file by range; memory for one block. */
export function randomSource(name: string, file: RandomFile, seed: number): ByteSource {
  const block = new Uint32Array(BLOCK_BYTES / 4);
  const blockBytes = new Uint8Array(block.buffer);
  return byteSource(name, file.size, async (start, end, room) => {
    const target = room();
    if (start < file.head.length) target.set(file.head.subarray(start, end));
    for (const tensor of file.tensors) {
      if (tensor.end <= start || tensor.start >= end) continue;
      const [from, to] = [Math.max(start, tensor.start), Math.min(end, tensor.end)];
      const first = Math.floor((from - tensor.start) / BLOCK_BYTES);
      const last = Math.floor((to - 1 - tensor.start) / BLOCK_BYTES);
      const key = hash(`${seed}:${tensor.name}`);
      for (let i = first; i <= last; i++) {
        fillBlock(block, tensor, key, i);
        const at = tensor.start + i * BLOCK_BYTES;
        const [low, high] = [Math.max(from, at), Math.min(to, at + BLOCK_BYTES)];
        target.set(blockBytes.subarray(low - at, high - at), low - start);
      }
    }
    return target;
  });
}

/**
 * Normal numbers of mean 0 for a whole tensor, as its buffer holds them; always the same for the same name and shape.
 * Throws where rows have padding: a benchmark's shapes have none.
 */
export function randomBytes(tensor: Tensor, deviation: number, seed = 1): Uint8Array<ArrayBuffer> {
  const { name, dtype, shape } = tensor;
  if (dtype === "u32" || dtype === "q8" || shape.at(-1)! % 4 !== 0)
    throw new Error(`${name}: no random ${dtype} rows of ${shape.at(-1)}`);
  const bytes = shape.reduce((product, n) => product * n, ELEMENT_BYTES[dtype]);
  const out = new Uint8Array(bytes);
  const key = hash(`${seed}:${name}`);
  const whole: RandomTensor = { name, kind: dtype, shape, mean: 0, deviation, start: 0, end: bytes };
  const block = new Uint32Array(BLOCK_BYTES / 4);
  for (let at = 0; at < bytes; at += BLOCK_BYTES) {
    fillBlock(block, whole, key, at / BLOCK_BYTES);
    out.set(new Uint8Array(block.buffer, 0, Math.min(BLOCK_BYTES, bytes - at)), at);
  }
  return out;
}

/** sfc32 (Chris Doty-Humphrey, PractRand), seeded per block: 32 random bits per word. */
function draw(block: Uint32Array, key: number, index: number): void {
  let [a, b, c] = [key, index, 0x9e37_79b9 | 0]; // 32-bit integers from the start: doubles are slower
  for (let i = -12, counter = 1; i < block.length; i++, counter++) {
    const sum = (((a + b) | 0) + counter) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = (((c << 21) | (c >>> 11)) + sum) | 0;
    if (i >= 0) block[i] = sum; // the first 12 are its author's warm-up
  }
}

/** One block of a tensor: every 32-bit draw picks two normal numbers from a table. */
function fillBlock(block: Uint32Array, tensor: RandomTensor, key: number, index: number): void {
  draw(block, key, index);
  const table = tableOf(tensor);
  if (table instanceof Float32Array) {
    const values = new Float32Array(block.buffer);
    const scale = tensor.deviation * Math.SQRT1_2; // the sum of two draws of variance 1 has variance 2, and 2³² values
    for (let i = 0; i < block.length; i++) {
      values[i] = tensor.mean + (table[block[i] & 0xffff] + table[block[i] >>> 16]) * scale;
    }
  } else {
    for (let i = 0; i < block.length; i++) block[i] = table[block[i] & 0xffff] | (table[block[i] >>> 16] << 16);
  }
}

const tables = new Map<string, Uint16Array | Float32Array>();

/** 65,536 normal numbers: as f32 of deviation 1, or as 16-bit patterns with mean and deviation applied. */
function tableOf({ kind, mean, deviation }: RandomTensor): Uint16Array | Float32Array {
  const key = kind === "f32" ? kind : `${kind} ${mean} ${deviation}`;
  let table = tables.get(key);
  if (!table) {
    const narrow = kind === "f16" ? narrowF16 : narrowBF16;
    table = kind === "f32" ? normals() : Uint16Array.from(normals(), (value) => narrow(mean + value * deviation));
    tables.set(key, table);
  }
  return table;
}

/** Quantiles of the normal distribution at (i + ½)/65536: dx/dp = 1/φ(x), integrated outwards from the middle. */
function normals(): Float32Array {
  const out = new Float32Array(65_536);
  let x = 0;
  for (let i = 32_768; i < 65_536; i++) {
    const step = i === 32_768 ? 0.5 / 65_536 : 1 / 65_536;
    x += step / density(x + step / 2 / density(x)); // the midpoint rule
    out[i] = x;
    out[65_535 - i] = -x;
  }
  return out;
}

const density = (x: number) => Math.exp((-x * x) / 2) / Math.sqrt(2 * Math.PI);

/** FNV-1a, 32 bits. */
function hash(text: string): number {
  let h = 0x811c_9dc5;
  for (let i = 0; i < text.length; i++) h = Math.imul(h ^ text.charCodeAt(i), 0x0100_0193);
  return h;
}
