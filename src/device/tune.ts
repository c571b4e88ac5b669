// tune.ts — which variants of kernels are faster on this device, found by running both at first use.

import {
  type Dispatch,
  type StepLayout,
  type DeviceFacts,
  type Tensor,
  type Variants,
  formats,
  matmulTiled,
  matmulShuffle,
  matrixOf,
  stepLayout,
} from "../../kernels/index.ts";
import { Gpu } from "./gpu.ts";

/** Enough work that an adapter's launch cost does not decide, little enough that the slowest needs a tenth of a second. */
const ROWS = 64;
const SIZE = 512;

const chosen = new WeakMap<GPUDevice, Promise<DeviceFacts>>();

/** Lanes of every subgroup, or 0 where there are none or their number varies. */
function subgroupSize(device: GPUDevice): number {
  const { subgroupMinSize = 0, subgroupMaxSize = 0 } = device.adapterInfo ?? {};
  return device.features.has("subgroups") && subgroupMinSize === subgroupMaxSize ? subgroupMinSize : 0;
}

/**
 * The facts of a device: its subgroup size, and the variants whose matrix product ran faster (best of three, after one run
 * that compiles). Measured once per device and remembered.
 */
export function deviceFacts(device: GPUDevice): Promise<DeviceFacts> {
  let facts = chosen.get(device);
  if (!facts) {
    facts = measure(device);
    chosen.set(device, facts);
    facts.catch(() => chosen.delete(device));
  }
  return facts;
}

async function measure(device: GPUDevice): Promise<DeviceFacts> {
  const subgroup = subgroupSize(device);
  if (subgroup < 4) return { subgroup: 0, variants: "tiled" };
  const times = new Map<Variants, number>();
  for (const variants of ["shuffle", "tiled"] as const)
    times.set(variants, await timeMatmul(device, { subgroup, variants }));
  const variants = times.get("shuffle")! < times.get("tiled")! ? "shuffle" : "tiled";
  return { subgroup, variants };
}

async function timeMatmul(device: GPUDevice, facts: DeviceFacts): Promise<number> {
  const gpu = new Gpu(device, facts);
  try {
    const tensor = (name: string, rows: number): Tensor => ({ name, dtype: "f32", shape: [rows, SIZE] });
    const [x, y] = [tensor("x", ROWS), tensor("y", ROWS)];
    const weight = matrixOf(formats.f32, "weight", SIZE, SIZE);
    const made = weight.pieces.flatMap(({ tensors }) => Object.values(tensors));
    for (const each of [x, y, ...made]) gpu.create(each, "activations");
    const step: StepLayout = stepLayout({ rows: ROWS, outputs: 1, sequences: 1, fills: 1, headDim: 2 });
    gpu.createStep(4 * (step.pageAt + 4));
    const kernel = facts.variants === "shuffle" ? matmulShuffle : matmulTiled;
    const dispatches: Dispatch[] = kernel({ x, weight, y, step, device: facts });
    const recording = await gpu.record(dispatches);
    const shape = { rows: ROWS, outputs: 0, singles: 0, tiles: 0, splits: 1, fills: 0, fillRows: 0 };
    const data = Uint32Array.of(ROWS, 0, 0, 1);
    let best = Infinity;
    for (let run = 0; run < 4; run++) {
      const start = performance.now();
      await gpu.run(recording, shape, data);
      await gpu.idle();
      if (run > 0) best = Math.min(best, performance.now() - start);
    }
    return best;
  } finally {
    gpu.close();
  }
}
