// tune.test.ts — how the faster variants of a device are found: as a fact, or by a measurement that latency does not decide, which
// is remembered where the platform can.
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Size, candidates, choiceKey, choose, kernels, lanesOf } from "../../kernels/index.ts";
import { readVariantList, readVariants } from "../../src/device/asked.ts";
import { choiceName, choicesOf, deviceKey } from "../../src/device/choices.ts";
import { deviceFacts, subgroupSizes } from "../../src/device/facts.ts";
import { knownVariants, timeProduct, tune } from "../../src/device/tune.ts";
import { cacheFolder, fileStore } from "../../src/node/cache.ts";
import { countCalls, openDevice } from "../tools/models.ts";
import { refused } from "../tools/refused.ts";

const test = suite("tune");
const { device, adapter, release } = await openDevice();
const folder = mkdtempSync(join(tmpdir(), "llariat-tune-"));
test.after(() => {
  release();
  rmSync(folder, { recursive: true, force: true });
});
const sizes = subgroupSizes(device);
const facts = { ...sizes, variants: lanesOf(sizes) > 0 ? "shuffle" : "tiled" } as const;
const SMALL: Size = { rows: 70, n: 96, k: 64, format: "f16" };
const alone = await timeProduct(device, facts, SMALL);
const calls = countCalls(device);
/** A test of what not every device has: where it cannot be run it is skipped, with a note that says why. */
function where(can: boolean, otherwise: string, name: string, body: () => Promise<void>): void {
  if (can) return test(name, body);
  console.log(`note: ${otherwise}`);
  test.skip(name, body);
}

test("subgroups of varying size, and none, leave tiles", () => {
  assert.is(knownVariants(device, { subgroupMin: 4, subgroupMax: 128 }), "tiled");
  assert.is(knownVariants(device, { subgroupMin: 0, subgroupMax: 0 }), "tiled");
});

where(
  adapter.isSoftware && lanesOf(sizes) > 0,
  `${adapter.name} does not shuffle on the CPU; not tried: a fallback adapter`,
  "an adapter that computes on the CPU takes shuffles without a measurement",
  async () => {
    assert.is(knownVariants(device, sizes), "shuffle");
    const { facts: same, measured } = await tune(device, facts, [SMALL], { store: fileStore(folder) });
    assert.is(same, facts);
    assert.equal(measured, []);
    assert.is(calls.createBuffer, 0);
    assert.equal(readdirSync(folder), []);
  },
);

test("elsewhere every variant that passes its trial is measured once, and remembered by adapter, driver and kernels", async () => {
  const { subgroupMin: subgroupMinSize, subgroupMax: subgroupMaxSize } = sizes;
  const value = { isFallbackAdapter: false, subgroupMinSize, subgroupMaxSize, description: "driver 1" };
  Object.defineProperty(device, "adapterInfo", { value });
  assert.is(knownVariants(device, sizes), "tiled");
  const own = { ...sizes, variants: "tiled" } as const;
  const store = fileStore(join(folder, "own"));
  const first = await tune(device, own, [SMALL], { store, searchMs: Infinity });
  assert.equal(first.notes, []);
  assert.equal(Object.keys(first.measured[0].ms), candidates("linear", SMALL, own));
  const [best] = Object.entries(first.measured[0].ms).sort((a, b) => a[1] - b[1])[0];
  assert.is(choose("linear", SMALL, first.facts), best);
  assert.is(calls.alive.size, 0);
  const path = join(folder, "own", `${choiceName(deviceKey(device))}.json`);
  assert.equal(readdirSync(join(folder, "own")), [path.split(/[\\/]/).at(-1)]);

  calls.reset();
  const second = await tune(device, own, [SMALL], { store, searchMs: Infinity });
  assert.equal(second.measured, first.measured);
  assert.equal(second.facts.choices, first.facts.choices);
  assert.is(calls.createBuffer, 0);

  // Another size is added to what is there.
  const more = await tune(device, own, [SMALL, { ...SMALL, n: 32 }], { store, searchMs: Infinity });
  assert.is(more.measured.length, 2);
  assert.equal(more.measured[0], first.measured[0]);

  // A file that is damaged is said, and measured anew; so is one of another driver under this name.
  for (const [text, why] of [
    [readFileSync(path, "utf8").slice(0, -5), /JSON/],
    [readFileSync(path, "utf8").replace("driver 1", "driver 2"), /it is of another device/],
    [readFileSync(path, "utf8").replace('"matmul_tiled"', '"matmul_tilled"'), /it holds no measurements/],
  ] as const) {
    writeFileSync(path, text);
    const again = await tune(device, own, [SMALL], { store, searchMs: Infinity });
    assert.is(again.notes.length, 1);
    assert.match(again.notes[0], why);
    assert.equal(Object.keys(again.measured[0].ms), candidates("linear", SMALL, own));
    assert.equal((await tune(device, own, [SMALL], { store, searchMs: Infinity })).notes, []);
  }

  // A folder that cannot be written to is said, too.
  const nowhere = await tune(device, own, [SMALL], { store: fileStore(join(path, "below")), searchMs: Infinity });
  assert.ok(nowhere.notes.length > 0);
  assert.is(nowhere.measured.length, 1);

  const key = deviceKey(device);
  Object.defineProperty(device, "adapterInfo", { value: { ...value, description: "driver 2" } });
  assert.is.not(deviceKey(device), key);
  Object.defineProperty(device, "adapterInfo", { value });
  const texts = kernels as Record<string, string>;
  const text = texts["matmul_tiled"];
  texts["matmul_tiled"] = `${text} `;
  assert.is.not(deviceKey(device), key);
  texts["matmul_tiled"] = text;
  assert.is(deviceKey(device), key);
});

