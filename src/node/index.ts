/**
 * llariat in Node: checkpoints are folders, devices come from Dawn.
 * @module llariat
 */

import { fileURLToPath } from "node:url";
import { LlariatError } from "../error.ts";
import { usePlatform } from "../platform.ts";
import { folderFiles } from "./files.ts";
import { requestDevice } from "./gpu.ts";
import { listedFiles } from "./listed.ts";

usePlatform({
  files(source) {
    if (typeof source === "string") return folderFiles(source);
    if (source instanceof URL) return folderFiles(fileURLToPath(source));
    if (Array.isArray(source)) return listedFiles(source);
    throw new LlariatError("source", `a checkpoint is a path, a list of paths or a FileSet, got ${typeof source}`);
  },
  requestDevice,
});

export * from "../index.ts";
export { folderFiles } from "./files.ts";
export { type AdapterFacts, type DeviceOptions, type GpuHandle, requestDevice } from "./gpu.ts";
