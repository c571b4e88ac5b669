import { type Dispatch, type Tensor, stride } from "./dispatch.ts";
import type { StepLayout } from "./step.ts";

/** Table rows that one workgroup makes. */
export const FILL_ROWS = 8;

/**
 * Writes the step's fills into the rotary table: `table` [angle rows, rotaryDim] f32 holds (m·cos φ, m·sin φ) per frequency,
 * φ from 64-bit fixed-point turns per token (src/rope/frequencies.ts). The kernel knows no scaling type.
 */
export function angles({ table, step }: { table: Tensor; step: StepLayout }): Dispatch {
  return {
    kernel: "angles",
    parts: ["lib/step"],
    constants: {
      ...step.constants,
      HALF: step.rotaryDim / 2,
      TABLE_STRIDE: stride(step.rotaryDim) / 2,
      FILL_ROWS,
      WG: 64,
    },
    bind: { table },
    workgroups: ({ fills, fillRows }) => [fills, Math.ceil(fillRows / FILL_ROWS), 1],
  };
}
