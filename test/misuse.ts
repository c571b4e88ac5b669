// misuse.ts — misuse.test.ts and exports.test.ts for long: 12,000 misuses each, or as many as asked for, from a seed.
//   node --import tsx test/misuse.ts [count] [seed]
import { spawnSync } from "node:child_process";
import { join } from "node:path";

const [count = "12000", seed = "1"] = process.argv.slice(2);
process.env["LLARIAT_MISUSES"] = count;
process.env["LLARIAT_SEED"] = seed;
// Apart: what a browser's entry point says of its platform holds for the process.
for (const name of ["misuse", "exports"]) {
  const test = join(import.meta.dirname, `${name}.test.ts`);
  const { status } = spawnSync(process.execPath, ["--import", "tsx", test], { stdio: "inherit" });
  if (status !== 0) process.exitCode = 1;
}
