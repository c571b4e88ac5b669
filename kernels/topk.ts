import { type Dispatch, type Tensor, stride } from "./dispatch.ts";
import type { DeviceFacts } from "./device.ts";
import type { StepLayout } from "./step.ts";
import { reduction } from "./workgroup.ts";

/** Candidates kept per output row; a row with more (k and its ties) is read whole instead. */
export const CANDIDATES = 256;

/** u32 per output row of `candidates`: count, largest logit, log Σ e^logit, 0, then (id, logit) pairs. */
export const CANDIDATE_STRIDE = 4 + 2 * CANDIDATES;

/**
 * The k largest logits per output row (k is part of the step) with their ties, in no order:
 * `logits` [outputs, vocab] f32 → `candidates` [outputs, CANDIDATE_STRIDE] u32.
 */
export function topk(args: { logits: Tensor; candidates: Tensor; step: StepLayout; device: DeviceFacts }): Dispatch {
  const { logits, candidates, step, device } = args;
  const vocab = logits.shape[1];
  const { WG, part, enables } = reduction("topk", 256, device);
  return {
    kernel: "topk",
    enables,
    parts: ["lib/step", part],
    constants: { ...step.constants, VOCAB: vocab, LOGITS_STRIDE: stride(vocab), CAPACITY: CANDIDATES, WG },
    bind: { logits, candidates },
    workgroups: ({ outputs }) => [outputs, 1, 1],
  };
}

/** What `topk` found for one row. */
export interface Candidates {
  /** In no order: the k largest and all that tie with the k-th, as far as there is room. */
  readonly ids: Uint32Array;
  /** One per id. */
  readonly logits: Float32Array;
  /** log Σ e^logit over the whole row. */
  readonly logSumExp: number;
  /** How many there are; more than CANDIDATES are not all among `ids`. */
  readonly count: number;
}

/** Row `index` of the words that `topk` wrote, copied. */
export function readCandidates(words: Uint32Array, index: number): Candidates {
  const first = index * CANDIDATE_STRIDE;
  const floats = new Float32Array(words.buffer, words.byteOffset + 4 * first, CANDIDATE_STRIDE);
  const count = words[first];
  const held = Math.min(count, CANDIDATES);
  return {
    ids: Uint32Array.from({ length: held }, (_, i) => words[first + 4 + 2 * i]),
    logits: Float32Array.from({ length: held }, (_, i) => floats[5 + 2 * i]),
    logSumExp: floats[2],
    count,
  };
}
