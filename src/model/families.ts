// families.ts — the architectures that run here, one row each: what of config.json is their own, and which stored tensors make
// which slot. The check of a checkpoint (match.ts), loading (weights.ts) and the forward pass (forward.ts) go by these rows.

import type { Fields } from "../checkpoint/fields.ts";
import type { Rope, RopeDialect } from "../rope/index.ts";

/** The architectures that run here, as model_type names them. */
export type FamilyName = "llama" | "mistral" | "qwen2" | "qwen3" | "smollm3" | "phi3" | "granite";

/** The shape and arithmetic of one model. Sizes in elements, plain frozen data. */
export interface ModelConfig {
  /** model_type: the row of the table of families. */
  readonly family: FamilyName;
  /** hidden_size: elements of the residual stream. */
  readonly dim: number;
  /** intermediate_size: elements inside the MLP. */
  readonly hidden: number;
  readonly layers: number;
  /** Query heads; a multiple of kvHeads. */
  readonly heads: number;
  readonly kvHeads: number;
  /** Elements per head; even, not always dim / heads. Of these rope.headDim turn. */
  readonly headDim: number;
  readonly vocab: number;
  /** max_position_embeddings: tokens the checkpoint states as its context. */
  readonly maxPositions: number;
  /** ε of RMSNorm. */
  readonly rmsEps: number;
  /** tie_word_embeddings as stated; the files may overrule it (Checkpoint.tied). */
  readonly tied: boolean;
  /** Whether q, k and v have a bias. */
  readonly qkvBias: boolean;
  /** Whether the output of attention has a bias. */
  readonly oBias: boolean;
  /** Whether gate, up and down have a bias. */
  readonly mlpBias: boolean;
  /** Numbers of the layers that do not rotate queries and keys; absent: all do. */
  readonly layersWithoutRope?: readonly number[];
  /** Per layer how many tokens, its own the last, attention sees of a text; null: all. Absent: all in every layer. */
  readonly windows?: readonly (number | null)[];
  /** The embedding is multiplied by it; absent: 1. */
  readonly embeddingMultiplier?: number;
  /** Scores of attention are multiplied by it; absent: headDim^-1/2. */
  readonly attentionMultiplier?: number;
  /** What attention and MLP add to the residual stream is multiplied by it; absent: 1. */
  readonly residualMultiplier?: number;
  /** Logits are divided by it; absent: 1. */
  readonly logitsScaling?: number;
  /** Ids that end a text; empty if the config says null. */
  readonly eosIds: readonly number[];
  /** dtype or torch_dtype as stated, without "torch."; the tensors decide, this is for display. */
  readonly dtype?: string;
  /** The checkpoint's own RoPE setting. */
  readonly rope: Rope;
}

/** The flags that say whether linear layers have a bias. */
export type BiasFlag = "qkvBias" | "oBias" | "mlpBias";

/** What a family reads from its config.json beside the sizes, or has by nature. */
export type Own = Pick<
  ModelConfig,
  | BiasFlag
  | "layersWithoutRope"
  | "windows"
  | "embeddingMultiplier"
  | "attentionMultiplier"
  | "residualMultiplier"
  | "logitsScaling"
>;

/** A number of rows or columns, by what it is: `q` and `kv` are all heads of queries, and of keys or values; `head` is one. */
export type Extent = "vocab" | "dim" | "q" | "kv" | "qkv" | "head" | "hidden" | "gateUp";

/** What one tensor of the model on the device is made of. */
export interface Slot {
  /** Stored tensors whose rows follow each other, by name without `.weight`, and the rows of each. */
  readonly from: readonly (readonly [name: string, rows: Extent])[];
  /** Of a matrix; a slot without columns is a vector. */
  readonly columns?: Extent;
  /** Whether the stored tensors have a `.bias` each, which makes a further slot of that name with `Bias` behind it. */
  readonly bias?: BiasFlag;
}

