// bytes.ts — where a checkpoint's bytes come from: named files, read by exact range. The runtimes (src/node,
// src/browser) implement these two interfaces; nothing above them knows what a path or a URL is.

import { LlariatError, checkAborted } from "../error.ts";
import type { ErrorCode } from "../error.ts";

/** One file of known size, readable by range. Owned and closed by the FileSet that opened it. */
export interface ByteSource {
  /** For messages: the file's name, without a folder. */
  readonly name: string;
  /** Bytes, fixed when the file was opened. */
  readonly size: number;
  /**
   * Bytes `start` to `end` (exclusive), exactly; to be read, not changed. `into` is memory of at least `end - start`
   * bytes that the source may fill and answer a view of, so that a loop can reuse it; a source that cannot ignores it.
   * Throws LlariatError "source" for a range outside the file or a short read, "aborted" for the signal.
   */
  read(start: number, end: number, signal?: AbortSignal, into?: Uint8Array): Promise<Uint8Array>;
}

/** A checkpoint as named files: a folder, a list of browser files, a base URL, or memory. */
export interface FileSet {
  /** For messages: a path, a URL, "3 files". */
  readonly describe: string;
  /** Whether `list` names every file; where it does not say so, files that it does not name are asked for. */
  readonly listed?: boolean;
  /** Names of the files; where the place cannot be listed (HTTP), the names opened so far. */
  list(): Promise<readonly string[]>;
  /** Names of the folders directly inside, where the place has folders and tells them; for messages. */
  readonly folders?: () => Promise<readonly string[]>;
  /** The file of that name, undefined if there is none. Throws LlariatError "source" for a name that is not plain. */
  open(name: string, signal?: AbortSignal): Promise<ByteSource | undefined>;
  /** A folder directly inside, where the place has folders; undefined if there is none of that name. Closed with its parent. */
  folder?(name: string, signal?: AbortSignal): Promise<FileSet | undefined>;
  /** Closes every file opened; sources are unusable afterwards. */
  close(): Promise<void>;
}

/** Whether a name can only mean a file directly inside the folder: no separator, drive, "..", or control character. */
export function isPlainName(name: string): boolean {
  // 255 is the longest name the common file systems store.
  return name.length > 0 && name.length <= 255 && name !== "." && name !== ".." && !/[/\\:\p{Cc}]/u.test(name);
}

/** Throws LlariatError "source" unless `name` is plain. Every FileSet calls it first. */
export function checkName(name: string, describe: string): void {
  if (isPlainName(name)) return;
  const shown = JSON.stringify(name.slice(0, 80));
  throw new LlariatError(
    "source",
    `${describe}: got the file name ${shown}, needed a plain name inside it without / or ..`,
  );
}

/**
 * Gives bytes `start` to `end` of a file, at least one, all inside it; fewer where the file has ended before. `room()` is
 * memory of that length, to be filled and answered; who holds the bytes already answers those. `into`: that memory, where the
 * reader gave it.
 */
export type Fill = (
  start: number,
  end: number,
  room: () => Uint8Array,
  signal?: AbortSignal,
  into?: Uint8Array,
) => Promise<Uint8Array>;

/** A ByteSource of `size` bytes that `fill` gives; what `read` promises is checked here. */
export function byteSource(name: string, size: number, fill: Fill): ByteSource {
  const source: ByteSource = {
    name,
    size,
    async read(start, end, signal, into) {
      checkAborted(signal, `reading ${name}`);
      checkRange(source, start, end);
      const length = end - start;
      if (length === 0) return new Uint8Array(0);
      const room = () => (into && into.byteLength >= length ? into.subarray(0, length) : new Uint8Array(length));
      const bytes = await fill(start, end, room, signal, into);
      checkAborted(signal, `reading ${name}`);
      if (bytes.byteLength !== length) throw shortRead(name, start, end, bytes.byteLength);
      return bytes;
    },
  };
  return source;
}

/** Throws LlariatError "source" unless 0 ≤ start ≤ end ≤ size. */
function checkRange(source: { name: string; size: number }, start: number, end: number): void {
  if (Number.isSafeInteger(start) && Number.isSafeInteger(end) && start >= 0 && start <= end && end <= source.size)
    return;
  throw new LlariatError(
    "source",
    `${source.name}: got the byte range ${start} to ${end}, needed one inside its ${source.size} bytes`,
  );
}

/** Reads bytes `start` to `end` to the beginning of `target`, wherever the source answered them. Throws as `read` does. */
export async function readInto(
  source: ByteSource,
  start: number,
  end: number,
  target: Uint8Array,
  signal?: AbortSignal,
): Promise<void> {
  const got = await source.read(start, end, signal, target);
  if (got.byteLength !== end - start) throw shortRead(source.name, start, end, got.byteLength);
  if (got.buffer !== target.buffer || got.byteOffset !== target.byteOffset) target.set(got);
}

/**
 * Throws LlariatError "checkpoint" if a file's first bytes are those of a Git LFS pointer: what `git clone` leaves in place
 * of a large file where git-lfs is not installed.
 */
export function checkPointer(name: string, first: Uint8Array): void {
  if (new TextDecoder().decode(first.subarray(0, 8)) !== "version ") return;
  const advice = "install git-lfs and run: git lfs pull";
  throw new LlariatError("checkpoint", `${name}: got a Git LFS pointer, needed the file itself`, { advice });
}

/** The error for a file that ended before `end`: it shrank, or the transfer broke. */
function shortRead(name: string, start: number, end: number, got: number): LlariatError {
  return new LlariatError(
    "source",
    `${name}: got ${got} of the bytes ${start} to ${end}, needed all ${end - start}; the file was truncated or changed while it was read`,
  );
}

/** A whole file. Throws `code` if it is longer than `maxBytes`, before it is read. */
export async function readWhole(
  source: ByteSource,
  maxBytes: number,
  code: ErrorCode,
  signal?: AbortSignal,
): Promise<Uint8Array> {
  if (source.size <= maxBytes) return source.read(0, source.size, signal);
  const problem = `got ${source.size} bytes, needed at most ${maxBytes} for a file that is read whole`;
  throw new LlariatError(code, `${source.name}: ${problem}`);
}

/**
 * A whole file as text. Throws `code` if it is longer than `maxBytes` (checked before reading) or not UTF-8,
 * so that a binary file under a text name is named instead of becoming U+FFFD.
 */
export async function readText(
  source: ByteSource,
  maxBytes: number,
  code: ErrorCode,
  signal?: AbortSignal,
): Promise<string> {
  const bytes = await readWhole(source, maxBytes, code, signal);
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(bytes);
  } catch (cause) {
    throw new LlariatError(code, `${source.name}: got bytes that are not UTF-8, needed UTF-8 text`, { cause });
  }
}
