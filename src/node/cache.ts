// cache.ts — the folder for what can be made anew, and small texts in it.

import { mkdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { homedir } from "node:os";
import { join } from "node:path";
import type { ChoiceStore } from "../device/choices.ts";

/**
 * The user's cache folder of llariat: in XDG_CACHE_HOME where that is set (XDG Base Directory Specification), else where the
 * system keeps caches.
 */
export function cacheFolder(platform: string = process.platform, environment = process.env): string {
  const { XDG_CACHE_HOME, LOCALAPPDATA } = environment;
  const own = platform === "win32" ? LOCALAPPDATA : platform === "darwin" && join(homedir(), "Library", "Caches");
  return join(XDG_CACHE_HOME || own || join(homedir(), ".cache"), "llariat");
}

/** Texts as files of a folder, which is made when it is needed. A file is replaced as a whole, or not at all. */
export const fileStore = (folder = cacheFolder()): ChoiceStore => ({
  async read(name) {
    try {
      return await readFile(join(folder, `${name}.json`), "utf8");
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === "ENOENT") return undefined;
      throw error;
    }
  },
  async write(name, text) {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const draft = join(folder, `${name}.${process.pid}.part`);
    try {
      await writeFile(draft, text);
      await rename(draft, join(folder, `${name}.json`));
    } catch (error) {
      await rm(draft, { force: true });
      throw error;
    }
  },
});
