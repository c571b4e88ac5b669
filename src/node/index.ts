// llariat in Node: checkpoints are folders, devices come from Dawn.

import { LlariatError } from "../error.ts";
import { usePlatform } from "../platform.ts";
import { folderFiles } from "./files.ts";
import { requestDevice } from "./gpu.ts";

usePlatform({
  files(source) {
    if (typeof source === "string") return folderFiles(source);
    if (source instanceof URL) return folderFiles(decodeURIComponent(source.pathname));
    throw new LlariatError("source", `a checkpoint is a folder's path or a FileSet, got ${typeof source}`);
  },
  requestDevice,
});

export * from "../index.ts";
export { folderFiles } from "./files.ts";
export { requestDevice } from "./gpu.ts";
