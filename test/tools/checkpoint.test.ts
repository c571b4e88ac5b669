// The random checkpoints of tests and benchmarks: written as they are made, any range of them, and normal.
import { mkdtemp, readFile, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readTensor } from "../../src/checkpoint/safetensors.ts";
import { openCheckpoint } from "../../src/model/checkpoint.ts";
import { folderFiles } from "../../src/node/files.ts";
import { randomFiles, SHAPES, writeCheckpoint } from "./checkpoint.ts";
import { collect } from "./damage.ts";
import { refused } from "./refused.ts";

const tests = suite("random checkpoints");
const shape = { ...SHAPES.tiny, attentionBias: true };

tests("what writeCheckpoint writes is what randomFiles makes, and any range of it equals the whole", async () => {
  const folder = await mkdtemp(join(tmpdir(), "llariat-"));
  try {
    const options = {
      shape,
      dtype: (name: string) => (name.includes("mlp") ? "f32" : "f16"),
      shardBytes: 20_000,
      seed: 7,
    };
    const written = await writeCheckpoint(folder, options);
    const made = await collect(randomFiles(options));
    assert.equal((await readdir(folder)).toSorted(), Object.keys(made).toSorted());
    let total = 0;
    for (const [name, bytes] of Object.entries(made)) {
      assert.equal(new Uint8Array(await readFile(join(folder, name))), bytes, name);
      total += bytes.length;
    }
    assert.is(written, total);
    const files = randomFiles({ shape: { ...shape, vocab: 9000 } }); // an embedding of several 64 KiB blocks
    const source = (await files.open("model.safetensors"))!;
    const whole = (await source.read(0, source.size)).slice();
    for (const [start, end] of [
      [0, 3],
      [5, 5000],
      [65_000, 140_001],
      [source.size - 7, source.size],
      [131_073, 131_074],
    ]) {
      assert.equal((await source.read(start, end)).slice(), whole.slice(start, end), `${start} to ${end}`);
    }
    await writeFile(join(folder, "config.json"), "{");
    await refused(
      async () => openCheckpoint(await folderFiles(folder)),
      "config",
      /config\.json: got the end of the text/,
    );
  } finally {
    await rm(folder, { recursive: true });
  }
});

tests("random weights are normal: mean, deviation and kurtosis by tensor, in every dtype", async () => {
  for (const dtype of ["f32", "f16", "bf16"] as const) {
    const { tensors } = await openCheckpoint(randomFiles({ shape: { ...SHAPES.tiny, vocab: 5000 }, dtype }));
    const values = (await readTensor(tensors.get("model.embed_tokens.weight")!)) as Float32Array;
    const mean = values.reduce((a, b) => a + b, 0) / values.length;
    const moment = (k: number) => values.reduce((sum, x) => sum + (x - mean) ** k, 0) / values.length;
    // 120,000 draws: standard errors are 1.4e-4 (mean), 0.2 % (deviation), 1.4 % (kurtosis); bounds at 5 of them.
    assert.ok(Math.abs(mean) < 7e-4, `${dtype} mean ${mean}`);
    assert.ok(Math.abs(Math.sqrt(moment(2)) / 0.05 - 1) < 0.01, `${dtype} deviation ${Math.sqrt(moment(2))}`);
    assert.ok(Math.abs(moment(4) / moment(2) ** 2 - 3) < 0.07 * 3, `${dtype} kurtosis ${moment(4) / moment(2) ** 2}`);
  }
});

tests.run();
