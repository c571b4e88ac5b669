// piece.ts — a stretch of text on its way to the model, which still knows where it came from.

import { checkGrowth } from "./growth.ts";
import { Matcher } from "./regex/index.ts";

/** What to look for: a text, a regular expression of a file, or one of ours (with flag g), which V8 runs in linear time. */
export type Pattern = string | Matcher | RegExp;

/**
 * `text` is what the steps so far made of the original, from UTF-16 unit `start` on.
 * `origin` is present only while offsets are wanted: for each UTF-16 unit of `text`, start and end in the original of the
 * character it stands for (at 2i and 2i + 1). As in the library, an inserted character stands for its neighbour.
 */
export interface Piece {
  readonly text: string;
  readonly start: number;
  readonly origin: Int32Array | undefined;
}

/** The part of the original from `start` to `end`. */
export function original(text: string, start: number, end: number, traced: boolean): Piece {
  const part = start === 0 && end === text.length ? text : text.slice(start, end);
  if (!traced) return { text: part, start, origin: undefined };
  const origin = new Int32Array(part.length * 2);
  for (let i = 0; i < part.length;) {
    const size = part.codePointAt(i)! > 0xffff ? 2 : 1;
    for (let k = i; k < i + size; k++) origin.set([start + i, start + i + size], k * 2);
    i += size;
  }
  return { text: part, start, origin };
}

/** The units `from` to `to` of the text of a piece. */
export function slice(piece: Piece, from: number, to: number): Piece {
  const { text, start, origin } = piece;
  // a piece begins where its first character comes from, also where others before it are gone
  if (from === 0 && to === text.length && (origin === undefined || to === 0 || start === origin[0])) return piece;
  return {
    text: text.slice(from, to),
    start: origin === undefined || from === text.length ? start + from : origin[2 * from],
    origin: origin?.subarray(2 * from, 2 * to),
  };
}

/** Puts `prefix` before a piece that is not empty; it stands for the first character. */
export function prepend(piece: Piece, prefix: string): Piece {
  if (piece.text === "") return piece;
  let { origin } = piece;
  if (origin !== undefined) {
    const longer = new Int32Array(origin.length + 2 * prefix.length);
    for (let i = 0; i < prefix.length; i++) longer.set(origin.subarray(0, 2), 2 * i);
    longer.set(origin, 2 * prefix.length);
    origin = longer;
  }
  return { text: prefix + piece.text, start: piece.start, origin };
}

/** How long a text may become, and the step of a file that makes it so. */
export interface Bound {
  readonly where: string;
  readonly most: number;
}

/**
 * Replaces every match of `pattern` (flag g) by `content`, which stands for the last character of the match; in nothing,
 * nothing. Throws LlariatError "tokenizer" for a text that becomes longer than `bound` allows.
 */
export function replace(piece: Piece, pattern: Pattern, content: string, bound?: Bound): Piece {
  if (piece.text === "") return piece;
  if (piece.origin === undefined) return { ...piece, text: replaceText(piece.text, pattern, content, bound) };
  const parts = [];
  let from = 0;
  let made = 0;
  for (const [start, end] of matches(piece.text, pattern)) {
    made += start - from + content.length;
    if (bound) checkGrowth(bound.where, made, bound.most);
    parts.push(slice(piece, from, start), standIn(piece, start, end, end - 1, content));
    from = end;
  }
  parts.push(slice(piece, from, piece.text.length));
  return concat(piece, parts);
}

/** `text` with every match of `pattern` replaced by `content`, to the letter. Throws as `replace` does. */
export function replaceText(text: string, pattern: Pattern, content: string, bound?: Bound): string {
  if (typeof pattern === "string" && (!bound || content.length <= pattern.length)) {
    return text.replaceAll(pattern, content.replaceAll("$", "$$$$"));
  }
  let out = "";
  let from = 0;
  for (const [start, end] of matches(text, pattern)) {
    if (bound) checkGrowth(bound.where, out.length + start - from + content.length, bound.most);
    out += text.slice(from, start) + content;
    from = end;
  }
  return out + text.slice(from);
}

