// Whole models with keys and values in another format: the same numbers as a model in float64 whose cache rounds as the format's
// definition says; and what a format changes of memory, of known prefixes and of keys that are cached raw.
import { readdirSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type CacheName, PAGE } from "../../kernels/index.ts";
import { Llama } from "../../src/node/index.ts";
import { frequencies, parseRopeScaling } from "../../src/rope/index.ts";
import { narrowQ8, nearestF16, widenQ8 } from "../tools/blocks.ts";
import { Llama64, type Stored } from "../tools/float64.ts";
import { goldenJson } from "../tools/goldens.ts";
import { farthest, feed, folder, ids, openDevice, readCheckpoint, variantsOf } from "../tools/models.ts";
import { refused } from "../tools/refused.ts";

const tests = suite("caches");
const handle = await openDevice();
const { device } = handle;
tests.after(() => handle.release());

const FORMATS: readonly { readonly kvCache: CacheName; readonly stored: Stored; readonly share: number }[] = [
  { kvCache: "f16", stored: (exact) => exact.map(nearestF16), share: 1 / 2 },
  { kvCache: "q8", stored: blocked, share: 9 / 32 },
];

/** Rounded in blocks of 32, the last one filled up with zeros. */
function blocked(exact: Float64Array): Float64Array {
  const whole = new Float64Array(Math.ceil(exact.length / 32) * 32);
  whole.set(exact);
  const data = new ArrayBuffer((whole.length / 32) * 36);
  narrowQ8(whole, data);
  return widenQ8(data).slice(0, exact.length);
}

const variants = variantsOf(handle);
const families = readdirSync(folder("families"));
const cases = families.flatMap((name, turn) => FORMATS.map((format, i) => ({ name, ...format, turn: turn + i })));
// Every checkpoint in one format, every format with half of them; LLARIAT_ALL: all with all.
const chosen = process.env["LLARIAT_ALL"] === "1" ? cases : cases.filter(({ turn }) => turn % FORMATS.length === 0);
const dynamic = { rope_type: "dynamic", factor: 2, max_position_embeddings: 16 } as const;
for (const [i, { name, kvCache, stored }] of chosen.entries()) {
  const own = variants[(i >> 1) % variants.length];
  tests(`${name}, ${own}: a cache in ${kvCache}, keys rotated and raw`, async () => {
    const path = folder(`families/${name}`);
    const { input_ids: all, tolerance } = goldenJson(`../families/${name}/expected.json`) as {
      input_ids: number[];
      tolerance: { f32: { abs: number } };
    };
    const checkpoint = await readCheckpoint(path);
    using llama = await Llama.load(path, { device, variants: own, kvCache });
    for (const raw of [false, true]) {
      const got = await feed(llama, all, [17, 3, 1], { ropeScaling: dynamic, raw });
      const angles = frequencies(parseRopeScaling(dynamic, llama.rope), all.length);
      const positions = all.map((_, at) => at);
      const [want, exact] = [stored, undefined].map((how) => {
        return new Llama64(checkpoint, raw, how).step(all, positions, angles);
      });
      const apart = farthest(want, exact).error;
      assert.ok(apart > tolerance.f32.abs, `the format changes nothing that is seen: ${apart}`);
      // An element that is near the middle between two numbers of the format, in f32 by 2^-24 of what it is made of, may fall to
      // the other: about one in 1,000 in f16. Together they move logits by √(1/1,000) of what all roundings do, a thirtieth; ten
      // times that is allowed where the f64 model rounds as the format says. In another format they are off by all of it.
      const { error } = farthest(got, want);
      const allowed = tolerance.f32.abs + apart / 3;
      assert.ok(error <= allowed, `${raw ? "raw" : "rotated"} keys: ${error}, allowed ${allowed}; formats ${apart}`);
    }
  });
}

for (const { kvCache, share } of FORMATS) {
  tests(`${kvCache}: memory, bounds and known prefixes`, async () => {
    const path = folder("goldens/rope_sweep");
    const plain = await Llama.load(path, { device });
    const [page, most] = [plain.kvBytes(PAGE), plain.engine.memory.kv.maxPages];
    plain.close();
    // Slots are whole blocks: kvDim of this model is one.
    const bytes = page * share;
    using llama = await Llama.load(path, { device, kvCache, maxKvBytes: 16 * bytes });
    assert.is(llama.kvBytes(PAGE), bytes);
    assert.ok(llama.engine.memory.kv.maxPages >= Math.floor(most / share), "a binding holds more tokens");
    assert.is(llama.engine.memory.maxPages, 16);
    await refused(
      llama.complete(ids(16 * PAGE), { maxNewTokens: 2, allowBeyond: true }),
      "context",
      /holds 512 at most/,
    );

    const prompt = ids(75);
    const options = { ignoreEos: true, allowBeyond: true, maxNewTokens: 9 };
    const first = await llama.complete(prompt, options);
    assert.ok(llama.memory.kv >= llama.kvBytes(84) && llama.memory.kv % bytes === 0);
    // The next turn begins with two known pages and a copy of the third.
    const next = [...prompt, ...first.ids, 7, 9];
    const again = await llama.complete(next, options);
    assert.is(again.usage.cachedTokens, prompt.length + first.ids.length - 1);
    const anew = await llama.complete(next, { ...options, reusePrefix: false });
    assert.equal(again.ids, anew.ids);
  });
}

tests("another format is refused by name", async () => {
  const path = folder("goldens/rope_sweep");
  await refused(
    Llama.load(path, { device, kvCache: "bf16" as "f16" }),
    "request",
    /^kvCache: must be f32, f16 or q8, got/,
  );
});

tests.run();
