// The index of a sharded checkpoint as nobody should write it: how long it may be, and that a signal ends the reading of its files.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ByteSource, FileSet } from "../../src/checkpoint/bytes.ts";
import { memoryFiles } from "../../src/checkpoint/memory.ts";
import { readTable } from "../../src/checkpoint/shards.ts";
import { safetensorsBytes } from "../tools/damage.ts";
import { refused } from "../tools/refused.ts";

const tests = suite("shards");
const INDEX = "model.safetensors.index.json";

/** A folder whose index names tensor i in the file of `fileOf(i)`; every file is there, or none is. */
function folder(count: number, fileOf: (i: number) => string, shard?: Uint8Array) {
  const entries = Array.from({ length: count }, (_, i) => `"t${i}":"${fileOf(i)}"`);
  const index = memoryFiles({ [INDEX]: `{"weight_map":{${entries.join(",")}}}` });
  const opened: string[] = [];
  const files: FileSet = {
    ...index,
    async open(name, signal): Promise<ByteSource | undefined> {
      if (name === INDEX || !name.startsWith("s")) return index.open(name, signal);
      opened.push(name);
      return shard && memoryFiles({ [name]: shard }).open(name);
    },
  };
  return { files, opened };
}

tests("an index of a million tensors is refused or read, and opens each of its files once", async () => {
  const million = folder(1_000_000, () => "s.safetensors");
  await refused(() => readTable(million.files), "checkpoint", /index\.json: got more than 1000000 keys/);
  assert.equal(million.opened, []);
  const most = folder(999_000, (i) => `s${i % 3}.safetensors`);
  const { stored, problems } = await readTable(most.files);
  assert.equal([stored.size, problems.size, most.opened.length], [0, 999_000, 3]);
});

tests("an index of more than 10,000 files is refused before one is opened", async () => {
  const over = folder(10_001, (i) => `s${i}.safetensors`);
  await refused(() => readTable(over.files), "checkpoint", /index\.json: got more than 10000 files, needed fewer/);
  assert.equal(over.opened, []);
  const most = folder(10_000, (i) => `s${i}.safetensors`);
  await readTable(most.files);
  assert.is(most.opened.length, 10_000);
});

tests("shards with more than a million tensors together are refused, whatever the index says", async () => {
  const header = Object.fromEntries(
    Array.from({ length: 150_000 }, (_, i) => [`x${i}`, { dtype: "F32", shape: [0], data_offsets: [0, 0] }]),
  );
  const text = JSON.stringify(header);
  const own = (i: number) => safetensorsBytes(text.replaceAll('"x', `"x${i}_`), 0);
  const names = Array.from({ length: 7 }, (_, i) => `s${i}.safetensors`);
  const files = memoryFiles({
    [INDEX]: JSON.stringify({ weight_map: Object.fromEntries(names.map((name, i) => [`x${i}_0`, name])) }),
    ...Object.fromEntries(names.map((name, i) => [name, own(i)])),
  });
  await refused(() => readTable(files), "checkpoint", /got shards with more than 1000000 tensors/);
});

tests("a signal ends the reading of an index of very many files", async () => {
  const { files, opened } = folder(10_000, (i) => `s${i}.safetensors`, safetensorsBytes("{}", 0));
  const controller = new AbortController();
  setTimeout(() => controller.abort());
  await refused(readTable(files, controller.signal), "aborted", /aborted while opening s\d+\.safetensors/);
  assert.ok(opened.length < 10_000, `${opened.length} were opened`);
});

tests.run();
