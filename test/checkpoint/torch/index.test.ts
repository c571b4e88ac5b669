// pytorch_model.bin as torch wrote it (fixtures/torch): every form that loads holds the recorded values, every other is
// refused for its own reason; and files by hand for what torch does not write.
import { readFile, readdir } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ByteSource } from "../../../src/checkpoint/bytes.ts";
import { openCheckpoint } from "../../../src/model/checkpoint.ts";
import { memoryFiles, memorySource } from "../../../src/checkpoint/memory.ts";
import { readHeader, readTensor, readTensors } from "../../../src/checkpoint/safetensors.ts";
import type { StoredTensor } from "../../../src/checkpoint/safetensors.ts";
import { readTorch } from "../../../src/checkpoint/torch/index.ts";
import { folderFiles } from "../../../src/node/files.ts";
import { collect } from "../../tools/damage.ts";
import { refused } from "../../tools/refused.ts";
import { P, pickleBytes, torchBytes, zipBytes } from "../../tools/torch.ts";

const fixtures = fileURLToPath(new URL("../../fixtures/torch/", import.meta.url));
const tests = suite("torch");

const sourceOf = async (folder: string, file = "pytorch_model.bin"): Promise<ByteSource> =>
  memorySource(file, new Uint8Array(await readFile(join(fixtures, folder, file))));
const expected = async (dtype: string) => readTensors(await sourceOf("expected", `${dtype}.safetensors`));

/** The files of a fixture in memory. */
async function filesOf(folder: string): Promise<Record<string, Uint8Array>> {
  const files = await folderFiles(join(fixtures, folder));
  try {
    return await collect(files);
  } finally {
    await files.close();
  }
}

/** The pickle of a dict, from its keys and values. */
const state = (...items: number[][]): Uint8Array => pickleBytes(P.dict(...items));

/** Bytes of a tensor, from whatever file. */
const bytesOf = async ({ source, start, end }: StoredTensor): Promise<Uint8Array> =>
  new Uint8Array(await source.read(start, end));

/** The forms that load, the dtype of their values, and names that hold those of another. */
const LOADS: Readonly<Record<string, { dtype: string; same?: Record<string, string> }>> = {
  f32: { dtype: "f32" },
  f16: { dtype: "f16" },
  "bf16-parameters": { dtype: "bf16" },
  "f32-protocol-5": { dtype: "f32" },
  tied: { dtype: "f16", same: { "lm_head.weight": "model.embed_tokens.weight" } },
  views: { dtype: "f32" },
  "torch-1.13": { dtype: "f16" },
};

for (const [folder, { dtype, same = {} }] of Object.entries(LOADS)) {
  tests(`${folder}: the names, shapes and bytes that safetensors holds`, async () => {
    const got = await readTorch(await sourceOf(folder));
    const want = (await readHeader(await sourceOf("expected", `${dtype}.safetensors`))).tensors;
    assert.equal([...got.keys()].toSorted(), [...want.keys()].toSorted());
    for (const [name, tensor] of got) {
      const other = want.get(same[name] ?? name)!;
      assert.is(tensor.name, name);
      assert.is(tensor.dtype, other.dtype, name);
      assert.equal(tensor.shape, other.shape, name);
      assert.is(tensor.strides, undefined, name);
      assert.equal(await bytesOf(tensor), await bytesOf(other), name);
    }
  });
}

tests("a folder with pytorch_model.bin opens as one with safetensors does, tied and in shards too", async () => {
  for (const folder of [...Object.keys(LOADS), "sharded-bf16"]) {
    const files = await folderFiles(join(fixtures, folder));
    try {
      const checkpoint = await openCheckpoint(files);
      const want = await expected(LOADS[folder]?.dtype ?? "bf16");
      assert.is(checkpoint.tied, folder === "tied");
      assert.is(checkpoint.tensors.size, folder === "tied" ? 20 : 21);
      for (const [name, tensor] of checkpoint.tensors) {
        assert.equal(await readTensor(tensor), want[name].data, `${folder} ${name}`);
      }
      assert.equal(checkpoint.notes, [], folder);
    } finally {
      await files.close();
    }
  }
});

/** A source that notes which bytes are read. */
function watched(source: ByteSource): { source: ByteSource; read: [number, number][] } {
  const read: [number, number][] = [];
  const watch: ByteSource["read"] = (start, end, ...rest) => {
    read.push([start, end]);
    return source.read(start, end, ...rest);
  };
  return { source: { ...source, read: watch }, read };
}

