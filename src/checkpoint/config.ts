// config.ts — config.json and generation_config.json of a Llama checkpoint, in the spellings of transformers 4 and 5.
// Absent fields take the defaults of transformers' LlamaConfig (configuration_llama.py); what would change the
// arithmetic and is not implemented is refused by name. What belongs to RoPE is read by src/rope/parse.ts.

import { LlariatError } from "../error.ts";
import { type Rope, parseRope } from "../rope/index.ts";
import { isObject, show } from "../text/json.ts";

/** The shape and arithmetic of one Llama model. Sizes in elements, plain frozen data. */
export interface LlamaConfig {
  /** hidden_size: elements of the residual stream. */
  readonly dim: number;
  /** intermediate_size: elements inside the MLP. */
  readonly hidden: number;
  readonly layers: number;
  /** Query heads; a multiple of kvHeads. */
  readonly heads: number;
  readonly kvHeads: number;
  /** Elements per head; even, not always dim / heads. */
  readonly headDim: number;
  readonly vocab: number;
  /** max_position_embeddings: tokens the checkpoint states as its context. */
  readonly maxPositions: number;
  /** ε of RMSNorm. */
  readonly rmsEps: number;
  /** tie_word_embeddings as stated; the files may overrule it (Checkpoint.tied). */
  readonly tied: boolean;
  /** Whether q, k, v and o have a bias. */
  readonly attentionBias: boolean;
  /** Whether gate, up and down have a bias. */
  readonly mlpBias: boolean;
  /** Ids that end a text; empty if the config says null. */
  readonly eosIds: readonly number[];
  readonly bosId?: number;
  /** dtype or torch_dtype as stated, without "torch."; the tensors decide, this is for display. */
  readonly dtype?: string;
  /** The checkpoint's own RoPE setting. */
  readonly rope: Rope;
}

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

/** Llama 3.1 405B has 126 layers. */
const MAX_LAYERS = 10_000;
/** Llama 3.1 405B has rows of 53,248; a row of 2²⁰ f32 is 4 MiB, which keeps the staging memory of loading small. */
const MAX_COLUMNS = 2 ** 20;
const MAX_VOCAB = 2 ** 24;

/** dtypes a config may state; the weights themselves are checked tensor by tensor. */
const DTYPES = ["float32", "float16", "bfloat16"];

/**
 * Reads a parsed config.json. Throws LlariatError "config" naming the field, what it holds and what is needed, for
 * everything that is not a Llama this engine computes exactly: other architectures, quantised checkpoints, other
 * activations, sizes that do not fit each other or are absurd; and "rope" for a RoPE setting, as parseRope does.
 */
