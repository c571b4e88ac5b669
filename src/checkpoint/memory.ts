// memory.ts — a checkpoint whose bytes the caller already holds.

import { checkAborted } from "../error.ts";
import { checkName, checkRange } from "./bytes.ts";
import type { ByteSource, FileSet } from "./bytes.ts";

/** A FileSet over bytes (or texts, stored as UTF-8) the caller already holds; nothing is copied, reads answer views. */
export function memoryFiles(files: Readonly<Record<string, Uint8Array | string>>, describe = "memory"): FileSet {
  const held = new Map<string, Uint8Array>();
  for (const [name, data] of Object.entries(files)) {
    checkName(name, describe);
    held.set(name, typeof data === "string" ? new TextEncoder().encode(data) : data);
  }
  return {
    describe,
    list: async () => [...held.keys()],
    async open(name) {
      checkName(name, describe);
      const data = held.get(name);
      return data && memorySource(name, data);
    },
    close: async () => {},
  };
}

/** One ByteSource over bytes in memory; reads answer views of `bytes`. */
export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  // A plain Uint8Array even if a subclass came in: the slice() of Node's Buffer, for one, does not copy.
  const data = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const source: ByteSource = {
    name,
    size: data.byteLength,
    async read(start, end, signal) {
      checkAborted(signal, `reading ${name}`);
      checkRange(source, start, end);
      return data.subarray(start, end);
    },
  };
  return source;
}
