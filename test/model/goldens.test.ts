// Every golden checkpoint, of Llama and of its relatives, through Llama.load: logits at every position, however the prompt is cut into steps, and greedy
// ids, with both families of kernels.
import { readdirSync } from "node:fs";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Llama } from "../../src/node/index.ts";
import { goldenEntry, goldenJson, goldenTensors } from "../tools/goldens.ts";
import { noteSampled, sampling } from "../tools/sample.ts";
import { argmax, farthest, feed, firstDifference, folder, openDevice, variantsOf } from "../tools/models.ts";

interface Expected {
  readonly input_ids: number[];
  readonly top5_ids: number[][];
  readonly greedy_ids: number[];
  readonly greedy_ids_cached: number[];
  readonly greedy_margins: number[];
  /** Of families: ids whose logits were computed in a pass of their own, and what logits may differ by. */
  readonly short_ids?: number[];
  readonly tolerance?: { readonly f32: { readonly abs: number } };
}

const tests = suite("goldens-models");
const handle = await openDevice();
const { device } = handle;
/** Below fixtures/goldens. */
const paths = [
  ...readdirSync(folder("goldens/models")).map((name) => `models/${name}`),
  ...readdirSync(folder("families")).map((name) => `../families/${name}`),
];

/** Largest error so far, in units of what is allowed. */
let worst = 0;

tests("all twelve and ten relatives are here", () => assert.is(paths.length, 22));

const all = variantsOf(handle).flatMap((variants, turn) =>
  paths.map((path, i) => ({ variants, path, chosen: (i + turn) % 2 === 0 })),
);
// Of all in turns of variants and checkpoints every other one: each checkpoint once, each variant with half of them.
const chosen = sampling ? all.filter((each) => each.chosen) : all;
if (sampling) noteSampled("checkpoints under variants of kernels", chosen.length, all.length);
for (const { variants, path } of chosen) {
  const name = path.slice(path.lastIndexOf("/") + 1);
  const expected = goldenJson(`${path}/expected.json`) as Expected;
  const logits = `${path}/expected.safetensors`;
  const tolerance = (expected.tolerance ?? goldenEntry(logits).tolerance!).f32.abs!;
  const NEW = expected.greedy_ids.length;
  const ids = expected.input_ids;
  const load = (chunkRows?: number) => Llama.load(folder(`goldens/${path}`), { device, variants, chunkRows });
  /** Steps until the first one that may go either way. */
  const sure = expected.greedy_margins.findIndex((margin) => margin < 2 * tolerance);
  const steps = sure < 0 ? NEW : sure;

  tests(`${name}, ${variants}: logits at every position, whole, in chunks and token by token`, async () => {
    const want = (await goldenTensors(logits)).get("logits")!;
    const near = (how: string, got: Float32Array) => {
      const { error, at } = farthest(got, want);
      worst = Math.max(worst, error / tolerance);
      const where = `row ${Math.floor(at / llama.config.vocab)}, id ${at % llama.config.vocab}`;
      assert.ok(error <= tolerance, `${how}: ${where} differs by ${error}, allowed ${tolerance}`);
    };
    using llama = await load();
    assert.is(llama.engine.gpu.facts.variants, variants);
    assert.is(llama.tokenizer, undefined);
    near("whole", await llama.logits(ids));
    const last = await llama.logits(ids, { rows: "last" });
    assert.is(last.length, llama.config.vocab);
    assert.ok(farthest(last, want.subarray(-llama.config.vocab)).error <= tolerance, "the last row alone");
    near("token by token", await feed(llama, ids, [1], { planned: ids.length }));
    near("1, 3, 4, 5, 16, 17 rows", await feed(llama, ids, [1, 3, 4, 5, 16, 17]));
    near("a prompt, then single tokens", await feed(llama, ids, [29, 1]));
  });

  tests(`${name}, ${variants}: logits of a prompt that takes several steps`, async () => {
    using llama = await load(11); // 48 or 40 ids: three or four chunks, and a last one of four or seven rows
    const want = (await goldenTensors(logits)).get("logits")!;
    const { error, at } = farthest(await llama.logits(ids), want);
    assert.ok(error <= tolerance, `row ${Math.floor(at / llama.config.vocab)} differs by ${error}`);
    const done = await llama.complete(ids, { maxNewTokens: 4, ignoreEos: true, ropeAngles: "as-inserted" });
    assert.equal(done.ids.slice(0, steps), expected.greedy_ids_cached.slice(0, Math.min(steps, 4)));
    if (!expected.short_ids) return;
    const short = farthest(await llama.logits(expected.short_ids), (await goldenTensors(logits)).get("logits_short")!);
    assert.ok(short.error <= tolerance, `the first half alone differs by ${short.error}`);
  });

  tests(`${name}, ${variants}: greedy ids`, async () => {
    using llama = await load();
    const done = await llama.complete(ids, { maxNewTokens: NEW, ignoreEos: true, ropeAngles: "as-inserted" });
    assert.is(done.ids.length, NEW);
    assert.is(done.finishReason, "length");
    assert.is(done.usage.promptTokens, ids.length);
    assert.is(done.usage.completionTokens, NEW);
    assert.is(done.text, "");
    // Margins were recorded without a cache. With it, a type that depends on the length takes another way, but its
    // first differing step is recorded too: up to there both are the same run.
    const cached = firstDifference(done.ids, expected.greedy_ids_cached);
    assert.ok(cached < 0 || cached >= steps, `with the cache, id ${cached} is ${done.ids[cached]}`);
    const all = [...ids, ...expected.greedy_ids];
    for (const step of sampling ? new Set([0, steps - 1].filter((each) => each >= 0)) : Array(steps).keys()) {
      const id = argmax(await llama.logits(all.slice(0, ids.length + step), { rows: "last" }));
      assert.is(id, expected.greedy_ids[step], `without a cache, step ${step}`);
    }
  });
}

tests.after(() => {
  handle.release();
  console.log(
    `note: ${paths.length} checkpoints, largest logit error ${(100 * worst).toFixed(0)} % of what is allowed`,
  );
});
tests.run();
