import { floatFormat } from "./floats.ts";

/** IEEE half floats. 8 columns of a matvec: a tenth faster than 4 on lavapipe (bench/kernels.ts). */
export const f16 = floatFormat("f16", { part: "formats/f16", matvecColumns: 8, largest: 65_504 });
