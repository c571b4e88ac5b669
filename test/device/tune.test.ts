// tune.test.ts — how the faster variants of a device are found: as a fact, or by a measurement that latency does not decide.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { lanesOf } from "../../kernels/index.ts";
import { deviceFacts, subgroupSizes } from "../../src/device/facts.ts";
import { fasterVariants, timeProduct } from "../../src/device/tune.ts";
import { countCalls, openDevice } from "../tools/models.ts";

const test = suite("tune");
const { device, adapter, release } = await openDevice();
test.after(() => release());
const sizes = subgroupSizes(device);
const facts = { ...sizes, variants: lanesOf(sizes) > 0 ? "shuffle" : "tiled" } as const;
const alone = await timeProduct(device, facts);
const calls = countCalls(device);
/** A test of what not every device has: where it cannot be run it is skipped, with a note that says why. */
function where(can: boolean, otherwise: string, name: string, body: () => Promise<void>): void {
  if (can) return test(name, body);
  console.log(`note: ${otherwise}`);
  test.skip(name, body);
}

test("subgroups of varying size, and none, leave tiles without a measurement", async () => {
  assert.is(await fasterVariants(device, { subgroupMin: 4, subgroupMax: 128 }), "tiled");
  assert.is(await fasterVariants(device, { subgroupMin: 0, subgroupMax: 0 }), "tiled");
  assert.is(calls.createBuffer, 0);
});

where(
  adapter.isSoftware && lanesOf(sizes) > 0,
  `${adapter.name} does not shuffle on the CPU; not tried: a fallback adapter`,
  "an adapter that computes on the CPU takes shuffles without a measurement",
  async () => {
    assert.is(await fasterVariants(device, sizes), "shuffle");
    assert.is(calls.createBuffer, 0);
  },
);

where(
  lanesOf(sizes) > 0,
  `${adapter.name} has no subgroups of one size; not tried: measuring both products`,
  "where that is not known both products are measured, once for a device, leaving nothing behind",
  async () => {
    const { subgroupMin: subgroupMinSize, subgroupMax: subgroupMaxSize } = sizes;
    const value = { isFallbackAdapter: false, subgroupMinSize, subgroupMaxSize };
    Object.defineProperty(device, "adapterInfo", { value });
    const [{ facts: found }, second] = await Promise.all([deviceFacts(device), deviceFacts(device)]);
    assert.is(found, second.facts);
    // 8 ms against 80 on lavapipe as it is; with 16 lanes, and on SwiftShader, both take more than 100.
    if (adapter.name.includes("llvmpipe") && lanesOf(sizes) === 8) assert.is(found.variants, "shuffle");
    const { createBuffer } = calls;
    assert.ok(createBuffer > 0);
    assert.is((await deviceFacts(device)).facts, found);
    assert.is(calls.createBuffer, createBuffer);
    assert.is(calls.alive.size, 0);
  },
);

where(
  alone <= 50,
  `a product takes ${alone} ms on ${adapter.name}; not tried: latency`,
  "what a wait for the device costs is not counted",
  async () => {
    const { queue } = device;
    const done = queue.onSubmittedWorkDone.bind(queue);
    const LATENCY = 400;
    queue.onSubmittedWorkDone = async () => {
      await done();
      await new Promise((resolve) => setTimeout(resolve, LATENCY));
      return undefined;
    };
    const ms = await timeProduct(device, facts);
    queue.onSubmittedWorkDone = done;
    assert.ok(ms > 0 && ms < LATENCY / 2, `${ms} ms, ${alone} without latency`);
  },
);

test.run();
