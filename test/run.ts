// Runs every test file in a process of its own and ends with the line "N passed, N failed".
//   node --import tsx test/run.ts [part of a path ...] [--adapter NAME] [--gpu] [--acceptance]
// NAME as in LLARIAT_ADAPTER; --gpu leaves out the files that open no device: they give the same on every adapter.
// --acceptance runs the *.acceptance.ts files instead, which take minutes: the real small models against transformers.
// uvu alone exits 0 when a file forgot run() or kept an `.only`; here a file without a summary, without a test or
// with an `.only` is a failure. A skipped test is counted and named.
import { spawn } from "node:child_process";
import { existsSync, readFileSync, readdirSync } from "node:fs";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { imports } from "./tools/source.ts";

const here = fileURLToPath(new URL("./", import.meta.url));
const root = join(here, "..");
const { values, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: { adapter: { type: "string" }, gpu: { type: "boolean" }, acceptance: { type: "boolean" } },
});
const environment = {
  ...process.env,
  FORCE_COLOR: "0",
  ...(values.adapter === undefined ? {} : { LLARIAT_ADAPTER: values.adapter }),
};

const ending = values.acceptance ? ".acceptance.ts" : ".test.ts";

function find(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "fixtures" ? [] : find(path);
    return entry.name.endsWith(ending) ? [path] : [];
  });
}

/** Does a file reach the adapter code, by way of any of its imports? */
function usesDevice(path: string, seen = new Set<string>()): boolean {
  if (path.endsWith("src/node/gpu.ts")) return true;
  if (seen.has(path) || !existsSync(path)) return false;
  seen.add(path);
  return imports(readFileSync(path, "utf8")).some(
    (target) => target.startsWith(".") && usesDevice(join(path, "..", target), seen),
  );
}

type Outcome = { passed: number; failed: number; skipped: number; output: string };

function run(file: string): Promise<Outcome> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--import", "tsx", file], {
      cwd: root,
      env: environment,
      stdio: ["ignore", "pipe", "pipe"],
    });
    let output = "";
    child.stdout.on("data", (data) => (output += data));
    child.stderr.on("data", (data) => (output += data));
    child.on("close", (code, signal) => {
      const count = (word: string) =>
        [...output.matchAll(new RegExp(`^\\s*${word}:\\s+(\\d+)`, "gm"))].reduce(
          (sum, match) => sum + Number(match[1]),
          0,
        );
      const [total, passed, skipped] = [count("Total"), count("Passed"), count("Skipped")];
      let failed = Math.max(0, total - passed);
      if (code !== 0 && failed === 0) {
        failed = 1;
        output += `\n${file}: exit ${code ?? signal} without a failed test\n`;
      } else if (total + skipped === 0) {
        failed = 1;
        output += `\n${file}: no test ran (is suite.run() missing?)\n`;
      }
      resolve({ passed, failed, skipped, output });
    });
  });
}

const files = find(here)
  .filter((file) => !values.gpu || usesDevice(file))
  .filter((file) => wanted.length === 0 || wanted.some((part) => relative(root, file).includes(part)))
  .sort();
const sum = { passed: 0, failed: 0, skipped: 0 };
if (files.length === 0) {
  console.log(`no test file matches ${wanted.join(" ")}`);
  sum.failed = 1;
}
for (const file of files) {
  const name = relative(root, file);
  if (/\b\w+\.only\(/.test(readFileSync(file, "utf8"))) {
    console.log(`${name}: a left-over .only hides its other tests`);
    sum.failed++;
    continue;
  }
  const started = performance.now();
  const outcome = await run(file);
  sum.passed += outcome.passed;
  sum.failed += outcome.failed;
  sum.skipped += outcome.skipped;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const skips = outcome.skipped ? `, ${outcome.skipped} skipped` : "";
  console.log(`${outcome.failed ? "FAIL" : "ok  "} ${name}  ${outcome.passed} passed${skips}  ${seconds} s`);
  const notes = outcome.output.match(/note: .*/g) ?? [];
  if (outcome.failed) console.log(outcome.output.replace(/^/gm, "     "));
  else for (const note of notes) console.log(`     ${note}`);
}
console.log(sum.skipped ? `\n${sum.skipped} skipped: see the lines above` : "");
console.log(`${sum.passed} passed, ${sum.failed} failed`);
process.exitCode = sum.failed ? 1 : 0;
