// A device of the caller's: what others do to it is not ours, what becomes of it is noticed, in words that say who did it.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Llama } from "../../src/node/index.ts";
import { folder, ids, openDevice } from "../tools/models.ts";
import { refused } from "../tools/refused.ts";

const test = suite("foreign");
const path = folder("goldens/rope_sweep");
const asked = { maxNewTokens: 4, ignoreEos: true } as const;
const DESTROYED = /^the GPU device was destroyed by its owner; load the model again, on another$/;

test("a validation error of somebody else disables no model", async () => {
  const { device, release } = await openDevice();
  let heard = 0;
  device.addEventListener("uncapturederror", () => heard++);
  using one = await Llama.load(path, { device });
  using two = await Llama.load(path, { device });
  const want = await one.complete(ids(20), asked);
  const wrong = () => device.createBuffer({ size: 16, usage: 0x1 | 0x80 }); // to be mapped and bound: nobody may
  const pieces = two.generate(ids(30), asked);
  await pieces.next();
  wrong();
  while (!(await pieces.next()).done) wrong();
  await device.queue.onSubmittedWorkDone();
  assert.ok(heard > 0, "whoever made it hears of it");
  assert.equal((await one.complete(ids(20), asked)).ids, want.ids);
  assert.equal((await two.complete(ids(20), asked)).ids, want.ids);
  release();
});

test("an error of our own disables the model that made it, and no other", async () => {
  const { device, release } = await openDevice();
  let heard = 0;
  device.addEventListener("uncapturederror", () => heard++);
  using one = await Llama.load(path, { device });
  using two = await Llama.load(path, { device });
  const { gpu, memory } = one.engine;
  gpu.write(memory.angles.tensor, 2 ** 30, new Uint8Array(4)); // behind its end
  await refused(gpu.idle(), "device", /^GPU error: /);
  await refused(one.complete(ids(20), asked), "device", /^GPU error: /);
  assert.is((await two.complete(ids(20), asked)).ids.length, 4);
  assert.is(heard, 0, "it is told to who asked, and is no affair of the owner's");
  release();
});

test("a device destroyed by its owner is noticed by load, before and on the way", async () => {
  const early = await openDevice();
  early.device.destroy();
  await refused(Llama.load(path, { device: early.device }), "device", DESTROYED);
  const late = await openDevice();
  const onProgress = () => late.device.destroy();
  await refused(Llama.load(path, { device: late.device, onProgress }), "device", DESTROYED);
});

test("and by every request: at rest, and under way", async () => {
  const { device } = await openDevice();
  const llama = await Llama.load(path, { device });
  const pieces = llama.generate(ids(20), { ...asked, maxNewTokens: 40 });
  await pieces.next();
  device.destroy();
  const end = (async () => {
    for await (const _ of pieces);
  })();
  await refused(end, "device", DESTROYED);
  await refused(llama.complete(ids(20), asked), "device", DESTROYED);
  await refused(llama.logits(ids(20)), "device", DESTROYED);
  await refused(llama.score(ids(20)), "device", DESTROYED);
  llama.close();
  assert.equal(llama.memory, { weights: 0, kv: 0, activations: 0 });
  await refused(async () => llama.complete(ids(20), asked), "closed");
});

test.run();
