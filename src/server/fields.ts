// fields.ts — the fields that requests share, as schemas, and what they are as options of the library.

import { z } from "zod";
import type { GenerateOptions } from "../index.ts";

/** A text. */
export const text = () => z.string({ error: "must be a text" });
/** A number; its range is the library's to check. */
export const number = () => z.number({ error: "must be a number" });
/** A whole number. */
export const whole = (least: number, most = Number.MAX_SAFE_INTEGER) => {
  const error = `must be a whole number ${most < Number.MAX_SAFE_INTEGER ? `from ${least} to ${most}` : `≥ ${least}`}`;
  return z.int({ error }).min(least, { error }).max(most, { error });
};
/** true or false. */
export const flag = () => z.boolean({ error: "must be true or false" });
/** A field of OpenAI's that this server does not do: it may be there as null only. */
export const absent = (why: string) => z.null({ error: `is not supported: ${why}; leave it out` }).optional();
/** A field that says something about the caller and nothing about the answer. */
export const ignored = () => z.unknown().optional();

/** A text or a list of texts. */
const stops = z.union([z.string(), z.array(z.string()).max(64)], {
  error: "must be a text or a list of at most 64 texts",
});

/** OpenAI allows 128 answers to a prompt. */
export const MOST_ANSWERS = 128;

/** Fields of every request that generates. Null is as left out, but for `rope_scaling`, where it means none. */
export const sampling = {
  model: text().nullish(),
  stream: flag().nullish(),
  stream_options: z
    .strictObject(
      { include_usage: flag().nullish(), include_obfuscation: flag().nullish() },
      { error: "must be an object" },
    )
    .nullish(),
  n: whole(1, MOST_ANSWERS).nullish(),
  stop: stops.nullish(),
  temperature: number().nullish(),
  top_p: number().nullish(),
  top_k: number().nullish(),
  min_p: number().nullish(),
  typical_p: number().nullish(),
  frequency_penalty: number().nullish(),
  presence_penalty: number().nullish(),
  repetition_penalty: number().nullish(),
  logit_bias: z.record(z.string(), number(), { error: "must be an object from token ids to numbers" }).nullish(),
  seed: number().nullish(),
  min_tokens: number().nullish(),
  ignore_eos: flag().nullish(),
  stop_token_ids: z.array(number(), { error: "must be a list of token ids" }).nullish(),
  rope_scaling: z.unknown().optional(),
  rope_angles: text().nullish(),
  rope_length: number().nullish(),
  allow_beyond: flag().nullish(),
  user: ignored(),
  metadata: ignored(),
  service_tier: ignored(),
  safety_identifier: ignored(),
  prompt_cache_key: ignored(),
  prompt_cache_retention: ignored(),
};

const shared = z.strictObject(sampling);

/** What a request says of sampling and RoPE. */
export type Sampling = z.output<typeof shared>;

/** The library's options for these fields; what is left out stays left out, so that the checkpoint's own defaults hold. */
export function generateOptions(body: Sampling): GenerateOptions {
  const options: Record<keyof GenerateOptions, unknown> = Object.fromEntries(
    Object.entries({
      stop: body.stop,
      temperature: body.temperature,
      topP: body.top_p,
      topK: body.top_k,
      minP: body.min_p,
      typicalP: body.typical_p,
      frequencyPenalty: body.frequency_penalty,
      presencePenalty: body.presence_penalty,
      repetitionPenalty: body.repetition_penalty,
      logitBias: body.logit_bias,
      seed: body.seed,
      minNewTokens: body.min_tokens,
      ignoreEos: body.ignore_eos,
      stopIds: body.stop_token_ids,
      ropeAngles: body.rope_angles,
      ropeLength: body.rope_length,
      allowBeyond: body.allow_beyond,
    }).filter(([, value]) => value !== undefined && value !== null),
  ) as Record<keyof GenerateOptions, unknown>;
  if (body.rope_scaling !== undefined) options.ropeScaling = body.rope_scaling;
  return options as GenerateOptions;
}
