import { type Dispatch, type Tensor, stride } from "./dispatch.ts";
import type { StepLayout } from "./step.ts";

/** Candidates kept per output row; a row with more (k and its ties) is read whole instead. */
export const CANDIDATES = 256;

/** u32 per output row of `candidates`: count, largest logit, log Σ e^logit, 0, then (id, logit) pairs. */
export const CANDIDATE_STRIDE = 4 + 2 * CANDIDATES;

/**
 * The k largest logits per output row (k is part of the step) with their ties, in no order:
 * `logits` [outputs, vocab] f32 → `candidates` [outputs, CANDIDATE_STRIDE] u32.
 */
export function topk({ logits, candidates, step }: { logits: Tensor; candidates: Tensor; step: StepLayout }): Dispatch {
  const vocab = logits.shape[1];
  return {
    kernel: "topk",
    parts: ["lib/step", "lib/reduce_workgroup"],
    constants: { ...step.constants, VOCAB: vocab, LOGITS_STRIDE: stride(vocab), CAPACITY: CANDIDATES, WG: 256 },
    bind: { logits, candidates },
    workgroups: ({ outputs }) => [outputs, 1, 1],
  };
}
