// A vocabulary that no binding holds: embedding and head in pieces of rows, the same numbers.
// Left out of samples: two matrices of a gigabyte; kernels/linear.test.ts has pieces.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Tensor, stride } from "../../kernels/index.ts";
import { type FloatKind, widen } from "../../kernels/formats/floats.ts";
import type { FileSet } from "../../src/checkpoint/bytes.ts";
import { openCheckpoint } from "../../src/model/checkpoint.ts";
import { Llama } from "../../src/node/index.ts";
import { randomFiles, SHAPES } from "../tools/checkpoint.ts";
import { argmax, farthest, openDevice } from "../tools/models.ts";

const tests = suite("pieces");

const LIMIT = 128 * 2 ** 20;
for (const dtype of ["bf16", "f32"] as const) {
  tests(`128,256 × 2,048 in ${dtype} where a binding holds 128 MiB: split by rows, the same numbers`, async () => {
    const own = await openDevice();
    // On a device with larger bindings, the limit is the one that WebGPU guarantees.
    const { limits } = own.device;
    const known = Object.keys(Object.getPrototypeOf(limits)) as (keyof GPUSupportedLimits)[];
    const least = Object.fromEntries(known.map((key) => [key, limits[key]])) as Record<string, number>;
    assert.ok(least["maxBufferSize"] >= LIMIT, "the other limits are as they are");
    least["maxStorageBufferBindingSize"] = Math.min(LIMIT, limits.maxStorageBufferBindingSize);
    Object.defineProperty(own.device, "limits", { value: least });
    const shape = { ...SHAPES["llama-3.2-1b"], layers: 1, hidden: 64, heads: 4, kvHeads: 1, headDim: 16 };
    const files = randomFiles({ shape, dtype });
    const llama = await Llama.load(files, { device: own.device });
    try {
      const { engine } = llama;
      const { embed, head } = engine.weights;
      assert.is(head, embed);
      assert.ok(embed.pieces.length >= (dtype === "f32" ? 8 : 4), `${embed.pieces.length} pieces`);
      assert.equal([embed.rows, embed.columns], [128_256, 2048]);
      const starts = embed.pieces.map(({ firstRow }) => firstRow);
      // The rows on both sides of every cut, and some others.
      const rows = [...starts, ...starts.slice(1).map((row) => row - 1), 128_255, 77, 50_001].sort((a, b) => a - b);
      const stored = await storedRows(files, rows, dtype);

      for (const some of [rows.slice(0, 3), rows]) {
        const n = some.length;
        const { rope } = llama;
        const sequence = llama.scheduler.open({ capacity: n, rope, meaning: "planned", planned: n });
        sequence.push(some);
        assert.is(await engine.memory.reserve(sequence, n), undefined);
        const outputs = some.map((_, i) => i);
        const segment = { sequence, count: n, n, outputs, k: 1 };
        const { dispatches, writer } = engine.dispatches(engine.plan([segment], "candidates"));
        const { shape: step, data } = writer.write([segment]);
        const first = dispatches.filter(({ kernel }) => kernel === "embed");
        assert.is(first.length, embed.pieces.length);
        await engine.gpu.run(await engine.gpu.record(first), step, data);
        const x = await read(llama, first[0].bind.y, n);
        x.forEach((row, i) => assert.is(farthest(row, stored.get(some[i])!).error, 0, `embedding of ${some[i]}`));

        const found = await engine.step([segment], "logits", await engine.prepare([segment], "logits"));
        sequence.close();
        const last = dispatches.filter(({ bind }) => bind.y?.name === "logits");
        assert.is(last.length, embed.pieces.length);
        const hidden = await read(llama, last[0].bind.x, n);
        for (let i = 0; i < n; i++) {
          for (const row of rows) {
            const weight = stored.get(row)!;
            let [sum, scale] = [0, 0];
            weight.forEach((value, j) => {
              sum += value * hidden[i][j];
              scale += Math.abs(value * hidden[i][j]);
            });
            // As in lockstep.ts: about √n roundings of half a unit reach a sum of n terms; four times that.
            const allowed = (4 + 4 * Math.sqrt(2048)) * 2 ** -24 * scale;
            const got = (found[i] as Float32Array)[row];
            assert.ok(Math.abs(got - sum) <= allowed, `logit ${row} of ${some[i]}: ${got}, needed ${sum}`);
          }
        }
      }
      // Candidates look at the whole row, across the pieces.
      const done = await llama.complete(rows.slice(0, 6), { ignoreEos: true, maxNewTokens: 2, reusePrefix: false });
      assert.is(done.ids[0], argmax(await llama.logits(rows.slice(0, 6), { rows: "last" })));
    } finally {
      llama.close();
      own.release();
    }
  });
}

/** Rows of the embedding, straight from the file. */
async function storedRows(
  files: FileSet,
  rows: readonly number[],
  kind: FloatKind,
): Promise<Map<number, Float32Array>> {
  const tensor = (await openCheckpoint(files)).tensors.get("model.embed_tokens.weight")!;
  const bytes = (tensor.end - tensor.start) / tensor.shape[0];
  const out = new Map<number, Float32Array>();
  for (const row of rows) {
    const values = new Float32Array(tensor.shape[1]);
    const stored = await tensor.source.read(tensor.start + row * bytes, tensor.start + (row + 1) * bytes);
    widen(kind, new Uint8Array(stored), values);
    out.set(row, values);
  }
  return out;
}

/** The first rows of an activation. */
async function read(llama: Llama, tensor: Tensor, rows: number): Promise<Float32Array[]> {
  const wide = stride(tensor.shape[1]);
  const values = new Float32Array(await llama.engine.gpu.read(tensor, 0, 4 * wide * rows));
  return Array.from({ length: rows }, (_, i) => values.subarray(i * wide, i * wide + tensor.shape[1]));
}

tests.run();