/** The slots of a block and those around the blocks, as forward.ts reads them. */
export interface Slots {
  readonly embed: Slot;
  /** Before the names of a block's tensors; N is the number of the block. */
  readonly block: string;
  readonly layer: Readonly<Record<"inputNorm" | "qkv" | "o" | "postNorm" | "gateUp" | "down", Slot>> & {
    /** RMSNorm of each query and key head before they are rotated. */
    readonly headNorm?: Slot;
  };
  readonly norm: Slot;
  readonly head: Slot;
}

/** One architecture: pre-norm blocks of attention and SwiGLU around a residual stream, and what is its own about them. */
export interface Family {
  /** What `architectures` says. */
  readonly architecture: string;
  /** max_position_embeddings where config.json has none (transformers, configuration_*.py); without, 2048. */
  readonly maxPositions?: number;
  /** eos_token_id where config.json has none. */
  readonly eosIds: readonly number[];
  /** num_key_value_heads where config.json has none; without, num_attention_heads, which null is in every family. */
  readonly kvHeads?: number;
  /** head_dim where config.json has none; without, hidden_size / num_attention_heads. */
  readonly headDim?: number;
  /** rope_theta where config.json has none; without, 10,000. */
  readonly ropeTheta?: number;
  /** How its configs speak of RoPE, as transformers reads them. */
  readonly rope?: RopeDialect;
  /** rms_norm_eps where config.json has none; without, 1e-6. */
  readonly rmsEps?: number;
  /** tie_word_embeddings where config.json has none; without, false. */
  readonly tied?: boolean;
  /** Reads what is its own; throws "config" by name for what would change the arithmetic and is not implemented. */
  readonly own: (fields: Fields, layers: number) => Own;
  readonly slots: Slots;
}

/** The names of transformers' LlamaForCausalLM, which its relatives have kept. */
const LLAMA_SLOTS: Slots = {
  embed: { from: [["model.embed_tokens", "vocab"]], columns: "dim" },
  block: "model.layers.N.",
  layer: {
    inputNorm: { from: [["input_layernorm", "dim"]] },
    qkv: {
      from: [
        ["self_attn.q_proj", "q"],
        ["self_attn.k_proj", "kv"],
        ["self_attn.v_proj", "kv"],
      ],
      columns: "dim",
      bias: "qkvBias",
    },
    o: { from: [["self_attn.o_proj", "dim"]], columns: "q", bias: "oBias" },
    postNorm: { from: [["post_attention_layernorm", "dim"]] },
    gateUp: {
      from: [
        ["mlp.gate_proj", "hidden"],
        ["mlp.up_proj", "hidden"],
      ],
      columns: "dim",
      bias: "mlpBias",
    },
    down: { from: [["mlp.down_proj", "dim"]], columns: "hidden", bias: "mlpBias" },
  },
  norm: { from: [["model.norm", "dim"]] },
  head: { from: [["lm_head", "vocab"]], columns: "dim" },
};

