// More than 100 damaged checkpoints per seed, from memory and from a folder: each refused with a LlariatError of the right
// kind, none loads, none takes more memory than its files; and random bytes never give anything but a clear answer.
import { mkdir, mkdtemp, readdir, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { randomFiles, SHAPES } from "../tools/checkpoint.ts";
import { memoryFiles } from "../../src/checkpoint/memory.ts";
import type { FileSet } from "../../src/checkpoint/bytes.ts";
import { openCheckpoint } from "../../src/model/checkpoint.ts";
import { LlariatError } from "../../src/error.ts";
import { folderFiles } from "../../src/node/files.ts";
import { loadWeights } from "../../src/model/weights.ts";
import { collect, damages, surpluses } from "../tools/damage.ts";
import type { Damaged } from "../tools/damage.ts";
import { whole } from "../tools/random.ts";

const tests = suite("damaged");
const shape = { ...SHAPES.tiny, attentionBias: true, mlpBias: true };
const dtype = (name: string) => (name.includes("layers.1.") ? "f32" : name.includes("mlp") ? "f16" : "bf16");
const good = {
  single: await collect(randomFiles({ shape, dtype })),
  sharded: await collect(randomFiles({ shape, dtype, shardBytes: 8000 })),
  tied: await collect(randomFiles({ shape: { ...shape, tied: true }, dtype })),
};

/** Opens and streams everything, as Llama.load does, into a sink that only counts. */
async function load(files: FileSet): Promise<number> {
  try {
    const checkpoint = await openCheckpoint(files);
    let bytes = 0;
    await loadWeights(checkpoint, {
      maxBindingBytes: 2 ** 27,
      create() {},
      write: (_, __, data) => void (bytes += data.length),
    });
    return bytes;
  } finally {
    await files.close();
  }
}

async function refusal(damaged: Damaged, files: FileSet): Promise<LlariatError> {
  try {
    await load(files);
  } catch (error) {
    if (!(error instanceof LlariatError)) throw new Error(`${damaged.name}: ${String(error)}`, { cause: error });
    assert.is(error.code, damaged.code, `${damaged.name}: ${error.code}: ${error.message}`);
    assert.match(error.message, /got|no such/, `${damaged.name}: ${error.message}`);
    assert.ok(error.message.length < 700, `${damaged.name}: a sentence of ${error.message.length} characters`);
    return error;
  }
  throw new Error(`${damaged.name}: was not refused`);
}

tests("the three good checkpoints load", async () => {
  for (const files of Object.values(good)) assert.ok((await load(memoryFiles(files))) > 30_000);
});

for (const seed of [1, 2, 3]) {
  tests(`seed ${seed}: every damaged checkpoint is refused, within its own size of memory`, async () => {
    const names = new Set<string>();
    const worst = { ms: 0, extra: 0 };
    for (const damaged of damages(good, seed)) {
      names.add(damaged.name);
      const size = Object.values(damaged.files).reduce((sum, bytes) => sum + bytes.length, 0);
      const files = memoryFiles(damaged.files);
      const before = process.memoryUsage().arrayBuffers;
      const started = performance.now();
      await refusal(damaged, files);
      const extra = process.memoryUsage().arrayBuffers - before;
      worst.ms = Math.max(worst.ms, performance.now() - started);
      worst.extra = Math.max(worst.extra, extra / size);
      assert.ok(extra <= size, `${damaged.name}: ${extra} bytes of buffers for ${size} bytes of files`);
    }
    assert.ok(names.size >= 100, `only ${names.size} different ones`);
    console.log(
      `note: seed ${seed}: ${names.size} refused, slowest ${worst.ms.toFixed(0)} ms, most buffers ${worst.extra.toFixed(2)} × files`,
    );
  });
}

tests("what holds or says more than the model needs loads, with a note where something is left out", async () => {
  const whole = await load(memoryFiles(good.single));
  let count = 0;
  for (const { name, files, note, less } of surpluses(good, 5)) {
    const { notes } = await openCheckpoint(memoryFiles(files));
    if (note === undefined) assert.equal(notes, [], name);
    else assert.match(notes.join("\n"), note, name);
    assert.ok(notes.length <= 1 && notes.join().length < 400, `${name}: ${notes.join("\n")}`);
    assert.not.match(notes.join(), /[\p{Cc}\p{Bidi_Control}]/u);
    const bytes = await load(memoryFiles(files));
    assert.ok(less ? bytes < whole : bytes === whole, `${name}: ${bytes} bytes of ${whole}`);
    count++;
  }
  assert.ok(count > 30, `only ${count}`);
});

tests("from a folder: the same refusals, and no file stays open", async () => {
  const base = await mkdtemp(join(tmpdir(), "llariat-"));
  const opened = async () => (process.platform === "linux" ? (await readdir("/proc/self/fd")).length : 0);
  try {
    let at = 0;
    const before = await opened();
    for (const damaged of damages(good, 4)) {
      const folder = join(base, String(at++));
      await mkdir(folder);
      for (const [name, bytes] of Object.entries(damaged.files)) await writeFile(join(folder, name), bytes);
      const fromFolder = await refusal(damaged, await folderFiles(folder));
      const fromMemory = await refusal(damaged, memoryFiles(damaged.files));
      if (!damaged.name.startsWith("no "))
        assert.is(fromFolder.message.replaceAll(folder, "memory"), fromMemory.message);
    }
    assert.is(await opened(), before);
  } finally {
    await rm(base, { recursive: true });
  }
});

tests("2,000 random changes of random files: a clear refusal or a checkpoint that loads whole", async () => {
  const random = whole(99);
  let loaded = 0;
  for (let i = 0; i < 2000; i++) {
    const base = [good.single, good.sharded, good.tied][random(3)];
    const names = Object.keys(base).filter((name) => !name.startsWith("tokenizer"));
    const name = names[random(names.length)];
    const bytes = base[name].slice();
    // Headers and JSON are where a reader can go wrong: half of the changes fall into the first 2 KB.
    const places = Math.min(bytes.length, random(2) ? 2048 : Infinity);
    for (let n = 1 + random(4); n > 0; n--)
      bytes[random(places)] = random(2) ? random(256) : '{}[]":,0123456789-e.'.charCodeAt(random(20));
    const cut = random(8) === 0 ? random(bytes.length) : bytes.length;
    try {
      assert.ok((await load(memoryFiles({ ...base, [name]: bytes.slice(0, cut) }))) > 30_000);
      loaded++;
    } catch (error) {
      if (!(error instanceof LlariatError))
        throw new Error(`change ${i} of ${name}: ${String(error)}`, { cause: error });
    }
  }
  assert.ok(loaded > 100 && loaded < 1500, `${loaded} of 2000 loaded: the changes no longer test anything`);
});

tests.run();
