// format.ts — what a weight format is. Its host half is kernels/formats/F.ts, its WGSL half F.wgsl beside it:
//   const BLOCK4 = …u;                                        vec4 of weights that are multiplied at a time
//   fn weight4(i: u32) -> vec4f                               four weights, vec4 i of the piece
//   fn dot_block(i: u32, v: array<vec4f, BLOCK4>) -> f32      v · block i of the piece: Σ over BLOCK4 vec4
// of whole numbers that share a scale, with BLOCK4 8, also (matvec_shuffle.wgsl reads a block once for all that it is needed for)
//   fn read_block(i: u32)                                     the words of block i of the piece, of a type of its own
//   fn block4(block, j: u32) -> vec4f                         whole numbers 4·j … 4·j + 3 of them
//   fn block_scale(i: u32) -> f32                             what those of block i are multiplied by
// and the declarations of its tensors: group 1, bindings from 8 on, but 9, which is the bias.

import { LlariatError } from "../../src/error.ts";
import type { Tensor } from "../dispatch.ts";
import type { PartName } from "../wgsl.ts";

/** How the weights of a matrix lie in memory, and how they get there. */
export interface Format {
  /** Its key in the table (index.ts) and the name of its two files. */
  readonly name: string;
  /** Its WGSL half. */
  readonly part: PartName;
  /** Elements along k that are packed together: a multiple of 4 and of 4 · BLOCK4. Rows start on multiples of it. */
  readonly block: number;
  /** Columns that a workgroup of matvec makes of it (matvec.ts). */
  readonly matvecColumns: 4 | 8;
  /** What the kernel `quantize` is linked with to pack rows on the device (quantize.ts); without it the host packs them. */
  readonly packing?: PartName;
  /** Largest absolute value that it can hold; without it that of f32. */
  readonly largest?: number;
  /** What a piece of [rows, columns] is made of, by the names that the WGSL half declares. Rows follow each other without gap. */
  tensors(name: string, rows: number, columns: number): Readonly<Record<string, Tensor>>;
  /** Bytes of one row in each of the tensors; multiples of 4. */
  rowBytes(columns: number): Readonly<Record<string, number>>;
  /** Packs one row, zeros up to a whole block included, as row `at` of the tensors' bytes. */
  pack(row: Float32Array, to: Readonly<Record<string, Uint8Array>>, at: number): void;
  /** The reverse: row `at` as f32, exactly what the kernels multiply with. */
  unpack(from: Readonly<Record<string, Uint8Array>>, at: number, row: Float32Array): void;
}

/** A run of a matrix' rows that one dispatch reads. */
export interface Piece {
  readonly firstRow: number;
  readonly rows: number;
  /** As `Format.tensors` says; a dispatch binds them by these names. */
  readonly tensors: Readonly<Record<string, Tensor>>;
}

/** A weight matrix [rows, columns] as checkpoints store it ([out, in]); rows may be spread over several pieces. */
export interface Matrix {
  readonly name: string;
  readonly rows: number;
  readonly columns: number;
  readonly format: Format;
  /** In order. One piece unless a binding limit forces more. */
  readonly pieces: readonly Piece[];
}

/** Elements from one row of a matrix to the next: whole blocks. */
export const rowStride = ({ block }: Format, columns: number): number => Math.ceil(columns / block) * block;

/** Bindings have at least 128 MiB: a matrix of the largest models has about a hundred pieces. */
const MAX_PIECES = 2 ** 16;

/** A matrix in pieces of `tall` rows, the last one of what is left; where there are several, `#i` follows the name. */
export function matrixOf(format: Format, name: string, rows: number, columns: number, tall = rows): Matrix {
  const count = Math.ceil(rows / tall);
  if (!(count <= MAX_PIECES)) {
    throw new LlariatError("kernel", `matrix ${name}: needs at most ${MAX_PIECES} pieces, got ${count}`);
  }
  const pieces = Array.from({ length: count }, (_, i): Piece => {
    const own = { firstRow: i * tall, rows: Math.min(tall, rows - i * tall) };
    return { ...own, tensors: format.tensors(tall < rows ? `${name}#${i}` : name, own.rows, columns) };
  });
  return { name, rows, columns, format, pieces };
}