/** Every architecture that runs here, by the model_type of its config.json. */
export const families: Readonly<Record<FamilyName, Family>> = {
  llama: {
    architecture: "LlamaForCausalLM",
    eosIds: [2],
    own(fields) {
      const attention = fields.flag("attention_bias"); // of q, k, v and o
      return { qkvBias: attention, oBias: attention, mlpBias: fields.flag("mlp_bias") };
    },
    slots: LLAMA_SLOTS,
  },
  mistral: {
    architecture: "MistralForCausalLM",
    kvHeads: 8,
    maxPositions: 131_072,
    eosIds: [2],
    own(fields, layers) {
      // Absent is not null here: it means a window of 4096 tokens (MistralConfig).
      const window = windowOf(fields, 4096);
      return { qkvBias: false, oBias: false, mlpBias: false, ...windowsOf(window, layers) };
    },
    slots: LLAMA_SLOTS,
  },
  qwen2: {
    architecture: "Qwen2ForCausalLM",
    kvHeads: 32,
    maxPositions: 32_768,
    eosIds: [],
    own(fields, layers) {
      return { qkvBias: true, oBias: false, mlpBias: false, ...windowsByType(fields, layers, afterFull(fields), 4096) };
    },
    slots: LLAMA_SLOTS,
  },
  qwen3: {
    architecture: "Qwen3ForCausalLM",
    kvHeads: 32,
    maxPositions: 32_768,
    eosIds: [],
    headDim: 128,
    own(fields, layers) {
      const attention = fields.flag("attention_bias"); // of q, k, v and o
      const biases = { qkvBias: attention, oBias: attention, mlpBias: false };
      return { ...biases, ...windowsByType(fields, layers, afterFull(fields), 4096) };
    },
    slots: {
      ...LLAMA_SLOTS,
      layer: {
        ...LLAMA_SLOTS.layer,
        headNorm: {
          from: [
            ["self_attn.q_norm", "head"],
            ["self_attn.k_norm", "head"],
          ],
        },
      },
    },
  },
  smollm3: {
    architecture: "SmolLM3ForCausalLM",
    kvHeads: 4,
    maxPositions: 32_768,
    eosIds: [128_001],
    ropeTheta: 2_000_000,
    tied: true,
    own(fields, layers) {
      const attention = fields.flag("attention_bias"); // of q, k, v and o
      const biases = { qkvBias: attention, oBias: attention, mlpBias: fields.flag("mlp_bias") };
      const unturned = layersWithoutRope(fields, layers);
      const windows = windowsByType(fields, layers, (i) => unturned.includes(i));
      return { ...biases, layersWithoutRope: unturned, ...windows };
    },
    slots: LLAMA_SLOTS,
  },
  granite: {
    architecture: "GraniteForCausalLM",
    eosIds: [2],
    own(fields) {
      const attention = fields.flag("attention_bias"); // of q, k, v and o
      const positive = (key: string) => fields.number(key, Number.MIN_VALUE, Infinity, 1)!;
      return {
        qkvBias: attention,
        oBias: attention,
        mlpBias: fields.flag("mlp_bias"),
        embeddingMultiplier: positive("embedding_multiplier"),
        attentionMultiplier: positive("attention_multiplier"), // 1 where it is absent, not headDim^-1/2 (GraniteConfig)
        residualMultiplier: positive("residual_multiplier"),
        logitsScaling: positive("logits_scaling"),
      };
    },
    slots: LLAMA_SLOTS,
  },
  phi3: {
    architecture: "Phi3ForCausalLM",
    maxPositions: 4096,
    eosIds: [32_000],
    rope: { spellings: { su: "longrope", yarn: "longrope" }, partial: true, longropeOriginal: 4096 },
    rmsEps: 1e-5,
    own(fields, layers) {
      return { qkvBias: false, oBias: false, mlpBias: false, ...windowsOf(windowOf(fields), layers) };
    },
    // Rows of q, k and v, and of gate and up, in the order they have here.
    slots: {
      ...LLAMA_SLOTS,
      layer: {
        ...LLAMA_SLOTS.layer,
        qkv: { from: [["self_attn.qkv_proj", "qkv"]], columns: "dim" },
        gateUp: { from: [["mlp.gate_up_proj", "gateUp"]], columns: "dim" },
      },
    },
  },
};

/**
 * Layers that do not rotate queries and keys: a list with 0 for each of them, or the last of every so many (SmolLM3Config;
 * after Yang et al. 2025, arXiv 2501.18795).
 */
function layersWithoutRope(fields: Fields, layers: number): number[] {
  const list = fields.get("no_rope_layers");
  const numbers = Array.from({ length: layers }, (_, i) => i);
  if (list === undefined) {
    const interval = fields.integer("no_rope_layer_interval", 1, Number.MAX_SAFE_INTEGER, 4);
    return numbers.filter((i) => (i + 1) % interval === 0);
  }
  if (!Array.isArray(list) || list.length < layers || list.some((value) => value !== 0 && value !== 1))
    throw fields.bad("no_rope_layers", `a list with 1 or 0 for each of ${layers} layers`);
  return numbers.filter((i) => list[i] === 0);
}