export function parseConfig(json: unknown, file = "config.json"): LlamaConfig {
  const fields = new Fields(json, file);
  checkFamily(fields);
  const size = (key: string, most: number, fallback?: number) => fields.integer(key, 1, most, fallback);
  const dim = size("hidden_size", MAX_COLUMNS);
  const hidden = size("intermediate_size", MAX_COLUMNS);
  const layers = size("num_hidden_layers", MAX_LAYERS);
  const heads = size("num_attention_heads", MAX_COLUMNS);
  const kvHeads = size("num_key_value_heads", MAX_COLUMNS, heads);
  const vocab = size("vocab_size", MAX_VOCAB);
  if (heads % kvHeads !== 0) throw fields.bad("num_key_value_heads", `a divisor of num_attention_heads, ${heads}`);
  const rope = parseRope(fields.all);
  const { headDim, maxPositions } = rope;
  if (heads * headDim > MAX_COLUMNS)
    throw fields.bad("head_dim", `at most ${MAX_COLUMNS} elements in all ${heads} heads`);
  const parameters = 2 * vocab * dim + layers * (2 * dim * (heads + kvHeads) * headDim + 3 * dim * hidden);
  if (parameters * 4 > Number.MAX_SAFE_INTEGER) {
    throw new LlariatError("config", `${file}: got sizes that make ${parameters} parameters, needed fewer than 2⁵¹`);
  }
  const activation = fields.get("hidden_act") ?? "silu";
  if (activation !== "silu" && activation !== "swish")
    throw fields.bad("hidden_act", '"silu", the activation of Llama');
  const dtype = statedDtype(fields);
  const bosId = fields.ids("bos_token_id", [1])[0];
  return Object.freeze({
    dim,
    hidden,
    layers,
    heads,
    kvHeads,
    headDim,
    vocab,
    maxPositions,
    rmsEps: fields.number("rms_norm_eps", 0, 1, 1e-6)!,
    tied: fields.flag("tie_word_embeddings"),
    attentionBias: fields.flag("attention_bias"),
    mlpBias: fields.flag("mlp_bias"),
    eosIds: Object.freeze(fields.ids("eos_token_id", [2])),
    ...(bosId !== undefined && { bosId }),
    ...(dtype !== undefined && { dtype }),
    rope,
  });
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

/** Refuses, by name, what is no plain Llama: the architecture, the model type, quantised weights. */
function checkFamily(fields: Fields): void {
  const { file } = fields;
  const type = fields.get("model_type");
  const architectures = fields.get("architectures");
  if (type === undefined && architectures === undefined) {
    throw new LlariatError("config", `${file}: got neither model_type nor architectures, needed model_type "llama"`);
  }
  if (type !== undefined && type !== "llama") {
    throw fields.bad("model_type", `"llama"; another architecture needs its own forward pass`);
  }
  if (architectures !== undefined && !(Array.isArray(architectures) && architectures.includes("LlamaForCausalLM"))) {
    throw fields.bad("architectures", `["LlamaForCausalLM"]; another architecture needs its own forward pass`);
  }
  for (const key of ["quantization_config", "compression_config"]) {
    const value = fields.get(key);
    if (value === undefined) continue;
    const method = isObject(value) ? (value["quant_method"] ?? value["quantization_status"]) : value;
    throw new LlariatError(
      "config",
      `${file}: ${key}: got weights quantised with ${show(method)}, needed F32, F16 or BF16; load the checkpoint it was made from`,
    );
  }
}

function statedDtype(fields: Fields): string | undefined {
  const key = fields.get("dtype") === undefined ? "torch_dtype" : "dtype";
  const value = fields.get(key);
  if (value === undefined || value === "auto") return undefined;
  const name = typeof value === "string" ? value.replace(/^torch\./, "") : "";
  if (!DTYPES.includes(name))
    throw fields.bad(key, `one of ${DTYPES.join(", ")}; convert the checkpoint to one of them`);
  return name;
}

/** The fields of one JSON object, read with their bounds; null counts as absent, as it does in transformers. */
class Fields {
  readonly all: Readonly<Record<string, unknown>>;
  readonly file: string;

  constructor(json: unknown, file: string) {
    if (!isObject(json)) throw new LlariatError("config", `${file}: got ${show(json)}, needed a JSON object`);
    this.all = json;
    this.file = file;
  }

  get(key: string): unknown {
    return Object.hasOwn(this.all, key) ? (this.all[key] ?? undefined) : undefined;
  }

  bad(key: string, needed: string): LlariatError {
    return new LlariatError("config", `${this.file}: ${key}: got ${show(this.get(key))}, needed ${needed}`);
  }

  integer(key: string, least: number, most: number, fallback?: number): number {
    const value = this.get(key) ?? fallback;
    if (Number.isSafeInteger(value) && (value as number) >= least && (value as number) <= most) return value as number;
    throw this.bad(
      key,
      most === Number.MAX_SAFE_INTEGER ? `an integer from ${least}` : `an integer from ${least} to ${most}`,
    );
  }

  number(key: string, least: number, most: number, fallback?: number): number | undefined {
    const value = this.get(key) ?? fallback;
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isFinite(value) && value >= least && value <= most) return value;
    throw this.bad(
      key,
      most === Infinity ? `a number ${least === 0 ? "≥" : ">"} 0` : `a number from ${least} to ${most}`,
    );
  }

  flag(key: string): boolean {
    const value = this.get(key) ?? false;
    if (typeof value === "boolean") return value;
    throw this.bad(key, "true or false");
  }

  /** A token id, a list of ids, or null. Absent is `absent`; -1, which some configs write for "none", is dropped. */
  ids(key: string, absent: readonly number[]): number[] {
    if (!Object.hasOwn(this.all, key)) return [...absent];
    const value = this.all[key];
    const list: unknown[] = value === null || value === undefined ? [] : Array.isArray(value) ? value : [value];
    if (!list.every((id) => Number.isSafeInteger(id) && (id as number) >= -1 && (id as number) < 2 ** 32)) {
      throw this.bad(key, "a token id or a list of token ids");
    }
    return [...new Set((list as number[]).filter((id) => id >= 0))];
  }
}
