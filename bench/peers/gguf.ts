// gguf.ts — writes a Llama checkpoint as GGUF (github.com/ggml-org/ggml, docs/gguf.md), version 3, in f16, q8_0 or q4_0.
// As llama.cpp's own converter: rows of q and k reordered for rotary pairs side by side, norms in f32. In q4_0 the embedding and
// the output matrix are q8_0, where llama.cpp takes Q6_K for rows of whole 256.

import { closeSync, openSync, writeSync } from "node:fs";
import { halves, q4_0, q8_0 } from "./quantise.ts";
import type { Source } from "./source.ts";

/** ggml's numbers for types of tensors, and bytes of 32 elements. */
const TYPES = { f32: [0, 128], f16: [1, 64], q4_0: [2, 18], q8_0: [8, 34] } as const;
/** GGUF's numbers for types of values. */
const [INT32, UINT32, FLOAT32, BOOL, STRING, ARRAY] = [5, 4, 6, 7, 8, 9];
/** Where tensors begin, from the end of the header and from each other. */
const ALIGNMENT = 32;

type Type = keyof typeof TYPES;
type Value = number | boolean | string | readonly string[] | readonly number[] | { readonly float: number };

const bytesOf = (type: Type, values: Float32Array): Uint8Array => {
  if (type === "q4_0") return q4_0(values);
  if (type === "q8_0") return q8_0(values);
  const out = type === "f16" ? halves(values) : values;
  return new Uint8Array(out.buffer, out.byteOffset, out.byteLength);
};

const u32 = (value: number): Buffer => {
  const out = Buffer.alloc(4);
  out.writeUInt32LE(value);
  return out;
};
const u64 = (value: number): Buffer => {
  const out = Buffer.alloc(8);
  out.writeBigUInt64LE(BigInt(value));
  return out;
};
const f32 = (value: number): Buffer => {
  const out = Buffer.alloc(4);
  out.writeFloatLE(value);
  return out;
};
const string = (text: string): Buffer => {
  const bytes = Buffer.from(text);
  return Buffer.concat([u64(bytes.length), bytes]);
};

function value(of: Value): Buffer {
  if (typeof of === "number") return Buffer.concat([u32(UINT32), u32(of)]);
  if (typeof of === "boolean") return Buffer.concat([u32(BOOL), Buffer.of(Number(of))]);
  if (typeof of === "string") return Buffer.concat([u32(STRING), string(of)]);
  if ("float" in of) return Buffer.concat([u32(FLOAT32), f32(of.float)]);
  const texts = typeof of[0] === "string";
  const items = texts ? (of as readonly string[]).map(string) : (of as readonly number[]).map(u32);
  return Buffer.concat([u32(ARRAY), u32(texts ? STRING : INT32), u64(of.length), ...items]);
}

const NAMES: Readonly<Record<string, string>> = {
  input_layernorm: "attn_norm",
  post_attention_layernorm: "ffn_norm",
  "self_attn.q_proj": "attn_q",
  "self_attn.k_proj": "attn_k",
  "self_attn.v_proj": "attn_v",
  "self_attn.o_proj": "attn_output",
  "mlp.gate_proj": "ffn_gate",
  "mlp.up_proj": "ffn_up",
  "mlp.down_proj": "ffn_down",
};

/** GGUF's name of a tensor. Throws for one that a Llama has not. */
function nameOf(name: string): string {
  if (name === "model.embed_tokens.weight") return "token_embd.weight";
  if (name === "lm_head.weight") return "output.weight";
  if (name === "model.norm.weight") return "output_norm.weight";
  const [, layer, part] = /^model\.layers\.(\d+)\.(.+)\.weight$/.exec(name) ?? [];
  if (part === undefined || !(part in NAMES)) throw new TypeError(`${name}: no tensor of a plain Llama`);
  return `blk.${layer}.${NAMES[part]}.weight`;
}

/** Hugging Face keeps the two halves of a rotary head apart; GGUF has the two elements of a pair as neighbouring rows. */
export function interleaved(values: Float32Array, heads: number, columns: number): Float32Array {
  const out = new Float32Array(values.length);
  const rows = values.length / columns / heads;
  for (let head = 0; head < heads; head++) {
    for (let i = 0; i < rows; i++) {
      const from = head * rows + (i % 2) * (rows / 2) + (i >> 1);
      out.set(values.subarray(from * columns, (from + 1) * columns), (head * rows + i) * columns);
    }
  }
  return out;
}

