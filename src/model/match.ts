// match.ts — whether stored tensors are those of a model: all that its config calls for, each of its shape.

import { widen } from "../../kernels/formats/floats.ts";
import { readInto } from "../checkpoint/bytes.ts";
import { CONVERT, MERGE } from "../checkpoint/folder.ts";
import { SHARD } from "../checkpoint/names.ts";
import { checkRowMajor, floatKind } from "../checkpoint/safetensors.ts";
import type { StoredTensor } from "../checkpoint/safetensors.ts";
import { quantisedTensors } from "../checkpoint/quantised.ts";
import type { Table } from "../checkpoint/shards.ts";
import { LlariatError } from "../error.ts";
import { show } from "../text/json.ts";
import { others, short } from "../text/wording.ts";
import { type ModelConfig, families, partsOf, tensorsOf } from "./families.ts";

/** The names of the embedding and of the head. */
function endsOf(config: ModelConfig): readonly [embed: string, head: string] {
  const { embed, head } = families[config.family].slots;
  const [first, last] = [embed, head].map((slot) => partsOf(slot, config).weights[0].name);
  return [first, last];
}

/**
 * Exactly the tensors that the config calls for, each with its shape and a float dtype; the head only where the files hold
 * one beside the embedding. Adds to `notes` what the files hold besides, which transformers does not read either. Throws
 * LlariatError "checkpoint" naming the first tensor that is missing, twice there, of another shape, quantised or not
 * row-major.
 */
export function matchConfig(
  { stored, problems, where }: Table,
  config: ModelConfig,
  notes: string[],
): Map<string, StoredTensor> {
  const { architecture } = families[config.family];
  const [EMBED, HEAD] = endsOf(config);
  const needed = new Map([...tensorsOf(config)].map(({ name, shape }) => [name, shape]));
  const held = withPrefix(stored, needed, notes);
  // Files may keep either of two tied tensors: safetensors' save_model keeps the first by name, which is the head.
  const head = held.get(HEAD);
  const tied = config.tied && !(head && held.has(EMBED));
  if (tied && head) held.set(EMBED, head);
  if (tied) needed.delete(HEAD);

  const bad = (sentence: string, advice?: string): LlariatError => new LlariatError("checkpoint", sentence, { advice });
  /** A tensor that does not fit says less than the method that made it so. */
  const unfit = (sentence: string, advice?: string): LlariatError => {
    const quantised = quantisedTensors(stored);
    return quantised ? bad(`${where}: ${quantised}`) : bad(sentence, advice);
  };
  const extra = [...held.keys()].filter((name) => !needed.has(name) && name !== HEAD);
  const tensors = new Map<string, StoredTensor>();
  const missing = [...needed.keys()].filter((name) => !held.has(name));
  for (const [name, shape] of needed) {
    const tensor = held.get(name);
    const problem = problems.get(name)?.(name);
    if (problem !== undefined) throw unfit(problem);
    if (!tensor) {
      const hint = name === HEAD ? ", or tie_word_embeddings true in config.json if the head is the embedding" : "";
      const shard = SHARD.test(where) ? ", or the whole folder: this file is one of several" : "";
      const got = `got no such tensor${others(missing.length)}, needed ${show(shape)}${hint}${shard}`;
      throw unfit(`${where}: ${name}: ${got}`, otherNames(extra));
    }
    const { source, dtype } = tensor;
    if (tensor.shape.length !== shape.length || tensor.shape.some((size, i) => size !== shape[i])) {
      const got = `got shape ${show(tensor.shape)}, needed ${show(shape)} for the sizes in config.json`;
      throw unfit(`${source.name}: ${tensor.name}: ${got}`);
    }
    if (!floatKind(dtype)) {
      const got = `got dtype ${dtype}, needed F32, F16 or BF16`;
      throw unfit(
        `${source.name}: ${tensor.name}: ${got}`,
        "quantised weights need the checkpoint they were made from",
      );
    }
    checkRowMajor(tensor);
    tensors.set(name, tensor);
  }
  noteSurplus(extra, architecture, notes);
  const promised = [...problems.keys()].filter((name) => !needed.has(name));
  if (promised.length > 0)
    notes.push(`${where} promises ${short(promised[0])}${others(promised.length)} in vain; the model does not need it`);
  return tensors;
}

/**
 * Whether the head is the embedding, which is then all that stays of the two. Where the config says so and the files hold
 * both, their values decide, and a note tells of different ones. Throws LlariatError "source" and "aborted" from reading.
 */
export async function tieHead(
  tensors: Map<string, StoredTensor>,
  config: ModelConfig,
  notes: string[],
  signal?: AbortSignal,
): Promise<boolean> {
  const [EMBED, HEAD] = endsOf(config);
  const head = tensors.get(HEAD);
  if (!head || !config.tied) return !head;
  // The config says tied and the file has both: transformers ties equal ones and lets different ones win over the flag.
  if (await sameValues(tensors.get(EMBED)!, head, signal)) return tensors.delete(HEAD);
  notes.push(`${HEAD} differs from ${EMBED} although config.json says tie_word_embeddings: both are used`);
  return false;
}

/**
 * `stored` by the names that the model knows. A base model saved alone (LlamaModel) lacks the part before the first dot, which
 * transformers then adds too.
 */
function withPrefix(
  stored: ReadonlyMap<string, StoredTensor>,
  needed: ReadonlyMap<string, unknown>,
  notes: string[],
): Map<string, StoredTensor> {
  const BASE = "model.";
  const names = [...stored.keys()];
  const alone = names.filter((name) => needed.has(BASE + name));
  if (alone.length === 0 || names.some((name) => name.startsWith(BASE))) return new Map(stored);
  notes.push(`the names of the tensors lack "${BASE}", as a base model saved alone has them; they are read with it`);
  return new Map([...stored].map(([name, tensor]) => [needed.has(BASE + name) ? BASE + name : name, tensor]));
}

/** What tensors say that are there instead of those needed. */
const OTHER_NAMES: readonly (readonly [name: RegExp, advice: string])[] = [
  [/\.lora_[AB]\b/, `which is of a LoRA adapter; ${MERGE}`],
  [/(?:^|\.)layers\.\d+\.attention\.w[qkvo]\.weight$/, `which is of Meta's original form; ${CONVERT}`],
  [/^(?:score|classifier|qa_outputs)\./, "which is of a classifier; a language model has lm_head instead"],
];

function otherNames(extra: readonly string[]): string | undefined {
  if (extra.length === 0) return undefined;
  const holds = `it holds ${short(extra[0])}${others(extra.length)}, which config.json does not call for`;
  for (const [pattern, is] of OTHER_NAMES) {
    const found = extra.find((name) => pattern.test(name));
    if (found) return `${holds}; among them ${short(found)}, ${is}`;
  }
  return holds;
}

/** Notes on tensors that are not read: what RoPE computes anyway, and others. */
function noteSurplus(extra: readonly string[], architecture: string, notes: string[]): void {
  const legacy = extra.filter(isLegacy);
  if (legacy.length > 0)
    notes.push(`skipped ${legacy.length} rotary_emb.inv_freq tensors of an old checkpoint; they are computed`);
  const rest = extra.filter((name) => !isLegacy(name));
  if (rest.length > 0)
    notes.push(
      `${short(rest[0])}${others(rest.length)} is not read: a ${architecture} of this config.json has no such tensor`,
    );
}

/** Checkpoints from before transformers 4.32 store what RoPE computes anyway; transformers ignores it too. */
const isLegacy = (name: string): boolean => /(?:^|\.)rotary_emb\.inv_freq$/.test(name);

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
