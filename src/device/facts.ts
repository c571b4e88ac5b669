// facts.ts — what kernels may know of a device: what it says of itself, what was measured, and which variants it gets wrong.

import { type Choices, type DeviceFacts, candidates, lanesOf } from "../../kernels/index.ts";
import { LlariatError } from "../error.ts";
import type { AskedVariants } from "./asked.ts";
import { isSoftware } from "./handle.ts";
import { checkVariants, trialsOn } from "./trust.ts";
import { knownVariants } from "./tune.ts";

/** The facts, and sentences on what was refused. */
export interface FoundFacts {
  readonly facts: DeviceFacts;
  readonly notes: readonly string[];
}

const found = new WeakMap<GPUDevice, Map<string, Promise<FoundFacts>>>();

/**
 * The facts of a device, found at first use and remembered. `asked`: variants instead of those that are known to be faster.
 * Throws `device` for variants that this device cannot run.
 */
export function deviceFacts(device: GPUDevice, asked?: AskedVariants): Promise<FoundFacts> {
  const own = found.get(device) ?? new Map<string, Promise<FoundFacts>>();
  found.set(device, own);
  const key = JSON.stringify(asked) ?? "";
  let facts = own.get(key);
  if (!facts) {
    facts = findFacts(device, asked);
    own.set(key, facts);
    facts.catch(() => own.delete(key));
  }
  return facts;
}

/** Rows of a step by which variants differ: one, few, many; and formats of weights by which they do. */
const SOME_SIZES = [1, 16, Infinity].flatMap((rows) => ["f32", "q4_0"].map((format) => ({ rows, n: 1, k: 1, format })));

async function findFacts(device: GPUDevice, asked: AskedVariants | undefined): Promise<FoundFacts> {
  const subgroups = subgroupSizes(device);
  if (asked === "shuffle" && lanesOf(subgroups) === 0) {
    throw new LlariatError("device", "variants: this device has no subgroups of one size, so only tiled kernels run");
  }
  const variants = typeof asked === "string" ? asked : knownVariants(device, subgroups);
  const named = Object.entries(typeof asked === "object" ? asked : {}) as [keyof Choices, string][];
  const facts: DeviceFacts = {
    ...subgroups,
    variants,
    ...(named.length > 0 && { choices: new Map<string, string>(named) }),
  };
  for (const [kernel, variant] of named) {
    const able = SOME_SIZES.flatMap((size) => candidates(kernel, size, facts)) as string[];
    if (able.includes(variant)) continue;
    const others = [...new Set(able)].join(", ");
    throw new LlariatError("device", `variants: ${variant} of ${kernel} cannot run on this device, only ${others} can`);
  }
  const software = device.adapterInfo ? isSoftware(device.adapterInfo) : false;
  const wrong = await checkVariants(device, facts, trialsOn(software));
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
