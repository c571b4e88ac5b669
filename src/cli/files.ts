// files.ts — texts that arguments name.

import { closeSync, openSync, readSync, statSync } from "node:fs";
import { LlariatError } from "../error.ts";

/** A text longer than this is no text of a person's, nor a report: /dev/zero has no end. */
const MAX_BYTES = 2 ** 28;
const CHUNK_BYTES = 2 ** 20;

/**
 * A text file, which is `needed`. A pipe may be one, as `<(command)` is, unless it has to be `regular`: opening a pipe that nobody
 * writes to takes for ever. @throws LlariatError("source") naming it.
 */
export function readText(path: string, needed = "a text file in UTF-8", { regular = false } = {}): string {
  const refuse = (got: string, cause?: unknown): never => {
    throw new LlariatError("source", `${path}: ${got}, needed ${needed}`, { cause });
  };
  try {
    if (regular && !statSync(path).isFile()) return refuse("got no regular file");
    return new TextDecoder("utf-8", { fatal: true }).decode(readBytes(path, refuse));
  } catch (cause) {
    if (cause instanceof LlariatError) throw cause;
    return refuse(
      (cause as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such file" : (cause as Error).message,
      cause,
    );
  }
}

function readBytes(path: string, refuse: (got: string) => never): Uint8Array {
  const file = openSync(path, "r");
  try {
    const chunks: Uint8Array[] = [];
    const chunk = new Uint8Array(CHUNK_BYTES);
    for (let length = 0; ;) {
      const count = readSync(file, chunk);
      if (count === 0) return Buffer.concat(chunks);
      chunks.push(chunk.slice(0, count)); // what was read alone: a pipe gives little at a time
      length += count;
      if (length > MAX_BYTES) refuse(`got more than ${MAX_BYTES} bytes`);
    }
  } finally {
    closeSync(file);
  }
}
