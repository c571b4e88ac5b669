// checkpoint.ts — random-weight Llama checkpoints of any shape in Hugging Face layout, for speed and memory tests.
//   node --import tsx test/tools/checkpoint.ts OUT --shape tinyllama-1.1b [--dtype bf16] [--seed 1] [--shard-bytes N] [sizes …]
// The weights mean nothing; their spread is that of a network at start (1/√fan_in), so activations stay finite in f16.
// The same checkpoint exists as files on disk or as a FileSet that takes no space (normals.ts).

import { mkdir, open } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { checkName } from "../../src/checkpoint/bytes.ts";
import { memorySource } from "../../src/checkpoint/memory.ts";
import type { FileSet } from "../../src/checkpoint/bytes.ts";
import { parseConfig } from "../../src/model/config.ts";
import { tensorsOf } from "../../src/model/families.ts";
import { LlariatError } from "../../src/error.ts";
import { ELEMENT_BYTES } from "../../kernels/index.ts";
import type { FloatKind } from "../../kernels/formats/floats.ts";
import { randomSource } from "./normals.ts";
import type { RandomFile, RandomTensor } from "./normals.ts";
import { byteLevelTokenizer, SPECIAL_TOKENS } from "./bytelevel.ts";

/** Sizes of a Llama; the names of ModelConfig. */
export interface ModelShape {
  readonly dim: number;
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly headDim: number;
  readonly vocab: number;
  readonly tied: boolean;
  readonly maxPositions: number;
  readonly ropeTheta: number;
  readonly attentionBias?: boolean;
  readonly mlpBias?: boolean;
}

const shape = (
  [dim, layers, heads, kvHeads, headDim, hidden, vocab]: number[],
  tied: boolean,
  ropeTheta: number,
  maxPositions: number,
): ModelShape => ({ dim, layers, heads, kvHeads, headDim, hidden, vocab, tied, ropeTheta, maxPositions });

/** Published shapes, as their config.json states them; tiny has odd sizes for tests. */
export const SHAPES: Readonly<Record<string, ModelShape>> = {
  tiny: shape([24, 2, 4, 2, 6, 34, 300], false, 10_000, 128),
  "bench-15m": shape([288, 6, 6, 6, 48, 768, 32_000], true, 10_000, 2048),
  "smollm2-135m": shape([576, 30, 9, 3, 64, 1536, 49_152], true, 100_000, 8192),
  "llama-3.2-1b": shape([2048, 16, 32, 8, 64, 8192, 128_256], true, 500_000, 8192),
  "tinyllama-1.1b": shape([2048, 22, 32, 4, 64, 5632, 32_000], false, 10_000, 2048),
  "llama-7b": shape([4096, 32, 32, 32, 128, 11_008, 32_000], false, 10_000, 4096),
  "llama-3-8b": shape([4096, 32, 32, 8, 128, 14_336, 128_256], false, 500_000, 8192),
};

export interface RandomCheckpoint {
  readonly shape: ModelShape;
  /** Of all tensors, or tensor by tensor. Default "bf16". */
  readonly dtype?: FloatKind | ((name: string) => FloatKind);
  /** Default 1. The same seed gives the same bytes on every machine. */
  readonly seed?: number;
  /** Tensor bytes after which a new shard starts; default: one model.safetensors. */
  readonly shardBytes?: number;
}

/** The files of a random checkpoint, made as they are read: no disk, and memory only for the block at hand. */
export function randomFiles(options: RandomCheckpoint): FileSet {
  const files = layout(options);
  return {
    describe: `random checkpoint with seed ${options.seed ?? 1}`,
    list: async () => [...files.keys()],
    async open(name) {
      checkName(name, "random checkpoint");
      const file = files.get(name);
      if (file === undefined) return undefined;
      return "tensors" in file
        ? randomSource(name, file, options.seed ?? 1)
        : memorySource(name, new TextEncoder().encode(file.text()));
    },
    close: async () => {},
  };
}

