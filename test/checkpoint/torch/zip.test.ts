// The zip directory: archives of every layout that torch and other writers make, zip64 beyond 4 GiB included, and each
// contradiction refused by what it is.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { ByteSource } from "../../../src/checkpoint/bytes.ts";
import { memorySource } from "../../../src/checkpoint/memory.ts";
import { dataRanges, readDirectory } from "../../../src/checkpoint/torch/zip.ts";
import { refused } from "../../tools/refused.ts";
import { type Archive, type Entry, zipBytes } from "../../tools/torch.ts";

const tests = suite("zip");
const encode = (text: string): Uint8Array => new TextEncoder().encode(text);
const good: readonly Entry[] = [
  { name: "a/data.pkl", data: encode("pickle") },
  { name: "a/data/0", data: encode("zero") },
  { name: "a/empty", data: encode("") },
  { name: "a/é", data: encode("one") },
];
const ranges = async (source: ByteSource) => dataRanges(source, [...(await readDirectory(source)).values()]);

/** Every entry of an archive as text. */
async function texts(bytes: Uint8Array): Promise<Record<string, string>> {
  const source = memorySource("x.bin", bytes);
  const out: Record<string, string> = {};
  for (const [name, { start, end }] of await ranges(source))
    out[name] = new TextDecoder().decode(await source.read(start, end));
  return out;
}
const want = Object.fromEntries(good.map(({ name, data }) => [name, new TextDecoder().decode(data)]));

tests("entries with their bytes: plain, zip64, with a comment that looks like an end record", async () => {
  assert.equal(await texts(zipBytes(good)), want);
  assert.equal(await texts(zipBytes(good, { wide: true })), want);
  const comment = zipBytes([]); // itself an end record
  assert.equal(await texts(zipBytes(good, { wide: true, comment: Uint8Array.of(...comment, 0) })), want);
  assert.equal(await texts(zipBytes(good, { comment: new Uint8Array(0xffff) })), want);
  assert.equal(await texts(zipBytes([])), {});
  assert.equal(await texts(zipBytes(good, { wide: true, end: (view) => view.setUint16(10, good.length, true) })), want);
});

tests("an archive of 10 GiB: sizes and places beyond 32 bits, nothing but its records read", async () => {
  // Two storages of 5 GiB that exist only as lengths.
  const size = 5 * 2 ** 30;
  const parts: [number, Uint8Array][] = [];
  const names = ["a/data/0", "a/data/1"];
  const starts = [0, size + 128];
  const whole = zipBytes(
    names.map((name, i) => ({ name, data: new Uint8Array(0), says: { size, header: starts[i] } })),
    { wide: true, end64: (view) => view.setBigUint64(48, BigInt(2 * size + 256), true), locator: (view) => view.setBigUint64(8, BigInt(2 * size + 256) + view.getBigUint64(8, true) - 128n, true) },
  );
  parts.push([0, whole.subarray(0, 64)], [size + 128, whole.subarray(64, 128)], [2 * size + 256, whole.subarray(128)]);
  const source: ByteSource = {
    name: "huge.bin",
    size: 2 * size + 256 + whole.length - 128,
    async read(start, end) {
      assert.ok(end - start < 70_000, `${end - start} bytes at once`);
      const out = new Uint8Array(end - start);
      for (const [at, bytes] of parts) {
        const [from, to] = [Math.max(start, at), Math.min(end, at + bytes.length)];
        if (from < to) out.set(bytes.subarray(from - at, to - at), from - start);
      }
      return out;
    },
  };
  assert.equal([...(await ranges(source))], names.map((name, i) => [name, { start: starts[i] + 64, end: starts[i] + 64 + size }]));
}); // prettier-ignore

const bytes = zipBytes(good);
const wide = (archive: Archive): Uint8Array => zipBytes(good, { wide: true, ...archive });
const [, zero] = good;
const changed = (change: Partial<Entry>): Uint8Array =>
  zipBytes(good.map((entry) => (entry === zero ? { ...entry, ...change } : entry)));
/** The archive with its bytes at the first place of a signature changed. */
function patched(signature: number, offset: number, ...values: number[]): Uint8Array {
  const out = bytes.slice();
  const view = new DataView(out.buffer);
  let at = 0;
  while (view.getUint32(at, true) !== signature) at++;
  out.set(values, at + offset);
  return out;
}
const [LOCAL, DIRECTORY] = [0x04034b50, 0x02014b50];

