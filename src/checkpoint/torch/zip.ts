// zip.ts — the zip archive around what torch.save writes: names and byte ranges; nothing is unpacked.
//   (local header · name · extra · data)* · central directory · [zip64 end record · its locator] · end record
// APPNOTE.TXT 6.3.10, sections 4.3.6 to 4.3.16 and 4.5.3. torch stores every entry uncompressed, its data at a multiple
// of 64 bytes (PyTorchStreamWriter, caffe2/serialize/inline_container.cc), so a tensor is a range of the file. Checksums
// are not compared: torch compares none, and since 2.6 can be told to write others.

import { LlariatError } from "../../error.ts";
import { short } from "../../text/wording.ts";
import type { ByteSource } from "../bytes.ts";

/** One entry of the directory: `size` bytes of data somewhere between its local header and `limit`. */
export interface ZipEntry {
  readonly name: string;
  readonly size: number;
  /** Byte of the file where the local header starts. */
  readonly header: number;
  /** Byte of the file where what follows it starts: another entry or the directory. */
  readonly limit: number;
  /** Why its data is no range of the file (compressed, encrypted); undefined where it is one. */
  readonly problem?: string;
}

/** Bytes `start` to `end` (exclusive) of a file. */
export interface ByteRange {
  readonly start: number;
  readonly end: number;
}

const SIGNATURE = {
  local: 0x04034b50,
  directory: 0x02014b50,
  end64: 0x06064b50,
  locator: 0x07064b50,
  end: 0x06054b50,
};
/** Bytes of each record without its name, extra fields and comment. */
const BYTES = { local: 30, directory: 46, end64: 56, locator: 20, end: 22 };
/** The comment that may follow the end record: its length is 16 bits. */
const MAX_COMMENT = 0xffff;
/** What a field of 16 or 32 bits holds if its value stands in a zip64 field. */
const [WIDE16, WIDE32] = [0xffff, 0xffff_ffff];
/** Id of the extra field with the 64-bit values. */
const ZIP64 = 0x0001;
/** A model of 70B parameters has 723 tensors, and an entry takes about 80 bytes. */
const MAX_DIRECTORY_BYTES = 2 ** 26;
/** Local headers read side by side: over HTTP each is a request. */
const AT_ONCE = 16;

const bad = (source: ByteSource, rest: string, details?: { cause: unknown }): LlariatError =>
  new LlariatError("checkpoint", `${source.name}: ${rest}`, details);
const damaged = (source: ByteSource, at: number, what: string): LlariatError =>
  bad(source, `got other bytes at ${at}, needed ${what}; the file is damaged, download it again`);

