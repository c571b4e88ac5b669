// unigramjson.ts — the "model" of tokenizer.json that is a Unigram: a list of [piece, score], checked.

import { byteTokens } from "./bytechars.ts";
import type { Model } from "./encoder.ts";
import { count, flag, list, MAX_VOCABULARY, number, refuse, text } from "./read.ts";
import type { Fields } from "./read.ts";
import { Trie } from "./trie.ts";
import { Unigram } from "./unigram.ts";

/** The bound of SentencePiece; encoding takes as long as the text times the longest piece. */
export const MAX_PIECE = 8000;

/** Reads a Unigram model. Throws LlariatError "tokenizer" with the entry, what it is and what is needed. */
export function readUnigram(json: Fields): Model {
  const entries = list(json["vocab"], "model.vocab");
  if (entries.length > MAX_VOCABULARY) {
    refuse(`model.vocab has ${entries.length} entries, needed at most ${MAX_VOCABULARY}`);
  }
  const pieces: string[] = [];
  const scores = new Float64Array(entries.length);
  let units = 0;
  for (const [id, entry] of entries.entries()) {
    const where = `model.vocab[${id}]`;
    const pair = list(entry, where);
    const piece = text(pair[0], `${where}[0]`);
    if (pair.length !== 2) refuse(`${where}: got a list of ${pair.length}, needed [piece, score]`);
    const score = number(pair[1], `${where}[1]`);
    if (piece.length > MAX_PIECE) refuse(`${where} has ${piece.length} characters, needed at most ${MAX_PIECE}`);
    pieces.push(piece);
    scores[id] = asRead(score);
    units += piece.length;
  }
  const unknown = json["unk_id"] ?? undefined;
  if (unknown !== undefined) count(unknown, "model.unk_id", entries.length);
  const trie = new Trie(units);
  const vocabulary = new Map<string, number>();
  for (const [id, piece] of pieces.entries()) {
    vocabulary.set(piece, id);
    if (piece !== "") trie.add(piece, id);
  }
  const fallback = flag(json["byte_fallback"], "model.byte_fallback", false);
  const encoder = new Unigram({
    trie,
    scores,
    lowest: scores.reduce((low, score) => Math.min(low, score), Infinity),
    unknown: unknown as number | undefined,
    byteTokens: fallback ? byteTokens(vocabulary) : undefined,
    single: false,
    runs: vocabulary,
  });
  return { kind: "Unigram", encoder, vocabulary, pieces };
}

/**
 * A number as the library reads it: its digits as a whole number, rounded, then divided by a power of ten and rounded again.
 * The last bit may differ from the nearest double, which decides between ways to cut a text that are equally good.
 */
function asRead(value: number): number {
  const [digits, exponent = "0"] = String(Math.abs(value)).split("e");
  const [whole, fraction = ""] = digits.split(".");
  const power = Number(exponent) - fraction.length;
  const significand = Number(whole + fraction);
  const size = power < 0 ? significand / Number(`1e${-power}`) : significand * Number(`1e${power}`);
  return value < 0 ? -size : size;
}
