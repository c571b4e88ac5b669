// parse.ts — from a checkpoint's config or a request's setting to one Rope record, or to an error that names the key.
//
// Spellings, precedence and defaults are those of transformers 5.12 (modeling_rope_utils.py). Where it only warns or
// crashes later, this refuses: unknown types, factors below 1 or not numbers, lists of a wrong length, odd head_dim,
// high_freq_factor ≤ low_freq_factor, beta_fast < beta_slow, partial rotation of whole heads. A config may carry keys that
// its type does not use, as in transformers; they are reported in `Rope.ignored`. A request may not: what it states has
// an effect or is refused.

import { isObject } from "../text/json.ts";
import { reading } from "../text/options.ts";
import type { Rope, RopeType } from "./frequencies.ts";
import { display } from "../text/wording.ts";
import type { Surroundings } from "./build.ts";
import { build } from "./build.ts";
import type { Dict } from "./values.ts";
import { given, number, refuse } from "./values.ts";

/**
 * A request's RoPE setting, in the keys of a Hugging Face config (`type` is the older spelling of `rope_type`). It replaces
 * the model's own setting as a whole; what it leaves out comes from the model, see `parseRopeScaling`.
 */
export interface RopeScaling {
  readonly rope_type?: RopeType;
  readonly type?: RopeType;
  readonly factor?: number | null;
  readonly rope_theta?: number | null;
  /** M0 of yarn, longrope, llama3. */
  readonly original_max_position_embeddings?: number | null;
  /** M. */
  readonly max_position_embeddings?: number | null;
  readonly partial_rotary_factor?: number | null;
  readonly attention_factor?: number | null;
  readonly beta_fast?: number | null;
  readonly beta_slow?: number | null;
  readonly mscale?: number | null;
  readonly mscale_all_dim?: number | null;
  readonly truncate?: boolean;
  readonly short_factor?: readonly number[];
  readonly long_factor?: readonly number[];
  readonly low_freq_factor?: number;
  readonly high_freq_factor?: number;
}

/** What a request says about RoPE: a setting, "none" or null for none, undefined for the model's own. */
export type RopeChoice = RopeScaling | "none" | null | undefined;

const TOKENS = { least: 1, whole: true } as const;
/** Sizes of the model, not of its RoPE setting. */
const SIZE = { ...TOKENS, code: "config" } as const;
/** What an architecture has of its own about RoPE. */
export interface RopeDialect {
  /** RoPE types by further names that its configs have given them. */
  readonly spellings?: Readonly<Record<string, RopeType>>;
  /** The first partial_rotary_factor of a head's elements turn, under every type. */
  readonly partial?: boolean;
  /** M0 of longrope where config.json has none beside the setting; one inside the setting does not count then. */
  readonly longropeOriginal?: number;
}

const inConfig = (key: string) => `config.json: ${key}`;

/**
 * Reads the RoPE setting of a checkpoint's parsed config.json, its head dimension and its context. Used fields: rope_scaling,
 * rope_parameters, rope_theta (10000 if absent), max_position_embeddings (2048 if absent, LlamaConfig's default),
 * original_max_position_embeddings, partial_rotary_factor, head_dim or hidden_size and num_attention_heads, and for linear
 * max_sequence_length. M0 is the stated original length, else M, else for linear what `linearBase` finds.
 * What an architecture has of its own about RoPE stands in `dialect`.
 * @throws LlariatError naming the key: "rope" for the setting, "config" for the head dimension and the context.
 */
export function parseRope(config: Readonly<Record<string, unknown>>, dialect: RopeDialect = {}): Rope {
  return reading("config.json", () => readRope(config, dialect));
}

