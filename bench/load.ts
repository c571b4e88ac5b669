// load.ts — the promise about memory: a checkpoint of gigabytes is loaded with less than 256 MiB of ArrayBuffers.
//   node --import tsx bench/load.ts [--model DIR] [--shape tinyllama-1.1b] [--dtype bf16] [--keep]
// Writes a random checkpoint of 2.2 GB, loads it on the real device, looks at process.memoryUsage().arrayBuffers every 5 ms
// and at every progress call, prints one line of JSON, and deletes the checkpoint. Exit code 1 if the peak reaches 256 MiB.

import { existsSync } from "node:fs";
import { rename, rm } from "node:fs/promises";
import { basename, join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import type { FloatKind } from "../kernels/formats/floats.ts";
import { Llama } from "../src/node/index.ts";
import { SHAPES, writeCheckpoint } from "../test/tools/checkpoint.ts";
import { round } from "./harness.ts";

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
  let peak = before;
  let samples = 0;
  const look = () => {
    peak = Math.max(peak, process.memoryUsage().arrayBuffers);
    samples++;
  };
  const timer = setInterval(look, 5);
  const start = performance.now();
  const llama = await Llama.load(folder, { adapter, onProgress: look });
  await llama.engine.gpu.idle(); // all writes have reached the device
  const ms = performance.now() - start;
  look();
  clearInterval(timer);
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
  const folder = model ?? fileURLToPath(new URL(join("../.cache/bench", `${shape}-${dtype}`), import.meta.url));
  // Only what was written here is deleted here.
  const written = model === undefined && !existsSync(folder);
  const draft = `${folder}.${process.pid}`;
  try {
    if (written) {
      await writeCheckpoint(draft, { shape: SHAPES[shape], dtype });
      await rename(draft, folder);
    }
    if (!(await measure(folder, adapter))) process.exitCode = 1;
  } finally {
    if (written) {
      await rm(draft, { recursive: true, force: true });
      if (!keep) await rm(folder, { recursive: true, force: true });
    }
  }
}

await main().catch((error: unknown) => {
  if (!(error instanceof TypeError)) throw error;
  console.error(error.message);
  process.exitCode = 2;
});