/** Writes a random checkpoint into a folder (made if needed); returns the bytes written. */
export async function writeCheckpoint(
  folder: string,
  options: RandomCheckpoint,
  onProgress?: (written: number, file: string) => void,
): Promise<number> {
  await mkdir(folder, { recursive: true });
  const files = randomFiles(options);
  const buffer = new Uint8Array(8 * 2 ** 20);
  let written = 0;
  for (const name of await files.list()) {
    const source = (await files.open(name))!;
    const target = await open(join(folder, name), "w");
    try {
      for (let at = 0; at < source.size; at += buffer.length) {
        const bytes = await source.read(at, Math.min(source.size, at + buffer.length), undefined, buffer);
        await target.writeFile(bytes); // at the handle's position: appends
        written += bytes.length;
        onProgress?.(written, name);
      }
    } finally {
      await target.close();
    }
  }
  return written;
}

function layout(options: RandomCheckpoint): Map<string, RandomFile | { text: () => string }> {
  const { shape: s, shardBytes = Infinity } = options;
  const { dtype = "bf16" } = options;
  const kindOf = typeof dtype === "function" ? dtype : () => dtype;
  const text = (json: unknown) => ({ text: () => JSON.stringify(json, null, 1) });
  const config = configOf(s, kindOf("model.embed_tokens.weight"));
  const files = new Map<string, RandomFile | { text: () => string }>();
  files.set("config.json", text(config));
  files.set("generation_config.json", text({ bos_token_id: 0, eos_token_id: 1, pad_token_id: 2 }));
  const tokenizer = byteLevelTokenizer(s.vocab);
  if (tokenizer) {
    const [bos_token, eos_token, pad_token] = SPECIAL_TOKENS;
    const about = {
      tokenizer_class: "PreTrainedTokenizerFast",
      bos_token,
      eos_token,
      pad_token,
      clean_up_tokenization_spaces: false,
    };
    files.set("tokenizer.json", { text: tokenizer });
    files.set("tokenizer_config.json", text(about));
  }

  const shards: RandomTensor[][] = [[]];
  let filled = 0;
  for (const { name, shape: dims } of tensorsOf(parseConfig(config))) {
    if (s.tied && name === "lm_head.weight") continue;
    const kind = kindOf(name);
    const bytes = dims.reduce((product, size) => product * size, ELEMENT_BYTES[kind]);
    if (filled > 0 && filled + bytes > shardBytes) {
      shards.push([]);
      filled = 0;
    }
    shards.at(-1)!.push({ name, kind, shape: dims, ...spread(name, dims), start: filled, end: filled + bytes });
    filled += bytes;
  }
  if (shards.length === 1) {
    files.set("model.safetensors", randomFile(shards[0]));
    return files;
  }
  const weight_map: Record<string, string> = {};
  const digits = (n: number) => String(n).padStart(5, "0");
  for (const [i, tensors] of shards.entries()) {
    const name = `model-${digits(i + 1)}-of-${digits(shards.length)}.safetensors`;
    files.set(name, randomFile(tensors));
    for (const tensor of tensors) weight_map[tensor.name] = name;
  }
  const total_size = shards.reduce((sum, tensors) => sum + tensors.at(-1)!.end, 0);
  files.set("model.safetensors.index.json", text({ metadata: { total_size }, weight_map }));
  return files;
}

function configOf(s: ModelShape, kind: FloatKind): Record<string, unknown> {
  return {
    architectures: ["LlamaForCausalLM"],
    model_type: "llama",
    hidden_size: s.dim,
    num_hidden_layers: s.layers,
    num_attention_heads: s.heads,
    num_key_value_heads: s.kvHeads,
    head_dim: s.headDim,
    intermediate_size: s.hidden,
    vocab_size: s.vocab,
    tie_word_embeddings: s.tied,
    rope_theta: s.ropeTheta,
    rope_scaling: null,
    max_position_embeddings: s.maxPositions,
    rms_norm_eps: 1e-5,
    hidden_act: "silu",
    attention_bias: s.attentionBias ?? false,
    mlp_bias: s.mlpBias ?? false,
    bos_token_id: 0,
    eos_token_id: 1,
    pad_token_id: 2,
    torch_dtype: { bf16: "bfloat16", f16: "float16", f32: "float32" }[kind],
    use_cache: true,
  };
}

/** Norm weights around 1, embeddings as narrow as a trained model's, matrices 1/√fan_in. */
function spread(name: string, dims: readonly number[]): { mean: number; deviation: number } {
  if (name.endsWith("norm.weight")) return { mean: 1, deviation: 0.05 };
  if (name.endsWith(".bias")) return { mean: 0, deviation: 0.02 };
  return { mean: 0, deviation: name === "model.embed_tokens.weight" ? 0.05 : dims[1] ** -0.5 };
}

