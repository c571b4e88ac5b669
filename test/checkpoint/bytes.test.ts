// One contract for every place bytes come from: memory, a folder, browser blobs, HTTP ranges.
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { blobFiles } from "../../src/browser/files.ts";
import { urlFiles } from "../../src/checkpoint/http.ts";
import { isPlainName, readText } from "../../src/checkpoint/bytes.ts";
import { memoryFiles } from "../../src/checkpoint/memory.ts";
import type { FileSet } from "../../src/checkpoint/bytes.ts";
import { folderFiles } from "../../src/node/files.ts";
import { refused } from "../tools/refused.ts";
import { listen, ranged } from "../tools/server.ts";

const contract = suite("bytes");
const data = Uint8Array.from({ length: 1000 }, (_, i) => (i * 7) & 255);
const files: Record<string, Uint8Array> = {
  "a.bin": data,
  "empty.bin": new Uint8Array(0),
  "ü ñ.json": new TextEncoder().encode('{"ü":1}'),
};

interface Place {
  readonly files: FileSet;
  readonly remove: () => Promise<void>;
}
const places: Record<string, () => Promise<Place>> = {
  memory: async () => ({ files: memoryFiles(files), remove: async () => {} }),
  folder: async () => {
    const folder = await mkdtemp(join(tmpdir(), "llariat-"));
    for (const [name, bytes] of Object.entries(files)) await writeFile(join(folder, name), bytes);
    return { files: await folderFiles(folder), remove: () => rm(folder, { recursive: true }) };
  },
  blobs: async () => ({
    files: blobFiles(Object.entries(files).map(([name, bytes]) => ({ name, blob: new Blob([bytes]) }))),
    remove: async () => {},
  }),
  http: async () => {
    const server = await listen(ranged("/models/tiny/", files));
    return { files: urlFiles(`${server.origin}/models/tiny`), remove: async () => server.close() };
  },
};

for (const [name, make] of Object.entries(places)) {
  contract(`${name}: exact ranges, nothing else`, async () => {
    const place = await make();
    try {
      const source = await place.files.open("a.bin");
      assert.ok(source);
      assert.is(source.name, "a.bin");
      assert.is(source.size, 1000);
      for (const [start, end] of [
        [0, 1000],
        [0, 0],
        [1000, 1000],
        [1, 2],
        [333, 999],
        [999, 1000],
      ]) {
        assert.equal(new Uint8Array(await source.read(start, end)), data.slice(start, end), `${start} to ${end}`);
        const into = new Uint8Array(end - start + 5).fill(9);
        assert.equal(new Uint8Array(await source.read(start, end, undefined, into)), data.slice(start, end), "into");
        assert.equal(into.slice(end - start), new Uint8Array(5).fill(9), "bytes behind the range stay");
      }
      for (const [start, end] of [
        [-1, 5],
        [5, 4],
        [0, 1001],
        [0.5, 2],
        [NaN, 2],
        [0, Infinity],
        [1001, 1001],
      ]) {
        await refused(() => source.read(start, end), "source", /a\.bin: got the byte range/);
      }
      const empty = await place.files.open("empty.bin");
      assert.is(empty?.size, 0);
      assert.is((await empty!.read(0, 0)).length, 0);
      assert.is(await readText((await place.files.open("ü ñ.json"))!, 100, "config"), '{"ü":1}');
    } finally {
      await place.files.close();
      await place.remove();
    }
  });

  contract(`${name}: absent files, names that escape, abort`, async () => {
    const place = await make();
    try {
      assert.is(await place.files.open("absent.bin"), undefined);
      for (const bad of [
        "../a.bin",
        "..",
        ".",
        "",
        "x/a.bin",
        "x\\a.bin",
        "/etc/hostname",
        "C:a.bin",
        "a\0.bin",
        "a".repeat(256),
      ]) {
        await refused(() => place.files.open(bad), "source", /needed a plain name/);
      }
      const source = (await place.files.open("a.bin"))!;
      assert.ok((await place.files.list()).includes("a.bin"));
      await refused(() => source.read(0, 10, AbortSignal.abort()), "aborted", /aborted while reading a\.bin/);
    } finally {
      await place.files.close();
      await place.remove();
    }
  });
}

contract("isPlainName", () => {
  for (const good of ["model.safetensors", "model-00001-of-00005.safetensors", "ü ñ.json", "...", "a..b"])
    assert.ok(isPlainName(good), good);
});

contract("readText refuses what is too long before reading it, and what is not UTF-8", async () => {
  const source = { name: "big.json", size: 1e12, read: () => assert.unreachable("must not read") };
  await refused(
    () => readText(source as never, 1e6, "config"),
    "config",
    /big\.json: got 1000000000000 bytes, needed at most 1000000/,
  );
  const bad = (await memoryFiles({ "x.json": Uint8Array.of(0x7b, 0xff, 0x7d) }).open("x.json"))!;
  await refused(() => readText(bad, 100, "config"), "config", /x\.json: got bytes that are not UTF-8/);
});

contract("blobs: two files of one name are refused", async () => {
  const one = { name: "a.bin", blob: new Blob([data]) };
  await refused(async () => blobFiles([one, one]), "source", /two files named a\.bin/);
});

contract("blobs: of a picked folder only its own files count, not those of folders in it", async () => {
  const picked = (name: string, folder: string) =>
    Object.assign(new Blob([data]), { name, webkitRelativePath: `${folder}/${name}` });
  const files = blobFiles([picked("config.json", "model"), picked("config.json", "model/onnx")]);
  assert.equal(await files.list(), ["config.json"]);
});

contract.run();