const wrong: Record<string, [Uint8Array, RegExp]> = {
  "a file cut at its end": [bytes.slice(0, -1), /got a zip archive without its end record, needed the whole file; it is truncated/],
  "a file cut in the middle": [bytes.slice(0, 200), /without its end record/],
  "bytes behind the end": [Uint8Array.of(...bytes, 0), /without its end record/],
  "a file cut at its start": [bytes.slice(10), /got other bytes at \d+, needed an entry of the zip directory|from byte \d+ to \d+, needed its end/],
  "a directory beyond the end": [zipBytes(good, { end: (view) => view.setUint32(12, 10_000, true) }), /got a zip directory from byte \d+ to \d+, needed its end before byte/],
  "a directory that starts elsewhere": [zipBytes(good, { end: (view) => view.setUint32(16, 3, true) }), /got other bytes at 3, needed an entry of the zip directory/],
  "one entry fewer than counted": [zipBytes(good, { end: (view) => view.setUint16(10, 5, true) }), /got 4 entries in the zip directory, needed the 5/],
  "one entry more than counted": [zipBytes(good, { end: (view) => view.setUint16(10, 3, true) }), /got 4 entries in the zip directory, needed the 3/],
  "one of several parts": [zipBytes(good, { end: (view) => view.setUint16(4, 1, true) }), /got one of several parts/],
  "one of several parts, zip64": [wide({ end64: (view) => view.setUint32(20, 1, true) }), /got one of several parts/],
  "a zip64 record elsewhere": [wide({ locator: (view) => view.setBigUint64(8, 1n, true) }), /got other bytes at 1, needed a zip64 end record/],
  "a zip64 record beyond the end": [wide({ locator: (view) => view.setBigUint64(8, 2n ** 63n, true) }), /needed the place of a zip64 end record before it/],
  "a zip64 directory of 2⁶⁴ bytes": [wide({ end64: (view) => view.setBigUint64(40, 2n ** 64n - 1n, true) }), /got a zip directory from byte/],
  "end records that contradict": [wide({ end: (view) => view.setUint32(16, 1, true) }), /two end records of the zip archive that contradict each other/],
  "end records that contradict in their count": [wide({ end: (view) => view.setUint16(10, 1, true) }), /contradict each other/],
  "a name twice": [zipBytes([...good, zero]), /got the zip entry a\/data\/0 twice, needed it once/],
  "a name that is not UTF-8": [patched(DIRECTORY, 46, 0xff), /the name of a zip entry that is not UTF-8/],
  "a name longer than the directory": [patched(DIRECTORY, 28, 0xff, 0xff), /needed an entry of the zip directory/],
  "an entry too long": [changed({ says: { size: 5000 } }), /got the zip entry a\/data\/0 of 5000 bytes from byte \d+, needed its end before byte/],
  "an entry that reaches into the next": [changed({ says: { size: 20 } }), /got the zip entry a\/data\/0 from byte \d+ to \d+, needed its end before byte/],
  "an entry beyond the directory": [changed({ says: { header: 2 ** 31 } }), /got the zip entry a\/data\/0 of 4 bytes from byte 2147483648/],
  "an entry inside another": [changed({ says: { header: 8 } }), /got the zip entry a\/data\.pkl of 6 bytes from byte 0, needed its end before byte 8/],
  "two entries in one place": [changed({ says: { header: 0 } }), /got the zip entry a\/data(\.pkl|\/0) of \d bytes from byte 0, needed its end before byte 0/],
  "an entry elsewhere": [zipBytes([good[0], { ...zero, says: { header: 71 } }]), /got other bytes at 71, needed the local header of a\/data\/0/],
  "a compressed entry": [changed({ method: 8 }), /got the zip entry a\/data\/0 of 4 bytes that is compressed \(method 8\), needed it stored as it is; save the weights again with torch\.save/],
  "an encrypted entry": [changed({ flags: 1 }), /that is encrypted/],
  "a stored entry of two sizes": [changed({ says: { size: 2 ** 40, packed: 4 } }), /of 4 bytes that is of two lengths, needed it stored as it is/],
  "another name in the local header": [changed({ localName: "a/data/1" }), /needed the local header of a\/data\/0/],
  "a longer name in the local header": [changed({ localName: "a/data/00" }), /needed the local header of a\/data\/0/],
  "a local header that is none": [patched(LOCAL, 0, 0), /needed the local header of a\/data\.pkl/],
  "padding beyond the next entry": [patched(LOCAL, 28, 0xff, 0xff), /got the zip entry a\/data\.pkl from byte \d+ to \d+, needed its end/],
}; // prettier-ignore
for (const [name, [file, message]] of Object.entries(wrong)) {
  tests(`refuses ${name}`, async () => {
    await refused(() => ranges(memorySource("x.bin", file)), "checkpoint", message);
  });
}

tests("a directory above 64 MiB is refused before it is read", async () => {
  const end = zipBytes([], { wide: true, end64: (view) => (view.setBigUint64(40, BigInt(2 ** 26 + 1), true), view.setBigUint64(48, 0n, true)), locator: (view) => view.setBigUint64(8, BigInt(2 ** 27), true) }); // prettier-ignore
  const size = 2 ** 27 + end.length;
  const source: ByteSource = {
    name: "x.bin",
    size,
    async read(start, to) {
      assert.ok(to - start < 70_000, "must not read the directory");
      const out = new Uint8Array(to - start);
      const from = Math.max(start, 2 ** 27);
      out.set(end.subarray(from - 2 ** 27, to - 2 ** 27), from - start);
      return out;
    },
  };
  await refused(
    () => readDirectory(source),
    "checkpoint",
    /got a zip directory of 67108865 bytes, needed at most 67108864/,
  );
});

tests.run();
