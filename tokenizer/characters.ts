// characters.ts — normalizers that look at one character at a time: case, accents, white space, control characters.
// Sets of characters are today's Unicode; the library's tables for marks, punctuation and format characters are of
// Unicode 8, so characters that came later may be taken for marks or punctuation here and not there.

import { remove, replace, rewrite } from "./piece.ts";
import type { Piece } from "./piece.ts";
import { normalized } from "./unicode.ts";

/** Lower case, each character by itself: a Σ at the end of a word is σ. */
export function lowercase(piece: Piece): Piece {
  const text = piece.text.replaceAll("Σ", "σ").toLowerCase();
  if (text === piece.text) return piece;
  if (piece.origin === undefined) return { ...piece, text };
  const characters: string[] = [];
  const changes: number[] = [];
  for (const char of piece.text) {
    let change = 0;
    for (const lower of char.toLowerCase()) {
      characters.push(lower);
      changes.push(change);
      change = 1;
    }
  }
  return rewrite(piece, characters, changes, 0);
}

const ANY_MARK = /\p{M}/gu;
const SPACING_NONE = /\p{Mn}/gu;

/** Leaves combining marks out; accents that are part of a character stay (NFD first takes them apart). */
export const stripAccents = (piece: Piece): Piece => remove(piece, ANY_MARK);

const SPACES_BEFORE = /^\p{White_Space}+/gu;
// anchored behind a character that is none: white space in the middle is not tried again at each of its characters
const SPACES_AFTER = /(?<!\p{White_Space})\p{White_Space}+$/gu;

/** Takes white space off the front, the end, or both. */
export function strip(piece: Piece, left: boolean, right: boolean): Piece {
  const front = left ? replace(piece, SPACES_BEFORE, "") : piece;
  return right ? replace(front, SPACES_AFTER, "") : front;
}

const NMT_CONTROLS = /[\x01-\x08\v\x0e-\x1f\x7f\x8f\x9f]/gu; // eslint-disable-line no-control-regex
const NMT_SPACES = /[\t\n\f\r\u1680\u200b-\u200f\u2028\u2029\u2581\ufeff\ufffd]/gu;

/** Nmt: control characters go, odd spaces and characters without width become a space. */
export const nmt = (piece: Piece): Piece => replace(remove(piece, NMT_CONTROLS), NMT_SPACES, " ");

const BERT_CONTROLS = /(?![\t\n\r])[\0\ufffd\p{Cc}\p{Cf}\p{Co}]/gu; // eslint-disable-line no-control-regex
const SPACES = /\p{White_Space}/gu;

/** BERT's clean_text: no control characters, every white space a space. */
export const cleanText = (piece: Piece): Piece => replace(remove(piece, BERT_CONTROLS), SPACES, " ");

const IDEOGRAPH =
  /[\u3400-\u4dbf\u4e00-\u9fff\uf900-\ufaff\u{20000}-\u{2a6df}\u{2a700}-\u{2b81f}\u{2b920}-\u{2ceaf}\u{2f800}-\u{2fa1f}]/gu;

/** BERT's handle_chinese_chars: a space on both sides of every ideograph. */
export function spaceIdeographs(piece: Piece): Piece {
  if (piece.origin === undefined) return { ...piece, text: piece.text.replaceAll(IDEOGRAPH, " $& ") };
  const characters: string[] = [];
  const changes: number[] = [];
  for (const char of piece.text) {
    IDEOGRAPH.lastIndex = 0;
    if (IDEOGRAPH.test(char)) {
      characters.push(" ", char, " ");
      changes.push(0, 1, 1);
    } else {
      characters.push(char);
      changes.push(0);
    }
  }
  return rewrite(piece, characters, changes, 0);
}

/** BERT's strip_accents: taken apart, then without marks that take no space. */
export const stripBertAccents = (piece: Piece): Piece => remove(normalized(piece, "NFD"), SPACING_NONE);