/** sliding_window; undefined where it is null, and where it is absent and has no `fallback`. */
function windowOf(fields: Fields, fallback?: number): number | undefined {
  const absent = !Object.hasOwn(fields.all, "sliding_window");
  if (fields.get("sliding_window") === undefined && !(absent && fallback !== undefined)) return undefined;
  return fields.integer("sliding_window", 1, MAX_WINDOW, fallback);
}

/** Positions are counted in 32 bits. */
const MAX_WINDOW = 2 ** 31;

/** `windows` of a model whose attention has this window in the layers that `has` names, in all unless it is given. */
function windowsOf(window: number | undefined, layers: number, has: (i: number) => boolean = () => true) {
  const windows = Array.from({ length: layers }, (_, i) => (window !== undefined && has(i) ? window : null));
  return windows.some((each) => each !== null) ? { windows } : {};
}

/** The first max_window_layers layers see everything (Qwen2Config, Qwen3Config). */
const afterFull = (fields: Fields): ((i: number) => boolean) => {
  const full = fields.integer("max_window_layers", 0, Number.MAX_SAFE_INTEGER, 28);
  return (i) => i >= full;
};

/**
 * `windows` where use_sliding_window says whether there are any, and layer_types, else `otherwise`, in which layers; of
 * `absent` tokens where sliding_window is absent.
 */
function windowsByType(fields: Fields, layers: number, otherwise: (i: number) => boolean, absent?: number) {
  const window = fields.flag("use_sliding_window") ? windowOf(fields, absent) : undefined;
  const types = fields.get("layer_types");
  if (types === undefined) return windowsOf(window, layers, otherwise);
  const known = window === undefined ? ["full_attention"] : ["full_attention", "sliding_attention"];
  if (!Array.isArray(types) || types.length !== layers || types.some((type) => !known.includes(type as string))) {
    const kinds = known.map((kind) => `"${kind}"`).join(" or ");
    throw fields.bad("layer_types", `${kinds} for each of ${layers} layers: no other kind is implemented here`);
  }
  return windowsOf(window, layers, (i) => types[i] === "sliding_attention");
}

/** A tensor of a checkpoint: its name in the file and its shape; a matrix is [out, in]. */
export interface NamedTensor {
  readonly name: string;
  readonly shape: readonly number[];
}

/** What a slot of a model is made of: its weights, and its biases where it has any. `block`: which one it stands in. */
export function partsOf(
  slot: Slot,
  config: ModelConfig,
  block?: number,
): { weights: NamedTensor[]; biases: NamedTensor[] | undefined } {
  const { block: pattern } = families[config.family].slots;
  const before = block === undefined ? "" : pattern.replace("N", String(block));
  const { from, columns, bias } = slot;
  const weights = from.map(([name, rows]) => ({
    name: `${before}${name}.weight`,
    shape: [extent(rows, config), ...(columns ? [extent(columns, config)] : [])],
  }));
  const biased = bias !== undefined && config[bias];
  const biases = from.map(([name, rows]) => ({ name: `${before}${name}.bias`, shape: [extent(rows, config)] }));
  return { weights, biases: biased ? biases : undefined };
}

/** The tensors that a model of this config has, in the order they are used; the head is last. */
export function* tensorsOf(config: ModelConfig): Generator<NamedTensor> {
  const { embed, layer, norm, head } = families[config.family].slots;
  const all = (slot: Slot, block?: number): NamedTensor[] => {
    const { weights, biases = [] } = partsOf(slot, config, block);
    return [...weights, ...biases];
  };
  yield* all(embed);
  for (let i = 0; i < config.layers; i++) for (const slot of Object.values(layer)) yield* all(slot, i);
  yield* all(norm);
  yield* all(head);
}

function extent(of: Extent, { vocab, dim, heads, kvHeads, headDim: head, hidden }: ModelConfig): number {
  const [q, kv] = [heads * head, kvHeads * head];
  return { vocab, dim, q, kv, qkv: q + 2 * kv, head, hidden, gateUp: 2 * hidden }[of];
}
