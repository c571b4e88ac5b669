// soak.ts — random requests for as long as asked, with what the process and the GPU hold at the start and at the end.
//   npm run test:soak -- [--minutes 60] [--seed N] [--adapter NAME]
// Prints a line a minute, then one line of JSON. Ends with "N passed, N failed"; any broken promise ends it at once.
import { parseArgs } from "node:util";
import { Llama } from "../src/node/index.ts";
import { folder } from "./tools/models.ts";
import { controlPrompts, soak } from "./tools/soak.ts";

const { values } = parseArgs({
  options: { minutes: { type: "string" }, seed: { type: "string" }, adapter: { type: "string" } },
});
const minutes = Number(values.minutes ?? 60);
const seed = Number(values.seed ?? Date.now() % 1e6);
if (!(minutes > 0)) throw new TypeError(`--minutes: got ${values.minutes}, needed a number above 0`);
if (!Number.isSafeInteger(seed)) throw new TypeError(`--seed: got ${values.seed}, needed a whole number`);

const warnings: string[] = [];
process.on("warning", ({ message }) => warnings.push(message));
const llama = await Llama.load(folder("/models/kv-llama"), { adapter: values.adapter, maxKvBytes: 24 << 20 });
const start = Date.now();
let shown = 0;
const done = (requests: number): boolean => {
  const passed = Math.floor((Date.now() - start) / 60_000);
  if (passed > shown) {
    shown = passed;
    const { rss, heapUsed } = process.memoryUsage();
    console.log(`${passed} min: ${requests} requests, rss ${rss >> 20} MiB, heap ${heapUsed >> 20} MiB`);
  }
  return Date.now() - start >= minutes * 60_000;
};
try {
  const result = await soak(llama, { seed, controls: controlPrompts(), done });
  console.log(JSON.stringify({ seed, minutes, adapter: llama.adapter?.name, ...result, warnings }));
  const failed = warnings.length > 0 ? 1 : 0;
  console.log(`${1 - failed} passed, ${failed} failed`);
  process.exitCode = failed;
} catch (error) {
  console.error(error);
  console.log("0 passed, 1 failed");
  process.exitCode = 1;
} finally {
  llama.close();
}
