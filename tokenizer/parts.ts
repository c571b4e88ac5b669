// parts.ts — the stages of a tokenizer, from the files of a checkpoint folder: tokenizer.json where there is one, else
// tokenizer.model; what the other files add; and notes about what a person should know.

import { AddedTokens } from "./added.ts";
import { AddedList } from "./addedlist.ts";
import type { TemplateFiles } from "./chat.ts";
import { readDecoder } from "./decode.ts";
import type { Decoder } from "./decode.ts";
import { readModel } from "./model.ts";
import type { Model } from "./encoder.ts";
import { readNormalizer } from "./normalize.ts";
import { readPostProcessor } from "./postprocess.ts";
import type { PostProcessor } from "./postprocess.ts";
import { readPreTokenizer } from "./pretokenize.ts";
import type { Splitting } from "./pretokenize.ts";
import { document, flag, refuse } from "./read.ts";
import type { Fields } from "./read.ts";
import { readSentencePiece } from "./sentencepiece/index.ts";
import { readNamedTokens } from "./special.ts";
import type { SpecialTokens } from "./special.ts";
import { readTokenBytes } from "./tokenbytes.ts";
import type { TokenBytes } from "./tokenbytes.ts";

/** The files of a checkpoint folder, as text or already parsed; one of the first two is needed. */
export interface TokenizerFiles extends TemplateFiles {
  readonly tokenizerJson?: string | object | undefined;
  /** The bytes of tokenizer.model, a SentencePiece file; read only without tokenizer.json. */
  readonly tokenizerModel?: Uint8Array | undefined;
  readonly tokenizerConfig?: string | object | undefined;
  readonly specialTokensMap?: string | object | undefined;
  /** added_tokens.json, which folders before 2023 have. */
  readonly addedTokens?: string | object | undefined;
}

/** The stages, and what the files say about them. */
export interface Parts {
  readonly model: Model;
  readonly splitting: Splitting;
  /** Pieces must know where they come from even without offsets, for a step asks whether they begin the text. */
  readonly traces: boolean;
  readonly added: AddedTokens;
  readonly post: PostProcessor;
  readonly decoder: Decoder;
  /** Of tokens that are no special ones. */
  readonly tokenBytes: TokenBytes;
  readonly specialTokens: SpecialTokens;
  readonly notes: readonly string[];
}

/** Reads the files. Throws LlariatError "tokenizer" naming the file, the key, what it holds and what is needed. */
export function readParts(files: TokenizerFiles, config: Fields): Parts {
  if (files.tokenizerJson !== undefined) return fromJson(files, files.tokenizerJson, config);
  if (files.tokenizerModel !== undefined) return fromSentencePiece(files, files.tokenizerModel, config);
  return refuse("got neither tokenizer.json nor tokenizer.model, needed one of them");
}

function fromJson(files: TokenizerFiles, source: string | object, config: Fields): Parts {
  const json = document(source, "tokenizer.json");
  const normalize = readNormalizer(json["normalizer"], "normalizer");
  const model = readModel(json["model"]);
  const splitting = readPreTokenizer(json["pre_tokenizer"], "pre_tokenizer", model.encoder.canSpell);
  const list = new AddedList(model);
  list.read(json["added_tokens"]);
  const named = readNamedTokens(config, files.specialTokensMap, files.addedTokens, list.tokens);
  list.append(named.added);
  const added = new AddedTokens(list.written(normalize), normalize);
  const post = readPostProcessor(json["post_processor"]);
  const decoder = readDecoder(json["decoder"]);
  const tokenBytes = readTokenBytes(json["decoder"]);
  const idOf = (name: string) => idIn(list, model, named.names[name] ?? "");
  const notes = [
    ...["truncation", "padding"].flatMap((key) =>
      json[key] ? [`tokenizer.json sets ${key}, which is for training and is left alone`] : [],
    ),
    ...contradictions(config, "bos", post.before, idOf("bos_token")),
    ...contradictions(config, "eos", post.after, idOf("eos_token")),
    ...splitNote(config),
  ];
  const { asksStart } = splitting;
  const traces = asksStart !== undefined && (asksStart > 0 || normalize !== undefined);
  return { model, splitting, traces, added, post, decoder, tokenBytes, specialTokens: named.names, notes };
}

function fromSentencePiece(files: TokenizerFiles, bytes: Uint8Array, config: Fields): Parts {
  const file = readSentencePiece(bytes, config);
  const list = new AddedList(file);
  list.append(file.special);
  const named = readNamedTokens(config, files.specialTokensMap, files.addedTokens, list.tokens);
  list.append(named.added);
  const specialTokens = { ...file.names, ...named.names };
  const ids = (end: "bos" | "eos", absent: boolean): number[] => {
    const key = `add_${end}_token`;
    if (!flag(config[key], `tokenizer_config.json: ${key}`, absent)) return [];
    const token = specialTokens[`${end}_token`];
    const id = token === undefined ? undefined : idIn(list, file, token);
    return id === undefined ? [] : [id];
  };
  return {
    model: file,
    splitting: { split: file.split, bytes: false, asksStart: undefined },
    traces: false,
    added: new AddedTokens(list.written(undefined), undefined),
    post: { before: ids("bos", true), after: ids("eos", false), trims: [] },
    decoder: file.decoder,
    tokenBytes: file.tokenBytes,
    specialTokens,
    notes: splitNote(config),
  };
}

function idIn(list: AddedList, model: Pick<Model, "vocabulary">, token: string): number | undefined {
  return list.tokens.get(token)?.id ?? model.vocabulary.get(token);
}

/** Where the config asks for another beginning or end than tokenizer.json gives; transformers 5 follows tokenizer.json, too. */
function contradictions(
  config: Fields,
  end: "bos" | "eos",
  given: readonly number[],
  id: number | undefined,
): readonly string[] {
  const asked = config[`add_${end}_token`];
  if (typeof asked !== "boolean" || id === undefined || asked === given.includes(id)) return [];
  return [
    `tokenizer_config.json says add_${end}_token: ${asked}, but tokenizer.json ${asked ? "adds none" : "adds it"}; ` +
      `tokenizer.json counts, as in transformers 5`,
  ];
}

function splitNote(config: Fields): readonly string[] {
  if (config["split_special_tokens"] !== true) return [];
  return [
    "tokenizer_config.json says split_special_tokens: true, which is left alone; encode with parseSpecial: false",
  ];
}
