// index.ts — a folder as Hugging Face publishes it becomes one table of tensors that fits its config. Only headers
// and small text files are read here; the weights themselves stream later (src/model/stream.ts).

import { readInto } from "./bytes.ts";
import type { FileSet } from "./bytes.ts";
import { parseConfig, parseGenerationConfig } from "./config.ts";
import type { GenerationConfig, LlamaConfig } from "./config.ts";
import { LlariatError } from "../error.ts";
import { widen } from "../../kernels/formats/floats.ts";
import { parseJson, show } from "../text/json.ts";
import { others, short } from "../text/wording.ts";
import { checkRowMajor, floatKind } from "./safetensors.ts";
import type { StoredTensor } from "./safetensors.ts";
import { isLegacy, MAX_TEXT_BYTES, present, readTable, textOf } from "./shards.ts";

/** Everything a checkpoint's files say, checked against each other; plain data, nothing to close (the FileSet has). */
export interface Checkpoint {
  /** Where it came from, for messages. */
  readonly describe: string;
  readonly config: LlamaConfig;
  readonly generation: GenerationConfig;
  /** Ids that end a text: of generation_config.json if it states any, else of config.json. */
  readonly eosIds: readonly number[];
  /** Exactly the tensors the model needs, by Hugging Face name; without lm_head.weight when tied. */
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  /** Whether the head is the embedding: what the files hold wins over the config. */
  readonly tied: boolean;
  /** Weights counted once each. */
  readonly parameters: number;
  /** Bytes of `tensors` in the files. */
  readonly bytes: number;
  /** Texts for the tokenizer, as they are in the files; undefined where there is no such file. */
  readonly texts: CheckpointTexts;
  /** One sentence per thing a person should know that is no error. */
  readonly notes: readonly string[];
}

/** The text files of a checkpoint that the tokenizer reads. */
export interface CheckpointTexts {
  readonly tokenizer?: string; // tokenizer.json
  readonly tokenizerConfig?: string; // tokenizer_config.json
  readonly specialTokensMap?: string; // special_tokens_map.json
  readonly chatTemplate?: string; // chat_template.jinja
}

const EMBED = "model.embed_tokens.weight";
const HEAD = "lm_head.weight";
/** config.json has a few KB; an index has about 100 bytes per tensor. */
const MAX_CONFIG_BYTES = 2 ** 20;

/**
 * Opens a checkpoint: config, generation config, headers of all shards, texts. The files stay open and stay the
 * caller's; they are read again while loading. Throws LlariatError "config", "checkpoint" or "source" with the file or
 * tensor, what it holds and what is needed; "aborted" for the signal.
 */
export async function openCheckpoint(files: FileSet, signal?: AbortSignal): Promise<Checkpoint> {
  const configText = await textOf(files, "config.json", MAX_CONFIG_BYTES, "config", signal);
  if (configText === undefined) {
    throw new LlariatError(
      "config",
      `${files.describe}: got no config.json${await present(files)}, needed a Hugging Face checkpoint`,
    );
  }
  const config = parseConfig(parseJson(configText, "config.json", "config"));
  const generationText = await textOf(files, "generation_config.json", MAX_CONFIG_BYTES, "config", signal);
  const generation =
    generationText === undefined
      ? parseGenerationConfig({})
      : parseGenerationConfig(parseJson(generationText, "generation_config.json", "config"));
  const { stored, where } = await readTable(files, signal);
  const notes: string[] = [];
  const { tensors, tied } = await matchConfig(stored, config, where, notes, signal);
  const texts: Record<string, string> = {};
  for (const [key, name] of [
    ["tokenizer", "tokenizer.json"],
    ["tokenizerConfig", "tokenizer_config.json"],
    ["specialTokensMap", "special_tokens_map.json"],
    ["chatTemplate", "chat_template.jinja"],
  ]) {
    const text = await textOf(files, name, MAX_TEXT_BYTES, "tokenizer", signal);
    if (text !== undefined) texts[key] = text;
  }
  const all = [...tensors.values()];
  return Object.freeze({
    describe: files.describe,
    config,
    generation,
    eosIds: generation.eosIds ?? config.eosIds,
    tensors,
    tied,
    parameters: all.reduce((sum, { shape }) => sum + shape.reduce((product, size) => product * size, 1), 0),
    bytes: all.reduce((sum, { start, end }) => sum + end - start, 0),
    texts: Object.freeze(texts),
    notes: Object.freeze(notes),
  });
}

/** The tensors a Llama of this config has, by Hugging Face name, in the order they are used; matrices are [out, in]. */
export function* llamaTensors(config: LlamaConfig): Generator<{ name: string; shape: number[] }> {
  const { dim, hidden, layers, heads, kvHeads, headDim, vocab, attentionBias, mlpBias } = config;
  yield { name: EMBED, shape: [vocab, dim] };
  for (let i = 0; i < layers; i++) {
    const at = `model.layers.${i}`;
    yield { name: `${at}.input_layernorm.weight`, shape: [dim] };
    for (const [part, out, into, bias] of [
      ["self_attn.q_proj", heads * headDim, dim, attentionBias],
      ["self_attn.k_proj", kvHeads * headDim, dim, attentionBias],
      ["self_attn.v_proj", kvHeads * headDim, dim, attentionBias],
      ["self_attn.o_proj", dim, heads * headDim, attentionBias],
      ["mlp.gate_proj", hidden, dim, mlpBias],
      ["mlp.up_proj", hidden, dim, mlpBias],
      ["mlp.down_proj", dim, hidden, mlpBias],
    ] as const) {
      yield { name: `${at}.${part}.weight`, shape: [out, into] };
      if (bias) yield { name: `${at}.${part}.bias`, shape: [out] };
    }
    yield { name: `${at}.post_attention_layernorm.weight`, shape: [dim] };
  }
  yield { name: "model.norm.weight", shape: [dim] };
  yield { name: HEAD, shape: [vocab, dim] };
}

