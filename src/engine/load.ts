// load.ts — a checkpoint's weights on a device, and the engine over them.

import type { Variants } from "../../kernels/index.ts";
import { deviceFacts } from "../device/facts.ts";
import { Gpu } from "../device/gpu.ts";
import { weightSink } from "../device/upload.ts";
import type { Quantize } from "../model/quantize.ts";
import { type LoadOptions, type WeightSource, loadWeights, planWeights } from "../model/weights.ts";
import { Engine, type EngineOptions } from "./engine.ts";
import type { Placed } from "./placement.ts";

/** How to put a model on a device. */
export interface PlaceOptions extends EngineOptions, LoadOptions {
  /** Variants of kernels instead of those measured to be faster. */
  readonly variants?: Variants;
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
  const { facts, notes } = await deviceFacts(device, options.variants);
  const gpu = new Gpu(device, facts);
  const sink = weightSink(gpu);
  try {
    const planned = planWeights(source, sink.maxBindingBytes, options.quantize);
    const engine = new Engine(gpu, source.config, planned.weights, options);
    const warm = engine.warm();
    warm.catch(() => {}); // loading may fail first
    await loadWeights(source, sink, options, planned);
    await warm;
    await gpu.idle();
    return { engine, notes: [...notes, ...sink.notes] };
  } catch (error) {
    gpu.close();
    throw error;
  } finally {
    sink.close();
  }
}
