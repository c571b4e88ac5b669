// tune.ts — whether shuffles or tiles of workgroup memory are the faster way for lanes to share values on a device.

import {
  type DeviceFacts,
  type Tensor,
  type Variants,
  formats,
  lanesOf,
  matmulShuffle,
  matmulTiled,
  matrixOf,
  stepLayout,
} from "../../kernels/index.ts";
import { Gpu } from "./gpu.ts";

/** 128 workgroups of either product with 32 lanes, 0.27 GFLOP: a large GPU is busy everywhere, a small one done in milliseconds. */
const [ROWS, COLUMNS, DEPTH] = [256, 1024, 512];

/** A product is repeated in one pass until it lasts so long: forty times the grain of a browser's clock (0.1 ms). */
const LEAST_MS = 4;

/** Enough for products of 0.02 ms, of which a device with 13 TFLOPS in f32 is capable. */
const MOST_REPEATS = 256;

/** Two measurements of the same product differ by a few percent. Within a tenth tiles stay: they ask less of a driver. */
const CLEARLY = 0.9;

type Subgroups = Pick<DeviceFacts, "subgroupMin" | "subgroupMax">;

/**
 * The faster variants. Tiles where subgroups have no constant size, for then there is no other choice. Shuffles on an adapter
 * that computes on the CPU, which is a fact and needs no measurement: a barrier there ends a loop over all lanes, whose values go
 * through memory, and workgroup memory is no faster than any other. (lavapipe was measured to take 8 to 10 times the CPU time
 * with tiles; SwiftShader takes a second to compile them.) Else both products are measured; facts.ts remembers what came of it.
 */
export async function fasterVariants(device: GPUDevice, subgroups: Subgroups): Promise<Variants> {
  if (lanesOf(subgroups) === 0) return "tiled";
  if (device.adapterInfo.isFallbackAdapter) return "shuffle";
  const shuffle = await timeProduct(device, { ...subgroups, variants: "shuffle" });
  const tiled = await timeProduct(device, { ...subgroups, variants: "tiled" });
  return shuffle < CLEARLY * tiled ? "shuffle" : "tiled";
}

/**
 * Milliseconds of one matrix product of `facts.variants`: best of three, without what an empty submit and the wait for it
 * cost, so that neither is measured on a GPU whose work takes less.
 */
export async function timeProduct(device: GPUDevice, facts: DeviceFacts): Promise<number> {
  const gpu = new Gpu(device, facts);
  try {
    const tensor = (name: string, columns: number): Tensor => ({ name, dtype: "f32", shape: [ROWS, columns] });
    const [x, y] = [tensor("x", DEPTH), tensor("y", COLUMNS)];
    const weight = matrixOf(formats.f32, "weight", COLUMNS, DEPTH);
    const made = weight.pieces.flatMap(({ tensors }) => Object.values(tensors));
    for (const each of [x, y, ...made]) gpu.create(each, "activations");
    const step = stepLayout({ rows: ROWS, outputs: 1, sequences: 1, fills: 1, headDim: 2 });
    gpu.createStep(4 * (step.pageAt + 4));
    const product = facts.variants === "shuffle" ? matmulShuffle : matmulTiled;
    const once = await gpu.record(product({ x, weight, y, step, device: facts }));
    const data = Uint32Array.of(ROWS, 0, 0, 1);
    const shape = { rows: ROWS, outputs: 0, singles: 0, tiles: 0, splits: 1, fills: 0, fillRows: 0 };
    const time = async (repeats: number): Promise<number> => {
      const recording = Array.from({ length: repeats }, () => once).flat();
      let best = Infinity;
      for (let run = 0; run < 3; run++) {
        const start = performance.now();
        await gpu.run(recording, shape, data);
        await gpu.idle();
        best = Math.min(best, performance.now() - start);
      }
      return best;
    };
    await gpu.run(once, shape, data); // compiles, and wakes the device up
    await gpu.idle();
    const nothing = await time(0);
    for (let repeats = 1; ; repeats *= 4) {
      const ms = (await time(repeats)) - nothing;
      if (ms >= LEAST_MS || repeats >= MOST_REPEATS) return ms / repeats;
    }
  } finally {
    gpu.close();
  }
}
