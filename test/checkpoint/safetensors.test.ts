// The strict header reader: every golden file reads; every rule of the format has a file that breaks it and is named.
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { memorySource } from "../../src/checkpoint/memory.ts";
import type { ByteSource } from "../../src/checkpoint/bytes.ts";
import { folderFiles } from "../../src/node/files.ts";
import { readHeader, readTensor, readTensors } from "../../src/checkpoint/safetensors.ts";
import { safetensorsBytes } from "../tools/damage.ts";
import { refused } from "../tools/refused.ts";
import type { HeaderEntry } from "../tools/damage.ts";

const goldens = fileURLToPath(new URL("../fixtures/goldens/", import.meta.url));
const tests = suite("safetensors");
const f32 = (shape: unknown, from: number, to: number): HeaderEntry => ({
  dtype: "F32",
  shape,
  data_offsets: [from, to],
});

tests("every golden file holds what the manifest says, by dtype and shape", async () => {
  const manifest = JSON.parse(await readFile(join(goldens, "manifest.json"), "utf8")) as {
    entries: { file: string; tensors?: Record<string, { dtype: string; shape: number[] }> }[];
  };
  let count = 0;
  for (const { file, tensors } of manifest.entries) {
    if (!tensors || !file.endsWith(".safetensors")) continue;
    const source = memorySource(file, new Uint8Array(await readFile(join(goldens, file))));
    const read = (await readHeader(source)).tensors;
    const got = Object.fromEntries([...read].map(([name, { dtype, shape }]) => [name, { dtype, shape }]));
    assert.equal(got, tensors, file);
    count += read.size;
  }
  assert.ok(count > 500, `only ${count} tensors compared`);
});

tests("values of every dtype, at any byte offset", async () => {
  const parts: [string, string, ArrayBufferView, ArrayLike<unknown>][] = [
    ["pad", "U8", Uint8Array.of(7), [7]], // everything behind it starts at an odd byte
    ["f32", "F32", Float32Array.of(1.5, -2, 1e-40), [1.5, -2, Math.fround(1e-40)]],
    ["f64", "F64", Float64Array.of(Math.PI), [Math.PI]],
    ["f16", "F16", Uint16Array.of(0x3c00, 0xc000, 0x0001), [1, -2, 2 ** -24]],
    ["bf16", "BF16", Uint16Array.of(0x3f80, 0xc000, 0x0080), [1, -2, 2 ** -126]],
    ["i32", "I32", Int32Array.of(-5, 2 ** 31 - 1), [-5, 2 ** 31 - 1]],
    ["i64", "I64", BigInt64Array.of(-5n, 2n ** 60n), [-5n, 2n ** 60n]],
    ["bool", "BOOL", Uint8Array.of(0, 1), [0, 1]],
  ];
  const header: Record<string, HeaderEntry> = { __metadata__: { format: "pt" } };
  let at = 0;
  for (const [name, dtype, data, want] of parts) {
    header[name] = { dtype, shape: [want.length], data_offsets: [at, at + data.byteLength] };
    at += data.byteLength;
  }
  const body = new Uint8Array(at);
  for (const [name, , data] of parts) body.set(new Uint8Array(data.buffer), (header[name].data_offsets as number[])[0]);
  const source = memorySource("x.safetensors", safetensorsBytes(header, body));
  const all = await readTensors(source);
  for (const [name, dtype, , want] of parts) {
    assert.is(all[name].dtype, dtype);
    assert.equal(Array.from(all[name].data as ArrayLike<unknown>), Array.from(want), name);
  }
  assert.equal((await readHeader(source)).metadata, { format: "pt" });
});

tests("reading is a copy: a caller may write into what it got, also from a Node Buffer", async () => {
  const bytes = Buffer.from(
    safetensorsBytes({ a: { dtype: "U8", shape: [2], data_offsets: [0, 2] } }, Uint8Array.of(1, 2)),
  );
  const source = memorySource("x", bytes);
  const tensor = (await readHeader(source)).tensors.get("a")!;
  (await readTensor(tensor)).fill(9 as never);
  assert.equal(Array.from((await readTensor(tensor)) as Uint8Array), [1, 2]);
});

tests("accepts what the format allows: order, empty and 0-d tensors, spaces, no metadata", async () => {
  const header = { b: f32([2], 4, 12), a: f32([], 0, 4), empty: f32([0, 5], 12, 12), z: f32([0], 0, 0) };
  const file = await readHeader(memorySource("x", safetensorsBytes(`${JSON.stringify(header)}   \n`, 12)));
  assert.equal([...file.tensors.keys()], ["z", "a", "b", "empty"]);
  assert.equal(file.metadata, {});
  assert.is((await readHeader(memorySource("x", safetensorsBytes("{}", 0)))).tensors.size, 0);
  const names = await readHeader(
    memorySource(
      "x",
      safetensorsBytes(`{"__proto__":${JSON.stringify(f32([1], 0, 4))},"":${JSON.stringify(f32([1], 4, 8))}}`, 8),
    ),
  );
  assert.equal([...names.tensors.keys()], ["__proto__", ""], "names are only names");
});

