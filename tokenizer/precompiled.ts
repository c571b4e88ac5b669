// precompiled.ts — the normalizer "Precompiled": SentencePiece's map as the library applies it, which is not how
// SentencePiece does (sentencepiece/normalize.ts): grapheme by grapheme, and the shortest key a grapheme begins with
// replaces all of it; a grapheme of six bytes or more, or without a key, is taken character by character.
// Source: tokenizers, normalizers/precompiled.rs; spm_precompiled, Precompiled::transform.

import type { Charsmap } from "./charsmap.ts";
import { checkGrowth } from "./growth.ts";
import { rewrite } from "./piece.ts";
import type { Piece } from "./piece.ts";

/** Longer graphemes (in bytes of UTF-8) are never looked up whole. */
const MAX_GRAPHEME = 5;
/** Between two of these a grapheme always ends, so most text needs no segmenter. */
const PLAIN = /[\x20-\x7e]+(?=[\x20-\x7e])/y;
const PLAIN_PAIR = /[\x20-\x7e]{2}/g;
const encoder = new TextEncoder();

/** The normalizer of one map. Throws LlariatError "tokenizer" for a text that becomes longer than `most`. */
export function precompiled(map: Charsmap, where: string): (piece: Piece, most: number) => Piece {
  const segments = new Intl.Segmenter("en", { granularity: "grapheme" });
  const known = new Map<string, string | null>();
  /** What replaces `part`; null: nothing does. Remembered for single characters, which Unicode bounds. */
  const look = (part: string): string | null => {
    let text = known.get(part);
    if (text === undefined) {
      const bytes = encoder.encode(part);
      text = map.find(bytes, 0, bytes.length, true)?.text ?? null;
      known.set(part, text);
    }
    return text;
  };
  return (piece, most) => {
    let made = 0;
    const characters: string[] = [];
    const changes: number[] = [];
    let touched = false;
    const copy = (char: string) => {
      characters.push(char);
      changes.push(0);
    };
    const put = (old: number, text: string) => {
      touched = true;
      made += text.length;
      checkGrowth(where, made, most);
      const fresh = [...text];
      for (const [i, char] of fresh.entries()) {
        characters.push(char);
        changes.push(i >= old ? 1 : 0);
      }
      if (fresh.length < old && changes.length > 0) changes[changes.length - 1] += fresh.length - old;
    };
    const character = (char: string) => {
      const text = look(char);
      if (text === null) copy(char);
      else put(1, text);
    };
    for (const grapheme of graphemes(piece.text, segments)) {
      const parts = [...grapheme];
      if (parts.length > 1 && utf8Length(grapheme) <= MAX_GRAPHEME) {
        const bytes = encoder.encode(grapheme);
        const found = map.find(bytes, 0, bytes.length, true);
        if (found) put(parts.length, found.text);
        else for (const char of parts) character(char);
      } else {
        for (const char of parts) character(char);
      }
    }
    if (!touched) return piece;
    if (piece.origin === undefined) return { ...piece, text: characters.join("") };
    return rewrite(piece, characters, changes, 0);
  };
}

function* graphemes(text: string, segments: Intl.Segmenter): Generator<string> {
  let at = 0;
  while (at < text.length) {
    PLAIN.lastIndex = at;
    const plain = PLAIN.exec(text);
    if (plain) {
      yield* plain[0];
      at += plain[0].length;
    }
    PLAIN_PAIR.lastIndex = at;
    const pair = PLAIN_PAIR.exec(text);
    const end = pair ? pair.index + 1 : text.length;
    for (const { segment } of segments.segment(text.slice(at, end))) yield segment;
    at = end;
  }
}

function utf8Length(text: string): number {
  let bytes = 0;
  for (const char of text) bytes += char < "\u0080" ? 1 : char < "\u0800" ? 2 : char.length === 2 ? 4 : 3;
  return bytes;
}
