// files.ts — a checkpoint folder (or one file of weights with its config beside it) as a FileSet.

import { lstat, open, readdir, realpath, stat } from "node:fs/promises";
import type { FileHandle } from "node:fs/promises";
import { basename, dirname, join, resolve, sep } from "node:path";
import { byteSource, checkName } from "../checkpoint/bytes.ts";
import type { ByteSource, FileSet } from "../checkpoint/bytes.ts";
import { isWeights, singleName } from "../checkpoint/names.ts";
import { LlariatError, checkAborted } from "../error.ts";
import { display } from "../text/wording.ts";

/**
 * The files of a checkpoint folder, or of the folder around one .safetensors or .bin file, which then stands for
 * model.safetensors or pytorch_model.bin and is the whole model. Nothing outside the folder is read: a symbolic link must end inside it or, in a Hugging Face cache,
 * in the blobs folder of the same repository. The caller closes it. Throws LlariatError "source" if there is no such path.
 */
export async function folderFiles(path: string): Promise<FileSet> {
  if (typeof path !== "string")
    throw new LlariatError("source", `needs a path, got ${display(path)}`, { subject: "path" });
  const full = resolve(path);
  const info = await stat(full).catch((cause: NodeJS.ErrnoException) => {
    throw new LlariatError(
      "source",
      `${path}: ${reason(cause)}, needed a checkpoint folder or a .safetensors or .bin file`,
      {
        cause,
      },
    );
  });
  if (info.isDirectory()) return folder(full, path);
  const as = singleName(full);
  if (!info.isFile() || as === undefined) {
    throw new LlariatError(
      "source",
      `${path}: got ${kind(info)}, needed a checkpoint folder or a .safetensors or .bin file`,
    );
  }
  return folder(dirname(full), path, { name: basename(full), as });
}

async function folder(full: string, describe: string, single?: { name: string; as: string }): Promise<FileSet> {
  const root = await realpath(full);
  const roots = [root, ...blobs(root)];
  const handles = new Map<string, { handle: FileHandle; source: ByteSource }>();
  const children: FileSet[] = [];
  const isInside = (target: string) =>
    roots.some((allowed) => target.startsWith(allowed.endsWith(sep) ? allowed : allowed + sep));
  let closed = false;
  const checkOpen = (call: string, name: string): void => {
    if (!closed) return;
    const got = `got ${call}(${JSON.stringify(name)}) after close(), needed it before`;
    throw new LlariatError("closed", `${describe}: ${got}`);
  };
  return {
    describe,
    listed: true,
    async list() {
      const entries = await readdir(root, { withFileTypes: true });
      const names = entries.filter((entry) => !entry.isDirectory()).map(({ name }) => name);
      if (single === undefined) return names;
      return [single.as, ...names.filter((name) => !isWeights(name) && name !== single.name)];
    },
    async folders() {
      const entries = await readdir(root, { withFileTypes: true });
      return entries.filter((entry) => entry.isDirectory()).map(({ name }) => name);
    },
    async folder(name) {
      checkName(name, describe);
      checkOpen("folder", name);
      const target = await realpath(join(root, name)).catch(() => undefined);
      if (target === undefined || !isInside(target) || !(await stat(target)).isDirectory()) return undefined;
      const child = await folder(target, join(describe, name));
      checkOpen("folder", name); // closed meanwhile, and nobody would close the child
      children.push(child);
      return child;
    },
    async open(name, signal) {
      checkName(name, describe);
      checkAborted(signal, `opening ${name}`);
      checkOpen("open", name);
      if (single !== undefined && name !== single.as && isWeights(name)) return undefined;
      const known = handles.get(name);
      if (known) return known.source;
      const stored = name === single?.as ? single.name : name;
      let target: string;
      try {
        target = await realpath(join(root, stored));
      } catch (cause) {
        const error = cause as NodeJS.ErrnoException;
        const shown = join(describe, stored);
        if (error.code !== "ENOENT") throw new LlariatError("source", `${shown}: ${reason(error)}`, { cause });
        // A link to nothing is no absence: what a cache has lost would go unnoticed, settings and tokenizer with it.
        if (!(await lstat(join(root, stored)).catch(() => undefined))?.isSymbolicLink()) return undefined;
        const problem = `${shown}: got a symbolic link to a file that is not there, needed the file`;
        throw new LlariatError("source", problem, { advice: "download it again", cause });
      }
      if (!isInside(target)) {
        throw new LlariatError(
          "source",
          `${join(describe, stored)}: got a symbolic link that leaves the folder, needed the file inside it; copy the file there`,
        );
      }
      // Asked before opening: opening a pipe would wait for a writer, for ever.
      const info = await stat(target);
      if (!info.isFile())
        throw new LlariatError("source", `${join(describe, stored)}: got ${kind(info)}, needed a regular file`);
      const handle = await open(target, "r").catch((cause: NodeJS.ErrnoException) => {
        throw new LlariatError("source", `${join(describe, stored)}: ${reason(cause)}`, { cause });
      });
      const raced = handles.get(name);
      if (raced || closed) {
        await handle.close();
        if (raced) return raced.source;
        throw new LlariatError("closed", `${describe}: got close() while ${name} was being opened, needed it later`);
      }
      const source = fileSource(stored, handle, info.size);
      handles.set(name, { handle, source });
      return source;
    },
    async close() {
      closed = true;
      const open = [...handles.values()];
      handles.clear();
      await Promise.all([...open.map(({ handle }) => handle.close()), ...children.map((child) => child.close())]);
    },
  };
}

function fileSource(name: string, handle: FileHandle, size: number): ByteSource {
  return byteSource(name, size, async (start, _, room, signal) => {
    const target = room();
    for (let done = 0; done < target.byteLength;) {
      checkAborted(signal, `reading ${name}`);
      const { bytesRead } = await handle
        .read(target, done, target.byteLength - done, start + done)
        .catch((cause: NodeJS.ErrnoException) => {
          throw new LlariatError("source", `${name}: ${reason(cause)} at byte ${start + done}`, { cause });
        });
      if (bytesRead === 0) return target.subarray(0, done);
      done += bytesRead;
    }
    return target;
  });
}

/** In `…/snapshots/REVISION[/…]` files are links into `…/blobs`: the layout of the Hugging Face cache. */
function blobs(root: string): string[] {
  for (let at = root; dirname(at) !== at; at = dirname(at)) {
    if (basename(dirname(at)) === "snapshots") return [join(dirname(dirname(at)), "blobs")];
  }
  return [];
}

const REASONS: Record<string, string> = {
  ENOENT: "there is no such file or folder",
  EACCES: "got permission denied",
  EPERM: "got permission denied",
  EMFILE: "got too many open files",
  ELOOP: "got symbolic links in a circle",
};
const reason = (error: NodeJS.ErrnoException) =>
  REASONS[error.code ?? ""] ?? `got the system error ${error.code ?? error.message}`;

const kind = (info: { isDirectory(): boolean; isFile(): boolean }) =>
  info.isDirectory() ? "a folder" : info.isFile() ? "a file of another kind" : "a device or pipe";
