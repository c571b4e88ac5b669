// listed.ts — a checkpoint given as its files, one path each, wherever they lie.

import { basename, dirname } from "node:path";
import { checkName } from "../checkpoint/bytes.ts";
import type { FileSet } from "../checkpoint/bytes.ts";
import { LlariatError } from "../error.ts";
import { folderFiles } from "./files.ts";

/**
 * The files named by `paths`, each under its own base name; nothing else is read. The caller closes it.
 * @throws LlariatError("source") for two files of one name, or a folder that is not there.
 */
export async function listedFiles(paths: readonly string[]): Promise<FileSet> {
  const folders = new Map<string, FileSet>();
  const names = new Map<string, FileSet>();
  const describe = paths.length === 1 ? "1 file" : `${paths.length} files`;
  for (const path of paths) {
    const name = basename(path);
    if (names.has(name)) {
      throw new LlariatError("source", `${path}: got a second file named ${name}, needed one of each name`);
    }
    const folder = folders.get(dirname(path)) ?? (await folderFiles(dirname(path)));
    folders.set(dirname(path), folder);
    names.set(name, folder);
  }
  return {
    describe,
    listed: true,
    list: async () => [...names.keys()],
    async open(name, signal) {
      checkName(name, describe);
      const file = await names.get(name)?.open(name, signal);
      if (!file && names.has(name)) throw new LlariatError("source", `${name}: there is no such file`);
      return file;
    },
    async close() {
      await Promise.all([...folders.values()].map((folder) => folder.close()));
    },
  };
}