tests("the two names of a tied matrix are one range, and known to be equal without reading it", async () => {
  const { source, read } = watched(await sourceOf("tied"));
  const got = await readTorch(source);
  const [embed, head] = ["model.embed_tokens.weight", "lm_head.weight"].map((name) => got.get(name)!);
  assert.equal([head.start, head.end], [embed.start, embed.end]);
  const reads = read.length;
  const set = memoryFiles(await filesOf("tied"));
  const opened = await openCheckpoint({
    ...set,
    open: async (name) => (name === "pytorch_model.bin" ? source : set.open(name)),
  });
  assert.is(opened.tied, true);
  assert.is(read.length, 2 * reads);
});

tests("opening reads no numbers: the directory, the pickle, and a header in front of each", async () => {
  const count = 2 ** 18;
  const items = ["0", "1", "2"].flatMap((key) => [P.text(key), P.tensor(P.storage(key, count), 0, [count], [1])]);
  const data = new Uint8Array(4 * count);
  const { source, read } = watched(memorySource("x.bin", torchBytes(state(...items), { 0: data, 1: data, 2: data })));
  const got = await readTorch(source);
  const total = read.reduce((sum, [start, end]) => sum + end - start, 0);
  assert.ok(total < 70_000, `${total} bytes read`); // 64 KiB of them, where the end record may be
  for (const { start, end } of [got.get("0")!, got.get("1")!])
    assert.not(read.some(([from, to]) => from < end && to > start));
});

tests("buffers of every dtype are found with their values; what is no tensor is left out", async () => {
  const got = await readTorch(await sourceOf("surplus"));
  const want = await expected("f32");
  for (const name of Object.keys(want)) assert.equal(await readTensor(got.get(name)!), want[name].data, name);
  assert.not(got.has("epoch") || got.has("loss"));
  const kind = (name: string) => [got.get(name)!.dtype, got.get(name)!.shape];
  const layer = "model.layers.1.self_attn";
  assert.equal(kind(`${layer}.masked_bias`), ["F32", []]);
  assert.equal(Array.from((await readTensor(got.get(`${layer}.masked_bias`)!)) as Float32Array), [-1e9]);
  assert.equal(kind(`${layer}.k_scale`), ["F64", [1]]);
  assert.equal(kind(`${layer}.bias`), ["BOOL", [1, 1, 8, 8]]);
  assert.equal((await bytesOf(got.get(`${layer}.bias`)!)).slice(0, 10), Uint8Array.of(1, 0, 0, 0, 0, 0, 0, 0, 1, 1));
  assert.equal(kind("model.embed_positions"), ["I64", [1, 8]]);
  assert.equal(Array.from((await readTensor(got.get("model.embed_positions")!)) as BigInt64Array), [0n, 1n, 2n, 3n, 4n, 5n, 6n, 7n]);
  assert.equal(kind("model.empty"), ["I16", [0, 4]]);
  assert.equal(kind("model.zero"), ["U8", [3]]);
  assert.equal(kind("model.eight"), ["I8", [3]]);
  assert.equal(kind("model.scale"), ["F8_E4M3", [3]]);
  assert.equal(await bytesOf(got.get("model.scale")!), Uint8Array.of(0x38, 0x38, 0x38));
  assert.equal(kind("model.count"), ["U16", [3]]);
  assert.equal(kind("model.wave"), ["C64", [2]]);
  assert.equal(got.get("model.transposed")!.strides, [1, 3]);
  await refused(() => readTensor(got.get("model.transposed")!), "checkpoint", /got \[3,2\] with strides \[1,3\], needed it row-major/);
}); // prettier-ignore

tests("such a checkpoint opens, with notes of what is not read", async () => {
  const files = await folderFiles(join(fixtures, "surplus"));
  const { tensors, notes } = await openCheckpoint(files);
  await files.close();
  assert.is(tensors.size, 21);
  assert.match(notes[0], /^skipped 2 rotary_emb\.inv_freq tensors of an old checkpoint/);
  assert.match(notes[1], /masked_bias \(and 13 more\) is not read: a LlamaForCausalLM of this config\.json has no such tensor/);
}); // prettier-ignore

