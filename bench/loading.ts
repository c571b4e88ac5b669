// loading.ts — what the benchmarks of loading share: a random checkpoint on disk, and the most memory that buffers took.

import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import type { FloatKind } from "../kernels/formats/floats.ts";
import { SHAPES, writeCheckpoint } from "../test/tools/checkpoint.ts";

/** How often memory is looked at: a buffer of the loader lives longer. */
const LOOK_MS = 2;

/** The folder of a random checkpoint of this shape, written if it is not there: whole, or not at all. */
export async function checkpointFolder(shape: string, dtype: FloatKind): Promise<string> {
  const folder = pathOf(shape, dtype);
  if (existsSync(folder)) return folder;
  const draft = `${folder}.${process.pid}`;
  try {
    await writeCheckpoint(draft, { shape: SHAPES[shape], dtype });
    await rename(draft, folder);
  } finally {
    await rm(draft, { recursive: true, force: true });
  }
  return folder;
}

/** Whether `checkpointFolder` has nothing left to write. */
export const isWritten = (shape: string, dtype: FloatKind): boolean => existsSync(pathOf(shape, dtype));

const pathOf = (shape: string, dtype: FloatKind): string =>
  fileURLToPath(new URL(`../.cache/bench/${shape}-${dtype}`, import.meta.url));

/** Most bytes of ArrayBuffers while `job` runs, looked at every 2 ms and whenever `look` is called, and how often that was. */
export async function peakArrayBuffers<T>(
  job: (look: () => void) => Promise<T>,
): Promise<{ readonly result: T; readonly peak: number; readonly samples: number }> {
  let [peak, samples] = [0, 0];
  const look = (): void => {
    peak = Math.max(peak, process.memoryUsage().arrayBuffers);
    samples++;
  };
  const timer = setInterval(look, LOOK_MS);
  try {
    const result = await job(look);
    look();
    return { result, peak, samples };
  } finally {
    clearInterval(timer);
  }
}
