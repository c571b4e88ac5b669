// load.ts — the promise about memory: a checkpoint of gigabytes is loaded with less than 256 MiB of ArrayBuffers.
//   node --import tsx bench/load.ts [--model DIR] [--shape tinyllama-1.1b] [--dtype bf16] [--keep]
// Writes a random checkpoint of 2.2 GB, loads it on the real device, looks at process.memoryUsage().arrayBuffers every 2 ms
// and at every progress call, prints one line of JSON, and deletes the checkpoint. Exit code 1 if the peak reaches 256 MiB.

import { rm } from "node:fs/promises";
import { basename } from "node:path";
import { parseArgs } from "node:util";
import type { FloatKind } from "../kernels/formats/floats.ts";
import { Llama } from "../src/node/index.ts";
import { SHAPES } from "../test/tools/checkpoint.ts";
import { round, runBench } from "./harness.ts";
import { checkpointFolder, isWritten, peakArrayBuffers } from "./loading.ts";

const USAGE = `node --import tsx bench/load.ts
  --model DIR            a checkpoint folder instead of a random one
  --shape ${Object.keys(SHAPES).join("|")}; default tinyllama-1.1b
  --dtype bf16|f16|f32   default bf16
  --keep                 leave the random checkpoint in .cache/bench
  --adapter NAME`;

const LIMIT = 256 * 2 ** 20;

function options() {
  const [text, flag] = [{ type: "string" }, { type: "boolean" }] as const;
  const { values } = parseArgs({
    options: { model: text, shape: text, dtype: text, adapter: text, keep: flag, help: flag },
  });
  if (values.help) {
    console.log(USAGE);
    process.exit(0);
  }
  const { shape = "tinyllama-1.1b", dtype = "bf16" } = values;
  if (!(shape in SHAPES)) throw new TypeError(`--shape: got ${shape}, needed ${Object.keys(SHAPES).join(", ")}`);
  if (!["bf16", "f16", "f32"].includes(dtype)) throw new TypeError(`--dtype: got ${dtype}, needed bf16, f16 or f32`);
  return { ...values, shape, dtype: dtype as FloatKind };
}

async function measure(folder: string, adapter: string | undefined): Promise<boolean> {
  globalThis.gc?.(); // what writing the checkpoint left
  const before = process.memoryUsage().arrayBuffers;
  const start = performance.now();
  const { result, peak, samples } = await peakArrayBuffers(async (look) => {
    const llama = await Llama.load(folder, { adapter, onProgress: look });
    await llama.engine.gpu.idle(); // all writes have reached the device
    return { llama, ms: performance.now() - start };
  });
  const { llama, ms } = result;
  const { weights } = llama.memory;
  llama.close();
  const inside = peak < LIMIT;
  const rates = { ms: round(ms), gbs: round(weights / ms / 1e6) };
  const memory = { peakArrayBuffers: peak, peakMiB: round(peak / 2 ** 20), beforeMiB: round(before / 2 ** 20) };
  console.log(
    JSON.stringify({ bench: "load", model: basename(folder), bytes: weights, ...rates, ...memory, samples, inside }),
  );
  if (!inside) console.error(`peak of ArrayBuffers: got ${round(peak / 2 ** 20)} MiB, needed less than 256 MiB`);
  return inside;
}

async function main(): Promise<void> {
  const { model, shape, dtype, keep = false, adapter } = options();
  // Only what was written here is deleted here.
  const written = model === undefined && !isWritten(shape, dtype);
  const folder = model ?? (await checkpointFolder(shape, dtype));
  try {
    if (!(await measure(folder, adapter))) process.exitCode = 1;
  } finally {
    if (written && !keep) await rm(folder, { recursive: true, force: true });
  }
}

await runBench(main);
