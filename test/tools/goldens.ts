// goldens.ts — reads the fixtures that transformers made (test/fixtures/make_goldens.py).
import { readFileSync } from "node:fs";
import { memorySource } from "../../src/checkpoint/memory.ts";
import { readHeader, readTensor } from "../../src/checkpoint/safetensors.ts";

const folder = new URL("../fixtures/goldens/", import.meta.url);

/** A JSON file below fixtures/goldens. */
export const goldenJson = (path: string): unknown => JSON.parse(readFileSync(new URL(path, folder), "utf8"));

interface Entry {
  readonly file: string;
  readonly meta?: unknown;
  readonly tolerance?: { readonly f32: Tolerance };
}

/** How far a value may be from a golden: abs + rel · |golden|, as manifest.json defines it. */
export interface Tolerance {
  readonly abs?: number;
  readonly rel?: number;
}

/** Fails unless every value is within the tolerance of its golden. */
export function within(
  got: ArrayLike<number>,
  golden: ArrayLike<number>,
  { abs = 0, rel = 0 }: Tolerance,
  what: string,
): void {
  if (got.length !== golden.length) throw new Error(`${what}: ${got.length} values for ${golden.length} goldens`);
  for (let i = 0; i < golden.length; i++) {
    if (Math.abs(got[i] - golden[i]) <= abs + rel * Math.abs(golden[i])) continue;
    throw new Error(`${what} [${i}] is ${got[i]}, needed ${golden[i]}`);
  }
}

/** What manifest.json says about a file. */
export function goldenEntry(path: string): Entry {
  const entry = (goldenJson("manifest.json") as { entries: Entry[] }).entries.find(({ file }) => file === path);
  if (entry === undefined) throw new Error(`${path} is not in manifest.json`);
  return entry;
}

/** All tensors of a safetensors file below fixtures/goldens, widened to f64. */
export async function goldenTensors(path: string): Promise<Map<string, Float64Array>> {
  const { tensors } = await readHeader(memorySource(path, readFileSync(new URL(path, folder))));
  const out = new Map<string, Float64Array>();
  for (const tensor of tensors.values())
    out.set(
      tensor.name,
      Float64Array.from((await readTensor(tensor)) as ArrayLike<number | bigint> as ArrayLike<bigint>, Number),
    );
  return out;
}
