// files.ts — a checkpoint from a file picker, as a FileSet.

import { byteSource } from "../checkpoint/bytes.ts";
import type { ByteSource, FileSet } from "../checkpoint/bytes.ts";
import { sourceSet } from "../checkpoint/memory.ts";
import { LlariatError } from "../error.ts";
import { reading } from "../text/options.ts";

/** The files a person picked (`<input type="file" multiple>` or `webkitdirectory`): File objects, or named blobs. */
export type PickedFile =
  | (Blob & { readonly name: string; readonly webkitRelativePath?: string })
  | { readonly name: string; readonly blob: Blob };

/**
 * Picked files as a checkpoint, by name without folder. Of a picked folder (`webkitdirectory`) only the files that lie
 * directly in it: repositories on Hugging Face have folders of other formats, with a config.json of their own.
 * Throws LlariatError "source" if two have the same name.
 */
export function blobFiles(picked: Iterable<PickedFile>): FileSet {
  return reading("files", () => read(picked));
}

function read(picked: Iterable<PickedFile>): FileSet {
  const blobs = new Map<string, Blob>();
  const folders = new Set<string>();
  for (const file of picked) {
    // "folder/name" or "folder/below/name"; empty where files were picked one by one
    const path = ("webkitRelativePath" in file ? (file.webkitRelativePath ?? "") : "").split("/");
    if (path.length > 2) {
      folders.add(path[1]);
      continue;
    }
    if (blobs.has(file.name)) {
      throw new LlariatError(
        "source",
        `got two files named ${file.name}, needed each name once; pick the files of one folder`,
      );
    }
    blobs.set(file.name, "blob" in file ? file.blob : file);
  }
  const sources = [...blobs].map(([name, blob]) => blobSource(name, blob));
  const describe = sources.length === 1 ? "1 file" : `${sources.length} files`;
  return { ...sourceSet(sources, describe), folders: async () => [...folders] };
}

function blobSource(name: string, blob: Blob): ByteSource {
  return byteSource(name, blob.size, async (start, end) => {
    try {
      return new Uint8Array(await blob.slice(start, end).arrayBuffer());
    } catch (cause) {
      // NotReadableError: the browser refuses a File whose file on disk was changed or moved since it was picked.
      throw new LlariatError(
        "source",
        `${name}: could not be read (${String(cause)}); if it changed on disk, pick it again`,
        { cause },
      );
    }
  });
}
