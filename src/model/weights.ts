// weights.ts — which matrices and vectors a checkpoint's tensors become, and every transfer that takes (stream.ts runs them).
// q, k, v are one matrix and gate, up another, so that a step launches fewer kernels; norm weights and biases become f32.
// How a matrix lies in memory is its format's matter (kernels/formats).

import {
  type Format,
  type Matrix,
  type Tensor,
  formats,
  matrixOf,
  rowStride,
  tensorBytes,
} from "../../kernels/index.ts";
import { floatKind } from "../checkpoint/safetensors.ts";
import type { StoredTensor } from "../checkpoint/safetensors.ts";
import { LlariatError } from "../error.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { type NamedTensor, type Slot, families, partsOf } from "./families.ts";
import { type HeldAs, type Quantize, readQuantize } from "./quantize.ts";
import { type Job, type LoadOptions, type WeightSink, storedRowBytes, stream } from "./stream.ts";

export type { LoadOptions, LoadProgress, PackRun, WeightSink } from "./stream.ts";

/** A loaded model: every weight a tensor the sink has created and filled. The sink's owner frees them. */
export interface Weights {
  /** [vocab, dim] */
  readonly embed: Matrix;
  readonly layers: readonly LayerWeights[];
  /** [dim] f32 */
  readonly norm: Tensor;
  /** [vocab, dim]; the same object as `embed` when tied and held alike. */
  readonly head: Matrix;
  /** Bytes in the sink, padding included. */
  readonly bytes: number;
}

/** One block, by the slots of its family. Matrices keep the checkpoint's format unless `quantize` says otherwise or fused parts differ in it; vectors are f32. */
export interface LayerWeights {
  readonly inputNorm: Tensor; // [dim]
  readonly qkv: Matrix; // [(heads + 2·kvHeads)·headDim, dim]: rows of q, then k, then v
  readonly qkvBias?: Tensor; // [(heads + 2·kvHeads)·headDim]
  readonly headNorm?: Tensor; // [2·headDim]: of queries, then of keys
  readonly o: Matrix; // [dim, heads·headDim]
  readonly oBias?: Tensor; // [dim]
  readonly postNorm: Tensor; // [dim]
  readonly gateUp: Matrix; // [2·hidden, dim]: rows of gate, then up
  readonly gateUpBias?: Tensor; // [2·hidden]
  readonly down: Matrix; // [dim, hidden]
  readonly downBias?: Tensor; // [dim]
}

/** What is read of a checkpoint while its weights are loaded. Its files must be open then. */
export type WeightSource = Pick<Checkpoint, "describe" | "config" | "tensors" | "tied">;

/**
 * Streams every tensor of a checkpoint into the sink. Peak host memory is two chunks as stored and one as uploaded
 * (48 MiB), plus what the source allocates per read. Throws LlariatError "checkpoint" naming the tensor and element for
 * NaN or infinity, "device" for a row that fits no binding, "source" and "aborted"; after a failure the sink holds part of
 * the weights, which its owner frees. `planned`: where the caller has asked
 * `planWeights` before, for this checkpoint and this sink.
 */
export async function loadWeights(
  checkpoint: WeightSource,
  sink: WeightSink,
  options: LoadOptions & { readonly quantize?: Quantize } = {},
  planned = planWeights(checkpoint, sink.maxBindingBytes, options.quantize),
): Promise<Weights> {
  await stream(planned.jobs, sink, options);
  return planned.weights;
}

/** Bytes that `loadWeights` puts on a GPU, known from the headers alone. */
export function weightBytes(checkpoint: WeightSource, quantize?: Quantize): number {
  return planWeights(checkpoint, Infinity, quantize).weights.bytes;
}

/** Bytes per read and per upload: large enough for any disk's full speed, small against the memory of a laptop. */
const CHUNK_BYTES = 16 * 2 ** 20;

/** What loading will make, and every transfer of it. */
export interface WeightPlan {
  readonly weights: Weights;
  readonly jobs: readonly Job[];
}

/**
 * Decides every tensor and every transfer before the first byte is read. `maxBindingBytes`: the sink's. Throws as `loadWeights`
 * does for what the headers alone tell.
 */
