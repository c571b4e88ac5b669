// choices.ts — what was measured on a device, kept for the next time: by adapter, driver and the texts of the kernels, which
// stand for the version.

import { type Size, choiceKey, kernels, parts, variantsByKernel } from "../../kernels/index.ts";

/** Where a platform keeps small texts by name: a folder of caches, the storage of a browser. */
export interface ChoiceStore {
  /** The text, undefined if there is none. */
  read(name: string): Promise<string | undefined>;
  /** Replaces the text as a whole. */
  write(name: string, text: string): Promise<void>;
}

/** Milliseconds of every variant of a linear layer that was measured at a size; the fastest is taken. */
export interface Measured {
  readonly size: Size;
  readonly ms: Readonly<Record<string, number>>;
}

/** The fastest of what was measured. */
export const fastest = ({ ms }: Measured): string => Object.entries(ms).reduce((a, b) => (b[1] < a[1] ? b : a))[0];

/** What `DeviceFacts.choices` is of these. */
export const choicesOf = (measured: readonly Measured[]): ReadonlyMap<string, string> =>
  new Map(measured.map((each) => [choiceKey("linear", each.size), fastest(each)]));

/** What a device is, as far as it is known: where any of it differs, what was measured is of another. */
export function deviceKey({ adapterInfo, features }: GPUDevice): string {
  const { vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize } = adapterInfo ?? {};
  const texts = fingerprint(JSON.stringify([kernels, parts]));
  const own = [...features].sort().join(" ");
  return JSON.stringify([vendor, architecture, device, description, subgroupMinSize, subgroupMaxSize, own, texts]);
}

/** The name under which a store has what was measured on a device. */
export const choiceName = (key: string): string => `choices-${fingerprint(key)}`;

/** What a store holds, of this device; undefined where it holds nothing. Throws an Error with a clause for what is damaged. */
export function readChoices(text: string | undefined, key: string): readonly Measured[] | undefined {
  if (text === undefined) return undefined;
  const held = JSON.parse(text) as { key?: unknown; measured?: unknown } | null;
  if (held?.key !== key) throw new Error("it is of another device");
  if (!Array.isArray(held.measured) || !held.measured.every(isMeasured)) throw new Error("it holds no measurements");
  return held.measured;
}

/** The text that `readChoices` reads. */
export const writeChoices = (measured: readonly Measured[], key: string): string => JSON.stringify({ key, measured });

function isMeasured(value: unknown): value is Measured {
  const { size, ms } = (value ?? {}) as Partial<Measured>;
  if (typeof size !== "object" || typeof ms !== "object" || size === null || ms === null) return false;
  const times = Object.entries(ms);
  return (
    [size.rows, size.n, size.k].every((each) => Number.isSafeInteger(each) && each > 0) &&
    typeof size.format === "string" &&
    times.length > 0 &&
    times.every(([name, each]) => variantsByKernel.linear.some((known) => known === name) && Number.isFinite(each))
  );
}

/** 64 bits of a text, as 16 digits: FNV-1a (Fowler, Noll, Vo) from two offsets. Names what is the same by accident only. */
function fingerprint(text: string): string {
  const half = (offset: number): string => {
    let hash = offset;
    for (let i = 0; i < text.length; i++) hash = Math.imul(hash ^ text.charCodeAt(i), 0x01000193);
    return (hash >>> 0).toString(16).padStart(8, "0");
  };
  return half(0x811c9dc5) + half(0x9dc5811c);
}
