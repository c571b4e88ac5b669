// tune.ts — which variant of a matrix product is the fastest on a device, by a short search at its first use.

import {
  type DeviceFacts,
  type FormatName,
  type Size,
  type Tensor,
  type Variants,
  candidates,
  choiceKey,
  formats,
  lanesOf,
  linear,
  matrixOf,
  plainVariant,
  stepLayout,
} from "../../kernels/index.ts";
import { checkAborted } from "../error.ts";
import {
  type ChoiceStore,
  type Measured,
  choiceName,
  choicesOf,
  deviceKey,
  readChoices,
  writeChoices,
} from "./choices.ts";
import { Gpu } from "./gpu.ts";
import { isSoftware } from "./handle.ts";
import { checkVariants } from "./trust.ts";

/** A product is repeated in one pass until it lasts so long: forty times the grain of a browser's clock (0.1 ms). */
const LEAST_MS = 4;

/** Enough for products of 0.02 ms, of which a device with 13 TFLOPS in f32 is capable. */
const MOST_REPEATS = 256;

/** Operations of a product that is measured: more columns are more workgroups of the same kind. 8 ms at 1 TFLOPS. */
const MOST_OPERATIONS = 8e9;

/** What a load may wait for measurements; what is left comes with the next load. */
const SEARCH_MS = 1000;

type Subgroups = Pick<DeviceFacts, "subgroupMin" | "subgroupMax">;

/**
 * The variants of a device where nothing is measured. Tiles where subgroups have no constant size, for then there is no other
 * choice. Shuffles on an adapter that computes on the CPU, which is a fact: a barrier there ends a loop over all lanes, whose
 * values go through memory, and workgroup memory is no faster than any other. (lavapipe was measured to take 8 to 10 times the
 * CPU time with tiles; SwiftShader takes a second to compile them.) Else tiles, until `tune` has measured the products.
 */
export const knownVariants = (device: GPUDevice, subgroups: Subgroups): Variants =>
  lanesOf(subgroups) > 0 && isSoftware(device.adapterInfo) ? "shuffle" : "tiled";

/** How to search. */
export interface TuneOptions {
  /** Where measurements are kept. Default: nowhere. */
  readonly store?: ChoiceStore;
  /** Measures everything anew, and on any adapter. */
  readonly again?: boolean;
  /** How long it may take until the last measurement begins. Default: a second. */
  readonly searchMs?: number;
  readonly signal?: AbortSignal;
}

/** The facts with what was measured, all of it for these sizes, and sentences that a person should see. */
export interface Tuned {
  readonly facts: DeviceFacts;
  readonly measured: readonly Measured[];
  readonly notes: readonly string[];
}

/**
 * Chooses the variants of linear layers of these sizes by measuring those that pass their trial, unless that was done before
 * with this adapter, driver and version. Takes about a second at most, the largest products first; nothing where the CPU
 * computes, of which the answer is known. What the store holds and cannot be read, and what cannot be kept, is a note.
 */