/** Tokens and merges of a byte-level tokenizer.json. */
interface TokenizerJson {
  readonly added_tokens: readonly { readonly id: number }[];
  readonly model: { readonly vocab: Readonly<Record<string, number>>; readonly merges: readonly string[] };
}

/** Writes the file, tensor by tensor. `tokenizer` is the text of tokenizer.json. */
export async function writeGguf(
  file: string,
  source: Source,
  tokenizer: string,
  type: Exclude<Type, "f32">,
): Promise<void> {
  const { config, names, shape, read, tied } = source;
  const { added_tokens, model } = JSON.parse(tokenizer) as TokenizerJson;
  const tokens = Object.entries(model.vocab)
    .sort(([, a], [, b]) => a - b)
    .map(([token]) => token);
  const special = new Set(added_tokens.map(({ id }) => id));
  const { heads, kvHeads, headDim } = config;
  const meta: Record<string, Value> = {
    "general.architecture": "llama",
    "general.alignment": ALIGNMENT,
    "general.file_type": { f16: 1, q4_0: 2, q8_0: 7 }[type],
    "llama.block_count": config.layers,
    "llama.context_length": config.maxPositions,
    "llama.embedding_length": config.dim,
    "llama.feed_forward_length": config.hidden,
    "llama.attention.head_count": heads,
    "llama.attention.head_count_kv": kvHeads,
    "llama.attention.key_length": headDim,
    "llama.attention.value_length": headDim,
    "llama.rope.dimension_count": headDim,
    "llama.rope.freq_base": { float: config.rope.theta },
    "llama.attention.layer_norm_rms_epsilon": { float: config.rmsEps },
    "llama.vocab_size": config.vocab,
    "tokenizer.ggml.model": "gpt2",
    "tokenizer.ggml.pre": "gpt-2",
    "tokenizer.ggml.tokens": tokens,
    "tokenizer.ggml.token_type": tokens.map((_, id) => (special.has(id) ? 3 : 1)), // control, normal
    "tokenizer.ggml.merges": model.merges,
    "tokenizer.ggml.bos_token_id": 0,
    "tokenizer.ggml.eos_token_id": 1,
    "tokenizer.ggml.padding_token_id": 2,
    "tokenizer.ggml.add_bos_token": false,
  };
  let offset = 0;
  const infos = names.map((name) => {
    const dims = shape(name);
    const ends = name === "lm_head.weight" || (tied && name === "model.embed_tokens.weight");
    const own: Type = dims.length < 2 ? "f32" : ends && type === "q4_0" ? "q8_0" : type;
    const bytes = (dims.reduce((product, n) => product * n, 1) / 32) * TYPES[own][1];
    const at = offset;
    offset += Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
    return { name, dims, own, at };
  });
  const head = Buffer.concat([
    Buffer.from("GGUF"),
    u32(3),
    u64(infos.length),
    u64(Object.keys(meta).length),
    ...Object.entries(meta).map(([key, each]) => Buffer.concat([string(key), value(each)])),
    ...infos.map(({ name, dims, own, at }) => {
      const sizes = [...dims].reverse().map(u64); // the fastest first
      return Buffer.concat([string(nameOf(name)), u32(dims.length), ...sizes, u32(TYPES[own][0]), u64(at)]);
    }),
  ]);
  const start = Math.ceil(head.length / ALIGNMENT) * ALIGNMENT;
  const target = openSync(file, "w");
  try {
    writeSync(target, head, 0, head.length, 0);
    for (const { name, dims, own, at } of infos) {
      const heads = /self_attn\.q_proj/.test(name) ? config.heads : /self_attn\.k_proj/.test(name) ? kvHeads : 0;
      const values = await read(name);
      const bytes = bytesOf(own, heads > 0 ? interleaved(values, heads, dims[1]) : values);
      writeSync(target, bytes, 0, bytes.length, start + at);
    }
  } finally {
    closeSync(target);
  }
}
