// proto.ts — what a SentencePiece file (tokenizer.model) says: pieces with scores and types, and how text is normalized.
// Field numbers and defaults: sentencepiece src/sentencepiece_model.proto.

import { refuse } from "../read.ts";
import { bytesOf, fieldsOf, floatOf, integerOf, stringOf } from "./protobuf.ts";

/** What a piece is for. */
export const TYPES = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;
const MODEL_TYPES: Readonly<Record<number, string>> = { 1: "Unigram", 2: "BPE", 3: "word", 4: "char" };
/** As many as tokenizer.json may have; the largest published vocabularies have 2^18. */
const MAX_PIECES = 2 ** 20;
/** SentencePiece refuses longer ones. */
const MAX_PIECE_BYTES = 8000;

/** One piece. */
export interface SentencePiece {
  readonly piece: string;
  readonly score: number;
  readonly type: number;
}

/** A file, checked field by field; whether the pieces make a model, index.ts checks. */
export interface ModelProto {
  readonly pieces: readonly SentencePiece[];
  readonly modelType: string;
  readonly byteFallback: boolean;
  readonly whitespaceAsSuffix: boolean;
  readonly bosPiece: string;
  readonly eosPiece: string;
  readonly padPiece: string;
  readonly charsmap: Uint8Array;
  readonly addDummyPrefix: boolean;
  readonly removeExtraWhitespaces: boolean;
  readonly escapeWhitespaces: boolean;
  /** The decoder's own map of characters; none is published. */
  readonly denormalizes: boolean;
}

type Draft = { -readonly [Key in keyof ModelProto]: ModelProto[Key] };

/** Reads the bytes of `file`. Throws LlariatError "tokenizer" for what is no SentencePiece file. */
export function readModelProto(bytes: Uint8Array, file: string): ModelProto {
  refuseOthers(bytes, file);
  const pieces: SentencePiece[] = [];
  const model: Draft = {
    pieces,
    modelType: MODEL_TYPES[1],
    byteFallback: false,
    whitespaceAsSuffix: false,
    bosPiece: "<s>",
    eosPiece: "</s>",
    padPiece: "<pad>",
    charsmap: new Uint8Array(0),
    addDummyPrefix: true,
    removeExtraWhitespaces: true,
    escapeWhitespaces: true,
    denormalizes: false,
  };
  for (const field of fieldsOf(bytes, file)) {
    if (field.number === 1) {
      if (pieces.length >= MAX_PIECES) refuse(`${file} has more than ${MAX_PIECES} pieces, needed at most that`);
      pieces.push(readPiece(bytesOf(field, `${file}: pieces`), `${file}: pieces[${pieces.length}]`));
    } else if (field.number === 2) readTrainer(bytesOf(field, `${file}: trainer_spec`), model, file);
    else if (field.number === 3) readNormalizer(bytesOf(field, `${file}: normalizer_spec`), model, file);
    else if (field.number === 5) readDenormalizer(bytesOf(field, `${file}: denormalizer_spec`), model, file);
  }
  if (pieces.length === 0) refuse(`${file} has no pieces, needed a SentencePiece model`);
  return model;
}

/** What is named tokenizer.model and is something else, by its first bytes. */
function refuseOthers(bytes: Uint8Array, file: string): void {
  if (bytes.length === 0) refuse(`${file} is empty; download it again`);
  const head = new TextDecoder().decode(bytes.subarray(0, 200));
  if (head.startsWith("version https://git-lfs")) {
    refuse(`${file} is a Git LFS pointer, not the file itself; download it (git lfs pull)`);
  }
  if (/^[A-Za-z0-9+/]+={0,2} \d+\r?\n/.test(head)) {
    refuse(
      `${file} is a tiktoken vocabulary, needed a SentencePiece model; put the tokenizer.json of the converted model beside it`,
    );
  }
}

function readPiece(bytes: Uint8Array, where: string): SentencePiece {
  let [piece, score, type] = ["", 0, TYPES.normal as number];
  for (const field of fieldsOf(bytes, where)) {
    if (field.number === 1) {
      if (field.bytes.length >= MAX_PIECE_BYTES) {
        refuse(`${where} has ${field.bytes.length} bytes, needed fewer than ${MAX_PIECE_BYTES}`);
      }
      piece = stringOf(field, `${where}.piece`);
    } else if (field.number === 2) score = floatOf(field, `${where}.score`);
    else if (field.number === 3) type = integerOf(field, `${where}.type`);
  }
  if (piece === "" || piece.includes("\0")) refuse(`${where} is ${JSON.stringify(piece.slice(0, 60))}, needed text`);
  if (type < TYPES.normal || type > TYPES.byte) refuse(`${where} has the type ${type}, needed 1 to 6`);
  return { piece, score, type };
}

function readTrainer(bytes: Uint8Array, model: Draft, file: string): void {
  const where = `${file}: trainer_spec`;
  for (const field of fieldsOf(bytes, where)) {
    const flag = (name: string) => integerOf(field, `${where}.${name}`) !== 0;
    const text = (name: string, absent: string) => stringOf(field, `${where}.${name}`) || absent;
    if (field.number === 3) {
      const type = integerOf(field, `${where}.model_type`);
      model.modelType = MODEL_TYPES[type] ?? refuse(`${where}.model_type is ${type}, needed 1 (Unigram) or 2 (BPE)`);
    } else if (field.number === 24) model.whitespaceAsSuffix = flag("treat_whitespace_as_suffix");
    else if (field.number === 35) model.byteFallback = flag("byte_fallback");
    else if (field.number === 46) model.bosPiece = text("bos_piece", "<s>");
    else if (field.number === 47) model.eosPiece = text("eos_piece", "</s>");
    else if (field.number === 48) model.padPiece = text("pad_piece", "<pad>");
  }
}

function readNormalizer(bytes: Uint8Array, model: Draft, file: string): void {
  const where = `${file}: normalizer_spec`;
  for (const field of fieldsOf(bytes, where)) {
    const flag = (name: string) => integerOf(field, `${where}.${name}`) !== 0;
    if (field.number === 2) model.charsmap = bytesOf(field, `${where}.precompiled_charsmap`);
    else if (field.number === 3) model.addDummyPrefix = flag("add_dummy_prefix");
    else if (field.number === 4) model.removeExtraWhitespaces = flag("remove_extra_whitespaces");
    else if (field.number === 5) model.escapeWhitespaces = flag("escape_whitespaces");
  }
}

function readDenormalizer(bytes: Uint8Array, model: Draft, file: string): void {
  for (const field of fieldsOf(bytes, `${file}: denormalizer_spec`)) {
    if (field.number === 2 && field.bytes.length > 0) model.denormalizes = true;
  }
}
