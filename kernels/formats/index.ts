// formats/index.ts — the weight formats by name. A format is a pair of files and a line here.

import { bf16 } from "./bf16.ts";
import { f16 } from "./f16.ts";
import { f32 } from "./f32.ts";
import { q4_0 } from "./q4_0.ts";
import { q8_0 } from "./q8_0.ts";

export { type BlockFormat } from "./blocks.ts";
export { type Format, type Matrix, type Piece, matrixOf, rowStride } from "./format.ts";

/** Every weight format. The kinds of floats that checkpoints store are formats of the same name. */
export const formats = { f32, f16, bf16, q8_0, q4_0 } as const;

/** The name of a weight format. */
export type FormatName = keyof typeof formats;

/** Whether a format of this name is one of whole numbers in blocks that share a scale (blocks.ts). */
export const isOfBlocks = (name: string | undefined): boolean => name === "q8_0" || name === "q4_0";