test("a variant that fails its trial is not measured", async () => {
  const texts = kernels as Record<string, string>;
  const text = texts["matmul_tiled"];
  texts["matmul_tiled"] = text.replace("4u * QUADS * LANES_Y", "4u * QUADS * LANES_Y - 4u * (LANES_Y / 16u)");
  try {
    const { measured, facts: found } = await tune(device, { ...sizes, variants: "tiled" }, [SMALL], {
      searchMs: Infinity,
    });
    assert.not.ok("matmul_tiled_tall" in measured[0].ms);
    assert.ok(found.refused!.has("matmul_tiled_tall"));
  } finally {
    texts["matmul_tiled"] = text;
  }
});

test("a search that has no time left measures nothing, and keeps nothing", async () => {
  const store = fileStore(join(folder, "late"));
  const own = { ...sizes, variants: "tiled" } as const;
  const { measured } = await tune(device, own, [SMALL], { store, searchMs: 0 });
  assert.equal(measured, []);
  assert.is(await store.read(choiceName(deviceKey(device))), undefined);
});

test("the fastest is taken, for its size only", () => {
  const choices = choicesOf([{ size: SMALL, ms: { matmul_tiled: 2, matmul_tiled_tall: 1, matmul_shuffle: 3 } }]);
  assert.equal([...choices], [[choiceKey("linear", SMALL), "matmul_tiled_tall"]]);
});

test("variants that are asked for are checked by name, and must run on the device", async () => {
  const asked = { linear: "matmul_tiled", topk: "lib/reduce_workgroup" } as const;
  assert.equal(readVariants(asked), asked);
  assert.equal(readVariantList("linear=matmul_tiled, topk=lib/reduce_workgroup", "X"), asked);
  assert.is(readVariantList("", "X"), undefined);
  assert.is(readVariantList("tiled", "X"), "tiled");
  for (const [wrong, what] of [
    [7, /variants: must be shuffle, tiled or variants by kernel, got 7/],
    [{ linnear: "matmul_tiled" }, /there is no kernel "linnear"; did you mean linear\?/],
    [{ linear: "matmul_tilled" }, /variants\.linear: there is no variant "matmul_tilled"; did you mean matmul_tiled\?/],
    [{ linear: 3 }, /variants\.linear: there is no variant 3/],
  ] as const) {
    await refused(async () => readVariants(wrong), "request", what);
  }
  const { facts: found } = await deviceFacts(device, asked);
  assert.is(choose("linear", { rows: 512, n: 9, k: 9 }, found), "matmul_tiled");
  const plain = { adapterInfo: {}, features: new Set(), limits: {} } as unknown as GPUDevice;
  await refused(
    () => deviceFacts(plain, { linear: "matmul_shuffle" }),
    "device",
    /matmul_shuffle of linear cannot run/,
  );
});

test("caches lie where the system keeps them", () => {
  assert.match(cacheFolder("linux", { XDG_CACHE_HOME: "/x" }), /^[\\/]x[\\/]llariat$/);
  assert.match(cacheFolder("linux", {}), /\.cache[\\/]llariat$/);
  assert.match(cacheFolder("darwin", {}), /Library[\\/]Caches[\\/]llariat$/);
  assert.match(cacheFolder("win32", { LOCALAPPDATA: "L" }), /^L[\\/]llariat$/);
});

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
    const ms = await timeProduct(device, facts, SMALL);
    queue.onSubmittedWorkDone = done;
    assert.ok(ms < LATENCY / 2, `${ms} ms, ${alone} without latency`);
  },
);

test.run();
