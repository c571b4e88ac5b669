// generation.ts — generation_config.json: how a checkpoint wants to be sampled.

import { Fields } from "./fields.ts";

/** Defaults for generation that a checkpoint's generation_config.json states; undefined where it states none. */
export interface GenerationConfig {
  /** At least one; `[]` and −1 state none, and then config.json's hold (Checkpoint.eosIds). */
  readonly eosIds?: readonly number[];
  readonly bosId?: number;
  /** False (greedy) if absent, as in transformers. */
  readonly doSample: boolean;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly repetitionPenalty?: number;
  readonly maxNewTokens?: number;
}

/**
 * Reads a parsed generation_config.json. null and absent are the same. Throws LlariatError "config" naming the field for a
 * value that cannot be meant, rather than sampling with another.
 */
export function parseGenerationConfig(json: unknown, file = "generation_config.json"): GenerationConfig {
  const fields = new Fields(json, file);
  const eosIds = fields.ids("eos_token_id", []);
  const out = {
    eosIds: eosIds.length > 0 ? Object.freeze(eosIds) : undefined,
    bosId: fields.ids("bos_token_id", [])[0],
    doSample: fields.flag("do_sample"),
    temperature: fields.number("temperature", 0, Infinity),
    topK: fields.get("top_k") === undefined ? undefined : fields.integer("top_k", 0, Number.MAX_SAFE_INTEGER),
    topP: fields.number("top_p", 0, Infinity), // from 1 on it is off
    minP: fields.number("min_p", 0, 1),
    repetitionPenalty: fields.number("repetition_penalty", Number.MIN_VALUE, Infinity),
    maxNewTokens:
      fields.get("max_new_tokens") === undefined
        ? undefined
        : fields.integer("max_new_tokens", 1, Number.MAX_SAFE_INTEGER),
  };
  return Object.freeze(
    Object.fromEntries(Object.entries(out).filter(([, value]) => value !== undefined)),
  ) as unknown as GenerationConfig;
}
