// trust.ts — checks the variants that a device is to run, on a small input and before they are used: drivers differ, and
// nobody can test every one of them. What they give is compared with f64 on the host, not with the plain variant on the
// device: that would have to be compiled for nothing else (1.3 s on lavapipe against 0.6 for all the rest) and is no more
// certain to be right.

import { type Choices, type DeviceFacts, choose, plainVariant, variantName } from "../../kernels/index.ts";
import { Gpu } from "./gpu.ts";
import { type Kernel, MANY, TERMS, Trial, columnsFor, formatFor } from "./trial.ts";

/** A variant that is not to be used. */
export interface Refusal {
  /** Its name, as `variantName` gives it. */
  readonly variant: string;
  /** The variant that is used instead: one that passed its own trial, or the plain one. */
  readonly instead: string;
  /** A clause that says what was seen. */
  readonly why: string;
}

const KERNELS: readonly Kernel[] = [
  "linear",
  "matvec",
  "blocks",
  "swiglu",
  "norm",
  "rope",
  "attention_prefill",
  "attention_decode",
  "rmsnorm",
  "topk",
];

/** What is joined to matvec, of one row alone. It asks nothing of a device but the sums that matvec is tried with. */
const JOINED: ReadonlySet<Kernel> = new Set(["swiglu", "norm", "rope"]);

/**
 * What is tried on a device at its first use: everything on a GPU. Software adapters are few, the tests run on each of them, and they
 * take a tenth of a second of the first load for every text that they compile: what asks nothing of a device is not tried there.
 */
export const trialsOn = (software: boolean): readonly Kernel[] =>
  software ? KERNELS.filter((kernel) => !JOINED.has(kernel)) : KERNELS;

const chosen = (kernel: Kernel, facts: DeviceFacts): Choices[Kernel] => {
  const rows = kernel === "blocks" || JOINED.has(kernel) ? 1 : MANY;
  return choose(kernel, { rows, n: columnsFor(facts), k: TERMS, format: formatFor(kernel).name }, facts);
};

/**
 * Runs, of each kernel, what `facts` choose if it is not the plain variant, and what is chosen in place of a variant that
 * fails; gives back those that do not compile or whose results are wrong. Throws `device` if the device fails as a whole.
 */
export async function checkVariants(
  device: GPUDevice,
  facts: DeviceFacts,
  kernels: readonly Kernel[] = KERNELS,
): Promise<Refusal[]> {
  const refused = new Set(facts.refused);
  const now: DeviceFacts = { ...facts, refused };
  const failed: { readonly kernel: Kernel; readonly variant: string; readonly why: string }[] = [];
  let suspects = kernels;
  for (;;) {
    suspects = suspects.filter((kernel) => chosen(kernel, now) !== plainVariant(kernel));
    if (suspects.length === 0) break;
    const wrong = await tryOut(device, now, suspects);
    for (const [kernel, why] of wrong) {
      const variant = variantName(kernel, chosen(kernel, now));
      failed.push({ kernel, variant, why });
    }
    for (const { variant } of failed) refused.add(variant);
    suspects = [...wrong.keys()];
  }
  return failed.map(({ kernel, variant, why }) => ({
    variant,
    instead: variantName(kernel, chosen(kernel, now)),
    why,
  }));
}

/** What is wrong with the chosen variant of each kernel, where anything is. */
async function tryOut(device: GPUDevice, facts: DeviceFacts, kernels: readonly Kernel[]): Promise<Map<Kernel, string>> {
  const gpu = new Gpu(device, facts);
  try {
    const trial = new Trial(gpu, facts);
    const cases = kernels.map((kernel) => trial.prepare(kernel));
    // All are compiled side by side, and run while the host works out what they should give.
    const failures = await Promise.all(cases.map((each) => trial.start(each)));
    const wrong = new Map<Kernel, string>();
    for (const [i, kernel] of kernels.entries()) {
      const why = failures[i] ?? (await trial.compare(cases[i]));
      if (why !== undefined) wrong.set(kernel, why);
    }
    return wrong;
  } finally {
    gpu.close();
  }
}
