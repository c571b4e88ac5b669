// Every relative of Llama under every kind of RoPE scaling a request may ask for, against the same model in float64: what
// no golden of transformers holds. A prompt in pieces, then token by token; keys rotated when written, and raw.
import { readdirSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Llama } from "../../src/node/index.ts";
import { type RopeScaling, frequencies, parseRopeScaling } from "../../src/rope/index.ts";
import { Llama64 } from "../tools/float64.ts";
import { goldenJson } from "../tools/goldens.ts";
import { noteSampled, sampling } from "../tools/sample.ts";
import { farthest, feed, folder, openDevice, readCheckpoint, replaced, variantsOf } from "../tools/models.ts";

const tests = suite("families");
const handle = await openDevice();
tests.after(() => handle.release());

const SETTINGS: readonly (RopeScaling | "none" | undefined)[] = [
  undefined, // the model's own
  "none",
  { rope_type: "linear", factor: 2.5 },
  { rope_type: "ntk", factor: 3 },
  { rope_type: "dynamic", factor: 2, max_position_embeddings: 16 },
  { rope_type: "yarn", factor: 4, original_max_position_embeddings: 16 },
  {
    rope_type: "llama3",
    factor: 4,
    low_freq_factor: 1,
    high_freq_factor: 4,
    original_max_position_embeddings: 16,
  },
];
/** Rows per step, the last again and again. */
const SIZES = [17, 3, 1];

const names = readdirSync(folder("families"));
const all = variantsOf(handle).flatMap((variants, turn) =>
  names.map((name, i) => ({ variants, name, chosen: (i + turn) % 2 === 0 })),
);
const chosen = sampling ? all.filter((each) => each.chosen) : all;
if (sampling) noteSampled("families under variants of kernels", chosen.length, all.length);
for (const { variants, name } of chosen) {
  tests(`${name}, ${variants}: every scaling, keys rotated and raw`, async () => {
    const path = folder(`families/${name}`);
    const { input_ids: ids, tolerance } = goldenJson(`../families/${name}/expected.json`) as {
      input_ids: number[];
      tolerance: { f32: { abs: number } };
    };
    const checkpoint = await readCheckpoint(path);
    const { device } = handle;
    using llama = await Llama.load(path, { device, variants });
    for (const ropeScaling of SETTINGS) {
      const rope = parseRopeScaling(ropeScaling, llama.rope);
      for (const raw of [false, true]) {
        const got = await feed(llama, ids, SIZES, { ropeScaling, raw });
        const angles = frequencies(rope, ids.length);
        const want = new Llama64(checkpoint).step(
          ids,
          ids.map((_, i) => i),
          angles,
        );
        const { error, at } = farthest(got, want);
        const what = `${JSON.stringify(ropeScaling)}, ${raw ? "raw" : "rotated"} keys: row ${Math.floor(at / llama.config.vocab)}`;
        assert.ok(error <= tolerance.f32.abs, `${what} differs by ${error}, allowed ${tolerance.f32.abs}`);
      }
    }
  });
}

tests("Qwen2 with a window in its later layers, and in those that layer_types names", async () => {
  const path = folder("families/qwen2");
  const { input_ids: ids, tolerance } = goldenJson("../families/qwen2/expected.json") as {
    input_ids: number[];
    tolerance: { f32: { abs: number } };
  };
  const stated = goldenJson("../families/qwen2/config.json") as object;
  const used = { ...stated, use_sliding_window: true, sliding_window: 7, layer_types: undefined };
  const layer_types = ["sliding_attention", "full_attention", "sliding_attention"];
  for (const config of [
    { ...used, max_window_layers: 1 },
    { ...used, layer_types },
  ]) {
    const files = () => replaced(path, { "config.json": JSON.stringify(config) });
    const checkpoint = await readCheckpoint(await files());
    using llama = await Llama.load(await files(), { device: handle.device });
    const got = await feed(llama, ids, SIZES);
    const positions = ids.map((_, i) => i);
    const want = new Llama64(checkpoint).step(ids, positions, frequencies(llama.rope, ids.length));
    const { error } = farthest(got, want);
    assert.ok(error <= tolerance.f32.abs, `${JSON.stringify(llama.config.windows)}: ${error}`);
  }
});

tests.run();
