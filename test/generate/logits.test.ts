// logits: rows of a prompt, in as many steps as they take.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Llama } from "../../src/node/index.ts";
import { goldenEntry } from "../tools/goldens.ts";
import { farthest, folder, ids, openDevice } from "../tools/models.ts";
import { refused } from "../tools/refused.ts";

const tests = suite("logits");
const handle = await openDevice();
const { device } = handle;
const sweep = folder("goldens/rope_sweep");

tests("logits: rows, one id, and more rows than a step puts out", async () => {
  using llama = await Llama.load(sweep, { device, chunkRows: 24 });
  using whole = await Llama.load(sweep, { device });
  const all = await llama.logits(ids(100));
  assert.is(all.length, 100 * 256);
  // Steps of other sizes take other kernels: last bits differ, within what the goldens allow.
  const allowed = goldenEntry("rope_sweep/default/expected.safetensors").tolerance!.f32.abs!;
  assert.ok(farthest(all, await whole.logits(Uint32Array.from(ids(100)))).error <= allowed);
  const last = await llama.logits(ids(100), { rows: "last" });
  assert.is(last.length, 256);
  assert.ok(farthest(last, all.subarray(-256)).error <= allowed);
  assert.ok(farthest(await llama.logits([ids(1)[0]]), all.subarray(0, 256)).error <= allowed);
  await refused(llama.logits([1, 2], { rows: "some" as "all" }), "request", /rows/);
});

tests.after(() => handle.release());
tests.run();