const good = { a: f32([2, 3], 0, 24), b: f32([4], 24, 40) };
const wrong: Record<string, [Uint8Array, RegExp]> = {
  "an empty file": [new Uint8Array(0), /got 0 bytes, needed at least the 8/],
  "seven bytes": [new Uint8Array(7), /got 7 bytes, needed at least the 8/],
  "a length beyond the file": [
    safetensorsBytes(good, 40).slice(0, 60),
    /got a header length of \d+, needed at most 52 in a file of 60 bytes/,
  ],
  "a Git LFS pointer": [
    new TextEncoder().encode("version https://git-lfs.github.com/spec/v1\noid sha256:4d7a\nsize 4727368\n"),
    /got a Git LFS pointer, .* git lfs pull$/,
  ],
  "a length of 2⁶⁴ - 1": [new Uint8Array(100).fill(255), /header length of 18446744073709551615/],
  "a zip file": [new TextEncoder().encode("PK\x03\x04 a pickled model, not safetensors"), /no safetensors file/],
  "a length of zero": [new Uint8Array(100), /got a header that starts with "", needed \{/],
  "a header that is a list": [safetensorsBytes("[]", 0), /starts with "\[", needed \{/],
  "a byte order mark": [safetensorsBytes("\uFEFF{}", 0), /starts with/],
  "a header cut inside": [
    safetensorsBytes(JSON.stringify(good).slice(0, -2), 40),
    /got the end of the text at character/,
  ],
  "zeros behind the JSON": [safetensorsBytes("{}\0\0", 0), /needed nothing after the value/],
  "UTF-8 broken": [safetensorsBytes(good, 40).fill(0xc0, 10, 11), /not UTF-8/],
  "a dtype nobody knows": [
    safetensorsBytes({ a: { ...good.a, dtype: "F7" } }, 24),
    /x: a: got dtype "F7", needed one of BOOL U8/,
  ],
  "a dtype from the prototype": [
    safetensorsBytes({ a: { ...good.a, dtype: "toString" } }, 24),
    /a: got dtype "toString"/,
  ],
  "no dtype": [safetensorsBytes({ a: { shape: [1], data_offsets: [0, 4] } }, 4), /a: got dtype nothing/],
  "a shape that is a number": [safetensorsBytes({ a: f32(6, 0, 24) }, 24), /a: got shape 6, needed a list/],
  "65 dimensions": [
    safetensorsBytes(
      {
        a: f32(
          Array.from({ length: 65 }, () => 1),
          0,
          4,
        ),
      },
      4,
    ),
    /a: got shape \[1,.*…, needed a list of at most 64/,
  ],
  "a negative size": [safetensorsBytes({ a: f32([-2, -3], 0, 24) }, 24), /a: got shape \[-2,-3\]/],
  "a fractional size": [safetensorsBytes({ a: f32([1.5, 4], 0, 24) }, 24), /a: got shape \[1\.5,4\]/],
  "a size above 2⁵³": [safetensorsBytes({ a: f32([2 ** 53], 0, 24) }, 24), /a: got shape \[9007199254740992\]/],
  "sizes whose product overflows": [
    safetensorsBytes({ a: f32([2 ** 32, 2 ** 32], 0, 0) }, 0),
    /a: got 0 bytes of data, needed 73786976294838206464 for F32/,
  ],
  "a shape that is too large": [
    safetensorsBytes({ a: f32([2, 4], 0, 24) }, 24),
    /a: got 24 bytes of data, needed 32 for F32 \[2,4\]/,
  ],
  "half a byte": [safetensorsBytes({ a: { dtype: "F4", shape: [3], data_offsets: [0, 2] } }, 2), /needed 12 bits/],
  "offsets the wrong way round": [safetensorsBytes({ a: f32([0], 4, 0) }, 4), /a: got data_offsets \[4,0\]/],
  "three offsets": [
    safetensorsBytes({ a: { ...good.a, data_offsets: [0, 24, 24] } }, 24),
    /a: got data_offsets \[0,24,24\]/,
  ],
  "a negative offset": [safetensorsBytes({ a: f32([1], -4, 0) }, 0), /a: got data_offsets \[-4,0\]/],
  "an offset of 2⁵³ - 1": [
    safetensorsBytes({ a: f32([1], Number.MAX_SAFE_INTEGER - 4, Number.MAX_SAFE_INTEGER) }, 4),
    /a: got data up to byte/,
  ],
  "data beyond the file": [
    safetensorsBytes(good, 39),
    /b: got data up to byte \d+, needed at most the file's \d+ bytes/,
  ],
  "an overlap": [
    safetensorsBytes({ a: f32([2, 3], 0, 24), b: f32([4], 20, 36) }, 36),
    /b: got data_offsets .* overlaps a, needed/,
  ],
  "the same bytes twice": [safetensorsBytes({ a: f32([6], 0, 24), b: f32([6], 0, 24) }, 24), /b: .*overlaps a/],
  "a gap": [safetensorsBytes({ a: f32([2, 3], 0, 24), b: f32([4], 28, 44) }, 44), /b: .*leaves a gap after a/],
  "a gap before the first": [safetensorsBytes({ a: f32([1], 4, 8) }, 8), /a: .*leaves a gap after the header/],
  "bytes behind the last": [safetensorsBytes(good, 41), /the file has 1 bytes too many/],
  "data without tensors": [safetensorsBytes("{}", 8), /the file has 8 bytes too many/],
  "a name twice": [
    safetensorsBytes(`{"a":${JSON.stringify(good.a)},"a":${JSON.stringify(good.a)}}`, 24),
    /the key "a" a second time/,
  ],
  "dtype twice in a tensor": [
    safetensorsBytes('{"a":{"dtype":"F32","dtype":"I32","shape":[1],"data_offsets":[0,4]}}', 4),
    /"dtype" a second time/,
  ],
  "an unknown key": [safetensorsBytes({ a: { ...good.a, strides: [3, 1] } }, 24), /a: got the key "strides"/],
  "a tensor that is null": [safetensorsBytes('{"a":null}', 0), /a: got null, needed \{ dtype/],
  "a tensor that is a list": [safetensorsBytes('{"a":[]}', 0), /a: got \[\], needed \{ dtype/],
  "metadata with a number": [
    safetensorsBytes({ __metadata__: { n: 1 } }, 0),
    /__metadata__: got .*needed an object of strings/,
  ],
  "metadata that is text": [safetensorsBytes('{"__metadata__":"x"}', 0), /__metadata__: got "x"/],
  nesting: [safetensorsBytes(`{"a":${"[".repeat(1_000_000)}`, 0), /nesting deeper than 64/],
};
for (const [name, [bytes, message]] of Object.entries(wrong)) {
  tests(`refuses ${name}`, async () => {
    await refused(() => readHeader(memorySource("x", bytes)), "checkpoint", message);
  });
}

tests("a header above 100 MB is refused before it is read", async () => {
  const length = new Uint8Array(8);
  new DataView(length.buffer).setBigUint64(0, 100_000_001n, true);
  const source: ByteSource = {
    name: "huge.safetensors",
    size: 1e12,
    async read(start, end) {
      assert.is(end, 8, "must not read the header");
      return length.subarray(start, end);
    },
  };
  await refused(
    () => readHeader(source),
    "checkpoint",
    /huge\.safetensors: got a header length of 100000001, needed at most 100000000/,
  );
});

tests("half a byte too many is noticed beyond what a float64 can tell", async () => {
  // 3 · 3,002,399,751,580,331 = 2^53 + 1 elements of 4 bits: their 2^55 + 4 bits round to 2^55, which is what 2^52 bytes hold.
  const data = 2 ** 52;
  const head = safetensorsBytes({ x: { dtype: "F4", shape: [3, 3_002_399_751_580_331], data_offsets: [0, data] } }, 0);
  const source: ByteSource = {
    name: "vast.safetensors",
    size: head.length + data,
    read: async (start, end) => head.subarray(start, end),
  };
  await refused(
    () => readHeader(source),
    "checkpoint",
    /got 4503599627370496 bytes of data, needed 36028797018963972 bits/,
  );
});

tests("a name of megabytes is cut wherever a sentence has it", async () => {
  const name = "n".repeat(2 ** 20);
  const entries = [
    { [name]: f32([2], 4, 12) },
    { a: f32([2], 0, 8), [name]: f32([2], 4, 12) },
    { [name]: f32([2], 0, 8), z: f32([2], 4, 12) },
    { [name]: f32([2], 0, 9) },
  ];
  for (const header of entries) {
    const error = await refused(
      () => readHeader(memorySource("x", safetensorsBytes(header, 12))),
      "checkpoint",
      /nnnn…/,
    );
    assert.ok(error.message.length < 500, `${error.message.length} characters`);
  }
});

tests("a header of very many tensors lets a signal end it, and above 200,000 it is refused", async () => {
  const entries = (count: number): [string, HeaderEntry][] =>
    Array.from({ length: count }, (_, i) => [`t${i}`, { dtype: "F32", shape: [0], data_offsets: [0, 0] }]);
  const source = (count: number) =>
    memorySource(
      "m.safetensors",
      safetensorsBytes(JSON.stringify(Object.fromEntries(entries(count))), new Uint8Array()),
    );
  assert.is((await readHeader(source(30_000))).tensors.size, 30_000);
  const controller = new AbortController();
  setTimeout(() => controller.abort());
  await refused(readHeader(source(30_000), controller.signal), "aborted", /reading the header of m\.safetensors/);
  await refused(readHeader(source(200_001)), "checkpoint", /more than 600002 lists and objects/);
});

tests("reads a golden through the folder reader as from memory", async () => {
  const files = await folderFiles(join(goldens, "models/odd-everything-bf16"));
  const bytes = new Uint8Array(await readFile(join(goldens, "models/odd-everything-bf16/model.safetensors")));
  const fromFolder = await readTensors((await files.open("model.safetensors"))!);
  assert.equal(fromFolder, await readTensors(memorySource("model.safetensors", bytes)));
  await files.close();
});

tests.run();
