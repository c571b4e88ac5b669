// Streaming weights: bad numbers, overlap of reading and uploading, aborts, broken reads and sinks.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { randomFiles, SHAPES } from "../tools/checkpoint.ts";
import { memoryFiles } from "../../src/checkpoint/memory.ts";
import type { ByteSource } from "../../src/checkpoint/bytes.ts";
import { openCheckpoint } from "../../src/model/checkpoint.ts";
import type { Checkpoint } from "../../src/model/checkpoint.ts";
import { LlariatError } from "../../src/error.ts";
import type { FloatKind } from "../../kernels/formats/floats.ts";
import { loadWeights } from "../../src/model/weights.ts";
import type { WeightSink } from "../../src/model/weights.ts";
import { collect } from "../tools/damage.ts";
import { refused } from "../tools/refused.ts";
import { check, compare, Keep, LARGE } from "../tools/sink.ts";

const tests = suite("weights-stream");
const tiny = { ...SHAPES.tiny, attentionBias: true, mlpBias: true };

/** The good tiny checkpoint with one element of one tensor overwritten by raw bits. */
async function poisoned(dtype: FloatKind, name: string, element: number, bits: number): Promise<Checkpoint> {
  const files = await collect(randomFiles({ shape: tiny, dtype }));
  const checkpoint = await openCheckpoint(memoryFiles(files));
  const { start, end, shape } = checkpoint.tensors.get(name)!;
  const width = (end - start) / shape.reduce((product, size) => product * size, 1);
  const view = new DataView(files["model.safetensors"].buffer);
  if (width === 4) view.setUint32(start + 4 * element, bits, true);
  else view.setUint16(start + 2 * element, bits, true);
  return checkpoint;
}

tests("NaN and infinity anywhere are refused with tensor, value and place", async () => {
  const q = "model.layers.1.self_attn.q_proj.weight"; // [24, 24]
  const down = "model.layers.0.mlp.down_proj.weight"; // [24, 34]
  const norm = "model.norm.weight"; // [24]
  const bits = { f32: [0x7f80_0000, 0xffc0_0000], f16: [0x7c00, 0xfe01], bf16: [0x7f80, 0xffc1] };
  for (const dtype of ["f32", "f16", "bf16"] as const) {
    for (const [name, element, place] of [
      [q, 0, "[0, 0]"], [q, 24 * 24 - 1, "[23, 23]"], [q, 77, "[3, 5]"], [down, 35, "[1, 1]"], [norm, 23, "[23]"],
      ["model.layers.0.mlp.down_proj.bias", 1, "[1]"], ["lm_head.weight", 299 * 24, "[299, 0]"],
    ] as const) {
      for (const [i, value] of ["Infinity", "NaN"].entries()) {
        const checkpoint = await poisoned(dtype, name, element, bits[dtype][i]);
        const error = await refused(() => loadWeights(checkpoint, new Keep()), "checkpoint", /needed finite numbers/);
        assert.ok(error.message.startsWith(`model.safetensors: ${name}: got ${value} at ${place}, needed`), error.message);
      }
    }
  } // prettier-ignore
  await check(memoryFiles(await collect(randomFiles({ shape: tiny, dtype: "f16" })))); // and the same without poison loads
});

tests("what an earlier tensor left in staging memory is not taken for NaN", async () => {
  // Layer 0 in f32 of 0x7f007fff (finite), whose halves are NaN as f16; layer 1 in f16 with odd numbers of elements.
  const shape = { ...tiny, heads: 5, kvHeads: 5, dim: 45, hidden: 33, vocab: 301 };
  const dtype = (name: string): FloatKind => (name.includes("layers.0.") ? "f32" : "f16");
  const files = await collect(randomFiles({ shape, dtype }));
  const bytes = new DataView(files["model.safetensors"].buffer);
  for (const { dtype: kind, start, end } of (await openCheckpoint(memoryFiles(files))).tensors.values()) {
    if (kind === "F32") for (let at = start; at < end; at += 4) bytes.setUint32(at, 0x7f00_7fff, true);
  }
  await check(memoryFiles(files));
});

tests("NaN behind the first chunk is named by its place in the whole tensor", async () => {
  const shape = { ...tiny, layers: 1, heads: 5, kvHeads: 5, dim: 45, vocab: 200_003, tied: true };
  const files = randomFiles({ shape });
  const source = (await files.open("model.safetensors"))!;
  const checkpoint = await openCheckpoint(files);
  const embed = checkpoint.tensors.get("model.embed_tokens.weight")!;
  const at = embed.start + 2 * (45 * 190_001 + 44);
  const bad: ByteSource = {
    ...source,
    async read(start, end, signal, into) {
      const bytes = await source.read(start, end, signal, into);
      for (let i = 0; i < 2; i++) if (at + i >= start && at + i < end) bytes[at + i - start] = [0x80, 0xff][i];
      return bytes;
    },
  };
  const tensors = new Map([...checkpoint.tensors].map(([name, tensor]) => [name, { ...tensor, source: bad }]));
  await refused(
    () => loadWeights({ ...checkpoint, tensors }, new Keep()),
    "checkpoint",
    /embed_tokens\.weight: got -Infinity at \[190001, 44\]/,
  );
});

