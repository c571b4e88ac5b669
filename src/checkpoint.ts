// checkpoint.ts — a folder as Hugging Face publishes it becomes one table of tensors that fits its config. Only headers
// and small text files are read here; the weights themselves stream later (weights.ts).

import { checkAborted, isPlainName, readInto, readText } from "./bytes.ts";
import type { ByteSource, FileSet } from "./bytes.ts";
import { parseConfig, parseGenerationConfig } from "./config.ts";
import type { GenerationConfig, LlamaConfig } from "./config.ts";
import { LlariatError } from "./error.ts";
import { widen } from "./floats.ts";
import { isObject, parseJson, show } from "./json.ts";
import { floatKind, readHeader } from "./safetensors.ts";
import type { StoredTensor } from "./safetensors.ts";

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

export interface CheckpointTexts {
  readonly tokenizer?: string; // tokenizer.json
  readonly tokenizerConfig?: string; // tokenizer_config.json
  readonly specialTokensMap?: string; // special_tokens_map.json
  readonly chatTemplate?: string; // chat_template.jinja
}

const EMBED = "model.embed_tokens.weight";
const HEAD = "lm_head.weight";
const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";

/** The largest published tokenizer.json is about 35 MB. */
const MAX_TEXT_BYTES = 64 * 2 ** 20;
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
    eosIds: generation.eosIds?.length ? generation.eosIds : config.eosIds,
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

async function textOf(
  files: FileSet,
  name: string,
  maxBytes: number,
  code: "config" | "checkpoint" | "tokenizer",
  signal?: AbortSignal,
): Promise<string | undefined> {
  const source = await files.open(name, signal);
  return source && readText(source, maxBytes, code, signal);
}

/** All tensors of model.safetensors or, as in transformers only if that is absent, of the shards the index names. */
async function readTable(
  files: FileSet,
  signal?: AbortSignal,
): Promise<{ stored: Map<string, StoredTensor>; where: string }> {
  const single = await files.open(SINGLE, signal);
  if (single) return { stored: new Map((await readHeader(single, signal)).tensors), where: SINGLE };
  const indexText = await textOf(files, INDEX, MAX_TEXT_BYTES, "checkpoint", signal);
  if (indexText === undefined) {
    throw new LlariatError(
      "checkpoint",
      `${files.describe}: got neither ${SINGLE} nor ${INDEX}${await present(files)}, needed safetensors weights; ` +
        "convert other formats with transformers (save_pretrained), or name the .safetensors file itself",
    );
  }
  const stored = new Map<string, StoredTensor>();
  for (const [shard, names] of shardsOf(indexText)) {
    checkAborted(signal, `opening ${shard}`);
    const source = await files.open(shard, signal);
    if (!source) {
      const [first] = names;
      throw new LlariatError(
        "checkpoint",
        `${INDEX}: got no file ${shard}, needed it for ${first}${others(names.size)}; download it`,
      );
    }
    addShard(stored, await readShard(source, names, signal), shard);
  }
  return { stored, where: INDEX };
}

/** Shard → names of its tensors, from the index; every shard a plain name, so that nothing outside the folder is opened. */
function shardsOf(text: string): Map<string, Set<string>> {
  const index = parseJson(text, INDEX, "checkpoint");
  const map = isObject(index) ? index["weight_map"] : undefined;
  if (!isObject(map)) {
    throw new LlariatError(
      "checkpoint",
      `${INDEX}: weight_map: got ${show(map)}, needed an object from tensor to file`,
    );
  }
  const shards = new Map<string, Set<string>>();
  for (const [name, shard] of Object.entries(map)) {
    if (typeof shard !== "string" || !isPlainName(shard) || !shard.endsWith(".safetensors")) {
      throw new LlariatError(
        "checkpoint",
        `${INDEX}: ${short(name)}: got the file ${show(shard)}, needed a .safetensors file directly in the folder`,
      );
    }
    const names = shards.get(shard);
    if (names) names.add(name);
    else shards.set(shard, new Set([name]));
  }
  return shards;
}

async function readShard(
  source: ByteSource,
  names: ReadonlySet<string>,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, StoredTensor>> {
  const { tensors } = await readHeader(source, signal);
  const absent = [...names].filter((name) => !tensors.has(name));
  if (absent.length) {
    throw new LlariatError(
      "checkpoint",
      `${source.name}: got no tensor ${short(absent[0])}${others(absent.length)}, needed what ${INDEX} says it holds`,
    );
  }
  const unlisted = [...tensors.keys()].filter((name) => !names.has(name) && !isLegacy(name));
  if (unlisted.length) {
    throw new LlariatError(
      "checkpoint",
      `${source.name}: ${short(unlisted[0])}: got a tensor${others(unlisted.length)} that ${INDEX} does not place there, needed none`,
    );
  }
  return tensors;
}

function addShard(stored: Map<string, StoredTensor>, tensors: ReadonlyMap<string, StoredTensor>, shard: string): void {
  for (const tensor of tensors.values()) {
    const before = stored.get(tensor.name);
    if (before && !isLegacy(tensor.name)) {
      throw new LlariatError(
        "checkpoint",
        `${short(tensor.name)}: got it in ${before.source.name} and in ${shard}, needed it once`,
      );
    }
    stored.set(tensor.name, tensor);
  }
}

/** Checkpoints from before transformers 4.32 store what RoPE computes anyway; transformers ignores it too. */
const isLegacy = (name: string): boolean => /(?:^|\.)rotary_emb\.inv_freq$/.test(name);

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
    const [first] = missing;
    throw new LlariatError(
      "checkpoint",
      `${where}: ${first}: got no such tensor${others(missing.length)}, needed ${show(needed.get(first))}${hint}${also}`,
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

const others = (count: number) => (count > 1 ? ` (and ${count - 1} more)` : "");
const short = (name: string) => (name.length > 200 ? `${name.slice(0, 200)}…` : name);

/** " among a, b, c": what the folder holds instead, where it can be listed. */
async function present(files: FileSet): Promise<string> {
  const names = (await files.list()).toSorted();
  if (names.length === 0) return "";
  return ` among ${names.slice(0, 8).join(", ")}${names.length > 8 ? ` and ${names.length - 8} more` : ""}`;
}
