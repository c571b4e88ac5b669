// bytelevel.ts — text spelt in the 256 characters that stand for bytes, and GPT-2's words.

import { BYTE_CHARS } from "./bytechars.ts";
import { concat, prepend, replace, slice } from "./piece.ts";
import type { Piece } from "./piece.ts";
import { flag } from "./read.ts";
import type { Fields } from "./read.ts";
import { readRegex } from "./regex/index.ts";
import { split } from "./split.ts";

/** GPT-2's pattern, built into ByteLevel. */
const BYTE_LEVEL_WORDS = readRegex(
  String.raw`'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+`,
  "ByteLevel",
);

/** Spells a piece in the 256 characters that stand for bytes; each stands for the whole character it is a byte of. */
export function spellBytes(piece: Piece): Piece {
  const encoder = new TextEncoder();
  const parts: Piece[] = [];
  let text = "";
  let at = 0;
  for (const char of piece.text) {
    const spelt = Array.from(encoder.encode(char), (byte) => BYTE_CHARS[byte]).join("");
    if (piece.origin === undefined) text += spelt;
    else parts.push(replace(slice(piece, at, at + char.length), char, spelt));
    at += char.length;
  }
  return piece.origin === undefined ? { ...piece, text } : concat(piece, parts);
}

/** What the pre-tokenizer ByteLevel does before it spells bytes; undefined where that is nothing. */
export function byteLevelCut(json: Fields, where: string): ((piece: Piece) => Piece[]) | undefined {
  const prefix = flag(json["add_prefix_space"], `${where}.add_prefix_space`, true);
  const regex = flag(json["use_regex"], `${where}.use_regex`, true);
  if (!prefix && !regex) return undefined;
  return (piece) => {
    const whole = prefix && !piece.text.startsWith(" ") ? prepend(piece, " ") : piece;
    return regex ? split(whole, BYTE_LEVEL_WORDS, "Isolated", false) : [whole];
  };
}
