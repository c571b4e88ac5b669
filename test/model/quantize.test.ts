// quantize.test.ts — matrices in other formats than they are stored in: what the option may be, what comes of it on the host and
// on the device, and that a 7B model fits where it should.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Matrix, type Tensor, rowStride, tensorBytes } from "../../kernels/index.ts";
import { readTensor } from "../../src/checkpoint/safetensors.ts";
import { type Checkpoint, openCheckpoint } from "../../src/model/checkpoint.ts";
import { type Quantize, readQuantize } from "../../src/model/quantize.ts";
import { loadWeights, planWeights, weightBytes } from "../../src/model/weights.ts";
import { Llama } from "../../src/node/index.ts";
import { SHAPES, randomFiles } from "../tools/checkpoint.ts";
import { openDevice } from "../tools/models.ts";
import { refused } from "../tools/refused.ts";
import { Keep, LARGE } from "../tools/sink.ts";

const tests = suite("quantize");
const handle = await openDevice();
tests.after(() => handle.release());

const odd = { ...SHAPES.tiny, heads: 5, kvHeads: 5, headDim: 6, dim: 45, hidden: 75, attentionBias: true };

tests("one word is for every matrix; apart, embedding and output are held as the blocks unless said otherwise", () => {
  assert.equal(readQuantize(undefined), { weights: "none", embedding: "none", output: "none" });
  assert.equal(readQuantize("q4_0"), { weights: "q4_0", embedding: "q4_0", output: "q4_0" });
  assert.equal(readQuantize({ output: "q8_0" }), { weights: "none", embedding: "none", output: "q8_0" });
  assert.equal(readQuantize({ weights: "q4_0", embedding: "f16" }), {
    weights: "q4_0",
    embedding: "f16",
    output: "q4_0",
  });
});

tests("what is no format or no kind of matrix is refused by name, before anything is opened", async () => {
  for (const [given, message] of [
    ["q5_0", /quantize: must be one of none, f16, q8_0, q4_0, or an object .*, got "q5_0"/],
    [4, /quantize: must be one of .*, got 4/],
    [null, /quantize: must be one of .*, got null/],
    [{ weights: "bf16" }, /quantize\.weights: must be none, f16, q8_0 or q4_0, got "bf16"/],
    [
      { embeddings: "q8_0" },
      /quantize\.embeddings: there is no such option; did you mean quantize\.embedding\?|embedding/,
    ],
  ] as const) {
    await refused(Llama.load("no such folder", { quantize: given as Quantize }), "request", message);
  }
});

/** The rows of a matrix as they lie in the sink, by what the format unpacks of each piece. */
function unpacked(sink: Keep, { pieces, columns, format }: Matrix): Float32Array[] {
  return pieces.flatMap(({ tensors, rows }) => {
    const bytes = Object.fromEntries(Object.entries(tensors).map(([key, { name }]) => [key, sink.buffers.get(name)!]));
    return Array.from({ length: rows }, (_, at) => {
      const row = new Float32Array(rowStride(format, columns));
      format.unpack(bytes, at, row);
      return row.subarray(0, columns);
    });
  });
}

/** What a format makes of the stored rows of some tensors. */
async function needed(checkpoint: Checkpoint, names: readonly string[], { format, columns }: Matrix) {
  const stored = await Promise.all(names.map((name) => readTensor(checkpoint.tensors.get(name)!)));
  return stored.flatMap((values) =>
    Array.from({ length: values.length / columns }, (_, at) => {
      const row = new Float32Array(rowStride(format, columns));
      row.set((values as Float32Array).subarray(at * columns, (at + 1) * columns));
      const tensors = Object.entries(format.tensors("row", 1, columns));
      const bytes = Object.fromEntries(tensors.map(([key, tensor]) => [key, new Uint8Array(tensorBytes(tensor))]));
      format.pack(row, bytes, 0);
      format.unpack(bytes, 0, row);
      return row.subarray(0, columns);
    }),
  );
}

