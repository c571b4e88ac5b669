/**
 * llariat in Node: checkpoints are folders or addresses of folders, devices come from Dawn.
 * @module llariat
 */

import { readVariantList } from "../device/asked.ts";
import { usePlatform } from "../platform.ts";
import { fileStore } from "./cache.ts";
import { requestDevice } from "./gpu.ts";
import { sourceFiles } from "./sources.ts";

usePlatform({
  files: sourceFiles,
  requestDevice,
  store: fileStore(),
  variants: () => readVariantList(process.env["LLARIAT_VARIANTS"] ?? "", "LLARIAT_VARIANTS"),
});

export * from "../index.ts";
export { folderFiles } from "./files.ts";
export { type AdapterFacts, type DeviceOptions, type GpuHandle, requestDevice } from "./gpu.ts";
