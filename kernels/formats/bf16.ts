import { floatFormat } from "./floats.ts";

/** bfloat16, the upper half of an f32. Columns as for f16. */
export const bf16 = floatFormat("bf16", { part: "formats/bf16", matvecColumns: 8 });