/** A checkpoint whose reads run through `read`, which may delay, fail or count. */
function through(
  checkpoint: Checkpoint,
  read: (inner: () => Promise<Uint8Array>, signal?: AbortSignal) => Promise<Uint8Array>,
): Checkpoint {
  const tensors = new Map(
    [...checkpoint.tensors].map(([name, tensor]) => {
      const { source } = tensor;
      const wrapped: ByteSource = {
        ...source,
        read: (start, end, signal, into) => read(() => source.read(start, end, signal, into), signal),
      };
      return [name, { ...tensor, source: wrapped }];
    }),
  );
  return { ...checkpoint, tensors };
}
const pause = (ms: number) => new Promise<void>((resolve) => setTimeout(resolve, ms));

tests(
  "reading overlaps uploading, at most two chunks in flight, staging untouched until a write has settled",
  async () => {
    const checkpoint = await openCheckpoint(randomFiles({ shape: tiny }));
    let [reading, writing, overlapped, mostInFlight] = [0, 0, 0, 0];
    const sample = () => (mostInFlight = Math.max(mostInFlight, reading + writing));
    const slow = through(checkpoint, async (inner) => {
      reading++;
      sample();
      await pause(1);
      const bytes = await inner();
      reading--;
      return bytes;
    });
    const sink = new Keep();
    const weights = await loadWeights(slow, {
      maxBindingBytes: LARGE,
      create: (tensor) => sink.create(tensor),
      async write(tensor, offset, data) {
        writing++;
        if (reading) overlapped++;
        sample();
        const copy = data.slice();
        await pause(2);
        assert.equal(data, copy, `${tensor.name}: staging memory was reused during its upload`);
        sink.write(tensor, offset, data);
        writing--;
      },
    });
    await compare(checkpoint, weights, sink);
    assert.is(mostInFlight, 2);
    assert.is(overlapped, checkpoint.tensors.size - 1, "every upload but the last ran beside a read");
  },
);

tests("abort stops between chunks and inside a read; nothing is left pending", async () => {
  const checkpoint = await openCheckpoint(randomFiles({ shape: tiny }));
  for (const after of [0, 1, 7]) {
    const stop = new AbortController();
    if (after === 0) stop.abort();
    let seen = 0;
    const onProgress = () => void (++seen === after && stop.abort());
    await refused(
      () => loadWeights(checkpoint, new Keep(), { signal: stop.signal, onProgress }),
      "aborted",
      /aborted while/,
    );
    assert.ok(seen <= after, `${seen} more chunks after the abort`);
  }
  const stop = new AbortController();
  const hanging = through(checkpoint, async (_inner, signal) => {
    await new Promise<void>((resolve) => signal!.addEventListener("abort", () => resolve()));
    throw new LlariatError("aborted", "aborted while reading");
  });
  setTimeout(() => stop.abort(), 20);
  await refused(() => loadWeights(hanging, new Keep(), { signal: stop.signal }), "aborted", /aborted/);
});

tests("a failing read or sink ends loading with that error, and the read under way is awaited", async () => {
  const checkpoint = await openCheckpoint(randomFiles({ shape: tiny }));
  const unhandled: unknown[] = [];
  const listen = (reason: unknown) => void unhandled.push(reason);
  process.on("unhandledRejection", listen);
  try {
    for (const at of [1, 2, 9]) {
      let n = 0;
      const failing = through(checkpoint, async (inner) => {
        const mine = ++n;
        await pause(1);
        if (mine >= at) throw new LlariatError("source", `read ${mine} failed`);
        return inner();
      });
      await refused(() => loadWeights(failing, new Keep()), "source", new RegExp(`read ${at} failed`));
      const sink: WeightSink = {
        maxBindingBytes: LARGE,
        create() {},
        write() {
          throw new LlariatError("device", "out of memory");
        },
      };
      n = 0;
      await refused(
        () => loadWeights(failing, sink),
        at === 1 ? "source" : "device",
        at === 1 ? /failed/ : /out of memory/,
      );
    }
    await pause(20);
    assert.equal(unhandled, []);
  } finally {
    process.off("unhandledRejection", listen);
  }
});

tests("a read that fails while the sink is waited for ends loading, and is handled from the start", async () => {
  const checkpoint = await openCheckpoint(randomFiles({ shape: tiny }));
  const unhandled: unknown[] = [];
  const listen = (reason: unknown) => void unhandled.push(reason);
  process.on("unhandledRejection", listen);
  try {
    let reads = 0;
    const failing = through(checkpoint, async (inner) => {
      if (++reads === 2) throw new LlariatError("source", "the network is gone");
      return inner();
    });
    const slow: WeightSink = { maxBindingBytes: LARGE, create() {}, write: () => pause(20) };
    await refused(() => loadWeights(failing, slow), "source", "the network is gone");
    await pause(1);
    assert.equal(unhandled, []);
  } finally {
    process.off("unhandledRejection", listen);
  }
});

tests("a source that answers short or in its own memory is handled", async () => {
  const checkpoint = await openCheckpoint(randomFiles({ shape: tiny }));
  const sink = new Keep();
  // Odd offsets in another buffer: staging must be filled by a copy.
  const own = through(checkpoint, async (inner) => {
    const bytes = await inner();
    const other = new Uint8Array(bytes.length + 3);
    other.set(bytes, 3);
    return other.subarray(3);
  });
  await compare(checkpoint, await loadWeights(own, sink), sink);
  const short = through(checkpoint, async (inner) => (await inner()).subarray(1));
  await refused(() => loadWeights(short, new Keep()), "source", /needed all/);
});

tests.run();
