// match.ts — whether stored tensors are those of a model: all that its config calls for, none besides, each of its shape.

import { widen } from "../../kernels/formats/floats.ts";
import { readInto } from "../checkpoint/bytes.ts";
import { checkRowMajor, floatKind } from "../checkpoint/safetensors.ts";
import type { StoredTensor } from "../checkpoint/safetensors.ts";
import { isLegacy } from "../checkpoint/shards.ts";
import { LlariatError } from "../error.ts";
import { show } from "../text/json.ts";
import { others, short } from "../text/wording.ts";
import { type ModelConfig, families, partsOf, tensorsOf } from "./families.ts";

/**
 * Exactly the tensors that the config calls for, each with its shape and a float dtype; and whether the head is the embedding.
 * Takes `stored` over, adds to `notes`. Throws LlariatError "checkpoint" naming the first tensor that is missing, unknown, of
 * another shape, quantised or not row-major; "source" and "aborted" from comparing a head with its embedding.
 */
export async function matchConfig(
  stored: Map<string, StoredTensor>,
  config: ModelConfig,
  where: string,
  notes: string[],
  signal?: AbortSignal,
): Promise<{ tensors: Map<string, StoredTensor>; tied: boolean }> {
  const legacy = [...stored.keys()].filter(isLegacy);
  for (const name of legacy) stored.delete(name);
  if (legacy.length)
    notes.push(`skipped ${legacy.length} rotary_emb.inv_freq tensors of an old checkpoint; they are computed`);

  const { architecture, slots } = families[config.family];
  const [[EMBED], [HEAD]] = [slots.embed, slots.head].map((slot) =>
    partsOf(slot, config).weights.map(({ name }) => name),
  );
  const needed = new Map([...tensorsOf(config)].map(({ name, shape }) => [name, shape]));
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
      `${where}: ${short(extra[0])}: got a tensor${others(extra.length)} that a ${architecture} of this config.json does not have, needed none`,
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
