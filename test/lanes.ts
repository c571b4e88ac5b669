// lanes.ts — the kernel tests once per subgroup width: on lavapipe with 4, 8 and 16 lanes, and on a GPU with what it has.
//   node --import tsx test/lanes.ts [part of a path ...]
// Mesa's llvmpipe makes subgroups as wide as its vectors: LP_NATIVE_VECTOR_WIDTH bits hold that many / 32 lanes. openLab
// (tools/harness.ts) fails where the adapter does not report the lanes asked for. Ends with "N passed, N failed".
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { listAdapters, requestDevice } from "../src/node/gpu.ts";
import { root } from "./tools/source.ts";

const WIDTHS = [4, 8, 16];
const parts = process.argv.slice(2);
const sum = { passed: 0, failed: 0 };

/** Runs the kernel tests with more environment, and adds what their last line says. */
function run(title: string, environment: Record<string, string>): void {
  console.log(`\n${title}`);
  const wanted = parts.length > 0 ? parts : [join("test", "kernels", "")];
  const { stdout, stderr } = spawnSync(process.execPath, ["--import", "tsx", "test/run.ts", "--device", ...wanted], {
    cwd: root,
    env: { ...process.env, ...environment },
    encoding: "utf8",
    maxBuffer: 2 ** 27,
  });
  console.log((stdout + stderr).trimEnd().replace(/^(?=.)/gm, "  "));
  const last = /^(\d+) passed, (\d+) failed\n*$/m.exec(stdout.trimEnd().split("\n").at(-1) ?? "");
  sum.passed += Number(last?.[1] ?? 0);
  sum.failed += Number(last?.[2] ?? 1); // one that does not end with its counts has broken off
}

if ((await listAdapters()).some((name) => /llvmpipe/.test(name))) {
  for (const lanes of WIDTHS)
    run(`lavapipe with subgroups of ${lanes} lanes`, {
      LLARIAT_ADAPTER: "lavapipe",
      LLARIAT_LANES: String(lanes),
      LP_NATIVE_VECTOR_WIDTH: String(32 * lanes),
    });
} else console.log("note: no lavapipe here (Debian: mesa-vulkan-drivers), so only one subgroup width can be run");

const { adapter, release } = await requestDevice({ log: () => {} });
release();
if (adapter.isSoftware) console.log("\nnote: no GPU here; on one with subgroups of 32 lanes this runs them as well");
else {
  const { name, subgroupMinSize: least, subgroupMaxSize: most } = adapter;
  run(`${name} with subgroups of ${least === most ? least : `${least} to ${most}`} lanes`, { LLARIAT_ADAPTER: name });
}
console.log(`\n${sum.passed} passed, ${sum.failed} failed`);
process.exitCode = sum.failed ? 1 : 0;
