// sources.ts — what may name a checkpoint in Node: a folder or one file of it, an address, or all files one by one.

import { fileURLToPath } from "node:url";
import type { FileSet } from "../checkpoint/bytes.ts";
import { urlFiles } from "../checkpoint/http.ts";
import { LlariatError } from "../error.ts";
import { display } from "../text/wording.ts";
import { folderFiles } from "./files.ts";
import { listedFiles } from "./listed.ts";

/** Whether a text is the address of a folder on a web server. */
export const isAddress = (text: string): boolean => /^https?:\/\//i.test(text);

/**
 * The files of a checkpoint: a path of a folder or of a file of weights, an http(s) address of a folder, a file: URL, or a
 * list of paths. The caller closes it.
 * @throws LlariatError("source") for anything else, and for a path that is not there.
 */
export async function sourceFiles(source: unknown): Promise<FileSet> {
  if (source instanceof URL && source.protocol === "file:") return folderFiles(fileURLToPath(source));
  if (source instanceof URL || (typeof source === "string" && isAddress(source))) return urlFiles(String(source));
  if (typeof source === "string") return folderFiles(source);
  if (!Array.isArray(source)) {
    throw new LlariatError(
      "source",
      `a checkpoint is a path, a URL, a list of paths or a FileSet, got ${display(source)}`,
    );
  }
  const other = source.findIndex((path) => typeof path !== "string"); // of a hole as well
  if (other >= 0) throw new LlariatError("source", `a list of paths holds texts, got ${display(source[other])} in it`);
  const address = source.find(isAddress);
  if (address === undefined) return listedFiles(source);
  throw new LlariatError("source", `${address}: got an address among ${source.length} files, needed it alone`, {
    advice: "an address names a whole folder",
  });
}
