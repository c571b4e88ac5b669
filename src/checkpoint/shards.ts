// shards.ts — the files of a checkpoint: text files, and all tensors of its one file of weights or of the shards an index names.

import { isPlainName, readText } from "./bytes.ts";
import type { ByteSource, FileSet } from "./bytes.ts";
import { LlariatError, checkAborted } from "../error.ts";
import type { ErrorCode } from "../error.ts";
import { isObject, parsePythonJson, show } from "../text/json.ts";
import { others, short } from "../text/wording.ts";
import { otherFolder } from "./folder.ts";
import { SAFETENSORS, TORCH, type WeightFiles } from "./names.ts";
import { pause } from "./pause.ts";
import { readHeader } from "./safetensors.ts";
import type { StoredTensor } from "./safetensors.ts";
import { readTorch } from "./torch/index.ts";

/** One way in which weights are stored, and what reads a file of it. */
interface Format extends WeightFiles {
  readonly read: (source: ByteSource, signal?: AbortSignal) => Promise<ReadonlyMap<string, StoredTensor>>;
}

/** The ways in the order of transformers (_get_resolved_checkpoint_files): the first that is there is taken whole. */
const FORMATS: readonly Format[] = [
  { ...SAFETENSORS, read: async (source, signal) => (await readHeader(source, signal)).tensors },
  { ...TORCH, read: readTorch },
];

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

/** The largest published models have about 200 shards and 200,000 tensors. */
const MAX_SHARDS = 10_000;
const MAX_TENSORS = 1_000_000;
const PAUSE_AFTER = 64;

/** The tensors of a folder's weights. */
export interface Table {
  /** By the name in the file. */
  readonly stored: Map<string, StoredTensor>;
  /** Why a name is missing or in doubt: what makes a sentence of the name for whoever needs it, one for all of a shard. */
  readonly problems: ReadonlyMap<string, (name: string) => string>;
  /** The file that holds or lists them. */
  readonly where: string;
}

/**
 * All tensors of the weights a folder has, by the rules of FORMATS. As in transformers the index says which shards there
 * are, and each gives all it holds; what the index promises and no shard holds, and what two hold, is a problem only for
 * whoever needs it. Throws LlariatError "checkpoint" for a file that is damaged, an index that names no files of the folder,
 * and a folder without weights; "source" and "aborted" as reading does.
 */
export async function readTable(files: FileSet, signal?: AbortSignal): Promise<Table> {
  for (const format of FORMATS) {
    const single = await files.open(format.single, signal);
    if (single) {
      return { stored: new Map(await format.read(single, signal)), problems: new Map(), where: single.name };
    }
    const indexText = await textOf(files, format.index, MAX_TEXT_BYTES, "checkpoint", signal);
    if (indexText !== undefined) return readShards(files, format, indexText, signal);
  }
  const missing = `neither ${SAFETENSORS.single} nor ${SAFETENSORS.index}`;
  throw await otherFolder(files, "checkpoint", missing, `safetensors weights or ${TORCH.single}`, signal);
}

async function readShards(files: FileSet, format: Format, indexText: string, signal?: AbortSignal): Promise<Table> {
  const { index, read } = format;
  const stored = new Map<string, StoredTensor>();
  const absent = new Map<string, (name: string) => string>();
  const doubled = new Map<string, (name: string) => string>();
  let count = 0;
  for (const [shard, names] of shardsOf(indexText, format)) {
    // files in memory take no turn of their own
    if (++count % PAUSE_AFTER === 0) await pause(signal, `opening ${shard}`);
    checkAborted(signal, `opening ${shard}`);
    const source = await files.open(shard, signal);
    const tensors: ReadonlyMap<string, StoredTensor> = source ? await read(source, signal) : new Map();
    const problem = source
      ? (name: string) => `${shard}: got no tensor ${short(name)}, needed what ${index} says it holds`
      : (name: string) =>
          `${index}: got no file ${shard}, needed it for ${short(name)}${others(names.length)}; download it`;
    for (const name of names) if (!tensors.has(name)) absent.set(name, problem);
    for (const [name, tensor] of tensors) {
      const before = stored.get(name)?.source.name;
      if (before !== undefined)
        doubled.set(name, () => `${short(name)}: got it in ${before} and in ${shard}, needed it once`);
      stored.set(name, tensor);
    }
    if (stored.size > MAX_TENSORS) {
      throw new LlariatError("checkpoint", `${index}: got shards with more than ${MAX_TENSORS} tensors, needed fewer`);
    }
  }
  for (const name of stored.keys()) absent.delete(name); // another shard holds it
  return { stored, problems: new Map([...absent, ...doubled]), where: index };
}

/** Shard → names of its tensors, from the index; every shard a plain name, so that nothing outside the folder is opened. */
function shardsOf(text: string, { index: file, suffix }: WeightFiles): Map<string, string[]> {
  const index = parsePythonJson(text, file, "checkpoint");
  const map = isObject(index) ? index["weight_map"] : undefined;
  if (!isObject(map)) {
    throw new LlariatError("checkpoint", `${file}: weight_map: got ${show(map)}, needed an object from tensor to file`);
  }
  const shards = new Map<string, string[]>();
  for (const [name, shard] of Object.entries(map)) {
    if (typeof shard !== "string" || !isPlainName(shard) || !shard.endsWith(suffix)) {
      throw new LlariatError(
        "checkpoint",
        `${file}: ${short(name)}: got the file ${show(shard)}, needed a ${suffix} file directly in the folder`,
      );
    }
    const names = shards.get(shard);
    if (names) names.push(name);
    else if (shards.size < MAX_SHARDS) shards.set(shard, [name]);
    else throw new LlariatError("checkpoint", `${file}: got more than ${MAX_SHARDS} files, needed fewer`);
  }
  return shards;
}
