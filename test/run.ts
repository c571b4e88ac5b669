// Runs every test file in a process of its own, as many at once as there are cores, and ends with "N passed, N failed".
//   node --import tsx test/run.ts [part of a path ...] [--adapter NAME] [--host | --device] [--all] [--jobs N] [--acceptance]
// NAME as in LLARIAT_ADAPTER. --host runs the files that open no device, --device the others. On SwiftShader the big
// matrices of cases are sampled (tools/sample.ts) unless --all is given. --acceptance runs the *.acceptance.ts files
// instead, which take minutes: the real small models against transformers; with --all everything that is recorded, which
// takes much longer. test/README.md has the rest.
// A file with a comment line that begins with `Runs last` waits until all others have ended; one with a line that begins with
// `Left out of samples` runs on SwiftShader only where --all or its name is given.
// uvu alone exits 0 when a file forgot run() or kept an `.only`; here a file without a summary, without a test or
// with an `.only` is a failure. Skipped tests are counted; the file that skips one says in a `note:` which and why.
import { spawn, spawnSync } from "node:child_process";
import { readFileSync, readdirSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join, relative } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { inParallel } from "./tools/parallel.ts";
import { opensDevice } from "./tools/source.ts";

const here = fileURLToPath(new URL("./", import.meta.url));
const root = join(here, "..");
const flag = { type: "boolean" } as const;
const { values, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: {
    adapter: { type: "string" },
    host: flag,
    device: flag,
    all: flag,
    jobs: { type: "string" },
    acceptance: flag,
  },
});
const environment: NodeJS.ProcessEnv = {
  ...process.env,
  FORCE_COLOR: "0",
  ...(values.adapter !== undefined && { LLARIAT_ADAPTER: values.adapter }),
  ...(values.acceptance && values.all && { LLARIAT_ALL: "1" }),
};

const ending = values.acceptance ? ".acceptance.ts" : ".test.ts";

function find(folder: string): string[] {
  return readdirSync(folder, { withFileTypes: true }).flatMap((entry) => {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) return entry.name === "fixtures" ? [] : find(path);
    return entry.name.endsWith(ending) ? [path] : [];
  });
}

/** More at once than this gains little, and each takes up to a gigabyte of memory and a device. */
const MOST_JOBS = 8;

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

let files = find(here)
  .filter((file) => (!values.host || !opensDevice(file)) && (!values.device || opensDevice(file)))
  .filter((file) => wanted.length === 0 || wanted.some((part) => relative(root, file).includes(part)))
  .sort();
const all = files;
const sum = { passed: 0, failed: 0, skipped: 0 };
if (files.length === 0) {
  console.log(`no test file matches ${wanted.join(" ")}`);
  sum.failed = 1;
}

const says = (file: string, words: RegExp): boolean => words.test(readFileSync(file, "utf8"));
const isLast = (file: string): boolean => says(file, /^\/\/ Runs last\b/m);
const isLeftOut = (file: string): boolean => says(file, /^\/\/ Left out of samples\b/m);

async function report(file: string): Promise<void> {
  const name = relative(root, file);
  if (/\b\w+\.only\(/.test(readFileSync(file, "utf8"))) {
    console.log(`FAIL ${name}: a left-over .only hides its other tests`);
    sum.failed++;
    return;
  }
  const started = performance.now();
  const outcome = await run(file);
  sum.passed += outcome.passed;
  sum.failed += outcome.failed;
  sum.skipped += outcome.skipped;
  const seconds = ((performance.now() - started) / 1000).toFixed(1);
  const skips = outcome.skipped ? `, ${outcome.skipped} skipped` : "";
  const notes = outcome.output.match(/note: .*/g) ?? [];
  console.log(`${outcome.failed ? "FAIL" : "ok  "} ${name}  ${outcome.passed} passed${skips}  ${seconds} s`);
  if (outcome.failed) console.log(outcome.output.replace(/^/gm, "     "));
  else for (const note of notes) console.log(`     ${note}`);
}

if (files.some((file) => opensDevice(file))) {
  const probe = ["--import", "tsx", join(here, "tools/adapter.ts")];
  const { stdout } = spawnSync(process.execPath, probe, { cwd: root, env: environment, encoding: "utf8" });
  // A device that cannot be opened is what the tests themselves will tell about.
  const adapter = stdout.trim().split("\n").at(-1) || "none that can be opened";
  const slow = (/swiftshader/i.test(adapter) || environment["LLARIAT_SAMPLE"] === "1") && !values.all;
  if (slow) environment["LLARIAT_SAMPLE"] = "1";
  if (slow && wanted.length === 0) files = files.filter((file) => !isLeftOut(file));
  console.log(`adapter: ${adapter}${slow ? "; big matrices of cases are sampled, see the notes; --all runs all" : ""}`);
}

const left = all.filter((file) => !files.includes(file)).map((file) => relative(root, file));
const started = performance.now();
const jobs = Number(values.jobs ?? Math.min(MOST_JOBS, availableParallelism()));
await inParallel(
  files.filter((file) => !isLast(file)),
  jobs,
  report,
);
await inParallel(files.filter(isLast), 1, report);
const seconds = ((performance.now() - started) / 1000).toFixed(0);
console.log(
  `\n${files.length} files in ${seconds} s${sum.skipped ? `; ${sum.skipped} skipped: see the lines above` : ""}`,
);
if (left.length > 0) console.log(`left out on this adapter: ${left.join(", ")}; npm test -- --all runs them`);
console.log(`${sum.passed} passed, ${sum.failed} failed`);
process.exitCode = sum.failed ? 1 : 0;
