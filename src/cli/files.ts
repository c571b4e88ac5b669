// files.ts — texts that arguments name.

import { readFileSync } from "node:fs";
import { LlariatError } from "../error.ts";

/** A text file, which is `needed`. @throws LlariatError("source") naming it. */
export function readText(path: string, needed = "a text file in UTF-8"): string {
  try {
    return new TextDecoder("utf-8", { fatal: true }).decode(readFileSync(path));
  } catch (cause) {
    const why = (cause as NodeJS.ErrnoException).code === "ENOENT" ? "there is no such file" : (cause as Error).message;
    throw new LlariatError("source", `${path}: ${why}, needed ${needed}`, { cause });
  }
}
