// memory.ts — a checkpoint whose bytes the caller already holds.

import { LlariatError } from "../error.ts";
import { isObject } from "../text/json.ts";
import { reading } from "../text/options.ts";
import { display } from "../text/wording.ts";
import { byteSource, checkName } from "./bytes.ts";
import type { ByteSource, FileSet } from "./bytes.ts";

/** A FileSet over bytes (or texts, stored as UTF-8) the caller already holds; nothing is copied, reads answer views. */
export function memoryFiles(files: Readonly<Record<string, Uint8Array | string>>, describe = "memory"): FileSet {
  if (!reading("files", () => isObject(files))) throw refused("files", "an object of bytes or texts by name", files);
  if (typeof describe !== "string") throw refused("describe", "a text", describe);
  const sources = reading("files", () => Object.entries(files)).map(([name, data]) => {
    checkName(name, describe);
    if (typeof data !== "string" && !ArrayBuffer.isView(data)) throw refused(name, "bytes or a text", data);
    return memorySource(name, typeof data === "string" ? new TextEncoder().encode(data) : data);
  });
  return sourceSet(sources, describe);
}

/** A FileSet of sources that need no opening and no closing, each under its name. */
export function sourceSet(sources: readonly ByteSource[], describe: string): FileSet {
  const held = new Map(sources.map((source) => [source.name, source]));
  return {
    describe,
    listed: true,
    list: async () => [...held.keys()],
    async open(name) {
      checkName(name, describe);
      return held.get(name);
    },
    close: async () => {},
  };
}

const refused = (subject: string, needed: string, got: unknown): LlariatError =>
  new LlariatError("source", `needs ${needed}, got ${display(got)}`, { subject });

/** One ByteSource over bytes in memory; reads answer views of `bytes`. */
export function memorySource(name: string, bytes: Uint8Array): ByteSource {
  // A plain Uint8Array even if a subclass came in: the slice() of Node's Buffer, for one, does not copy.
  const data = new Uint8Array(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  return byteSource(name, data.byteLength, async (start, end) => data.subarray(start, end));
}
