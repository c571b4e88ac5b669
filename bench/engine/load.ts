// load.ts — loading beside a plain read of the same files, which the operating system holds by then.

import { open, readdir } from "node:fs/promises";
import { join } from "node:path";
import { Llama } from "../../src/node/index.ts";
import type { Bench } from "../harness.ts";
import { peakArrayBuffers } from "../loading.ts";
import { type Result, timing } from "../result.ts";
import type { PlainOptions } from "./first.ts";

/** Bytes per read: as the loader's. */
const READ_BYTES = 16 << 20;

/** Milliseconds and bytes of reading a checkpoint's weights and nothing else. */
async function readFiles(model: string): Promise<{ ms: number; bytes: number }> {
  const buffer = new Uint8Array(READ_BYTES);
  const start = performance.now();
  let bytes = 0;
  for (const name of await readdir(model)) {
    if (!/\.(safetensors|bin)$/.test(name)) continue;
    const file = await open(join(model, name));
    try {
      for (;;) {
        const { bytesRead } = await file.read(buffer, 0, READ_BYTES);
        if (bytesRead === 0) break;
        bytes += bytesRead;
      }
    } finally {
      await file.close();
    }
  }
  return { ms: performance.now() - start, bytes };
}

/** Loads the model as often as there are trials, in turns with the plain read; the caller closes the last one. */
export async function measureLoad(
  bench: Bench,
  model: string,
  options: PlainOptions,
  trials: number,
  say: (kernel: string, rest: Partial<Result>) => void,
): Promise<Llama> {
  const { device } = bench.gpu;
  const [loads, reads]: number[][] = [[], []];
  let [highest, stored] = [0, 0];
  for (let i = 1; ; i++) {
    const read = await readFiles(model);
    reads.push(read.ms);
    stored = read.bytes;
    const start = performance.now();
    const { result: llama, peak } = await peakArrayBuffers(async (look) => {
      const loaded = await Llama.load(model, { ...options, device, onProgress: look });
      await loaded.engine.gpu.idle(); // all writes have reached the device
      return loaded;
    });
    loads.push(performance.now() - start);
    highest = Math.max(highest, peak);
    if (i < trials) {
      llama.close();
      continue;
    }
    const [plain, found] = [timing(reads), timing(loads)];
    const gbs = (ms: number): number => stored / ms / 1e6;
    say("plain read", { ...plain, bytes: stored, gbs: gbs(plain.ms) });
    say("load", { ...found, bytes: stored, gbs: gbs(found.ms), percent: (100 * plain.ms) / found.ms });
    say("load, peak ArrayBuffers", { bytes: highest });
    return llama;
  }
}
