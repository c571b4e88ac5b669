// dispatch.ts — what a kernel binding returns: a plain record, no GPU object in it.
// The same record is executed (src/device/gpu.ts), interpreted in f64 (test/tools/reference.ts), timed (bench/) and unit-tested.

import type { KernelName, PartName } from "./wgsl.ts";

/**
 * Bytes of an element, by storage type. Kernels read 16-bit elements as pairs in u32 (no shader-f16 needed). Of q8, 32 elements
 * and their step take 36 (cache/q8.wgsl); its rows are whole blocks.
 */
export const ELEMENT_BYTES = { f32: 4, u32: 4, f16: 2, bf16: 2, q8: 36 / 32 } as const;

/** How the elements of a tensor lie in its buffer. What weights are made of is their format's matter (formats/format.ts). */
export type DType = keyof typeof ELEMENT_BYTES;

/**
 * A named piece of GPU memory, described without the GPU: the executor owns a buffer per name, the reference an array.
 * `shape` is in elements; every row of a matrix starts on a multiple of four elements (`stride(columns)`), and the
 * elements between `columns` and the stride are zero, so kernels may always read four at a time.
 */
export interface Tensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: readonly number[];
}

/** Size of one step, the only thing a recorded dispatch does not know. The first four are the 16-byte uniform of group 0. */
export interface StepShape {
  /** Token rows in this step. */
  readonly rows: number;
  /** Rows whose logits are wanted. */
  readonly outputs: number;
  /** Rows that stand alone, the first of the step: the unit of decode attention. */
  readonly singles: number;
  /** Runs of neighbouring rows of one sequence, made of the other rows: the unit of prefill attention. */
  readonly tiles: number;
  /** Parts that the longest key/value sequence of a row that stands alone is cut into. */
  readonly splits: number;
  /** Ranges of the rotary table to be written, and the rows of the longest of them. */
  readonly fills: number;
  readonly fillRows: number;
}

/** A WGSL extension; the device feature of the same name must be enabled. */
export type Enable = "subgroups";

/** One kernel call. `bind` maps the variable names of the .wgsl file to tensors; group 0 (the step) is implied. */
export interface Dispatch {
  readonly kernel: KernelName;
  readonly parts: readonly PartName[];
  /** Language extensions that kernel and parts need: one `enable` each, on the first line of the module. */
  readonly enables?: readonly Enable[];
  readonly constants: Readonly<Record<string, number>>;
  /** `const NAME = value;` lines appended to the WGSL: register-array lengths, where an override is refused. */
  readonly lengths?: Readonly<Record<string, number>>;
  readonly bind: Readonly<Record<string, Tensor>>;
  /** One row of the result per output of the step instead of per token row; of kernels that work on either. */
  readonly ofOutputs?: boolean;
  /** How many workgroups along x, y and z a step needs. */
  readonly workgroups: (step: StepShape) => readonly [number, number, number];
}

/** Elements from one row to the next: `columns` rounded up to a multiple of 4, so that vec4 reads are aligned. */
export const stride = (columns: number): number => (columns + 3) & ~3;

/** Bytes of a tensor's buffer: rows padded to four elements, the whole to four bytes. */
export function tensorBytes({ dtype, shape }: Tensor): number {
  const rows = shape.slice(0, -1).reduce((product, n) => product * n, 1);
  return rows * stride(shape[shape.length - 1]) * ELEMENT_BYTES[dtype];
}

/** WebGPU's default maxComputeWorkgroupsPerDimension; larger grids are folded into y. */
export const MAX_WORKGROUPS = 65_535;
