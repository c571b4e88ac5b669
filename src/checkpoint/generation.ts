// generation.ts — generation_config.json: how a checkpoint wants to be sampled.

import type { Fields } from "./fields.ts";

/** Defaults for generation that a checkpoint's generation_config.json states; undefined where it states none. */
export interface GenerationConfig {
  /** At least one; `[]` and −1 state none, and then config.json's hold (Checkpoint.eosIds). */
  readonly eosIds?: readonly number[];
  /** False (greedy) if absent, as in transformers. */
  readonly doSample: boolean;
  readonly temperature?: number;
  readonly topK?: number;
  readonly topP?: number;
  readonly minP?: number;
  readonly typicalP?: number;
  readonly repetitionPenalty?: number;
  readonly noRepeatNgramSize?: number;
  readonly minNewTokens?: number;
  readonly maxNewTokens?: number;
}

/**
 * Reads the fields of a generation_config.json. null and absent are the same. Throws LlariatError "config" naming the field for a
 * value that cannot be meant, rather than sampling with another.
 */
export function parseGenerationConfig(fields: Fields): GenerationConfig {
  const eosIds = fields.ids("eos_token_id", []);
  const out = {
    eosIds: eosIds.length > 0 ? Object.freeze(eosIds) : undefined,
    doSample: fields.flag("do_sample"),
    temperature: fields.number("temperature", 0, Infinity),
    topK: count(fields, "top_k"),
    topP: fields.number("top_p", 0, Infinity), // from 1 on it is off
    minP: fields.number("min_p", 0, 1),
    typicalP: fields.number("typical_p", Number.MIN_VALUE, Infinity), // from 1 on it is off
    repetitionPenalty: fields.number("repetition_penalty", Number.MIN_VALUE, Infinity),
    noRepeatNgramSize: count(fields, "no_repeat_ngram_size"),
    minNewTokens: count(fields, "min_new_tokens"),
    maxNewTokens: count(fields, "max_new_tokens", 1),
  };
  return Object.freeze(
    Object.fromEntries(Object.entries(out).filter(([, value]) => value !== undefined)),
  ) as unknown as GenerationConfig;
}

/** A whole number that may be absent. */
const count = (fields: Fields, key: string, least = 0): number | undefined =>
  fields.get(key) === undefined ? undefined : fields.integer(key, least, Number.MAX_SAFE_INTEGER);

/**
 * Settings of transformers (GenerationConfig) that change what is generated and are not implemented, with the values that
 * change nothing; null, [] and {} never do. What only makes generation faster, or shapes what it answers, is not here.
 */
const UNSUPPORTED: Readonly<Record<string, readonly unknown[]>> = {
  num_beams: [1],
  num_beam_groups: [1],
  num_return_sequences: [1],
  constraints: [],
  force_words_ids: [],
  penalty_alpha: [0],
  dola_layers: [],
  min_length: [0],
  max_time: [],
  stop_strings: [],
  epsilon_cutoff: [0],
  eta_cutoff: [0],
  top_h: [],
  encoder_no_repeat_ngram_size: [0],
  encoder_repetition_penalty: [1],
  bad_words_ids: [],
  suppress_tokens: [],
  begin_suppress_tokens: [],
  forced_bos_token_id: [],
  forced_eos_token_id: [],
  sequence_bias: [],
  exponential_decay_length_penalty: [],
  guidance_scale: [1],
  watermarking_config: [],
  token_healing: [false],
};

/**
 * The settings of a generation_config.json that would change an answer and are not implemented, for a note.
 * `reach`: tokens up to which the model answers; `max_length`, which counts prompt and answer, matters only below it.
 */
export function unsupportedSettings({ all }: Fields, reach: number): string[] {
  const isEmpty = (value: unknown): boolean => typeof value === "object" && Object.keys(value ?? {}).length === 0;
  const found = Object.entries(UNSUPPORTED)
    .filter(([key, same]) => Object.hasOwn(all, key) && !isEmpty(all[key]) && !same.includes(all[key]))
    .map(([key]) => key);
  const { max_length: most, max_new_tokens: answer } = all;
  const cuts = typeof most === "number" && most < reach && (answer ?? undefined) === undefined;
  return cuts ? [...found, "max_length"] : found;
}
