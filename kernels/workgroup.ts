// workgroup.ts — what a workgroup is, of kernels whose text is the same for every choice.

import { type Choices, type Reduction, type Size, choose } from "./choose.ts";
import { type DeviceFacts, lanesOf } from "./device.ts";
import type { Dispatch } from "./dispatch.ts";

const ANY: Size = { rows: 1, n: 0, k: 0 };

/** Workgroup size and elements per workgroup for a kernel that makes each element of a row on its own. */
export function span(device: DeviceFacts): { WG: number; SPAN: number } {
  // A start that costs as much as 60 elements is 6 % of a walk of 1,024.
  if (choose("elementwise", ANY, device) === "walk") return { WG: lanesOf(device), SPAN: 1024 };
  return { WG: 64, SPAN: 64 };
}

/** Workgroup size and part of a kernel that adds up over its workgroup, which has `wide` lanes unless it is one subgroup. */
export function reduction(
  kernel: keyof { [K in keyof Choices as Choices[K] extends Reduction ? K : never]: K },
  wide: number,
  device: DeviceFacts,
): Pick<Dispatch, "enables"> & { WG: number; part: Reduction } {
  const part = choose(kernel, ANY, device);
  const WG = part === "lib/reduce_shuffle" ? lanesOf(device) : wide;
  return { WG, part, enables: part === "lib/reduce_workgroup" ? undefined : ["subgroups"] };
}
