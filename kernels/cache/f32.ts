import type { CacheFormat } from "./cache.ts";

/** Keys and values as they are computed. */
export const f32: CacheFormat = { name: "f32", part: "cache/f32", block: 4, dtype: "f32" };