/** The forms that torch writes and we refuse: each for its own reason, with a way out. */
const REFUSED: Readonly<Record<string, RegExp>> = {
  "before-1.6": /^pytorch_model\.bin: got the form that torch wrote before 1\.6, .*; load it with torch and save it again/,
  nested: /got the tensors inside "model" \(and 1 more\), needed them at the top; save that dict itself/,
  command: /data\.pkl: byte \d+: got the global "posix\.system", needed only what torch\.save writes for tensors.*; load it with torch where you trust it/,
  module: /got the global "torch\.nn\.modules\.linear\.Linear"/,
  list: /got something else than a dict, needed a state_dict/,
  numpy: /got the global "numpy\._core\.multiarray\.scalar"/,
  sparse: /got the global "torch\._utils\._rebuild_sparse_tensor"/,
  conjugate: /got a tensor with metadata, needed one without/,
  script: /got a TorchScript program \(torch\.jit\.save\), needed the weights alone/,
  transposed: /layers\.1\.mlp\.down_proj\.weight: got \[12,20\] with strides \[1,12\], needed it row-major; save it again after \.contiguous\(\)/,
  float8: /embed_tokens\.weight: got dtype F8_E4M3, needed F32, F16 or BF16/,
}; // prettier-ignore

tests("every fixture is in one of the lists", async () => {
  const folders = (await readdir(fixtures, { withFileTypes: true })).filter((entry) => entry.isDirectory());
  const listed = [...Object.keys(LOADS), ...Object.keys(REFUSED), "expected", "sharded-bf16", "surplus"];
  assert.equal(folders.map(({ name }) => name).toSorted(), listed.toSorted());
});

for (const [folder, message] of Object.entries(REFUSED)) {
  tests(`refuses ${folder}`, async () => {
    const files = await folderFiles(join(fixtures, folder));
    try {
      await refused(() => openCheckpoint(files), "checkpoint", message);
    } finally {
      await files.close();
    }
  });
}

tests("safetensors wins where both are; a .bin named alone is the model", async () => {
  const files = await filesOf("f32");
  const safe = new Uint8Array(await readFile(join(fixtures, "expected/f32.safetensors")));
  const both = await openCheckpoint(
    memoryFiles({ ...files, "model.safetensors": safe, "pytorch_model.bin": "broken" }),
  );
  for (const { source } of both.tensors.values()) assert.is(source.name, "model.safetensors");
  const named = await folderFiles(join(fixtures, "f32/pytorch_model.bin"));
  assert.is((await openCheckpoint(named)).tensors.get("lm_head.weight")!.source.name, "pytorch_model.bin");
  assert.is(await named.open("model.safetensors"), undefined);
  await named.close();
  const shard = await folderFiles(join(fixtures, "sharded-bf16/pytorch_model-00002-of-00003.bin"));
  await refused(() => openCheckpoint(shard), "checkpoint", /the whole folder: this file is one of several/);
  await shard.close();
});

tests("an index of .bin shards names .bin files of the folder", async () => {
  const files = await filesOf("sharded-bf16");
  const index = JSON.parse(new TextDecoder().decode(files["pytorch_model.bin.index.json"]));
  const open = (weight_map: object) =>
    openCheckpoint(memoryFiles({ ...files, "pytorch_model.bin.index.json": JSON.stringify({ weight_map }) }));
  await refused(
    () => open({ ...index.weight_map, "lm_head.weight": "model-00001-of-00003.safetensors" }),
    "checkpoint",
    /lm_head\.weight: got the file "model-00001-of-00003\.safetensors", needed a \.bin file directly in the folder/,
  );
  const { "pytorch_model-00002-of-00003.bin": _, ...without } = files;
  await refused(
    () => openCheckpoint(memoryFiles(without)),
    "checkpoint",
    /got no file pytorch_model-00002-of-00003\.bin/,
  );
});

const four = new Uint8Array(Float32Array.of(1, 2, 3, 4).buffer);
const simple = state(P.text("a"), P.tensor(P.storage("0", 4), 0, [2, 2], [2, 1]));
const byHand = (bytes: Uint8Array) => readTorch(memorySource("x.bin", bytes));

/** Sizes whose product is infinite as a number. */
const HUGE = Array.from({ length: 40 }, () => 2 ** 31 - 1);

