// Random requests of every kind at once, some cut off, some throwing: a short share of test/soak.ts.
// Left out of samples: loop.test.ts has the comings and goings without a device.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Llama } from "../../src/node/index.ts";
import { folder, openDevice } from "../tools/models.ts";
import { controlPrompts, soak } from "../tools/soak.ts";

const test = suite("soak");
const { device, release } = await openDevice();
test.after(release);

test("whatever requests do, nothing is held after them, and others get their texts", async () => {
  using llama = await Llama.load(folder("/models/kv-llama"), { device, maxKvBytes: 24 << 20 });
  const done = (requests: number) => requests >= 150;
  const result = await soak(llama, { seed: 1, controls: controlPrompts(), done });
  for (const kind of ["finished", "aborted", "threw", "left", "refused"] as const) {
    assert.ok(result[kind] > 0, `${kind}: ${JSON.stringify(result)}`);
  }
});

test.run();