/** Exactly the tensors the config calls for, each with its shape and a float dtype; and whether the head is the embedding. */
async function matchConfig(
  stored: Map<string, StoredTensor>,
  config: LlamaConfig,
  where: string,
  notes: string[],
  signal?: AbortSignal,
): Promise<{ tensors: Map<string, StoredTensor>; tied: boolean }> {
  const legacy = [...stored.keys()].filter(isLegacy);
  for (const name of legacy) stored.delete(name);
  if (legacy.length)
    notes.push(`skipped ${legacy.length} rotary_emb.inv_freq tensors of an old checkpoint; they are computed`);

  const needed = new Map([...llamaTensors(config)].map(({ name, shape }) => [name, shape]));
  // Files may keep either of two tied tensors: safetensors' save_model keeps the first by name, which is the head.
  const head = stored.get(HEAD);
  const tied = config.tied && !(head && stored.has(EMBED));
  if (tied && head) {
    stored.delete(HEAD);
    stored.set(EMBED, head);
  }
  if (tied) needed.delete(HEAD);

  const missing = [...needed.keys()].filter((name) => !stored.has(name));
  const extra = [...stored.keys()].filter((name) => !needed.has(name));
  if (missing.length) {
    const also = extra.length
      ? `; it holds ${short(extra[0])}${others(extra.length)}, which config.json does not call for`
      : "";
    const hint = missing[0] === HEAD ? ", or tie_word_embeddings true in config.json if the head is the embedding" : "";
    const shard = /-\d+-of-\d+\.(?:safetensors|bin)$/.test(where)
      ? ", or the whole folder: this file is one of several"
      : "";
    const [first] = missing;
    throw new LlariatError(
      "checkpoint",
      `${where}: ${first}: got no such tensor${others(missing.length)}, needed ${show(needed.get(first))}${hint}${shard}${also}`,
    );
  }
  if (extra.length) {
    throw new LlariatError(
      "checkpoint",
      `${where}: ${short(extra[0])}: got a tensor${others(extra.length)} that a Llama of this config.json does not have, needed none`,
    );
  }
  const tensors = new Map<string, StoredTensor>();
  for (const [name, shape] of needed) {
    const tensor = stored.get(name)!;
    if (tensor.shape.length !== shape.length || tensor.shape.some((size, i) => size !== shape[i])) {
      throw new LlariatError(
        "checkpoint",
        `${tensor.source.name}: ${tensor.name}: got shape ${show(tensor.shape)}, needed ${show(shape)} for the sizes in config.json`,
      );
    }
    if (!floatKind(tensor.dtype)) {
      throw new LlariatError(
        "checkpoint",
        `${tensor.source.name}: ${tensor.name}: got dtype ${tensor.dtype}, needed F32, F16 or BF16; quantised weights need the checkpoint they were made from`,
      );
    }
    checkRowMajor(tensor);
    tensors.set(name, tensor);
  }
  if (!config.tied || tied) return { tensors, tied };
  // The config says tied and the file has both: transformers ties equal ones and lets different ones win over the flag.
  if (await sameValues(tensors.get(EMBED)!, head!, signal)) {
    tensors.delete(HEAD);
    return { tensors, tied: true };
  }
  notes.push(`${HEAD} differs from ${EMBED} although config.json says tie_word_embeddings: both are used`);
  return { tensors, tied: false };
}

/** Whether two tensors of one shape hold the same numbers; streams both, stops at the first difference. */
async function sameValues(a: StoredTensor, b: StoredTensor, signal?: AbortSignal): Promise<boolean> {
  if (a.source === b.source && a.start === b.start && a.dtype === b.dtype) return true; // torch.save keeps ties
  const CHUNK = 2 ** 20; // elements
  const count = a.shape.reduce((product, size) => product * size, 1);
  const [x, y] = [a, b].map((tensor) => {
    const width = (tensor.end - tensor.start) / count;
    const bytes = new Uint8Array(Math.min(count, CHUNK) * width);
    const values = new Float32Array(Math.min(count, CHUNK));
    const bits = new Uint32Array(values.buffer);
    return { tensor, width, bytes, values, bits };
  });
  for (let from = 0; from < count; from += CHUNK) {
    const n = Math.min(CHUNK, count - from);
    await Promise.all(
      [x, y].map(async ({ tensor, width, bytes, values }) => {
        const start = tensor.start + from * width;
        await readInto(tensor.source, start, start + n * width, bytes, signal);
        widen(floatKind(tensor.dtype)!, bytes, values.subarray(0, n));
      }),
    );
    // Bits, not numbers: NaN differs from itself. That 0 and -0 count as different only costs the memory of a head.
    for (let i = 0; i < n; i++) if (x.bits[i] !== y.bits[i]) return false;
  }
  return true;
}
