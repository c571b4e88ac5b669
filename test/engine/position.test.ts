// What a decoded token costs: six dispatches a layer where everything can be joined. Its place in the text costs keys and values
// and nothing else: as many dispatches at 64 keys as at 32,768, grids that are the same but for the parts of attention, one
// workgroup more per SPLIT keys, and bytes that are the same but for those keys and values and what joins the parts.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { work } from "../../bench/work.ts";
import { SPLIT } from "../../kernels/index.ts";
import { Llama } from "../../src/node/index.ts";
import { folder, openDevice, variantsOf } from "../tools/models.ts";

const tests = suite("position");
const handle = await openDevice();
tests.after(() => handle.release());

/** A token of one sequence: its plan, and its step but for the parts of attention. */
const PLAN = { rows: 1, outputs: 1, attention: "decode", rawKeys: false, want: "candidates" } as const;
const one = { rows: 1, outputs: 1, singles: 1, tiles: 0, fills: 1, fillRows: 1 };

for (const variants of variantsOf(handle)) {
  tests(`${variants}: what a decoded token starts at 64, 4,096 and 32,768 keys`, async () => {
    using llama = await Llama.load(folder("goldens/rope_sweep"), { device: handle.device, variants });
    const { engine, config } = llama;
    const { dispatches } = engine.dispatches(PLAN);
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

for (const variants of variantsOf(handle)) {
  const names = (list: readonly { readonly kernel: string }[]) =>
    list.map(({ kernel }) => kernel.replace(/_(shuffle|tiled)$/, ""));
  const begin = ["angles", "embed"];
  const end = ["gather", "rmsnorm", "matvec", "topk"];

  tests(`${variants}: dispatches of a layer, by what its formats can be joined with`, async () => {
    // qkv with norm, turning and caching · attention in two · o with half of the next norm · gate, up and unit with norm · down
    const attention = ["attention_decode", "attention_merge"];
    const six = ["matvec", ...attention, "matvec", "matvec", "matvec"];
    const eight = ["matvec", "rope", "append", ...attention, "matvec", "matvec", "matvec"];
    const ten = ["rmsnorm", "matvec", "rope", "append", ...attention, "matvec", "rmsnorm", "matvec", "matvec"];
    for (const [model, options, layer] of [
      ["rope_sweep", {}, six],
      ["rope_sweep", { quantize: "q4_0", kvCache: "f16" }, undefined], // six, or ten where matvec_shuffle computes
      ["rope_sweep", { kvCache: "q8" }, eight], // 32 neighbours of a key have one scale
      ["models/mha-f32", {}, eight], // a workgroup makes four columns of f32
    ] as const) {
      using llama = await Llama.load(folder(`goldens/${model}`), { device: handle.device, variants, ...options });
      const { engine, config } = llama;
      const { dispatches } = engine.dispatches(PLAN);
      const own = layer ?? (dispatches.some(({ kernel }) => kernel === "matvec_shuffle") ? ten : six);
      const before = own === ten ? [] : ["rmsnorm"];
      const all = Array.from({ length: config.layers }, () => own).flat();
      assert.equal(names(dispatches), [...begin, ...before, ...all, ...end], JSON.stringify(options));
    }
  });

  tests(`${variants}: bytes of a decoded token at 64, 4,096 and 32,768 keys`, async () => {
    using llama = await Llama.load(folder("goldens/rope_sweep"), { device: handle.device, variants });
    const { engine, config } = llama;
    const { heads, kvHeads, headDim, layers } = config;
    await llama.complete([1, 2, 3], { maxNewTokens: 1 }); // before it there is no pool of keys
    const { dispatches } = engine.dispatches(PLAN);
    const bytes = (keys: number) =>
      dispatches.reduce((sum, each) => sum + work(each, { ...one, splits: Math.ceil(keys / SPLIT) }, [keys]).bytes, 0);
    const grown = (keys: number) => {
      const cached = 4 * 2 * kvHeads * headDim * (keys - 64);
      const parts = 4 * heads * headDim * (keys / SPLIT - 1);
      return layers * (cached + parts);
    };
    for (const keys of [4096, 32_768]) assert.is(bytes(keys) - bytes(64), grown(keys));
  });
}

tests.run();
