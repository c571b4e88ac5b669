/**
 * llariat in Node: checkpoints are folders or addresses of folders, devices come from Dawn.
 * @module llariat
 */

import { usePlatform } from "../platform.ts";
import { requestDevice } from "./gpu.ts";
import { sourceFiles } from "./sources.ts";

usePlatform({ files: sourceFiles, requestDevice });

export * from "../index.ts";
export { folderFiles } from "./files.ts";
export { type AdapterFacts, type DeviceOptions, type GpuHandle, requestDevice } from "./gpu.ts";