function readRope(config: Readonly<Record<string, unknown>>, dialect: RopeDialect): Rope {
  if (!isObject(config)) return refuse("config.json", `must be an object, got ${display(config)}`, "config");
  // transformers takes one of the two as a whole; nothing of the other is merged, not even rope_theta.
  const [scaling, parameters] = [section(config, "rope_scaling"), section(config, "rope_parameters")];
  const values = scaling ?? parameters ?? {};
  const where = inConfig(scaling ? "rope_scaling" : "rope_parameters");
  const topElseSection = (key: string) => {
    const top = given(config, key);
    return top === undefined
      ? { name: `${where}.${key}`, value: given(values, key) }
      : { name: inConfig(key), value: top };
  };

  const M = number(inConfig("max_position_embeddings"), given(config, "max_position_embeddings") ?? 2048, SIZE);
  const original = topElseSection("original_max_position_embeddings");
  const stated = original.value === undefined ? undefined : number(original.name, original.value, TOKENS);
  /** transformers looks for it before it knows "su" for longrope (Phi3Config). */
  const isSu = (given(values, "rope_type") ?? given(values, "type")) === "su";
  const originalOf = (type: RopeType) =>
    type === "longrope" && !isSu && given(config, "original_max_position_embeddings") === undefined
      ? dialect.longropeOriginal
      : undefined;
  const ownTheta = given(values, "rope_theta");
  const theta =
    ownTheta === undefined
      ? number(inConfig("rope_theta"), given(config, "rope_theta") ?? 10000, { above: 0 })
      : number(`${where}.rope_theta`, ownTheta, { above: 0 });
  const share = topElseSection("partial_rotary_factor");
  const built = build(
    { where, values, request: false, spellings: dialect.spellings },
    {
      headDim: dialect.partial ? turningPart(headDimension(config), share) : headDimension(config),
      theta,
      partial: dialect.partial ? { ...share, value: undefined } : share,
      lengths: (type, s) => ({
        M,
        M0: originalOf(type) ?? stated ?? (type === "linear" ? linearBase(config, M, s ?? 1) : M),
      }),
    },
  );
  const isRead = (key: string) => dialect.partial && key === "partial_rotary_factor";
  const rope = Object.freeze({ ...built, ignored: Object.freeze(built.ignored.filter((key) => !isRead(key))) });
  return scaling && parameters
    ? Object.freeze({ ...rope, ignored: Object.freeze([...rope.ignored, "rope_parameters"]) })
    : rope;
}

/** Llama 2; the Llamas after it were made longer by a larger θ, not by linear scaling. */
const LONGEST_LINEAR_BASE = 4096;
/** Llama 1: no Llama was trained on less. */
const SHORTEST_LINEAR_BASE = 2048;

/**
 * M0 of a linear config that does not state it. Linear reaches M0 · s, and M may be either of the two: M0 in Vicuna-16k,
 * LongChat-32k and LongLoRA (4,096 with linear 4, 8, 8), M0 · s in LLaMA-2-7B-32K and deepseek-coder (32,768 with linear 8,
 * 16,384 with linear 4). What FastChat writes beside it, max_sequence_length, is always M0 · s. Without it M contains the
 * factor where it is too long for a base that linear was used on (4,096 tokens at most), and M / s is not too short for one.
 */
function linearBase(config: Dict, M: number, s: number): number {
  const total = given(config, "max_sequence_length");
  if (Number.isSafeInteger(total) && (total as number) >= M) return Math.floor((total as number) / s) || M;
  return M > LONGEST_LINEAR_BASE && M / s >= SHORTEST_LINEAR_BASE ? Math.floor(M / s) : M;
}

/** rope_scaling or rope_parameters, undefined where it is absent, null or empty. */
function section(config: Dict, key: string): Dict | undefined {
  const value = given(config, key);
  if (value === undefined) return undefined;
  if (!isObject(value))
    return refuse(
      inConfig(key),
      `must be an object like {"rope_type": "linear", "factor": 2} or null, got ${display(value)}`,
    );
  return Object.keys(value).length > 0 ? value : undefined;
}

/**
 * The Rope of one request on a model whose own setting is `model`.
 *
 * undefined is the model's own; null, "none" and {type: "default"} are unscaled, with the model's θ. Anything else replaces
 * the model's setting as a whole, except for what belongs to the weights: θ, head_dim and the trained length T, which is
 * the model's M0 if its config states one (llama3, yarn, longrope checkpoints), else its M. Then, unless the request says
 * otherwise with original_max_position_embeddings (M0) or max_position_embeddings (M):
 * - default, linear, ntk, dynamic, proportional: M = T, so dynamic starts to scale where the unscaled base ends. On a
 *   checkpoint with an M0 below M this differs from editing its config.json, where transformers would take M.
 * - yarn, longrope, llama3: M0 = T, and M = M0 · factor; longrope and llama3 on a checkpoint of the same type keep its M
 *   if that is longer; longrope without a factor takes the model's M.
 * @throws LlariatError("rope") naming the key.
 */