for (const dtype of ["f32", "f16", "bf16"] as const) {
  tests(`${dtype} to each format: every row, whole and in pieces, on the host`, async () => {
    for (const quantize of ["f16", "q8_0", "q4_0", { weights: "q4_0", embedding: "q8_0", output: "none" }] as const) {
      const checkpoint = await openCheckpoint(randomFiles({ shape: odd, dtype }));
      for (const most of [LARGE, 2000]) {
        const sink = new Keep(most);
        const progress: number[] = [];
        const onProgress = ({ loadedBytes, totalBytes }: { loadedBytes: number; totalBytes: number }) =>
          void progress.push(loadedBytes / totalBytes);
        const weights = await loadWeights(checkpoint, sink, { quantize, onProgress });
        const held = readQuantize(quantize);
        const name = (as: string) => (as === "none" ? dtype : as);
        const [layer] = weights.layers;
        const at = "model.layers.0.";
        for (const [matrix, as, names] of [
          [weights.embed, held.embedding, ["model.embed_tokens.weight"]],
          [weights.head, held.output, ["lm_head.weight"]],
          [layer.qkv, held.weights, ["q", "k", "v"].map((part) => `${at}self_attn.${part}_proj.weight`)],
          [layer.gateUp, held.weights, ["gate", "up"].map((part) => `${at}mlp.${part}_proj.weight`)],
          [layer.down, held.weights, [`${at}mlp.down_proj.weight`]],
        ] as const) {
          assert.is(matrix.format.name, name(as));
          assert.equal(unpacked(sink, matrix), await needed(checkpoint, names, matrix), matrix.name);
        }
        assert.is(layer.inputNorm.dtype, "f32");
        assert.is(layer.qkvBias!.dtype, "f32");
        assert.is(progress.at(-1), 1);
        const bytes = [...sink.buffers.values()].reduce((sum, buffer) => sum + buffer.length, 0);
        assert.is(weights.bytes, bytes);
      }
    }
  });
}

tests("a tied model holds its matrix once where both ends are held alike, else twice", async () => {
  const checkpoint = await openCheckpoint(randomFiles({ shape: { ...odd, tied: true }, dtype: "bf16" }));
  const alike = await loadWeights(checkpoint, new Keep(), { quantize: "q4_0" });
  assert.is(alike.head, alike.embed);
  const sink = new Keep();
  const progress: number[] = [];
  const apart = await loadWeights(checkpoint, sink, {
    quantize: { weights: "q4_0", embedding: "none" },
    onProgress: ({ loadedBytes, totalBytes }) => void progress.push(loadedBytes / totalBytes),
  });
  assert.equal([apart.embed, apart.head].map(({ name, format }) => [name, format.name]), [["embed", "bf16"], ["head", "q4_0"]]); // prettier-ignore
  assert.equal(unpacked(sink, apart.head), await needed(checkpoint, ["model.embed_tokens.weight"], apart.head));
  assert.is(progress.at(-1), 1, "what is read twice is counted twice");
  assert.is(weightBytes(checkpoint, { weights: "q4_0", embedding: "none" }), apart.bytes);
});

