// Seeded fuzz of pytorch_model.bin: files that torch wrote with bytes changed, pickles of random opcodes, and storages
// that claim what they are not. A file is read with its true values or refused by a LlariatError; nothing hangs.
import { readFile } from "node:fs/promises";
import { fileURLToPath } from "node:url";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { LlariatError } from "../../../src/error.ts";
import { memorySource } from "../../../src/checkpoint/memory.ts";
import type { StoredTensor } from "../../../src/checkpoint/safetensors.ts";
import { BITS } from "../../../src/checkpoint/safetensors.ts";
import { readTorch } from "../../../src/checkpoint/torch/index.ts";
import { P, pickleBytes, torchBytes } from "../../tools/torch.ts";
import { whole } from "../../tools/random.ts";

const fixtures = fileURLToPath(new URL("../../fixtures/torch/", import.meta.url));
const tests = suite("torch fuzz");

/** Reads a file whatever it is. A tensor that is answered must lie in it, and be as long as its shape says. */
async function attempt(bytes: Uint8Array, what: string): Promise<ReadonlyMap<string, StoredTensor> | undefined> {
  const started = performance.now();
  try {
    const tensors = await readTorch(memorySource("x.bin", bytes));
    for (const { name, dtype, shape, strides, start, end } of tensors.values()) {
      assert.ok(start >= 0 && start <= end && end <= bytes.length, `${what}: ${name} at ${start} to ${end}`);
      const count = shape.reduce((product, size) => product * size, 1);
      if (strides === undefined) assert.is(end - start, (count * BITS[dtype]) / 8, `${what}: ${name}`);
    }
    return tensors;
  } catch (error) {
    if (!(error instanceof LlariatError)) throw new Error(`${what}: ${String(error)}`, { cause: error });
    assert.is(error.code, "checkpoint", `${what}: ${error.message}`);
    assert.match(error.message, /got .*, needed /, `${what}: ${error.message}`);
    assert.ok(error.message.length < 700, `${what}: a sentence of ${error.message.length} characters`);
    return undefined;
  } finally {
    assert.ok(performance.now() - started < 2000, `${what}: ${performance.now() - started} ms`);
  }
}

const model = async (folder: string) => new Uint8Array(await readFile(`${fixtures}${folder}/pytorch_model.bin`));

/** Where the parts of an archive are that are read: everything but the numbers. */
async function readPlaces(bytes: Uint8Array): Promise<number[]> {
  const numbers = [...(await readTorch(memorySource("x.bin", bytes))).values()];
  return [...bytes.keys()].filter((at) => !numbers.some(({ start, end }) => at >= start && at < end));
}

for (const folder of ["f16", "bf16-parameters", "surplus", "torch-1.13"]) {
  tests(`${folder}: 600 changes of what is read: refused, or every tensor where it was`, async () => {
    const good = await model(folder);
    const places = await readPlaces(good);
    const truth = new Map(await attempt(good, folder));
    const random = whole(folder.length);
    let [same, refusals, other] = [0, 0, 0];
    for (let i = 0; i < 600; i++) {
      const bytes = good.slice();
      const at = places[random(places.length)];
      bytes[at] = random(2) ? random(256) : bytes[at] ^ (1 << random(8));
      const got = await attempt(bytes, `change ${i}: byte ${at} is ${bytes[at]}`);
      if (got === undefined) {
        refusals++;
        continue;
      }
      // What still reads differs at most in one name, one type or one view: a checkpoint of it is checked by its config.
      const moved = [...got].filter(([name, { start, end, dtype, shape }]) => {
        const was = truth.get(name);
        return (
          !was || was.start !== start || was.end !== end || was.dtype !== dtype || shape.join() !== was.shape.join()
        );
      });
      assert.ok(moved.length <= 3, `change ${i}: byte ${at}: ${moved.map(([name]) => name).join()}`);
      if (moved.length || got.size !== truth.size) other++;
      else same++;
    }
    // Padding, dates and checksums are read by nobody.
    assert.ok(same > 100 && refusals > 150 && other > 3, `${same} same, ${refusals} refused, ${other} other`);
    console.log(`note: ${folder}: ${refusals} refused, ${same} the same, ${other} with one name or view changed`);
  });
}

tests("a file cut anywhere is refused", async () => {
  const good = await model("f16");
  const random = whole(5);
  for (let i = 0; i < 300; i++) {
    const length = i < 100 ? i : random(good.length);
    assert.is(await attempt(good.slice(0, length), `${length} bytes`), undefined, `${length} bytes`);
  }
});

tests("6,000 pickles of random opcodes, plausible in parts: a LlariatError or tensors inside the file", async () => {
  const random = whole(11);
  const pick = <T>(list: readonly T[]): T => list[random(list.length)];
  const number = () => pick([0, 1, 2, 4, 5, -1, 255, 2 ** 31 - 1, random(9)]);
  const piece: (() => number[])[] = [
    () => P.int(number()),
    () => P.text(pick(["a", "b", "storage", "cpu", "0", "__proto__", "constructor", ""])),
    () => P.storage(pick(["0", "1", "2"]), pick([4, 1, 0, number()]), pick(["torch.FloatStorage", "torch.HalfStorage"])),
    () => P.tensor(P.storage("0", 4), random(5), [random(4), random(3)], [random(4), random(2)]),
    () => P.tensor(P.storage("0", 4), 0, [number()], [number()]),
    () => P.global(pick(["collections.OrderedDict", "torch.FloatStorage", "torch._utils._rebuild_tensor_v2", "os.system"])),
    () => P.tuple(...Array.from({ length: random(4) }, () => P.int(number()))),
    () => P.ordered(),
    () => [...pick(["(", ")", "}", "]", "N", "e", "t", "u", "s", "a", "R", "b", "Q", "."])].map((c) => c.charCodeAt(0)),
    () => [pick([0x68, 0x71]), random(4)],
    () => [0x94],
    () => [random(256)],
    () => [random(256), random(256), random(4)],
  ]; // prettier-ignore
  let read = 0;
  for (let i = 0; i < 6_000; i++) {
    const pieces = Array.from({ length: 1 + random(6) }, () => pick(piece)());
    // Half of them as the items of a dict, so that more than the first opcode is reached.
    const items = pieces.flatMap((value, n) => [P.text(String(n)), value]);
    const pickle = random(2) ? pickleBytes(...pieces) : pickleBytes(P.dict(...items));
    const got = await attempt(torchBytes(pickle, { 0: new Uint8Array(16), 1: new Uint8Array(4) }), `pickle ${i}`);
    if (got) read++;
  }
  assert.ok(read > 100, `${read} read`);
  console.log(`note: ${read} of 6,000 random pickles held tensors, the others were refused`);
});

tests.run();
