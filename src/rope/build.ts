// build.ts — the one place where the values of a RoPE type are read, checked and completed with their defaults.

import type { Rope, RopeType } from "./frequencies.ts";
import { display } from "../text/wording.ts";
import type { RawSetting } from "./names.ts";
import { checkNames } from "./names.ts";
import type { Dict } from "./values.ts";
import { given, number, positives, refuse } from "./values.ts";

/** What a setting is combined with; the last two depend on what the setting says. */
export interface Surroundings {
  readonly headDim: number;
  readonly theta: number;
  /** Where partial_rotary_factor is stated, its value if it is, and what `proportional` takes otherwise (1). */
  readonly partial: { readonly name: string; readonly value: unknown; readonly inherited?: number };
  /** M and M0 once type and factor are known; factor undefined: not given. */
  readonly lengths: (type: RopeType, factor: number | undefined) => { M: number; M0: number };
}

/** @throws LlariatError("rope") naming the key. */
export function build(setting: RawSetting, around: Surroundings): Rope {
  const { type, ignored } = checkNames(setting);
  const { values, where } = setting;
  const { headDim, theta } = around;
  const at = (key: string) => `${where}.${key}`;
  const stated = factorOf(type, at("factor"), values);
  const { M, M0 } = around.lengths(type, stated);
  const partialRotaryFactor = partialRotary(type, around.partial);
  const common = {
    theta,
    headDim,
    factor: stated ?? 1,
    attentionFactor: 1,
    maxPositions: M,
    originalMaxPositions: M0,
    ignored: Object.freeze(ignored),
  };
  const attentionOr = (otherwise: number) =>
    given(values, "attention_factor") === undefined
      ? otherwise
      : number(at("attention_factor"), values.attention_factor, { above: 0 });

  switch (type) {
    case "default":
    case "linear":
      return Object.freeze({ type, ...common });
    case "ntk":
    case "dynamic":
      if (headDim < 4) refuse(where, `${type} needs head_dim ≥ 4 (its exponent is d / (d - 2)), got ${headDim}`);
      return Object.freeze({ type, ...common });
    case "yarn": {
      if (theta === 1) refuse(where, `yarn needs a rope_theta other than 1, it divides by its logarithm`);
      const factor = stated ?? M / M0;
      if (factor < 1)
        refuse(
          at("factor"),
          `is null and would be max_position_embeddings ${M} / original_max_position_embeddings ${M0}, ` +
            "which is below 1; give the factor",
        );
      const [betaFast, betaSlow] = [betaOf(values, at, "beta_fast", 32), betaOf(values, at, "beta_slow", 1)];
      if (betaFast < betaSlow) refuse(where, `beta_fast ${betaFast} must not be below beta_slow ${betaSlow}`);
      const attentionFactor = attentionOr(yarnAttention(factor, values, at));
      // null too: transformers would take it for false while an absent key is true
      if (values.truncate !== undefined && typeof values.truncate !== "boolean")
        refuse(at("truncate"), `must be true or false, got ${display(values.truncate)}`);
      const truncate = values.truncate !== false;
      return Object.freeze({ type, ...common, factor, attentionFactor, betaFast, betaSlow, truncate });
    }
    case "longrope": {
      if (M0 < 2) refuse(where, `longrope needs original_max_position_embeddings ≥ 2, got ${M0}`);
      const factor = stated ?? M / M0;
      // √(1 + ln s / ln M0), LongRoPE, Ding et al. 2024; one value for short and long
      const attentionFactor = attentionOr(factor <= 1 ? 1 : Math.sqrt(1 + Math.log(factor) / Math.log(M0)));
      const shortFactor = positives(at("short_factor"), values.short_factor, headDim / 2);
      const longFactor = positives(at("long_factor"), values.long_factor, headDim / 2);
      return Object.freeze({ type, ...common, factor, attentionFactor, shortFactor, longFactor });
    }
    case "llama3": {
      const lowFreqFactor = number(at("low_freq_factor"), values.low_freq_factor, { above: 0 });
      const highFreqFactor = number(at("high_freq_factor"), values.high_freq_factor, { above: 0 });
      if (highFreqFactor <= lowFreqFactor)
        refuse(where, `high_freq_factor ${highFreqFactor} must be above low_freq_factor ${lowFreqFactor}`);
      return Object.freeze({ type, ...common, lowFreqFactor, highFreqFactor });
    }
    case "proportional":
      return Object.freeze({ type, ...common, partialRotaryFactor });
    default:
      return type satisfies never;
  }
}

/** s, or undefined where the type has none or may go without one. Below 1 it would shorten the context. */
function factorOf(type: RopeType, name: string, values: Dict): number | undefined {
  const mayBeAbsent = type === "yarn" || type === "longrope" || type === "proportional";
  if (type === "default" || (mayBeAbsent && given(values, "factor") === undefined)) return undefined;
  return number(name, values.factor, { least: 1, hint: "it is the context wanted divided by the trained one" });
}

/** Turns within M0; 0 and null mean the default, as in transformers (`get(…) or 32`). */
function betaOf(values: Dict, at: (key: string) => string, key: string, otherwise: number): number {
  const value = given(values, key);
  return value === undefined ? otherwise : number(at(key), value, { least: 0 }) || otherwise;
}

/**
 * m of yarn: 0.1 · ln s + 1 (YaRN, Peng et al. 2023, section 3.4: there √(1/t)); with both of DeepSeek's coefficients given and
 * not 0, the ratio of the two. One of them alone has no effect, as in transformers.
 */
function yarnAttention(s: number, values: Dict, at: (key: string) => string): number {
  const coefficient = (key: string) => number(at(key), given(values, key) ?? 0, { least: 0 });
  const [own, all] = [coefficient("mscale"), coefficient("mscale_all_dim")];
  const g = (c: number) => (s <= 1 ? 1 : 0.1 * c * Math.log(s) + 1);
  return own && all ? g(own) / g(all) : g(1);
}

/** Share of the pairs that turn. `default` ignores it as transformers does; the other types rotate whole heads in Llama. */
function partialRotary(type: RopeType, { name, value, inherited = 1 }: Surroundings["partial"]): number {
  const share = value === undefined ? inherited : number(name, value, { least: 0, most: 1 });
  if (value !== undefined && share !== 1 && type !== "default" && type !== "proportional")
    refuse(name, `${share} cannot be combined with ${type}, Llama rotates whole heads; only proportional uses it`);
  return share;
}
