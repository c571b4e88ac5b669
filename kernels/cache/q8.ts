import type { CacheFormat } from "./cache.ts";

/** Keys and values as 8-bit codes, 32 to a step: 9/32 of the memory, and errors of 1/254 of a block's largest element at most. */
export const q8: CacheFormat = { name: "q8", part: "cache/q8", block: 32, dtype: "q8" };
