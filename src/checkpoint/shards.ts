// shards.ts — the files of a checkpoint: text files, and all tensors of one safetensors file or of the shards an index names.

import { isPlainName, readText } from "./bytes.ts";
import type { ByteSource, FileSet } from "./bytes.ts";
import { LlariatError, checkAborted } from "../error.ts";
import type { ErrorCode } from "../error.ts";
import { isObject, parseJson, show } from "../text/json.ts";
import { readHeader } from "./safetensors.ts";
import type { StoredTensor } from "./safetensors.ts";

const SINGLE = "model.safetensors";
const INDEX = "model.safetensors.index.json";

/** The largest published tokenizer.json is about 35 MB. */
export const MAX_TEXT_BYTES = 64 * 2 ** 20;

/** The text of a file, undefined if there is none. Throws `code` as readText does. */
export async function textOf(
  files: FileSet,
  name: string,
  maxBytes: number,
  code: ErrorCode,
  signal?: AbortSignal,
): Promise<string | undefined> {
  const source = await files.open(name, signal);
  return source && readText(source, maxBytes, code, signal);
}

/** All tensors of model.safetensors or, as in transformers only if that is absent, of the shards the index names. */
export async function readTable(
  files: FileSet,
  signal?: AbortSignal,
): Promise<{ stored: Map<string, StoredTensor>; where: string }> {
  const single = await files.open(SINGLE, signal);
  if (single) return { stored: new Map((await readHeader(single, signal)).tensors), where: single.name };
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
        `${INDEX}: got no file ${shard}, needed it for ${short(first)}${others(names.size)}; download it`,
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
export const isLegacy = (name: string): boolean => /(?:^|\.)rotary_emb\.inv_freq$/.test(name);

/** " (and 3 more)": how many besides the one a sentence names. */
export const others = (count: number) => (count > 1 ? ` (and ${count - 1} more)` : "");
/** A name from a file, cut for a sentence. */
export const short = (name: string) => (name.length > 200 ? `${name.slice(0, 200)}…` : name);

/** " among a, b, c": what the folder holds instead, where it can be listed. */
export async function present(files: FileSet): Promise<string> {
  const names = (await files.list()).toSorted();
  if (names.length === 0) return "";
  return ` among ${names.slice(0, 8).join(", ")}${names.length > 8 ? ` and ${names.length - 8} more` : ""}`;
}
