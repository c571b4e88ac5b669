// load.ts — a checkpoint's weights on a device, and the engine over them.

import { type Size, choiceKey, stepRows } from "../../kernels/index.ts";
import type { AskedVariants } from "../device/asked.ts";
import type { ChoiceStore } from "../device/choices.ts";
import { deviceFacts } from "../device/facts.ts";
import { Gpu } from "../device/gpu.ts";
import { maxBindingBytes } from "../device/limits.ts";
import { tune } from "../device/tune.ts";
import { weightSink } from "../device/upload.ts";
import type { Quantize } from "../model/quantize.ts";
import { type LoadOptions, type WeightSource, type Weights, loadWeights, planWeights } from "../model/weights.ts";
import { Engine, type EngineOptions } from "./engine.ts";
import type { Placed } from "./placement.ts";

/** How to put a model on a device. */
export interface PlaceOptions extends EngineOptions, LoadOptions {
  /** Variants of kernels instead of those known or measured to be faster; then nothing is measured. */
  readonly variants?: AskedVariants;
  /** Where measurements of the device are kept. */
  readonly store?: ChoiceStore;
  /** In which formats matrices are held; default: as the files store them. */
  readonly quantize?: Quantize;
}

/**
 * Finds what kernels may know of the device, makes the engine, and uploads the weights while it compiles. Throws as
 * `deviceFacts`, `loadWeights` and `Engine.warm` do, and what the device has reported; nothing stays allocated then.
 */
export async function loadEngine(
  device: GPUDevice,
  source: WeightSource,
  options: PlaceOptions,
): Promise<Placed<Engine>> {
  const { facts: known, notes } = await deviceFacts(device, options.variants);
  const planned = planWeights(source, maxBindingBytes(device), options.quantize);
  const sizes = productSizes(planned.weights, options.maxRows ?? stepRows(known));
  const { store, signal } = options;
  const tuned = options.variants === undefined ? await tune(device, known, sizes, { store, signal }) : undefined;
  const gpu = new Gpu(device, tuned?.facts ?? known);
  const sink = weightSink(gpu);
  try {
    const engine = new Engine(gpu, source.config, planned.weights, options);
    const warm = engine.warm();
    warm.catch(() => {}); // loading may fail first
    await loadWeights(source, sink, options, planned);
    await warm;
    await gpu.idle();
    return { engine, notes: [...notes, ...(tuned?.notes ?? []), ...sink.notes] };
  } catch (error) {
    gpu.close();
    throw error;
  } finally {
    sink.close();
  }
}

/** The products of a step of `rows` rows of a prompt, each size once. */
export function productSizes({ layers }: Weights, rows: number): Size[] {
  const matrices = layers.flatMap(({ qkv, o, gateUp, down }) => [qkv, o, gateUp, down]);
  const sizes = matrices.map(({ rows: n, columns: k, format }) => ({ rows, n, k, format: format.name }));
  return [...new Map(sizes.map((size) => [choiceKey("linear", size), size])).values()];
}
