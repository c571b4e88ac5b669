// float64.ts — a Llama or a relative in float64, straight from the formulas: what the engine is compared with where no golden reaches.
import type { ModelConfig } from "../../src/model/families.ts";

/** Config and tensors by Hugging Face name, as `readCheckpoint` of models.ts gives them; matrices [out, in]. */
export interface Checkpoint64 {
  readonly config: ModelConfig;
  readonly tensors: ReadonlyMap<string, Float64Array>;
}

/** Frequencies in radians per token, and the factor m of cos and sin. */
export interface Angles64 {
  readonly omega: ArrayLike<number>;
  readonly attentionScaling: number;
}

interface Cached {
  readonly position: number;
  /** Keys before and after rotation, and values: [kvHeads · headDim] each. */
  readonly raw: Float64Array;
  readonly rotated: Float64Array;
  readonly value: Float64Array;
}

/** What the cache makes of the keys, or the values, of one token: [kvHeads · headDim]. */
export type Stored = (exact: Float64Array) => Float64Array;

/**
 * One sequence, fed step by step. With `rawKeys` every step rotates all keys by its own frequencies; without, a key keeps
 * those of the step that fed it. What is kept of a token is `stored`, by default exact. Angles are position · ω in float64, below 2^20 within 1e-10 of the exact angle.
 */
export class Llama64 {
  readonly #checkpoint: Checkpoint64;
  readonly #rawKeys: boolean;
  readonly #stored: Stored;
  readonly #cache: Cached[][];

  constructor(checkpoint: Checkpoint64, rawKeys = false, stored: Stored = (exact) => exact) {
    this.#stored = stored;
    this.#checkpoint = { ...checkpoint, tensors: unfused(checkpoint) };
    this.#rawKeys = rawKeys;
    this.#cache = Array.from({ length: checkpoint.config.layers }, () => []);
  }

  /** Logits [ids.length, vocab]; each id attends to itself, to those before it and to all of the steps before. */
  step(ids: readonly number[], positions: readonly number[], angles: Angles64): Float64Array {
    const { config, tensors } = this.#checkpoint;
    const head = tensors.get("lm_head.weight") ?? this.#weight("model.embed_tokens");
    const logits = new Float64Array(ids.length * config.vocab);
    this.hidden(ids, positions, angles).forEach((row, i) => logits.set(product(head, row), i * config.vocab));
    const { logitsScaling = 1 } = config;
    return logits.map((value) => value / logitsScaling);
  }

