import { floatFormat } from "./floats.ts";

/** Weights as they are. 4 columns of a matvec: half as fast again as 8 on lavapipe (bench/kernels.ts). */
export const f32 = floatFormat("f32", { part: "formats/f32", matvecColumns: 4 });