async function read(source: ByteSource, start: number, end: number, signal?: AbortSignal): Promise<DataView> {
  const bytes = await source.read(start, end, signal);
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/**
 * The entries of a zip archive by name, from its directory alone. Throws LlariatError "checkpoint" for a file that is no
 * whole archive, a directory that contradicts itself or the file, overlapping entries, and a name that is there twice;
 * "source" and "aborted" as reading does.
 */
export async function readDirectory(source: ByteSource, signal?: AbortSignal): Promise<Map<string, ZipEntry>> {
  const { start, size, count } = await findDirectory(source, signal);
  if (size > MAX_DIRECTORY_BYTES)
    throw bad(source, `got a zip directory of ${size} bytes, needed at most ${MAX_DIRECTORY_BYTES}`);
  const view = await read(source, start, start + size, signal);
  const all: Omit<ZipEntry, "limit">[] = [];
  for (let at = 0; at < size;) {
    const whole = at + BYTES.directory <= size && view.getUint32(at, true) === SIGNATURE.directory;
    const [name, extra, comment] = [28, 30, 32].map((field) => (whole ? view.getUint16(at + field, true) : Infinity));
    const next = at + BYTES.directory + name + extra + comment;
    if (next > size) throw damaged(source, start + at, "an entry of the zip directory");
    all.push(entryAt(source, view, at, name, extra));
    at = next;
  }
  if (all.length !== count)
    throw bad(source, `got ${all.length} entries in the zip directory, needed the ${count} that its end record counts`);
  const entries = new Map<string, ZipEntry>();
  all.sort((a, b) => a.header - b.header); // entries may lie in any order, but not in each other
  for (const [i, entry] of all.entries()) {
    const limit = all[i + 1]?.header ?? start;
    if (entries.has(entry.name)) throw bad(source, `got the zip entry ${short(entry.name)} twice, needed it once`);
    if (!(entry.header + BYTES.local + entry.size <= limit)) {
      const from = `${entry.size} bytes from byte ${entry.header}`;
      throw bad(source, `got the zip entry ${short(entry.name)} of ${from}, needed its end before byte ${limit}`);
    }
    entries.set(entry.name, { ...entry, limit });
  }
  return entries;
}

/** Where the directory lies: the end record says it, or the zip64 end record where 32 bits are too few; torch writes both. */
async function findDirectory(
  source: ByteSource,
  signal?: AbortSignal,
): Promise<{ start: number; size: number; count: number }> {
  const tailStart = Math.max(0, source.size - BYTES.locator - BYTES.end - MAX_COMMENT);
  const tail = await read(source, tailStart, source.size, signal);
  let end = tail.byteLength - BYTES.end;
  // The last one whose comment ends with the file: other bytes may look like a record too.
  for (; end >= 0; end--) {
    if (tail.getUint32(end, true) !== SIGNATURE.end) continue;
    if (end + BYTES.end + tail.getUint16(end + 20, true) === tail.byteLength) break;
  }
  if (end < 0) {
    const found = "got a zip archive without its end record, needed the whole file";
    throw bad(source, `${found}; it is truncated, download it again`);
  }
  let [disk, start, size, count] = [
    tail.getUint32(end + 4, true), // this disk and the directory's, 16 bits each
    tail.getUint32(end + 16, true),
    tail.getUint32(end + 12, true),
    tail.getUint16(end + 10, true),
  ];
  let limit = tailStart + end;
  const locator = end - BYTES.locator;
  if (locator >= 0 && tail.getUint32(locator, true) === SIGNATURE.locator) {
    limit = Number(tail.getBigUint64(locator + 8, true));
    if (limit + BYTES.end64 > tailStart + locator)
      throw damaged(source, tailStart + locator, "the place of a zip64 end record before it");
    const record = await read(source, limit, limit + BYTES.end64, signal);
    if (record.getUint32(0, true) !== SIGNATURE.end64) throw damaged(source, limit, "a zip64 end record");
    const wide = [48, 40, 32].map((field) => Number(record.getBigUint64(field, true)));
    const narrow = [start, size, count];
    if (wide.some((value, i) => narrow[i] !== value && narrow[i] !== (i < 2 ? WIDE32 : WIDE16)))
      throw bad(source, "got two end records of the zip archive that contradict each other, needed them to agree");
    disk |= record.getUint32(16, true) | record.getUint32(20, true);
    [start, size, count] = wide;
  }
  if (disk !== 0) throw bad(source, "got one of several parts of a zip archive, needed it whole");
  if (!(start + size <= limit)) {
    const got = `got a zip directory from byte ${start} to ${start + size}`;
    throw bad(source, `${got}, needed its end before byte ${limit}; the file is truncated or damaged`);
  }
  return { start, size, count };
}

/** The entry whose directory header starts at `at`, with `nameBytes` of name and `extraBytes` of extra fields behind it. */
function entryAt(
  source: ByteSource,
  view: DataView,
  at: number,
  nameBytes: number,
  extraBytes: number,
): Omit<ZipEntry, "limit"> {
  const nameAt = view.byteOffset + at + BYTES.directory;
  let name: string;
  try {
    name = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true }).decode(
      new Uint8Array(view.buffer, nameAt, nameBytes),
    );
  } catch (cause) {
    throw bad(source, "got the name of a zip entry that is not UTF-8, needed UTF-8", { cause });
  }
  const values = [24, 20, 42].map((field) => view.getUint32(at + field, true)); // outside, inside the archive, place
  let next = at + BYTES.directory + nameBytes;
  const extraEnd = next + extraBytes;
  while (next + 4 <= extraEnd) {
    const [id, length] = [view.getUint16(next, true), view.getUint16(next + 2, true)];
    next += 4 + length;
    if (next > extraEnd || id !== ZIP64) continue;
    let wideAt = next - length; // 64 bits for each value that did not fit, in the order of `values`
    for (const [i, value] of values.entries()) {
      if (value !== WIDE32 || wideAt + 8 > next) continue;
      values[i] = Number(view.getBigUint64(wideAt, true));
      wideAt += 8;
    }
  }
  const [size, packed, header] = values;
  const [flags, method] = [view.getUint16(at + 8, true), view.getUint16(at + 10, true)];
  const encrypted = (flags & 1) !== 0; // section 4.4.4
  if (!encrypted && method === 0 && packed === size) return { name, size, header };
  const problem = encrypted ? "encrypted" : method === 0 ? "of two lengths" : `compressed (method ${method})`;
  // What it takes in the archive is what must not overlap.
  return { name, size: packed, header, problem };
}

/**
 * Where the data of some entries lies, by name. Only the local header in front of it says that, so each is read. Throws
 * LlariatError "checkpoint" for an entry that is no range of the file, and for a local header that contradicts the
 * directory; "source" and "aborted" as reading does.
 */
export async function dataRanges(
  source: ByteSource,
  entries: readonly ZipEntry[],
  signal?: AbortSignal,
): Promise<Map<string, ByteRange>> {
  const ranges = new Map<string, ByteRange>();
  for (let from = 0; from < entries.length; from += AT_ONCE) {
    const some = entries.slice(from, from + AT_ONCE);
    const found = await Promise.all(some.map((entry) => dataRange(source, entry, signal)));
    for (const [i, { name }] of some.entries()) ranges.set(name, found[i]);
  }
  return ranges;
}

async function dataRange(source: ByteSource, entry: ZipEntry, signal?: AbortSignal): Promise<ByteRange> {
  const { name, size, header, limit, problem } = entry;
  if (problem !== undefined) {
    const got = `got the zip entry ${short(name)} of ${size} bytes that is ${problem}`;
    throw bad(source, `${got}, needed it stored as it is; save the weights again with torch.save`);
  }
  const encoded = new TextEncoder().encode(name);
  const nameEnd = header + BYTES.local + encoded.length;
  if (nameEnd > limit) throw damaged(source, header, `the local header of ${short(name)}`);
  const view = await read(source, header, nameEnd, signal);
  const same = encoded.every((byte, i) => byte === view.getUint8(BYTES.local + i));
  if (view.getUint32(0, true) !== SIGNATURE.local || view.getUint16(26, true) !== encoded.length || !same)
    throw damaged(source, header, `the local header of ${short(name)}`);
  const start = nameEnd + view.getUint16(28, true);
  if (start + size > limit) {
    const got = `got the zip entry ${short(name)} from byte ${start} to ${start + size}`;
    throw bad(source, `${got}, needed its end before byte ${limit}; the file is damaged, download it again`);
  }
  return { start, end: start + size };
}
