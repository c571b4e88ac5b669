// device.ts — what a kernel binding may ask of the device it is for.

/** How lanes share values: through shuffles inside one subgroup, or in tiles of workgroup memory between barriers. */
export type Variants = "shuffle" | "tiled";

/** A device as kernels see it, made by src/device/facts.ts. */
export interface DeviceFacts {
  /** Lanes of the smallest and of the largest subgroup that a kernel may find itself in; 0 without subgroups. */
  readonly subgroupMin: number;
  readonly subgroupMax: number;
  /** Which way of sharing is taken where nothing was measured: known of the device, or asked for. */
  readonly variants: Variants;
  /**
   * Variants that go before the table of choose.ts, by kernel (asked for) or by `choiceKey` (measured, src/device/tune.ts).
   * What cannot run here is passed over.
   */
  readonly choices?: ReadonlyMap<string, string>;
  /** Variants that gave wrong numbers on this device (src/device/trust.ts), by `variantName`. */
  readonly refused?: ReadonlySet<string>;
}

/** matvec hands the four sums of a vec4 to four lanes of the workgroup, which is one subgroup. */
const LEAST_LANES = 4;

/** Lanes of every subgroup where all have one size, which a workgroup can then have too; else 0. */
export const lanesOf = ({ subgroupMin, subgroupMax }: Pick<DeviceFacts, "subgroupMin" | "subgroupMax">): number =>
  subgroupMin === subgroupMax && subgroupMin >= LEAST_LANES ? subgroupMin : 0;