export function planWeights(checkpoint: WeightSource, maxBindingBytes: number, quantize?: Quantize): WeightPlan {
  const { config, tensors, tied } = checkpoint;
  const held = readQuantize(quantize);
  const jobs: Job[] = [];
  let bytes = 0;
  const stored = ({ name }: NamedTensor): StoredTensor => {
    const tensor = tensors.get(name);
    if (tensor) return tensor;
    throw new LlariatError(
      "checkpoint",
      `${checkpoint.describe}: ${name}: got no such tensor, needed it for this config`,
    );
  };

  /** The parts' rows one after another, in as many pieces as the binding limit asks for. */
  const matrixFrom = (name: string, parts: readonly StoredTensor[], as: HeldAs): Matrix => {
    const rows = parts.reduce((sum, { shape }) => sum + shape[0], 0);
    const columns = parts[0].shape[1];
    const format = as === "none" ? formatOf(parts) : formats[as];
    const matrix = matrixOf(format, name, rows, columns, tallest(name, format, rows, columns, maxBindingBytes));
    let firstRow = 0;
    for (const part of parts) {
      for (const piece of matrix.pieces) {
        const from = Math.max(firstRow, piece.firstRow);
        const to = Math.min(firstRow + part.shape[0], piece.firstRow + piece.rows);
        if (from >= to) continue;
        jobs.push(...chunks(part, from - firstRow, to - from, format, piece.tensors, from - piece.firstRow));
      }
      firstRow += part.shape[0];
    }
    for (const { tensors } of matrix.pieces) for (const tensor of Object.values(tensors)) bytes += tensorBytes(tensor);
    return matrix;
  };

  /** The parts one after another as one f32 vector. */
  const vector = (name: string, parts: readonly StoredTensor[]): Tensor => {
    const target: Tensor = { name, dtype: "f32", shape: [parts.reduce((sum, { shape }) => sum + shape[0], 0)] };
    let first = 0;
    for (const source of parts) {
      const [columns] = source.shape;
      const targets = { weight: { tensor: target, byte: 4 * first, rowBytes: 4 * columns } };
      const [sourceByte, format] = [source.start, formats.f32];
      jobs.push({ source, sourceByte, rows: 1, columns, format, wide: columns, targets });
      first += columns;
    }
    bytes += tensorBytes(target);
    return target;
  };

  const { slots } = families[config.family];
  /** The tensors of a slot and of its bias, by name. */
  const filled = (name: string, slot: Slot, as: HeldAs, block?: number): Record<string, Matrix | Tensor> => {
    const at = block === undefined ? name : `layers.${block}.${name}`;
    const { weights, biases } = partsOf(slot, config, block);
    const sources = weights.map(stored);
    return {
      [name]: slot.columns ? matrixFrom(at, sources, as) : vector(at, sources),
      ...(biases && { [`${name}Bias`]: vector(`${at}Bias`, biases.map(stored)) }),
    };
  };
  // The names of the slots are those of the records.
  const { embed } = filled("embed", slots.embed, held.embedding) as Pick<Weights, "embed">;
  const layers = Array.from({ length: config.layers }, (_, i) => {
    const all = Object.entries(slots.layer).map(([name, slot]) => filled(name, slot, held.weights, i));
    return Object.assign({}, ...all) as LayerWeights;
  });
  const { norm } = filled("norm", slots.norm, "none") as Pick<Weights, "norm">;
  const { head } =
    tied && held.output === held.embedding
      ? { head: embed }
      : (filled("head", tied ? slots.embed : slots.head, held.output) as Pick<Weights, "head">);
  return { weights: { embed, layers, norm, head, bytes }, jobs };
}

/** The format that all parts are stored in; f32, which holds every f16 and bf16 exactly, where they differ. */
function formatOf(parts: readonly StoredTensor[]): Format {
  const kinds = new Set(parts.map(({ dtype }) => floatKind(dtype)!));
  const [kind] = kinds;
  return formats[kinds.size === 1 ? kind : "f32"];
}

/** Rows of a piece: equally many in all to a multiple of 4, so that kernels see few different shapes. */
function tallest(name: string, format: Format, rows: number, columns: number, maxBytes: number): number {
  const most = Math.floor(maxBytes / Math.max(...Object.values(format.rowBytes(columns))));
  if (rows <= most) return rows;
  if (most < 1) {
    throw new LlariatError(
      "device",
      `${name}: got rows of ${columns} elements in ${format.name}, needed one to fit the device's binding limit of ${maxBytes} bytes`,
    );
  }
  const step = most < 4 ? most : most - (most % 4);
  const even = Math.ceil(rows / Math.ceil(rows / step));
  return Math.min(step, Math.ceil(even / 4) * 4);
}

/** Rows `firstRow …` of a stored matrix to rows `targetRow …` of a piece, cut so that no read or upload exceeds a chunk. */
function* chunks(
  source: StoredTensor,
  firstRow: number,
  rows: number,
  format: Format,
  tensors: Readonly<Record<string, Tensor>>,
  targetRow: number,
): Generator<Job> {
  const columns = source.shape[1];
  const rowBytes = format.rowBytes(columns);
  const stored = storedRowBytes(source, columns);
  const largest = Math.max(stored, ...Object.values(rowBytes));
  const most = Math.max(1, Math.floor(CHUNK_BYTES / largest)); // src/model/config.ts keeps a row below a chunk
  for (let row = 0; row < rows; row += most) {
    const place = (name: string) => ({ byte: (targetRow + row) * rowBytes[name], rowBytes: rowBytes[name] });
    yield {
      source,
      sourceByte: source.start + (firstRow + row) * stored,
      rows: Math.min(most, rows - row),
      columns,
      format,
      wide: rowStride(format, columns),
      targets: Object.fromEntries(Object.entries(tensors).map(([name, tensor]) => [name, { tensor, ...place(name) }])),
    };
  }
}
