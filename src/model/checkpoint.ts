// checkpoint.ts — a folder as Hugging Face publishes it becomes one table of tensors that fits its config. Headers
// and small text files are read here, and last, where it must be known whether they are one, embedding and head; the weights
// themselves stream later (weights.ts).

import type { FileSet } from "../checkpoint/bytes.ts";
import { Fields } from "../checkpoint/fields.ts";
import { otherFolder } from "../checkpoint/folder.ts";
import { type GenerationConfig, parseGenerationConfig, unsupportedSettings } from "../checkpoint/generation.ts";
import type { StoredTensor } from "../checkpoint/safetensors.ts";
import { readTexts } from "../checkpoint/tokenizer.ts";
import type { CheckpointTexts } from "../checkpoint/tokenizer.ts";
import { readTable, textOf } from "../checkpoint/shards.ts";
import { printable } from "../error.ts";
import { maxContext } from "../rope/index.ts";
import { type Json, parsePythonJson } from "../text/json.ts";
import { parseConfig } from "./config.ts";
import type { ModelConfig } from "./families.ts";
import { matchConfig, tieHead } from "./match.ts";

/** Everything a checkpoint's files say, checked against each other; plain data, nothing to close (the FileSet has). */
export interface Checkpoint {
  /** Where it came from, for messages. */
  readonly describe: string;
  readonly config: ModelConfig;
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
  /** Files of the tokenizer, as they are; undefined where there is no such file. */
  readonly texts: CheckpointTexts;
  /** One sentence per thing a person should know that is no error. */
  readonly notes: readonly string[];
}

/** config.json has a few KB; an index has about 100 bytes per tensor. */
const MAX_CONFIG_BYTES = 2 ** 20;

/** The parsed config.json of a folder. Throws LlariatError "config" where there is none, saying what the folder is instead. */
export async function readConfig(files: FileSet, signal?: AbortSignal): Promise<Json> {
  const text = await textOf(files, "config.json", MAX_CONFIG_BYTES, "config", signal);
  if (text === undefined) {
    throw await otherFolder(files, "config", "no config.json", "a Hugging Face checkpoint", signal);
  }
  return parsePythonJson(text, "config.json", "config");
}

/**
 * Opens a checkpoint: config, generation config, headers of all shards, texts. `check` is called with config and texts
 * before a byte of the weights is read, and may throw. The files stay open and stay the caller's; they are read again while
 * loading. Throws LlariatError "config", "checkpoint" or "source" with the file or tensor, what it holds and what is needed;
 * "aborted" for the signal.
 */
export async function openCheckpoint(
  files: FileSet,
  signal?: AbortSignal,
  check?: (config: ModelConfig, texts: CheckpointTexts) => void,
): Promise<Checkpoint> {
  const notes: string[] = [];
  const config = parseConfig(await readConfig(files, signal), "config.json", notes);
  const generationText = await textOf(files, "generation_config.json", MAX_CONFIG_BYTES, "config", signal);
  const settings = new Fields(
    generationText === undefined ? {} : parsePythonJson(generationText, "generation_config.json", "config"),
    "generation_config.json",
  );
  const generation = parseGenerationConfig(settings);
  const unsupported = unsupportedSettings(settings, maxContext(config.rope));
  if (unsupported.length > 0)
    notes.push(`generation_config.json: ${unsupported.join(", ")}: not supported, and left out`);
  const tensors = matchConfig(await readTable(files, signal), config, notes);
  const texts = await readTexts(files, signal);
  check?.(config, texts);
  const tied = await tieHead(tensors, config, notes, signal);
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
    texts,
    notes: Object.freeze(notes.map(printable)), // they quote names of tensors
  });
}