export async function tune(
  device: GPUDevice,
  facts: DeviceFacts,
  sizes: readonly Size[],
  { store, again = false, searchMs = SEARCH_MS, signal }: TuneOptions = {},
): Promise<Tuned> {
  if (!again && isSoftware(device.adapterInfo)) return { facts, measured: [], notes: [] };
  const key = deviceKey(device);
  const name = choiceName(key);
  const notes: string[] = [];
  let before: readonly Measured[] = [];
  try {
    const asked = new Set(again ? sizes.map((size) => choiceKey("linear", size)) : []);
    const held = readChoices(await store?.read(name), key) ?? [];
    before = held.filter(({ size }) => !asked.has(choiceKey("linear", size)));
  } catch (error) {
    notes.push(`${name}, what was measured on this device before, is not used and is measured anew: ${clause(error)}`);
  }
  const known = new Set(before.map(({ size }) => choiceKey("linear", size)));
  const missing = sizes
    .filter((size) => !known.has(choiceKey("linear", size)) && candidates("linear", size, facts).length > 1)
    .sort((a, b) => b.n * b.k - a.n * a.k);
  let now = facts;
  const found: Measured[] = [];
  const until = performance.now() + searchMs;
  if (missing.length > 0) now = await tried(device, facts, missing);
  for (const size of missing) {
    if (performance.now() >= until) break;
    const ms: Record<string, number> = {};
    for (const variant of candidates("linear", size, now)) {
      checkAborted(signal, "measuring variants of kernels");
      ms[variant] = await timeProduct(device, { ...now, choices: new Map([["linear", variant]]) }, size);
    }
    found.push({ size, ms });
  }
  const measured = [...before, ...found];
  try {
    if (found.length > 0) await store?.write(name, writeChoices(measured, key));
  } catch (error) {
    notes.push(`${name}, what was measured on this device, cannot be kept: ${clause(error)}`);
  }
  return { facts: { ...now, choices: new Map([...(facts.choices ?? []), ...choicesOf(measured)]) }, measured, notes };
}

const clause = (error: unknown): string => (error instanceof Error ? error.message : String(error));

/** The facts, with every variant refused that fails its trial. */
async function tried(device: GPUDevice, facts: DeviceFacts, sizes: readonly Size[]): Promise<DeviceFacts> {
  const refused = new Set(facts.refused);
  for (const variant of new Set(sizes.flatMap((size) => candidates("linear", size, facts)))) {
    if (variant === plainVariant("linear")) continue;
    const choices = new Map([["linear", variant]]);
    for (const each of await checkVariants(device, { ...facts, refused, choices }, ["linear"]))
      refused.add(each.variant);
  }
  return { ...facts, refused };
}

/**
 * Milliseconds of one matrix product of this size, or of as many of its columns as are enough, in the variant that `facts`
 * choose: best of three, without what an empty submit and the wait for it cost, so that neither is measured on a GPU whose work
 * takes less.
 */
export async function timeProduct(device: GPUDevice, facts: DeviceFacts, size: Size): Promise<number> {
  const gpu = new Gpu(device, facts);
  try {
    const { rows, k } = size;
    const enough = Math.max(1, Math.floor(MOST_OPERATIONS / (2 * rows * k) / 256)) * 256;
    const n = Math.min(size.n, enough);
    const tensor = (name: string, columns: number): Tensor => ({ name, dtype: "f32", shape: [rows, columns] });
    const [x, y] = [tensor("x", k), tensor("y", n)];
    const weight = matrixOf(formats[(size.format ?? "f32") as FormatName], "weight", n, k);
    const made = weight.pieces.flatMap(({ tensors }) => Object.values(tensors));
    for (const each of [x, y, ...made]) gpu.create(each, "activations");
    const step = stepLayout({ rows, outputs: 1, sequences: 1, fills: 1, headDim: 2 });
    gpu.createStep(4 * (step.pageAt + 4));
    const once = await gpu.record(linear({ x, weight, y, rows, step, device: facts }));
    const data = Uint32Array.of(rows, 0, 0, 1);
    const shape = { rows, outputs: 0, singles: 0, tiles: 0, splits: 1, fills: 0, fillRows: 0 };
    const time = async (repeats: number): Promise<number> => {
      const recording = Array.from({ length: repeats }, () => once).flat();
      let best = Infinity;
      for (let run = 0; run < 3; run++) {
        const start = performance.now();
        await gpu.run(recording, shape, data);
        await gpu.idle();
        best = Math.min(best, performance.now() - start);
      }
      return best;
    };
    await gpu.run(once, shape, data); // compiles, and wakes the device up
    await gpu.idle();
    const nothing = await time(0);
    for (let repeats = 1; ; repeats *= 4) {
      const ms = (await time(repeats)) - nothing;
      if (ms >= LEAST_MS || repeats >= MOST_REPEATS) return Math.max(0, ms) / repeats;
    }
  } finally {
    gpu.close();
  }
}
