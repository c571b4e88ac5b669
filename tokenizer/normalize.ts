// normalize.ts — the "normalizer" of tokenizer.json: text before it is cut, as a chain of rewrites.

import { concat, matches, prepend, replace, slice } from "./piece.ts";
import type { Piece } from "./piece.ts";
import { byType, fields, list, refuse, text } from "./read.ts";
import type { Reader } from "./read.ts";
import { toRegExp } from "./regex.ts";

/** Rewrites a piece of text; with an origin it keeps track of where each character came from. */
export type Normalizer = (piece: Piece) => Piece;

/**
 * What Unicode normalisation never reaches across: a base character with the marks after it, or conjoining Hangul letters
 * (leading, vowel, trailing). Unicode Standard Annex 15.
 */
const CLUSTER = /(?:[\u1100-\u115f\ua960-\ua97c]+[\u1160-\u11ff\ud7b0-\ud7fb]*|[^])[\p{M}\u1160-\u11ff\uff9e\uff9f]*/gu;

function unicode(form: "NFC" | "NFD" | "NFKC" | "NFKD"): Normalizer {
  return (piece) => {
    const whole = piece.text.normalize(form);
    if (whole === piece.text) return piece;
    if (piece.origin === undefined) return { ...piece, text: whole };
    const parts = [...matches(piece.text, CLUSTER)].map(([from, to]) => standForAll(slice(piece, from, to), form));
    const joined = concat(piece, parts);
    return joined.text === whole ? joined : standForAll(piece, form);
  };
}

/** Normalised text, every character of which stands for the whole piece. */
function standForAll(piece: Piece, form: string): Piece {
  const text = piece.text.normalize(form);
  if (text === piece.text) return piece;
  const [start, end] = [piece.origin![0], piece.origin!.at(-1)!];
  const origin = new Int32Array(2 * text.length).map((_, i) => (i % 2 === 0 ? start : end));
  return { text, start: piece.start, origin };
}

/** {"String": …} is taken literally, {"Regex": …} translated. */
export function readPattern(json: unknown, where: string): string | RegExp {
  const pattern = fields(json, where);
  if (pattern["Regex"] !== undefined) {
    return toRegExp(text(pattern["Regex"], `${where}.Regex`), where);
  }
  const literal = text(pattern["String"], `${where}.String`);
  if (literal === "") refuse(`${where}.String is empty, needed the text to look for`);
  return literal;
}

const READERS: Readonly<Record<string, Reader<Normalizer>>> = {
  Sequence(json, where, depth) {
    const steps = list(json["normalizers"], `${where}.normalizers`).map((step, i) =>
      byType(step, `${where}.normalizers[${i}]`, READERS, depth + 1),
    );
    return (piece) => steps.reduce((now, step) => step(now), piece);
  },
  Prepend(json, where) {
    const prefix = text(json["prepend"], `${where}.prepend`);
    return (piece) => prepend(piece, prefix);
  },
  Replace(json, where) {
    const pattern = readPattern(json["pattern"], `${where}.pattern`);
    const content = text(json["content"], `${where}.content`);
    return (piece) => replace(piece, pattern, content);
  },
  NFC: () => unicode("NFC"),
  NFD: () => unicode("NFD"),
  NFKC: () => unicode("NFKC"),
  NFKD: () => unicode("NFKD"),
};

/** Throws LlariatError "tokenizer" naming a normalizer that is not supported. Offsets after NFC and so on are per cluster. */
export function readNormalizer(json: unknown, where: string): Normalizer | undefined {
  return json === undefined || json === null ? undefined : byType(json, where, READERS, 0);
}