function randomFile(tensors: readonly RandomTensor[]): RandomFile {
  const header: Record<string, unknown> = { __metadata__: { format: "pt" } };
  for (const { name, kind, shape: dims, start, end } of tensors) {
    header[name] = { dtype: kind.toUpperCase(), shape: dims, data_offsets: [start, end] };
  }
  const json = JSON.stringify(header);
  const text = new TextEncoder().encode(json.padEnd(Math.ceil(json.length / 8) * 8));
  const head = new Uint8Array(8 + text.length);
  new DataView(head.buffer).setBigUint64(0, BigInt(text.length), true);
  head.set(text, 8);
  const placed = tensors.map((tensor) => ({
    ...tensor,
    start: tensor.start + head.length,
    end: tensor.end + head.length,
  }));
  return { head, size: placed.at(-1)!.end, tensors: placed };
}

const NUMBERS = {
  dim: "dim", hidden: "hidden", layers: "layers", heads: "heads", "kv-heads": "kvHeads", "head-dim": "headDim",
  vocab: "vocab", "max-positions": "maxPositions", "rope-theta": "ropeTheta",
} as const; // prettier-ignore
const FLAGS = { tied: "tied", untied: "tied", "attention-bias": "attentionBias", "mlp-bias": "mlpBias" } as const;

const USAGE = `node --import tsx test/tools/checkpoint.ts OUT --shape ${Object.keys(SHAPES).join("|")}
  --dtype bf16|f16|f32   default bf16        --seed N           default 1
  --shard-bytes N        several files with an index
sizes instead of the shape's: ${Object.keys(NUMBERS).map((name) => `--${name} N`).join(" ")}
  ${Object.keys(FLAGS).map((name) => `--${name}`).join(" ")}`; // prettier-ignore

async function main(): Promise<void> {
  const text = { type: "string" } as const;
  const options = { shape: text, dtype: text, seed: text, "shard-bytes": text, help: { type: "boolean" } as const };
  const numbers = Object.fromEntries(Object.keys(NUMBERS).map((name) => [name, text]));
  const flags = Object.fromEntries(Object.keys(FLAGS).map((name) => [name, { type: "boolean" } as const]));
  const { values, positionals } = parseArgs({ options: { ...options, ...numbers, ...flags }, allowPositionals: true });
  const given = values as Record<string, string | boolean | undefined>;
  const preset = SHAPES[String(given.shape)];
  const dtype = (given.dtype ?? "bf16") as FloatKind;
  if (given.help || positionals.length !== 1 || !preset || !["bf16", "f16", "f32"].includes(dtype)) {
    console.log(USAGE);
    process.exitCode = given.help ? 0 : 2;
    return;
  }
  const number = (name: string): number => {
    const value = Number(given[name]);
    if (Number.isFinite(value) && value >= (name === "seed" ? 0 : 1)) return value;
    throw new LlariatError(
      "request",
      `--${name}: got ${String(given[name])}, needed a number from ${name === "seed" ? 0 : 1}`,
    );
  };
  const sizes: Record<string, number | boolean> = {};
  for (const [name, key] of Object.entries(NUMBERS)) if (given[name] !== undefined) sizes[key] = number(name);
  for (const [name, key] of Object.entries(FLAGS)) if (given[name]) sizes[key] = name !== "untied";
  const [folder] = positionals;
  const started = performance.now();
  let shown = 0;
  const written = await writeCheckpoint(
    folder,
    {
      shape: { ...preset, ...sizes },
      dtype,
      seed: given.seed === undefined ? 1 : number("seed"),
      shardBytes: given["shard-bytes"] === undefined ? undefined : number("shard-bytes"),
    },
    (bytes, file) => {
      if (bytes - shown < 2 ** 28) return;
      shown = bytes;
      console.error(`${(bytes / 1e9).toFixed(2)} GB  ${file}`);
    },
  );
  const seconds = (performance.now() - started) / 1000;
  console.log(`${folder}: ${given.shape} ${dtype}, ${(written / 1e6).toFixed(1)} MB in ${seconds.toFixed(1)} s`);
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await main().catch((error: unknown) => {
    // A wrong option (parseArgs) or size is the caller's: the sentence, not the stack.
    if (!(error instanceof LlariatError || error instanceof TypeError)) throw error;
    console.error(error.message);
    process.exitCode = 2;
  });
}
