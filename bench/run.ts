// run.ts — `npm run bench`: the benchmarks that make bench/results, one process after another, all lines with one date.
//   node --import tsx bench/run.ts [--full] [--shape NAME] [--minutes N] [--adapter NAME] [--variants shuffle|tiled] [--json FILE]
// Without --full the shapes of one small model and short trials: minutes on a CPU. Lines go to the adapter's own file in
// bench/results, or only to FILE.

import { spawnSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";

/** A benchmark with its arguments, and its share of the minutes. */
interface Part {
  readonly words: readonly string[];
  readonly share: number;
}

const part = (share: number, ...words: string[]): Part => ({ words, share });

const QUICK: readonly Part[] = [part(1, "kernels.ts", "--quick"), part(1, "engine/engine.ts", "--quick")];

// What is asked for most comes first: the minutes may not suffice for the rest.
const FULL: readonly Part[] = [
  part(4, "engine/engine.ts"),
  part(4, "kernels.ts"),
  part(1, "engine/engine.ts", "--parts", "load", "--profile"),
  part(1, "rope.ts", "--quick"),
];

const { values } = parseArgs({
  options: {
    full: { type: "boolean" },
    minutes: { type: "string" },
    shape: { type: "string" },
    adapter: { type: "string" },
    variants: { type: "string" },
    json: { type: "string" },
  },
});
const { full = false, json } = values;
const minutes = Number(values.minutes ?? Infinity);
if (!(minutes > 0)) throw new TypeError(`--minutes: got ${values.minutes}, needed a number above 0`);

const named = (["adapter", "variants"] as const).flatMap((name) => (values[name] ? [`--${name}`, values[name]] : []));
const where = json === undefined ? ["--save"] : ["--json", json];
const env = { ...process.env, LLARIAT_BENCH_DATE: new Date().toISOString() };
const started = performance.now();
const parts = full ? FULL : QUICK;
let shares = parts.reduce((sum, { share }) => sum + share, 0);
for (const { words, share } of parts) {
  // What one leaves over is for those that follow.
  const left = minutes - (performance.now() - started) / 60_000;
  const own = Number.isFinite(left) ? ["--minutes", String(Math.max(0.1, (left * share) / shares))] : [];
  shares -= share;
  const [file, ...rest] = words;
  if (values.shape !== undefined && file !== "rope.ts") rest.push("--shape", values.shape); // rope has shapes of its own
  console.log(`\n${words.join(" ")}`);
  const path = fileURLToPath(new URL(file, import.meta.url));
  const { status } = spawnSync(process.execPath, ["--import", "tsx", path, ...rest, ...named, ...where, ...own], {
    stdio: "inherit",
    env,
  });
  if (status !== 0) process.exitCode = 1;
}
console.log(
  `\n${((performance.now() - started) / 60_000).toFixed(1)} minutes; npm run bench:report draws what was found`,
);
