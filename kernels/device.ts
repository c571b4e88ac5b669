// device.ts — what a kernel binding may ask of the device it is for.

import type { Dispatch } from "./dispatch.ts";
import type { PartName } from "./wgsl.ts";

/** How lanes share values: through shuffles inside one subgroup, or in tiles of workgroup memory between barriers. */
export type Variants = "shuffle" | "tiled";

/** A device as kernels see it, found by src/device/tune.ts. */
export interface DeviceFacts {
  /** Lanes of every subgroup, if the device has subgroups of one constant size; else 0. */
  readonly subgroup: number;
  /** Which kind of kernel is faster here. `shuffle` needs a nonzero `subgroup`. */
  readonly variants: Variants;
}

/**
 * Workgroup size and elements per workgroup for a kernel that makes each element of a row on its own: on a GPU a lane per
 * element; where shuffles are faster one subgroup walks along the row, since there starting 8 lanes costs as much as 60 elements.
 */
export const span = (device: DeviceFacts): { WG: number; SPAN: number } =>
  device.variants === "shuffle" ? { WG: device.subgroup, SPAN: 1024 } : { WG: 64, SPAN: 64 };

/** Workgroup size and reduction part for a kernel that reduces over a row with `wide` lanes on a GPU. */
export function reduction(
  device: DeviceFacts,
  wide: number,
): Pick<Dispatch, "enables"> & { WG: number; part: PartName } {
  return device.variants === "shuffle"
    ? { WG: device.subgroup, part: "lib/reduce_shuffle", enables: ["subgroups"] }
    : { WG: wide, part: "lib/reduce_workgroup" };
}
