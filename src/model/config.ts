// config.ts — config.json of a checkpoint, in the spellings of transformers 4 and 5, becomes the record of a model.
// Absent fields take the defaults of transformers' configuration classes; what would change the arithmetic and is not
// implemented is refused by name. What is a family's own stands in families.ts, what belongs to RoPE is read by
// src/rope/parse.ts.

import { Fields } from "../checkpoint/fields.ts";
import { quantisedConfig } from "../checkpoint/quantised.ts";
import { LlariatError } from "../error.ts";
import { headDimension, parseRope } from "../rope/index.ts";
import { isObject, show } from "../text/json.ts";
import { short } from "../text/wording.ts";
import { type FamilyName, type ModelConfig, families } from "./families.ts";

/** Llama 3.1 405B has 126 layers. */
const MAX_LAYERS = 10_000;
/** Llama 3.1 405B has rows of 53,248; a row of 2²⁰ f32 is 4 MiB, which keeps the staging memory of loading small. */
const MAX_COLUMNS = 2 ** 20;
const MAX_VOCAB = 2 ** 24;

/** dtypes a config may state; the weights themselves are checked tensor by tensor. */
const DTYPES = ["float32", "float16", "bfloat16"];

/**
 * Reads a parsed config.json; adds to `notes` what it says in vain. Throws LlariatError "config" naming the field, what it
 * holds and what is needed, for everything that this engine does not compute exactly: other architectures, quantised
 * checkpoints, other activations, sizes that do not fit each other or are absurd; and "rope" for a RoPE setting, as
 * parseRope does.
 */
export function parseConfig(json: unknown, file = "config.json", notes: string[] = []): ModelConfig {
  const fields = new Fields(json, file);
  const name = familyOf(fields, notes);
  const family = families[name];
  const quantised = quantisedConfig(fields.all);
  if (quantised) throw new LlariatError("config", `${file}: ${quantised}`);
  const size = (key: string, most: number, fallback?: number) => fields.integer(key, 1, most, fallback);
  const dim = size("hidden_size", MAX_COLUMNS);
  const hidden = size("intermediate_size", MAX_COLUMNS);
  const layers = size("num_hidden_layers", MAX_LAYERS);
  const heads = size("num_attention_heads", MAX_COLUMNS);
  const kvHeads = size("num_key_value_heads", MAX_COLUMNS, heads);
  const vocab = size("vocab_size", MAX_VOCAB);
  if (heads % kvHeads !== 0) throw fields.bad("num_key_value_heads", `a divisor of num_attention_heads, ${heads}`);
  const stated = {
    ...fields.all,
    max_position_embeddings: fields.get("max_position_embeddings") ?? family.maxPositions,
    head_dim: fields.get("head_dim") ?? family.headDim,
    rope_theta: fields.get("rope_theta") ?? family.ropeTheta,
  };
  const rope = parseRope(stated, family.rope);
  const vain = rope.ignored.filter((key) => key !== "partial_rotary_factor" || !wholeHeads(fields)).map(short);
  if (vain.length > 0) {
    const have = vain.length > 1 ? "have" : "has";
    notes.push(`${file}: ${vain.join(", ")} ${have} no effect on RoPE of type ${rope.type}`);
  }
  const headDim = headDimension(stated);
  const { maxPositions } = rope;
  if (heads * headDim > MAX_COLUMNS)
    throw fields.bad("head_dim", `at most ${MAX_COLUMNS} elements in all ${heads} heads`);
  const parameters = 2 * vocab * dim + layers * (2 * dim * (heads + kvHeads) * headDim + 3 * dim * hidden);
  if (parameters * 4 > Number.MAX_SAFE_INTEGER) {
    throw new LlariatError("config", `${file}: got sizes that make ${parameters} parameters, needed fewer than 2⁵¹`);
  }
  const activation = fields.get("hidden_act") ?? "silu";
  if (activation !== "silu" && activation !== "swish")
    throw fields.bad("hidden_act", '"silu": no other activation is implemented');
  const dtype = statedDtype(fields);
  const bosId = fields.ids("bos_token_id", family.bosId === undefined ? [] : [family.bosId])[0];
  return Object.freeze({
    family: name,
    dim,
    hidden,
    layers,
    heads,
    kvHeads,
    headDim,
    vocab,
    maxPositions,
    rmsEps: fields.number("rms_norm_eps", 0, 1, family.rmsEps ?? 1e-6)!,
    tied: fields.flag("tie_word_embeddings", family.tied),
    ...family.own(fields, layers),
    eosIds: Object.freeze(fields.ids("eos_token_id", family.eosIds)),
    ...(bosId !== undefined && { bosId }),
    ...(dtype !== undefined && { dtype }),
    rope,
  });
}

/** Whether partial_rotary_factor is 1 wherever it stands, which says nothing new: heads turn whole. */
function wholeHeads(fields: Fields): boolean {
  const sections = ["rope_scaling", "rope_parameters"].map((key) => fields.get(key)).filter(isObject);
  return sections.every(({ partial_rotary_factor: share = 1 }) => share === 1);
}

/**
 * The row of the table that a config names. As in transformers model_type decides, and `architectures` only tells what was
 * saved: decapoda's first Llamas say LLaMAForCausalLM, a base model saved alone says LlamaModel, some say []. Where there is
 * no model_type it decides, without which transformers would not know either.
 */
function familyOf(fields: Fields, notes: string[]): FamilyName {
  const { file } = fields;
  const type = fields.get("model_type");
  const architectures = fields.get("architectures");
  const names = Object.keys(families) as FamilyName[];
  const known = names.map((name) => `"${name}"`).join(", ");
  const stated: unknown[] = Array.isArray(architectures)
    ? architectures
    : architectures === undefined
      ? []
      : [architectures];
  /** LlamaForCausalLM, LLaMAForCausalLM and LlamaModel are one. */
  const plain = (name: unknown) =>
    typeof name === "string" ? name.replace(/(?:ForCausalLM|Model)$/, "").toLowerCase() : "";
  const says = (name: FamilyName) => stated.some((each) => plain(each) === plain(families[name].architecture));
  if (type === undefined) {
    const found = names.find(says);
    if (found) return found;
    if (architectures === undefined)
      throw new LlariatError("config", `${file}: got neither model_type nor architectures, needed model_type ${known}`);
    const needed = names.map((name) => `"${families[name].architecture}"`).join(" or ");
    throw fields.bad("architectures", `[${needed}]; another architecture needs its own forward pass`);
  }
  const name = names.find((each) => each === type);
  if (name === undefined)
    throw fields.bad("model_type", `one of ${known}; another architecture needs its own forward pass`);
  if (stated.length > 0 && !says(name)) {
    const made = families[name].architecture;
    notes.push(
      `${file}: architectures says ${show(architectures)}; model_type "${name}" decides, which makes it ${made}`,
    );
  }
  return name;
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