  /** As `step`, the hidden states after the final norm: a row [dim] per id. */
  hidden(ids: readonly number[], positions: readonly number[], angles: Angles64): Float64Array[] {
    const { config } = this.#checkpoint;
    const { dim, rmsEps: eps } = config;
    const embed = this.#weight("model.embed_tokens");
    const { embeddingMultiplier = 1, residualMultiplier = 1 } = config;
    const x = ids.map((id) => embed.slice(id * dim, (id + 1) * dim).map((value) => value * embeddingMultiplier));
    const add = (rows: Float64Array[]) =>
      rows.forEach((row, i) => row.forEach((value, j) => (x[i][j] += value * residualMultiplier)));
    for (const [layer, cache] of this.#cache.entries()) {
      const own = (part: string) => this.#weight(`model.layers.${layer}.${part}`);
      const h = x.map((row) => normalised(row, own("input_layernorm"), eps));
      const [q, k, v] = ["q", "k", "v"].map((part) =>
        h.map((row) => this.#projected(layer, `self_attn.${part}_proj`, row)),
      );
      if (config.family === "qwen3")
        for (const [part, rows] of [["q", q], ["k", k]] as const)
          rows.forEach((row, i) => (rows[i] = headsOf(row, config.headDim, (head) => normalised(head, own(`self_attn.${part}_norm`), eps)))); // prettier-ignore
      // A layer without RoPE is one whose angles are all zero.
      const turning: Angles64 = config.layersWithoutRope?.includes(layer)
        ? { omega: new Float64Array(config.headDim / 2), attentionScaling: 1 }
        : angles;
      const stored = this.#stored;
      k.forEach((exact, i) => {
        const position = positions[i];
        const turned = rotated(exact, position, config.headDim, turning);
        cache.push({ position, raw: stored(exact), rotated: stored(turned), value: stored(v[i]) });
      });
      const keys = cache.map(({ position, raw, rotated: kept }) =>
        this.#rawKeys ? rotated(raw, position, config.headDim, turning) : kept,
      );
      const attended = q.map((row, i) => {
        const query = rotated(row, positions[i], config.headDim, turning);
        const until = cache.length - ids.length + i + 1;
        const window = config.windows?.[layer] ?? Infinity;
        // Positions of a layer with a window follow each other without gaps.
        const since = Math.max(0, until - window);
        return attend(query, keys.slice(since, until), cache.slice(since, until), config);
      });
      add(attended.map((row) => this.#projected(layer, "self_attn.o_proj", row)));
      const g = x.map((row) => normalised(row, own("post_attention_layernorm"), eps));
      add(
        g.map((row) => {
          const [gate, up] = ["gate", "up"].map((part) => this.#projected(layer, `mlp.${part}_proj`, row));
          const gated = gate.map((value, i) => (value / (1 + Math.exp(-value))) * up[i]);
          return this.#projected(layer, "mlp.down_proj", gated);
        }),
      );
    }
    return x.map((row) => normalised(row, this.#weight("model.norm"), eps));
  }

  /** A linear layer of a block, with its bias where it has one. */
  #projected(layer: number, name: string, x: Float64Array): Float64Array {
    const bias = this.#checkpoint.tensors.get(`model.layers.${layer}.${name}.bias`);
    const y = product(this.#weight(`model.layers.${layer}.${name}`), x);
    return bias ? y.map((value, i) => value + bias[i]) : y;
  }

  #weight(name: string): Float64Array {
    const found = this.#checkpoint.tensors.get(`${name}.weight`);
    if (!found) throw new Error(`the checkpoint has no ${name}.weight`);
    return found;
  }
}

/** Tensors that a family stores as one, under the names Llama has for them. */
function unfused({ config, tensors }: Checkpoint64): Map<string, Float64Array> {
  const { layers, dim, heads, kvHeads, headDim, hidden } = config;
  const [q, kv] = [heads * headDim, kvHeads * headDim];
  const all = new Map(tensors);
  for (let layer = 0; layer < layers; layer++) {
    for (const [fused, parts] of [
      [
        "self_attn.qkv_proj",
        [
          ["self_attn.q_proj", q],
          ["self_attn.k_proj", kv],
          ["self_attn.v_proj", kv],
        ],
      ],
      [
        "mlp.gate_up_proj",
        [
          ["mlp.gate_proj", hidden],
          ["mlp.up_proj", hidden],
        ],
      ],
    ] as const) {
      // prettier-ignore
      const values = tensors.get(`model.layers.${layer}.${fused}.weight`);
      let row = 0;
      for (const [name, rows] of values ? parts : []) {
        all.set(`model.layers.${layer}.${name}.weight`, values!.subarray(row * dim, (row + rows) * dim));
        row += rows;
      }
    }
  }
  return all;
}

/** weight [out, in] · x [in] */
function product(weight: Float64Array, x: Float64Array): Float64Array {
  const y = new Float64Array(weight.length / x.length);
  for (let i = 0; i < y.length; i++) {
    let sum = 0;
    for (let j = 0; j < x.length; j++) sum += weight[i * x.length + j] * x[j];
    y[i] = sum;
  }
  return y;
}

function normalised(x: Float64Array, weight: Float64Array, eps: number): Float64Array {
  const root = Math.sqrt(x.reduce((sum, value) => sum + value * value, 0) / x.length + eps);
  return x.map((value, i) => (value / root) * weight[i]);
}

/** Every head of `d` elements of x, changed. */
function headsOf(x: Float64Array, d: number, change: (head: Float64Array) => Float64Array): Float64Array {
  const y = new Float64Array(x.length);
  for (let at = 0; at < x.length; at += d) y.set(change(x.slice(at, at + d)), at);
  return y;
}

/** Every head of x turned: of its first r = 2 · omega.length elements the pairs (i, i + r/2). */
function rotated(x: Float64Array, position: number, d: number, { omega, attentionScaling: m }: Angles64): Float64Array {
  const y = new Float64Array(x.length);
  for (let i = 0; i < x.length; i++) {
    const [within, half] = [i % d, omega.length];
    const phase = position * omega[within % half];
    if (within >= 2 * half) y[i] = x[i];
    else if (within < half) y[i] = m * (x[i] * Math.cos(phase) - x[i + half] * Math.sin(phase));
    else y[i] = m * (x[i] * Math.cos(phase) + x[i - half] * Math.sin(phase));
  }
  return y;
}

/** Every head of a query over these keys and the values that belong to them. */
function attend(query: Float64Array, keys: Float64Array[], cache: Cached[], config: ModelConfig): Float64Array {
  const { heads, kvHeads, headDim: d } = config;
  const sum = new Float64Array(query.length);
  for (let head = 0; head < heads; head++) {
    const at = Math.floor((head * kvHeads) / heads) * d;
    const scores = keys.map((key) => {
      let score = 0;
      for (let j = 0; j < d; j++) score += query[head * d + j] * key[at + j];
      return score * (config.attentionMultiplier ?? 1 / Math.sqrt(d));
    });
    const top = Math.max(...scores);
    const mass = scores.reduce((all, score) => all + Math.exp(score - top), 0);
    scores.forEach((score, i) => {
      const share = Math.exp(score - top) / mass;
      for (let j = 0; j < d; j++) sum[head * d + j] += share * cache[i].value[at + j];
    });
  }
  return sum;
}
