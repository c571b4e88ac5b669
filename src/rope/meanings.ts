// meanings.ts — what the angles of a text mean while it grows.

/**
 * What the angles of a sequence mean while it grows, for types whose frequencies depend on the total length n:
 * - `planned`: n is the longest length the request can reach; every key and query has the same frequencies.
 * - `current`: n is the present length; keys are cached raw and rotated as they are read.
 * - `as-inserted`: a key keeps the frequencies of the step that wrote it, as transformers' cached `generate` does.
 */
export type RopeAngles = "planned" | "current" | "as-inserted";

/** Every meaning by name, the default first. */
export const ROPE_ANGLES: readonly RopeAngles[] = ["planned", "current", "as-inserted"];
