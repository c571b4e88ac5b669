// config.ts — config.json of a checkpoint, in the spellings of transformers 4 and 5, becomes the record of a model.
// Absent fields take the defaults of transformers' configuration classes; what would change the arithmetic and is not
// implemented is refused by name. What is a family's own stands in families.ts, what belongs to RoPE is read by
// src/rope/parse.ts.

import { Fields } from "../checkpoint/fields.ts";
import { quantisedConfig } from "../checkpoint/quantised.ts";
import { LlariatError } from "../error.ts";
import { type Rope, headDimension, parseRope } from "../rope/index.ts";
import { isObject, show } from "../text/json.ts";
import { short } from "../text/wording.ts";
import { type Family, type FamilyName, type ModelConfig, families } from "./families.ts";
import { needsOf } from "./unlisted.ts";

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
  const absent = Object.hasOwn(fields.all, "num_key_value_heads") ? heads : (family.kvHeads ?? heads);
  const kvHeads = size("num_key_value_heads", MAX_COLUMNS, absent);
  const vocab = size("vocab_size", MAX_VOCAB);
  if (heads % kvHeads !== 0) {
    const meant = fields.get("num_key_value_heads") === undefined ? ` (without it a ${name} has ${kvHeads})` : "";
    throw fields.bad("num_key_value_heads", `a divisor of num_attention_heads, ${heads}${meant}`);
  }
  const stated = withDefaults(fields, family);
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
    ...(dtype !== undefined && { dtype }),
    rope,
  });
}

/** All fields, and what the RoPE of a family takes where they are absent. */
const withDefaults = (fields: Fields, family: Family) => ({
  ...fields.all,
  max_position_embeddings: fields.get("max_position_embeddings") ?? family.maxPositions,
  head_dim: fields.get("head_dim") ?? family.headDim,
  rope_theta: fields.get("rope_theta") ?? family.ropeTheta,
});

/**
 * The RoPE setting of a parsed config.json, for whom somebody else runs the model: quantised weights do not matter, and an
 * architecture that is not listed is read as Llama's, which must state its context. Throws as `parseConfig` does for the
 * fields it reads.
 */
export function parseConfigRope(json: unknown, file = "config.json"): Rope {
  const fields = new Fields(json, file);
  const name = listedFamily(fields);
  if (name === undefined) fields.integer("max_position_embeddings", 1, Number.MAX_SAFE_INTEGER);
  const family = families[name ?? "llama"];
  return parseRope(withDefaults(fields, family), family.rope);
}

/** Whether partial_rotary_factor is 1 wherever it stands, which says nothing new: heads turn whole. */
function wholeHeads(fields: Fields): boolean {
  const sections = ["rope_scaling", "rope_parameters"].map((key) => fields.get(key)).filter(isObject);
  return sections.every(({ partial_rotary_factor: share = 1 }) => share === 1);
}

const NAMES = Object.keys(families) as FamilyName[];

/** What `architectures` says, as a list. */
function architecturesOf(fields: Fields): readonly unknown[] {
  const stated = fields.get("architectures") ?? [];
  return Array.isArray(stated) ? stated : [stated];
}

/** Whether `architectures` says a family; LlamaForCausalLM, LLaMAForCausalLM and LlamaModel are one. */
function says(fields: Fields, name: FamilyName): boolean {
  const plain = (text: unknown) =>
    typeof text === "string" ? text.replace(/(?:ForCausalLM|Model)$/, "").toLowerCase() : "";
  return architecturesOf(fields).some((each) => plain(each) === plain(families[name].architecture));
}

/**
 * The row of the table that a config names, undefined for an architecture that is not in it. As in transformers model_type
 * decides, and `architectures` only tells what was saved: decapoda's first Llamas say LLaMAForCausalLM, a base model saved
 * alone says LlamaModel, some say []. Where there is no model_type it decides, without which transformers would not know
 * either.
 */
function listedFamily(fields: Fields): FamilyName | undefined {
  const type = fields.get("model_type");
  return NAMES.find((name) => (type === undefined ? says(fields, name) : name === type));
}

/** The row that a config names. Throws for another architecture, and for none. */
function familyOf(fields: Fields, notes: string[]): FamilyName {
  const { file } = fields;
  const type = fields.get("model_type");
  const name = listedFamily(fields);
  if (name === undefined) {
    const known = NAMES.map((each) => `"${each}"`).join(", ");
    if (type !== undefined) throw fields.bad("model_type", `one of ${known}; ${needsOf(type)}`);
    if (fields.get("architectures") === undefined)
      throw new LlariatError("config", `${file}: got neither model_type nor architectures, needed model_type ${known}`);
    const needed = NAMES.map((each) => `"${families[each].architecture}"`).join(" or ");
    throw fields.bad("architectures", `[${needed}]; ${needsOf(architecturesOf(fields)[0])}`);
  }
  if (type !== undefined && architecturesOf(fields).length > 0 && !says(fields, name)) {
    const stated = show(fields.get("architectures"));
    const made = families[name].architecture;
    notes.push(`${file}: architectures says ${stated}; model_type "${name}" decides, which makes it ${made}`);
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
