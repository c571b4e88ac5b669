/**
 * llariat in a browser: checkpoints are File objects or a base URL, devices come from navigator.gpu.
 * @module llariat/browser
 */

import { LlariatError } from "../error.ts";
import { display } from "../text/wording.ts";
import { usePlatform } from "../platform.ts";
import { blobFiles } from "./files.ts";
import { urlFiles } from "../checkpoint/http.ts";
import { requestDevice } from "./gpu.ts";
import { pageStore } from "./store.ts";

usePlatform({
  async files(source) {
    if (typeof source === "string" || source instanceof URL) return urlFiles(String(source));
    if (typeof source === "object" && source !== null && Symbol.iterator in source) {
      return blobFiles(source as Iterable<File>);
    }
    throw new LlariatError("source", `a checkpoint is a base URL, File objects or a FileSet, got ${display(source)}`);
  },
  requestDevice,
  store: pageStore,
});

export * from "../index.ts";
export { type PickedFile, blobFiles } from "./files.ts";
export type { DeviceHandle } from "../device/handle.ts";
export { requestDevice } from "./gpu.ts";
