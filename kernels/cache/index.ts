// cache/index.ts — the ways to hold keys and values, by name. A way is a pair of files and a line here.

import { f32 } from "./f32.ts";

export { type CacheFormat, type KvLayer, kvLayer, kvStride } from "./cache.ts";

/** Every cache format. */
export const caches = { f32 } as const;

/** The name of a cache format. */
export type CacheName = keyof typeof caches;
