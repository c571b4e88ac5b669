// Every function of every entry point with wrong arguments: it gives something, or refuses with a sentence.
// LLARIAT_MISUSES and LLARIAT_SEED choose how many and which (npm run test:misuse).
import { suite } from "uvu";
import * as assert from "uvu/assert";
import * as checked from "../kernels/checked.ts";
import * as kernels from "../kernels/index.ts";
import { type Called, rightCalls, strangers, wrongArguments, wrongInside } from "./tools/exports.ts";

const tests = suite("exports");
const unhandled: unknown[] = [];
process.on("unhandledRejection", (reason) => unhandled.push(reason));

function none({ calls, faults }: Called): void {
  console.log(`note: ${calls} calls`);
  assert.is(faults.length, 0, `${faults.length} faults, the first:\n${faults.slice(0, 10).join("\n")}`);
  assert.equal(unhandled, []);
}

tests("every kernel of the package goes through checked.ts", () => {
  const functions = Object.entries(kernels).filter(([, value]) => typeof value === "function");
  const missing = functions.filter(([name, value]) => (checked as Record<string, unknown>)[name] === value);
  assert.equal(
    missing.map(([name]) => name),
    [],
  );
});

tests("the tables name what there is, and right arguments are taken", async () => {
  assert.equal(strangers(), []);
  none(await rightCalls());
});

tests("a wrong value in the place of any argument", async () => none(await wrongArguments()));

tests("wrong values anywhere inside right arguments", async () => {
  const count = Number(process.env["LLARIAT_MISUSES"] ?? 1000);
  none(await wrongInside({ seed: Number(process.env["LLARIAT_SEED"] ?? 1), count }));
});

tests.run();
