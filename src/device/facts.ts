// facts.ts — what kernels may know of a device: what it says of itself, what was measured, and which variants it gets wrong.

import { type DeviceFacts, type Variants, lanesOf } from "../../kernels/index.ts";
import { LlariatError } from "../error.ts";
import { checkVariants } from "./trust.ts";
import { fasterVariants } from "./tune.ts";

/** The facts, and sentences on what was refused. */
export interface FoundFacts {
  readonly facts: DeviceFacts;
  readonly notes: readonly string[];
}

const found = new WeakMap<GPUDevice, Map<Variants | undefined, Promise<FoundFacts>>>();

/**
 * The facts of a device, found at first use and remembered. `variants`: instead of those that are faster, for tests and
 * benchmarks. Throws `device` for shuffles where subgroups have no constant size.
 */
export function deviceFacts(device: GPUDevice, variants?: Variants): Promise<FoundFacts> {
  const own = found.get(device) ?? new Map<Variants | undefined, Promise<FoundFacts>>();
  found.set(device, own);
  let facts = own.get(variants);
  if (!facts) {
    facts = findFacts(device, variants);
    own.set(variants, facts);
    facts.catch(() => own.delete(variants));
  }
  return facts;
}

async function findFacts(device: GPUDevice, variants: Variants | undefined): Promise<FoundFacts> {
  const subgroups = subgroupSizes(device);
  if (variants === "shuffle" && lanesOf(subgroups) === 0) {
    throw new LlariatError("device", "variants: this device has no subgroups of one size, so only tiled kernels run");
  }
  const facts = { ...subgroups, variants: variants ?? (await fasterVariants(device, subgroups)) };
  const wrong = await checkVariants(device, facts);
  const { device: model, vendor, architecture } = device.adapterInfo ?? {};
  const name = model || [vendor, architecture].filter(Boolean).join(" ") || "this device";
  return {
    facts: { ...facts, refused: new Set(wrong.map(({ variant }) => variant)) },
    notes: wrong.map(({ variant, instead, why }) => `${variant} is not used on ${name}, ${instead} is: ${why}`),
  };
}

/** Lanes of the smallest and of the largest subgroup of a device; 0 without subgroups. */
export function subgroupSizes(device: GPUDevice): Pick<DeviceFacts, "subgroupMin" | "subgroupMax"> {
  const { subgroupMinSize = 0, subgroupMaxSize = 0 } = device.adapterInfo ?? {};
  if (!device.features.has("subgroups") || subgroupMinSize === 0) return { subgroupMin: 0, subgroupMax: 0 };
  return { subgroupMin: subgroupMinSize, subgroupMax: subgroupMaxSize };
}
