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

/**
 * Lanes that fill a large GPU: 31 subgroups of 32 on each of an H100's 132 multiprocessors, which hold 64. A lane of matvec has 8
 * reads of 8 bytes on the way at a time, so these are 8 MB: three times what 3 TB/s bring in the 0.8 µs that a read takes.
 */
const FULL = 2 ** 17;

/**
 * Lanes of a workgroup of matvec that is more than one subgroup: as many as fill a device with `groups` workgroups, from 64 to the
 * 256 that every device has, and no more than a weight row has blocks for.
 */
export function matvecLanes(groups: number, blocks: number): number {
  let lanes = 64;
  while (lanes < 256 && lanes * groups < FULL && 2 * lanes <= blocks) lanes *= 2;
  return lanes;
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
