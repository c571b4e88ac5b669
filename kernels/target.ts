// target.ts — what a kernel binding must know of the device to choose workgroup sizes and parts.

import type { PartName } from "./wgsl.ts";

/** How lanes share values: through shuffles inside one subgroup, or through workgroup memory and barriers. */
export type Style = "subgroup" | "workgroup";

/** A device as kernels see it. Made by src/device/gpu.ts from the adapter's facts; `style` is chosen by measurement (src/device/tune.ts). */
export interface Target {
  /** Lanes of every subgroup, if the device has subgroups of one constant size; else 0. */
  readonly subgroup: number;
  /** Which family of kernels is faster here. `subgroup` needs a nonzero `subgroup`. */
  readonly style: Style;
}

/**
 * Workgroup size and elements per workgroup for a kernel that makes each element of a row on its own: on a GPU a lane per
 * element; in subgroup style one subgroup walks along the row, since there starting 8 lanes costs as much as 60 elements.
 */
export const span = (target: Target): { WG: number; SPAN: number } =>
  target.style === "subgroup" ? { WG: target.subgroup, SPAN: 1024 } : { WG: 64, SPAN: 64 };

/** Workgroup size and reduction part for a kernel that reduces over a row with `wide` lanes on a GPU. */
export function reduction(target: Target, wide: number): { WG: number; part: PartName } {
  return target.style === "subgroup"
    ? { WG: target.subgroup, part: "lib/reduce_subgroup" }
    : { WG: wide, part: "lib/reduce_workgroup" };
}