tests("a number that a format cannot hold is refused with tensor, value and place", async () => {
  for (const [dtype, quantize, value, message] of [
    ["f32", "f16", 70_000, /gate_proj\.weight: got 70000 at \[1, 3\], needed at most 65504, the most that f16 holds/],
    ["bf16", "f16", -66_048, /gate_proj\.weight: got -66048 at \[1, 3\], needed at most 65504/],
    [
      "f32",
      "q4_0",
      600_000,
      /got 600000 at \[1, 3\], needed at most 524032, the most that q4_0 holds; load with another/,
    ],
    ["f32", "q8_0", -9e6, /got -9000000 at \[1, 3\], needed at most 8319008, the most that q8_0 holds/],
  ] as const) {
    const checkpoint = await openCheckpoint(randomFiles({ shape: odd, dtype }));
    const name = "model.layers.0.mlp.gate_proj.weight";
    const tensor = checkpoint.tensors.get(name)!;
    const { source } = tensor;
    const word = new DataView(new ArrayBuffer(4));
    word.setFloat32(0, value);
    const [at, width] = [odd.dim + 3, dtype === "f32" ? 4 : 2];
    const bad = {
      ...source,
      async read(...args: Parameters<typeof source.read>) {
        const bytes = await source.read(...args);
        const place = tensor.start + at * width - args[0];
        const fits = place >= 0 && place + width <= bytes.length;
        if (fits) for (let i = 0; i < width; i++) bytes[place + i] = word.getUint8(width === 4 ? 3 - i : 1 - i);
        return bytes;
      },
    };
    const tensors = new Map(checkpoint.tensors).set(name, { ...tensor, source: bad });
    await refused(() => loadWeights({ ...checkpoint, tensors }, new Keep(), { quantize }), "checkpoint", message);
    await loadWeights({ ...checkpoint, tensors }, new Keep()); // as it is stored it loads
  }
});

tests("on the device the same bytes as on the host, of every tensor, and no memory beside the weights", async () => {
  for (const dtype of ["f32", "f16", "bf16"] as const) {
    for (const quantize of ["q8_0", "q4_0"] as const) {
      const files = randomFiles({ shape: odd, dtype });
      const checkpoint = await openCheckpoint(files);
      const sink = new Keep();
      const weights = await loadWeights(checkpoint, sink, { quantize });
      using llama = await Llama.load(files, { device: handle.device, quantize });
      assert.is(llama.memory.weights, weights.bytes);
      assert.not.ok(
        llama.notes.some((note) => note.includes("packed on the host")),
        llama.notes.join(),
      );
      for (const [name, bytes] of sink.buffers) {
        const tensor: Tensor = { name, dtype: "u32", shape: [bytes.length / 4] };
        assert.equal(new Uint8Array(await llama.engine.gpu.read(tensor, 0, bytes.length)), bytes, name);
      }
    }
  }
});

tests("matrices of several chunks, whose last is smaller, in pieces", async () => {
  const shape = { ...odd, layers: 1, vocab: 120_001, tied: true };
  const files = randomFiles({ shape, dtype: "f32" });
  const checkpoint = await openCheckpoint(files);
  const sink = new Keep();
  await loadWeights(checkpoint, sink, { quantize: "q4_0" });
  using llama = await Llama.load(files, { device: handle.device, quantize: "q4_0" });
  for (const name of ["embed", "embed.scale"]) {
    const bytes = sink.buffers.get(name)!;
    const got = new Uint8Array(await llama.engine.gpu.read({ name, dtype: "u32", shape: [] }, 0, bytes.length));
    assert.is(got.findIndex((byte, i) => byte !== bytes[i]), -1, name); // prettier-ignore
  }
});

tests("a 7B model in q4_0: bytes by counting", async () => {
  const bytesOf = async (shape: (typeof SHAPES)[string]) => {
    const checkpoint = await openCheckpoint(randomFiles({ shape, dtype: "f16" }));
    const { weights } = planWeights(checkpoint, 2 ** 31, "q4_0");
    assert.is(weightBytes(checkpoint, "q4_0"), weights.bytes);
    const kv = 2 * 2 * shape.layers * shape.kvHeads * shape.headDim * 4096; // keys and values of 4,096 positions in f16
    return { weights: weights.bytes, kv };
  };
  const llama = SHAPES["llama-7b"];
  const mistral = { ...llama, kvHeads: 8, hidden: 14_336 };
  const grouped = await bytesOf(mistral);
  assert.ok(
    grouped.weights + grouped.kv < 5e9 - 350e6,
    `${grouped.weights} and ${grouped.kv}: room for the activations`,
  );
  // With a key/value head for every query head the cache alone takes 2.1 GB: weights fit, 4,096 positions beside them do not.
  const many = await bytesOf(llama);
  assert.ok(many.weights < 3.8e9, `${many.weights}`);
  assert.is(many.kv, 2 ** 31);
});

tests.run();
