// shards.ts — the files of a checkpoint: text files, and all tensors of its one file of weights or of the shards an index names.

import { isPlainName, readText } from "./bytes.ts";
import type { ByteSource, FileSet } from "./bytes.ts";
import { LlariatError, checkAborted } from "../error.ts";
import type { ErrorCode } from "../error.ts";
import { isObject, parseJson, show } from "../text/json.ts";
import { others, short } from "../text/wording.ts";
import { readHeader } from "./safetensors.ts";
import type { StoredTensor } from "./safetensors.ts";
import { readTorch } from "./torch/index.ts";

/** One way in which weights are stored: all in one file, or in shards (`suffix`) that an index names. */
interface WeightFiles {
  readonly single: string;
  readonly index: string;
  readonly suffix: string;
  readonly read: (source: ByteSource, signal?: AbortSignal) => Promise<ReadonlyMap<string, StoredTensor>>;
}

/** The ways in the order of transformers (_get_resolved_checkpoint_files): the first that is there is taken whole. */
const WEIGHTS: readonly WeightFiles[] = [
  {
    single: "model.safetensors",
    index: "model.safetensors.index.json",
    suffix: ".safetensors",
    read: async (source, signal) => (await readHeader(source, signal)).tensors,
  },
  { single: "pytorch_model.bin", index: "pytorch_model.bin.index.json", suffix: ".bin", read: readTorch },
];

/** The name under which one named file of weights is the whole model: model.safetensors, pytorch_model.bin. */
export const singleName = (file: string): string | undefined =>
  WEIGHTS.find(({ suffix }) => file.endsWith(suffix))?.single;

/** Every name that readTable would take for weights. */
export const WEIGHT_NAMES: readonly string[] = WEIGHTS.flatMap(({ single, index }) => [single, index]);

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

/** All tensors of the weights a folder has, by the rules of WEIGHTS; `where` is the file that names them. */
export async function readTable(
  files: FileSet,
  signal?: AbortSignal,
): Promise<{ stored: Map<string, StoredTensor>; where: string }> {
  for (const format of WEIGHTS) {
    const single = await files.open(format.single, signal);
    if (single) return { stored: new Map(await format.read(single, signal)), where: single.name };
    const indexText = await textOf(files, format.index, MAX_TEXT_BYTES, "checkpoint", signal);
    if (indexText !== undefined)
      return { stored: await readShards(files, format, indexText, signal), where: format.index };
  }
  const [{ single, index }, torch] = WEIGHTS;
  throw new LlariatError(
    "checkpoint",
    `${files.describe}: got neither ${single} nor ${index}${await present(files)}, needed safetensors weights, or ` +
      `${torch.single}; convert other formats with transformers (save_pretrained), or name the .safetensors file itself`,
  );
}

async function readShards(
  files: FileSet,
  format: WeightFiles,
  indexText: string,
  signal?: AbortSignal,
): Promise<Map<string, StoredTensor>> {
  const stored = new Map<string, StoredTensor>();
  for (const [shard, names] of shardsOf(indexText, format)) {
    checkAborted(signal, `opening ${shard}`);
    const source = await files.open(shard, signal);
    if (!source) {
      const [first] = names;
      throw new LlariatError(
        "checkpoint",
        `${format.index}: got no file ${shard}, needed it for ${short(first)}${others(names.size)}; download it`,
      );
    }
    addShard(stored, await readShard(source, names, format, signal), shard);
  }
  return stored;
}

/** Shard → names of its tensors, from the index; every shard a plain name, so that nothing outside the folder is opened. */
function shardsOf(text: string, { index: file, suffix }: WeightFiles): Map<string, Set<string>> {
  const index = parseJson(text, file, "checkpoint");
  const map = isObject(index) ? index["weight_map"] : undefined;
  if (!isObject(map)) {
    throw new LlariatError("checkpoint", `${file}: weight_map: got ${show(map)}, needed an object from tensor to file`);
  }
  const shards = new Map<string, Set<string>>();
  for (const [name, shard] of Object.entries(map)) {
    if (typeof shard !== "string" || !isPlainName(shard) || !shard.endsWith(suffix)) {
      throw new LlariatError(
        "checkpoint",
        `${file}: ${short(name)}: got the file ${show(shard)}, needed a ${suffix} file directly in the folder`,
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
  { index, read }: WeightFiles,
  signal?: AbortSignal,
): Promise<ReadonlyMap<string, StoredTensor>> {
  const tensors = await read(source, signal);
  const absent = [...names].filter((name) => !tensors.has(name));
  if (absent.length) {
    throw new LlariatError(
      "checkpoint",
      `${source.name}: got no tensor ${short(absent[0])}${others(absent.length)}, needed what ${index} says it holds`,
    );
  }
  const unlisted = [...tensors.keys()].filter((name) => !names.has(name) && !isLegacy(name));
  if (unlisted.length) {
    throw new LlariatError(
      "checkpoint",
      `${source.name}: ${short(unlisted[0])}: got a tensor${others(unlisted.length)} that ${index} does not place there, needed none`,
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

/** " among a, b, c": what the folder holds instead, where it can be listed. */
export async function present(files: FileSet): Promise<string> {
  const names = (await files.list()).toSorted();
  if (names.length === 0) return "";
  return ` among ${names.slice(0, 8).join(", ")}${names.length > 8 ? ` and ${names.length - 8} more` : ""}`;
}