tests("views of one storage: offsets, axes of one element, scalars, strides that say nothing", async () => {
  const views: [number, number[], number[], number[] | undefined][] = [
    [0, [4], [1], [1, 2, 3, 4]],
    [1, [3], [1], [2, 3, 4]],
    [3, [], [], [4]],
    [2, [1, 2], [99, 1], [3, 4]],
    [2, [2, 1], [1, 7], [3, 4]],
    [4, [0], [1], []],
    [0, [2, 0, 3], [0, 0, 0], []],
    [0, [...HUGE, 0], [...HUGE, 1], []],
    [0, [2, 2], [1, 2], undefined],
    [0, [2], [2], undefined],
    [1, [3], [0], undefined],
  ];
  const items = views.flatMap(([offset, shape, strides], i) => [
    P.text(String(i)),
    P.tensor(P.storage("7", 4), offset, shape, strides),
  ]);
  const got = await byHand(torchBytes(state(...items), { 7: four }));
  for (const [i, [, shape, strides, want]] of views.entries()) {
    const tensor = got.get(String(i))!;
    assert.equal(tensor.shape, shape);
    assert.equal(tensor.strides, want === undefined ? strides : undefined, `view ${i}`);
    if (want) assert.equal(Array.from((await readTensor(tensor)) as Float32Array), want, `view ${i}`);
  }
});

tests("without byteorder, as before torch 2.1, numbers are little-endian; a big-endian file is refused", async () => {
  const entries = [
    { name: "a b/data.pkl", data: simple },
    { name: "a b/data/0", data: four },
  ];
  const got = await byHand(zipBytes(entries));
  assert.equal(Array.from((await readTensor(got.get("a")!)) as Float32Array), [1, 2, 3, 4]);
  for (const byteorder of ["big", "", "little\n"]) {
    await refused(
      () => byHand(torchBytes(simple, { 0: four }, { byteorder })),
      "checkpoint",
      /x\.bin: got numbers in byte order ".*", needed "little"/,
    );
  }
});

const wrong: Record<string, [Uint8Array, RegExp]> = {
  "an empty file": [new Uint8Array(0), /got a file of 0 bytes that is no zip archive, needed the zip form/],
  "a web page": [new TextEncoder().encode("<!doctype html>"), /no zip archive, .*; download it again/],
  "a Git LFS pointer": [
    new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"),
    /got a Git LFS pointer, needed the file itself; install git-lfs/,
  ],
  "no pickle": [zipBytes([{ name: "archive/data/0", data: four }]), /with 0 entries NAME\/data\.pkl, needed one/],
  "two pickles": [
    zipBytes([
      { name: "a/data.pkl", data: simple },
      { name: "b/data.pkl", data: simple },
    ]),
    /with 2 entries NAME\/data\.pkl/,
  ],
  "a compressed pickle": [
    zipBytes([{ name: "a/data.pkl", data: simple, method: 8 }]),
    /a\/data\.pkl of \d+ bytes that is compressed \(method 8\), needed it stored as it is/,
  ],
  "no storage": [torchBytes(simple, {}), /got no zip entry archive\/data\/0, needed it for the numbers/],
  "a storage under another key": [torchBytes(simple, { 1: four }), /got no zip entry archive\/data\/0/],
  "a storage too short": [torchBytes(simple, { 0: four.slice(4) }), /data\/0: got 12 bytes, needed the 16/],
  "a storage too long": [torchBytes(simple, { 0: new Uint8Array(20) }), /data\/0: got 20 bytes, needed the 16/],
  "a dict without tensors": [torchBytes(state(P.text("a"), P.int(1)), {}), /got a dict without tensors/],
  "a key that leads away": [
    torchBytes(state(P.text("a"), P.tensor(P.storage("../../x", 4), 0, [4], [1])), { 0: four }),
    /got no zip entry archive\/data\/\.\.\/\.\.\/x/,
  ],
};
for (const [name, [bytes, message]] of Object.entries(wrong)) {
  tests(`refuses ${name}`, async () => void (await refused(() => byHand(bytes), "checkpoint", message)));
}

tests("a pickle above 64 MiB is refused before it is read", async () => {
  const large = zipBytes([{ name: "a/data.pkl", data: new Uint8Array(2 ** 26 + 1) }]);
  await refused(() => byHand(large), "checkpoint", /a\/data\.pkl: got 67108865 bytes, needed at most 67108864/);
});

tests("an aborted signal stops reading", async () => {
  const source = await sourceOf("f32");
  await refused(() => readTorch(source, AbortSignal.abort()), "aborted");
});

tests.run();
