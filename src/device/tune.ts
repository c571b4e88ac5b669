// tune.ts — which family of kernels is faster on this device, found by running both at first use.

import {
  type Dispatch,
  type Matrix,
  type StepLayout,
  type Style,
  type Target,
  type Tensor,
  matmul,
  matmulSubgroup,
  stepLayout,
} from "../../kernels/index.ts";
import { Gpu } from "./gpu.ts";

/** Enough work that an adapter's launch cost does not decide, little enough that the slowest needs a tenth of a second. */
const ROWS = 64;
const SIZE = 512;

const chosen = new WeakMap<GPUDevice, Promise<Target>>();

/** Lanes of every subgroup, or 0 where there are none or their number varies. */
function subgroupSize(device: GPUDevice): number {
  const { subgroupMinSize = 0, subgroupMaxSize = 0 } = device.adapterInfo ?? {};
  return device.features.has("subgroups") && subgroupMinSize === subgroupMaxSize ? subgroupMinSize : 0;
}

/**
 * The target of a device: its subgroup size, and the style whose matrix product ran faster (best of three, after one run
 * that compiles). Measured once per device and remembered.
 */
export function chooseTarget(device: GPUDevice): Promise<Target> {
  let target = chosen.get(device);
  if (!target) {
    target = measure(device);
    chosen.set(device, target);
    target.catch(() => chosen.delete(device));
  }
  return target;
}

async function measure(device: GPUDevice): Promise<Target> {
  const subgroup = subgroupSize(device);
  if (subgroup < 4) return { subgroup: 0, style: "workgroup" };
  const times = new Map<Style, number>();
  for (const style of ["subgroup", "workgroup"] as const)
    times.set(style, await timeMatmul(device, { subgroup, style }));
  const style = times.get("subgroup")! < times.get("workgroup")! ? "subgroup" : "workgroup";
  return { subgroup, style };
}

async function timeMatmul(device: GPUDevice, target: Target): Promise<number> {
  const gpu = new Gpu(device, target);
  try {
    const tensor = (name: string, rows: number): Tensor => ({ name, dtype: "f32", shape: [rows, SIZE] });
    const [x, weight, y] = [tensor("x", ROWS), tensor("weight", SIZE), tensor("y", ROWS)];
    for (const each of [x, weight, y]) gpu.create(each, "activations");
    const step: StepLayout = stepLayout({ rows: ROWS, outputs: 1, sequences: 1, fills: 1, headDim: 2 });
    gpu.createStep(4 * (step.pageAt + 4));
    const matrix: Matrix = { rows: SIZE, columns: SIZE, pieces: [{ tensor: weight, firstRow: 0 }] };
    const kernel = target.style === "subgroup" ? matmulSubgroup : matmul;
    const dispatches: Dispatch[] = kernel({ x, weight: matrix, y, step, target });
    const recording = await gpu.record(dispatches);
    const shape = { rows: ROWS, outputs: 0, tiles: 0, splits: 1, fills: 0, fillRows: 0 };
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
