// index.ts — a SentencePiece file (tokenizer.model) as the stages of a tokenizer.
//   file → proto.ts → normalize.ts → bpe.ts or ../unigram.ts → ids        ids → decode.ts → text
// Text between special tokens has the ids that the Python library gives. Special tokens in the text are found first, as in
// transformers: control symbols are special, and after one of them no space is put in front unless the config says "legacy".

import { byteToken } from "../bytechars.ts";
import type { Decoder } from "../decode.ts";
import type { Encoder, Model } from "../encoder.ts";
import type { PreTokenizer } from "../pretokenize.ts";
import { flag, refuse } from "../read.ts";
import type { Fields } from "../read.ts";
import type { NewToken, SpecialTokens } from "../special.ts";
import { sentencePieceBytes } from "../tokenbytes.ts";
import type { TokenBytes } from "../tokenbytes.ts";
import { Trie } from "../trie.ts";
import { Unigram } from "../unigram.ts";
import { BpeEncoder } from "./bpe.ts";
import { readSentencePieceDecoder } from "./decode.ts";
import { Normalization, SPACE } from "./normalize.ts";
import { readModelProto, TYPES } from "./proto.ts";
import type { ModelProto } from "./proto.ts";

const FILE = "tokenizer.model";

/** The stages a file makes. */
export interface SentencePieceParts extends Model {
  readonly split: PreTokenizer;
  readonly decoder: Decoder;
  readonly tokenBytes: TokenBytes;
  /** Control symbols and the unknown token: special, found in the text as they are. */
  readonly special: readonly NewToken[];
  /** bos_token, eos_token, pad_token and unk_token, where the file has such a piece. */
  readonly names: SpecialTokens;
}

/**
 * Reads tokenizer.model; `config` is tokenizer_config.json (add_prefix_space, legacy). Throws LlariatError "tokenizer" for
 * a file that is damaged, contradicts itself, or is of a kind that is not supported.
 */
export function readSentencePiece(bytes: Uint8Array, config: Fields): SentencePieceParts {
  const proto = readModelProto(bytes, FILE);
  if (proto.denormalizes) refuse(`${FILE} has a denormalizer_spec, which is not supported`);
  const vocabulary = new Map<string, number>();
  const normal = new Map<string, number>();
  for (const [id, { piece, type }] of proto.pieces.entries()) {
    const reserved = type === TYPES.control || type === TYPES.unknown || type === TYPES.byte;
    if (reserved ? vocabulary.get(piece) !== undefined && !normal.has(piece) : normal.has(piece)) {
      refuse(`${FILE}: pieces[${id}] (${JSON.stringify(piece)}) is there twice, needed once`);
    }
    if (!reserved) normal.set(piece, id);
    // of a control symbol and a piece that read the same the name is the control symbol's
    if (reserved || !vocabulary.has(piece)) vocabulary.set(piece, id);
  }
  const pieces = proto.pieces.map(({ piece }) => piece);
  const unknown = unknownOf(proto);
  const userDefined = trieOf(proto, (type) => type === TYPES.userDefined);
  const encoder = encoderOf(proto, unknown, userDefined);
  const prefix = flag(config["add_prefix_space"], "tokenizer_config.json: add_prefix_space", true);
  const legacy = flag(config["legacy"], "tokenizer_config.json: legacy", false);
  const normalization = new Normalization(proto, userDefined, FILE);
  const special = proto.pieces.filter(({ type }) => type === TYPES.control || type === TYPES.unknown);
  return {
    kind: `SentencePiece ${proto.modelType}`,
    encoder,
    vocabulary,
    pieces,
    split(piece) {
      const normalized = normalization.run(piece, prefix && (legacy || piece.start === 0));
      return normalized.text === "" ? [] : [normalized];
    },
    decoder: readSentencePieceDecoder(
      proto,
      (prefix && proto.addDummyPrefix) || proto.removeExtraWhitespaces,
      proto.byteFallback,
    ),
    tokenBytes: sentencePieceBytes(SPACE, proto.byteFallback),
    special: special.map(({ piece }) => ({
      content: piece,
      special: true,
      singleWord: false,
      lstrip: false,
      rstrip: false,
      normalized: false,
    })),
    names: namesOf(proto, pieces[unknown]),
  };
}

