// A token's place in its text costs keys and values and nothing else: as many dispatches at 64 keys as at 32,768, and grids that
// are the same but for the parts of attention, one workgroup more per SPLIT keys.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { SPLIT } from "../../kernels/index.ts";
import { Llama } from "../../src/node/index.ts";
import { folder, openDevice, variantsOf } from "../tools/models.ts";

const tests = suite("position");
const handle = await openDevice();
tests.after(() => handle.release());

for (const variants of variantsOf(handle)) {
  tests(`${variants}: what a decoded token starts at 64, 4,096 and 32,768 keys`, async () => {
    using llama = await Llama.load(folder("goldens/rope_sweep"), { device: handle.device, variants });
    const { engine, config } = llama;
    const plan = { rows: 1, outputs: 1, attention: "decode", rawKeys: false, want: "candidates" } as const;
    const { dispatches } = engine.dispatches(plan);
    const one = { rows: 1, outputs: 1, singles: 1, tiles: 0, fills: 1, fillRows: 1 };
    const grids = [64, 4096, 32_768].map((keys) =>
      dispatches.map(({ kernel, workgroups }) => {
        const splits = Math.ceil(keys / SPLIT);
        const count = workgroups({ ...one, splits }).reduce((product, size) => product * size, 1);
        return { kernel, count: kernel.startsWith("attention_decode") ? count / splits : count };
      }),
    );
    assert.equal(grids[1], grids[0]);
    assert.equal(grids[2], grids[0]);
    const parts = grids[0].filter(({ kernel }) => kernel.startsWith("attention_decode"));
    assert.is(parts.length, config.layers);
    assert.ok(parts.every(({ count }) => count >= 1));
  });
}

tests.run();