/**
 * `content` in place of text[start, end): all of it stands for the character at unit `at`; in place of nothing, for the
 * character before, and at the very start for nothing.
 */
function standIn(piece: Piece, start: number, end: number, at: number, content: string): Piece {
  const unit = end > start ? at : start - 1;
  const span = unit < 0 ? [piece.start, piece.start] : piece.origin!.subarray(2 * unit, 2 * unit + 2);
  const origin = new Int32Array(2 * content.length);
  for (let i = 0; i < content.length; i++) origin.set(span, 2 * i);
  return { text: content, start: piece.start, origin };
}

/**
 * `piece` with other text, character by character, as NormalizedString::transform of the library counts (only while
 * offsets are wanted). A change of 0: the character stands for the next one of the old text; 1: it is new and stands for
 * what the one before it stands for; -n: it stands for the next one and n more after that are gone. `removed` characters
 * at the start have gone.
 */
export function rewrite(
  piece: Piece,
  characters: readonly string[],
  changes: ArrayLike<number>,
  removed: number,
): Piece {
  const { text: old } = piece;
  const from = piece.origin!;
  const past = (at: number, count: number) => {
    let end = at;
    for (let i = 0; i < count && end < old.length; i++) end += old.codePointAt(end)! > 0xffff ? 2 : 1;
    return end;
  };
  const text = characters.join("");
  const origin = new Int32Array(2 * text.length);
  let at = past(0, removed);
  let unit = 0;
  for (const [i, { length }] of characters.entries()) {
    const change = changes[i];
    const source = Math.min(change > 0 ? at - 1 : at, old.length - 1);
    for (const end = unit + length; unit < end; unit++) {
      origin[2 * unit] = source < 0 ? piece.start : from[2 * source];
      origin[2 * unit + 1] = source < 0 ? piece.start : from[2 * source + 1];
    }
    if (change <= 0) at = past(at, 1 - change);
  }
  return { text, start: piece.start, origin };
}

/** Leaves out the characters that `pattern` (one character, flags gu) matches; those kept stand for what they stood for. */
export function remove(piece: Piece, pattern: RegExp): Piece {
  const text = piece.text.replaceAll(pattern, "");
  if (piece.origin === undefined || text.length === piece.text.length) return { ...piece, text };
  const kept: Piece[] = [];
  let from = 0;
  for (const [start, end] of matches(piece.text, pattern)) {
    if (from < start) kept.push(slice(piece, from, start));
    from = end;
  }
  if (from < piece.text.length) kept.push(slice(piece, from, piece.text.length));
  return concat(piece, kept);
}

/** Joins parts of `piece` (only while offsets are wanted). */
export function concat(piece: Piece, parts: readonly Piece[]): Piece {
  const text = parts.map((part) => part.text).join("");
  const origin = new Int32Array(2 * text.length);
  let at = 0;
  for (const part of parts) {
    origin.set(part.origin!, at);
    at += part.origin!.length;
  }
  return { text, start: piece.start, origin };
}

/** Start and end of every match; an empty one right after another match is none, as in Oniguruma's iterator. */
export function* matches(text: string, pattern: Pattern): Generator<readonly [number, number]> {
  if (typeof pattern === "string") {
    for (let at = text.indexOf(pattern); at >= 0; at = text.indexOf(pattern, at + pattern.length)) {
      yield [at, at + pattern.length];
    }
    return;
  }
  if (pattern instanceof Matcher) {
    const found: [number, number][] = [];
    pattern.each(text, (start, end) => found.push([start, end]));
    yield* found;
    return;
  }
  let last = -1;
  for (const found of text.matchAll(pattern)) {
    const end = found.index + found[0].length;
    // V8 finds an empty match also between the two halves of a character
    if (end > found.index || (found.index !== last && !splitsPair(text, end))) yield [found.index, end];
    last = end;
  }
}

const isHigh = (unit: number): boolean => unit >= 0xd800 && unit < 0xdc00;
const isLow = (unit: number): boolean => unit >= 0xdc00 && unit < 0xe000;
const splitsPair = (text: string, at: number): boolean => isHigh(text.charCodeAt(at - 1)) && isLow(text.charCodeAt(at));