/** The id of the one unknown piece. */
function unknownOf({ pieces }: ModelProto): number {
  const ids = pieces.flatMap(({ type }, id) => (type === TYPES.unknown ? [id] : []));
  if (ids.length !== 1) refuse(`${FILE} has ${ids.length} pieces of the type "unknown", needed one`);
  return ids[0];
}

function namesOf({ pieces, bosPiece, eosPiece, padPiece }: ModelProto, unknown: string): SpecialTokens {
  const controls = new Set(pieces.filter(({ type }) => type === TYPES.control).map(({ piece }) => piece));
  const named = { bos_token: bosPiece, eos_token: eosPiece, pad_token: padPiece };
  const there = Object.entries(named).filter(([, piece]) => controls.has(piece));
  return { ...Object.fromEntries(there), unk_token: unknown };
}

/** The pieces of some types as a trie; undefined where there are none. */
function trieOf({ pieces }: ModelProto, takes: (type: number) => boolean): Trie | undefined {
  const taken = [...pieces.entries()].filter(([, { type }]) => takes(type));
  if (taken.length === 0) return undefined;
  const trie = new Trie(taken.reduce((sum, [, { piece }]) => sum + piece.length, 0));
  for (const [id, { piece }] of taken) trie.add(piece, id);
  return trie;
}

/** Byte → id of its token; undefined without byte fallback. */
function byteTokensOf({ pieces, byteFallback }: ModelProto): Int32Array | undefined {
  const found = new Map(pieces.flatMap(({ piece, type }, id) => (type === TYPES.byte ? [[piece, id] as const] : [])));
  if (!byteFallback) {
    if (found.size > 0) refuse(`${FILE} has byte pieces, but byte_fallback is false; needed one answer`);
    return undefined;
  }
  const ids = Int32Array.from({ length: 256 }, (_, byte) => found.get(byteToken(byte)) ?? -1);
  if (found.size !== 256 || ids.includes(-1)) {
    refuse(`${FILE} has ${found.size} byte pieces, needed the 256 from <0x00> to <0xFF>`);
  }
  return ids;
}

function encoderOf(proto: ModelProto, unknown: number, userDefined: Trie | undefined): Encoder {
  const byteTokens = byteTokensOf(proto);
  const scores = Float64Array.from(proto.pieces, ({ score }) => score);
  if (proto.modelType === "BPE") {
    const unused = proto.pieces.findIndex(({ type }) => type === TYPES.unused);
    if (unused >= 0) refuse(`${FILE}: pieces[${unused}] is of the type "unused", which is not supported in BPE`);
    const merging = proto.pieces.map(({ piece, type }) => (type === TYPES.normal ? piece : undefined));
    return new BpeEncoder({ merging, scores, userDefined, byteTokens, unknown });
  }
  if (proto.modelType !== "Unigram") {
    refuse(`${FILE} is a ${proto.modelType} model, which is not supported, needed BPE or Unigram`);
  }
  const trie = trieOf(proto, (type) => type === TYPES.normal || type === TYPES.userDefined);
  if (!trie) refuse(`${FILE} has no pieces of the type "normal", needed some`);
  const ordinary = proto.pieces.filter(({ type }) => type === TYPES.normal).map(({ score }) => score);
  for (const [id, { piece, type }] of proto.pieces.entries()) {
    // a little better than a piece that costs nothing, the more the longer it is (0.2; older versions: always -0.1)
    if (type === TYPES.userDefined) scores[id] = Math.fround(0.1 * new TextEncoder().encode(piece).length - 0.1);
  }
  const lowest = ordinary.reduce((low, score) => Math.min(low, score), FLT_MAX);
  return new Unigram({ trie, scores, lowest, unknown, byteTokens, single: true, runs: undefined });
}

/** Where SentencePiece starts to look for the worst score: the largest float. */
const FLT_MAX = (2 - 2 ** -23) * 2 ** 127;
