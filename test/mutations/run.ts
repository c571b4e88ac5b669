// run.ts — breaks the code in many ways, one at a time, and shows that a test fails for each.
//   node --import tsx test/mutations/run.ts [part of a room, name or file ...] [--fresh] [--jobs N] [--budget SECONDS]
// Works on copies in a temporary folder, as many at once as there are cores. A mutation that no test notices is a failure, and
// so is one that merely does not compile, or whose text is not found exactly once: then the code has moved on and the list
// must follow. What was noticed before, by code that is still the same, is not tried again (known.ts; --fresh does).
// After --budget seconds no further one is begun, and what was left out is named; not to have tried any is a failure. Ends with the line "N passed, N failed".
import { readFileSync } from "node:fs";
import { availableParallelism } from "node:os";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { inParallel } from "../tools/parallel.ts";
import { root } from "../tools/source.ts";
import { Copy } from "./copy.ts";
import { Known } from "./known.ts";
import type { Mutation } from "./mutation.ts";
import { MUTATIONS } from "./rooms.ts";

const text = { type: "string" } as const;
const { values, positionals: wanted } = parseArgs({
  allowPositionals: true,
  options: { fresh: { type: "boolean" }, jobs: text, budget: text },
});
const jobs = Number(values.jobs ?? availableParallelism());
const budget = Number(values.budget ?? Infinity);
if (!(budget > 0)) throw new Error(`--budget needs a number of seconds, got ${values.budget}`);
const seconds = (): number => performance.now() / 1000;

const chosen = Object.entries(MUTATIONS).flatMap(([room, mutations]) =>
  mutations.filter(
    ({ name, file }) => wanted.length === 0 || wanted.some((part) => [room, name, file].some((w) => w.includes(part))),
  ),
);
const counts = { passed: 0, failed: 0 };

function report(name: string, ok: boolean, note: string): void {
  counts[ok ? "passed" : "failed"]++;
  console.log(`${ok ? "ok  " : "FAIL"} ${name.padEnd(56)} ${note}`);
}

const indented = (output: string): string => `\n${output.trim().replace(/^/gm, "     ")}`;

async function baseline(copy: Copy, name: string): Promise<void> {
  const started = seconds();
  const verdict = await copy.run(name);
  const took = `${(seconds() - started).toFixed(1)} s`;
  if (verdict.kind === "passed") report(`unchanged: ${name}`, true, `passes  ${took}`);
  else report(`unchanged: ${name}`, false, indented(verdict.output));
}

async function attempt(copy: Copy, mutation: Mutation): Promise<void> {
  const { name, file, find, replace, tests } = mutation;
  const started = seconds();
  const before = readFileSync(join(root, file), "utf8");
  const count = before.split(find).length - 1;
  if (count !== 1) return report(name, false, `${file} has ${count} times: ${find}`);
  const undo = copy.replace(
    file,
    before.replace(find, () => replace),
  );
  try {
    for (const each of tests) {
      const verdict = await copy.run(each);
      if (verdict.kind === "noticed") {
        known.set(mutation, verdict.test);
        return report(name, true, `${verdict.test}  ${(seconds() - started).toFixed(1)} s`);
      }
      if (verdict.kind === "broken")
        return report(name, false, `${verdict.test} broke without failing a test${indented(verdict.output)}`);
    }
    report(name, false, `${tests.join(", ")}: nothing failed`);
  } finally {
    undo();
  }
}

const known = new Known(values.fresh ?? false);
const tries: Mutation[] = [];
for (const mutation of chosen) {
  const test = known.get(mutation);
  if (test === undefined) tries.push(mutation);
  else report(mutation.name, true, `${test}  (known)`);
}
if (chosen.length === 0) report(wanted.join(" "), false, "no mutation has such a name");

const copies = tries.length === 0 || !(jobs >= 1) ? [] : Array.from({ length: jobs }, () => new Copy());
process.on("exit", () => {
  for (const copy of copies) copy.remove();
});
for (const signal of ["SIGINT", "SIGTERM"] as const) process.on(signal, () => process.exit(1));

const tests = [...new Set(tries.flatMap((mutation) => mutation.tests))];
await inParallel(tests, jobs, (name, job) => baseline(copies[job], name));
const left: string[] = [];
if (counts.failed === 0) {
  await inParallel(tries, jobs, async (mutation, job) => {
    if (seconds() > budget) left.push(mutation.name);
    else await attempt(copies[job], mutation);
  });
  known.save();
}
if (tries.length > 0 && left.length === tries.length) report(`within ${budget} s`, false, "not one was tried");
for (const name of left) console.log(`note: left out: ${name}`);
if (left.length > 0) console.log(`note: ${budget} s were not enough; npm run test:mutations has no limit`);
console.log(`\n${chosen.length} mutations in ${seconds().toFixed(0)} s`);
console.log(`${counts.passed} passed, ${counts.failed} failed`);
process.exitCode = counts.failed ? 1 : 0;
