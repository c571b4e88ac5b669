import type { CacheFormat } from "./cache.ts";

/** Keys and values rounded to 16-bit floats: half the memory, and errors of 2^-12 of an element at most. */
export const f16: CacheFormat = { name: "f16", part: "cache/f16", block: 4, dtype: "f16" };
