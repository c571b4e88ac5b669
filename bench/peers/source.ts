// source.ts — what both writers read: a Llama checkpoint's sizes and its tensors in f32, by Hugging Face name.

import { openCheckpoint } from "../../src/model/checkpoint.ts";
import type { ModelConfig } from "../../src/model/families.ts";
import { type StoredTensor, readTensor } from "../../src/checkpoint/safetensors.ts";
import type { FileSet } from "../../src/checkpoint/bytes.ts";

/** A checkpoint that is open for reading. */
export interface Source {
  readonly config: ModelConfig;
  readonly tied: boolean;
  readonly names: readonly string[];
  readonly shape: (name: string) => readonly number[];
  readonly read: (name: string) => Promise<Float32Array>;
}

/** Opens a folder's checkpoint; the files stay the caller's. */
export async function openSource(files: FileSet): Promise<Source> {
  const { config, tied, tensors } = await openCheckpoint(files);
  const of = (name: string): StoredTensor => {
    const found = tensors.get(name);
    if (!found) throw new TypeError(`${name}: not in the checkpoint`);
    return found;
  };
  return {
    config,
    tied,
    names: [...tensors.keys()],
    shape: (name) => of(name).shape,
    read: async (name) => (await readTensor(of(name))) as Float32Array,
  };
}
