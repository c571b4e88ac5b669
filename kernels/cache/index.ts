// cache/index.ts — the ways to hold keys and values, by name. A way is a pair of files and a line here.

import { f16 } from "./f16.ts";
import { f32 } from "./f32.ts";
import { q8 } from "./q8.ts";

export { type CacheFormat, type KvLayer, kvLayer, kvStride } from "./cache.ts";

/** Every cache format, the exact one first. */
export const caches = { f32, f16, q8 } as const;

/** The name of a cache format. */
export type CacheName = keyof typeof caches;
