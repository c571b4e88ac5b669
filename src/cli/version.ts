// version.ts — which llariat this is.

import { createRequire } from "node:module";

/** The version of this package, found by the package's own name: the same file from src/ and from dist/src/. */
export const version = (): string =>
  (createRequire(import.meta.url)("llariat/package.json") as { version: string }).version;