export function parseRopeScaling(setting: RopeChoice, model: Rope): Rope {
  if (setting === undefined) return model;
  return reading("ropeScaling", () => readSetting(setting, model));
}

function readSetting(setting: Exclude<RopeChoice, undefined>, model: Rope): Rope {
  const where = "ropeScaling";
  const values: unknown = setting === null || setting === "none" ? { rope_type: "default" } : setting;
  if (!isObject(values))
    return refuse(
      where,
      `must be an object like { type: "dynamic", factor: 2 }, "none" or null, got ${display(values)}`,
    );
  const stated = (key: string) => {
    const value = given(values, key);
    return value === undefined ? undefined : number(`${where}.${key}`, value, TOKENS);
  };
  const theta = given(values, "rope_theta");
  return build(
    { where, values, request: true },
    {
      headDim: model.headDim,
      theta: theta === undefined ? model.theta : number(`${where}.rope_theta`, theta, { above: 0 }),
      partial: {
        name: `${where}.partial_rotary_factor`,
        value: given(values, "partial_rotary_factor"),
        inherited: model.type === "proportional" ? model.partialRotaryFactor : undefined,
      },
      lengths: requestLengths(
        where,
        model,
        stated("max_position_embeddings"),
        stated("original_max_position_embeddings"),
      ),
    },
  );
}

/** M and M0 of a request, by the rules of `parseRopeScaling`. */
function requestLengths(where: string, model: Rope, statedM?: number, statedM0?: number): Surroundings["lengths"] {
  const trained = statedM0 ?? model.originalMaxPositions;
  return (type, factor) => {
    switch (type) {
      case "yarn": {
        const M = statedM ?? (factor === undefined ? undefined : Math.floor(trained * factor));
        if (M === undefined)
          return refuse(
            `${where}.factor`,
            `yarn needs a factor, or max_position_embeddings to divide by the trained length ${trained}`,
          );
        return { M, M0: trained };
      }
      case "longrope":
      case "llama3": {
        const own = model.type === type || factor === undefined ? model.maxPositions : 0;
        const M = statedM ?? Math.max(own, Math.floor(trained * (factor ?? 1)));
        if (factor === undefined && M <= trained)
          refuse(
            where,
            `longrope needs factor or max_position_embeddings on this model, nothing else says how far beyond ` +
              `the trained ${trained} tokens long_factor reaches`,
          );
        return { M, M0: trained };
      }
      default: {
        const M = statedM ?? model.originalMaxPositions;
        return { M, M0: M };
      }
    }
  };
}

/** Elements of a head of `d` that turn, the same whole number of pairs that transformers takes. */
function turningPart(d: number, { name, value = 1 }: { name: string; value: unknown }): number {
  const part = Math.floor(d * number(name, value, { above: 0, most: 1 }));
  if (part % 2 !== 0 || part === 0) refuse(name, `must make an even part of ${d} elements turn, got ${part} of them`);
  return part;
}

/**
 * Elements of a head: head_dim, else hidden_size / num_attention_heads.
 * @throws LlariatError("config") unless it is even.
 */
export function headDimension(config: Dict): number {
  const size = (key: string) => {
    const value = given(config, key);
    return value === undefined ? undefined : number(inConfig(key), value, SIZE);
  };
  const [stated, hidden, heads] = [size("head_dim"), size("hidden_size"), size("num_attention_heads")];
  // transformers demands this even where head_dim is given (LlamaConfig.validate_architecture)
  if (hidden !== undefined && heads !== undefined && hidden % heads !== 0)
    refuse(inConfig("hidden_size"), `must be a multiple of num_attention_heads ${heads}, got ${hidden}`, "config");
  const headDim = stated ?? (hidden !== undefined && heads !== undefined ? hidden / heads : undefined);
  if (headDim === undefined)
    return refuse(
      inConfig("head_dim"),
      `missing, and so is hidden_size or num_attention_heads to compute it from`,
      "config",
    );
  const derived = stated === undefined ? " (hidden_size / num_attention_heads)" : "";
  if (headDim % 2 !== 0)
    refuse(inConfig("head_dim"), `must be even, elements turn in pairs; got ${headDim}${derived}`, "config");
  return headDim;
}
