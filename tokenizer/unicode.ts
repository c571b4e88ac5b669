// unicode.ts — NFC, NFD, NFKC and NFKD, and where each character of the outcome came from.
// The text itself is the engine's String.normalize. Only while offsets are wanted the algorithm is walked through by hand
// (Unicode Standard Annex 15), because the library says for each character whether it replaces one or is new:
//   decompose every character → sort marks by class → compose again (C forms)
// A composed character stands for the first of those it was made of, as in the library.

import { spend } from "./effort.ts";
import { rewrite } from "./piece.ts";
import type { Piece } from "./piece.ts";

/** The four forms of Unicode normalisation. */
export type Form = "NFC" | "NFD" | "NFKC" | "NFKD";

/** Rows of marks from here on are paid for: the engine sorts them in the square of their number. */
const MARKS = /\p{M}{256,}/gu;

/** `piece` in the form `form`. Linear in its length, but for long rows of marks. */
export function normalized(piece: Piece, form: Form): Piece {
  if (piece.text.length >= 256) for (const [row] of piece.text.matchAll(MARKS)) spend(row.length ** 2 / 16);
  const whole = piece.text.normalize(form);
  if (whole === piece.text) return piece;
  if (piece.origin === undefined) return { ...piece, text: whole };
  let row = decompose(piece.text, form === "NFC" || form === "NFD" ? "NFD" : "NFKD");
  if (form === "NFC" || form === "NFKC") row = compose(row);
  const traced = rewrite(piece, row.characters, row.changes, 0);
  return traced.text === whole ? traced : standForAll(piece, whole);
}

/** Where the engine and the walk disagree (they know different versions of Unicode): every character stands for all. */
function standForAll(piece: Piece, text: string): Piece {
  const [start, end] = [piece.origin![0], piece.origin!.at(-1)!];
  return { text, start: piece.start, origin: new Int32Array(2 * text.length).map((_, i) => (i % 2 ? end : start)) };
}

/** Characters with what piece.ts calls their change. */
interface Row {
  readonly characters: string[];
  readonly changes: number[];
}

function decompose(text: string, form: "NFD" | "NFKD"): Row {
  const row: Row = { characters: [], changes: [] };
  let marks: Row = { characters: [], changes: [] };
  const flush = () => {
    append(row, sorted(marks));
    marks = { characters: [], changes: [] };
  };
  for (const char of text) {
    let change = 0;
    for (const part of char.normalize(form)) {
      if (isStarter(part)) {
        flush();
        row.characters.push(part);
        row.changes.push(change);
      } else {
        marks.characters.push(part);
        marks.changes.push(change);
      }
      change = 1;
    }
  }
  flush();
  return row;
}

function append(row: Row, more: Row): void {
  for (const char of more.characters) row.characters.push(char);
  for (const change of more.changes) row.changes.push(change);
}

/** Marks in canonical order: the engine sorts them; equal ones keep their order, which tells whose change is whose. */
function sorted(marks: Row): Row {
  if (marks.characters.length < 2) return marks;
  const waiting = new Map<string, number[]>();
  for (const [i, char] of marks.characters.entries()) {
    const changes = waiting.get(char);
    if (changes) changes.push(marks.changes[i]);
    else waiting.set(char, [marks.changes[i]]);
  }
  const characters = [...marks.characters.join("").normalize("NFD")];
  const taken = new Map<string, number>();
  const changes = characters.map((char) => {
    const at = taken.get(char) ?? 0;
    taken.set(char, at + 1);
    return waiting.get(char)?.[at] ?? 0;
  });
  return { characters, changes };
}

/** Composes what can be composed; a mark is kept from its base by an equal or higher class between them. */
function compose({ characters, changes }: Row): Row {
  const row: Row = { characters: [], changes: [] };
  let marks: Row = { characters: [], changes: [] };
  let base: string | undefined;
  let baseChange = 0;
  const flush = () => {
    if (base !== undefined) {
      row.characters.push(base);
      row.changes.push(baseChange);
    }
    append(row, marks);
    marks = { characters: [], changes: [] };
  };
  for (const [i, char] of characters.entries()) {
    const last = marks.characters.at(-1);
    const starter = isStarter(char);
    const blocked = last !== undefined && (starter || !precedes(last, char));
    const pair = base === undefined || blocked ? undefined : (base + char).normalize("NFC");
    if (pair !== undefined && pair.length === (pair.codePointAt(0)! > 0xffff ? 2 : 1)) {
      base = pair;
      baseChange += changes[i] - 1;
    } else if (starter) {
      flush();
      base = char;
      baseChange = changes[i];
    } else {
      marks.characters.push(char);
      marks.changes.push(changes[i]);
    }
  }
  flush();
  return row;
}

/** U+0345 has the highest combining class there is (240), so every mark of a lower one moves before it. */
const HIGHEST = "\u0345";
const starters = new Map<string, boolean>();

/** Whether the combining class of a decomposed character is 0; asked of the engine, once for each character. */
function isStarter(char: string): boolean {
  if (char < "\u0300") return true;
  let known = starters.get(char);
  if (known === undefined) {
    known = char !== HIGHEST && (HIGHEST + char).normalize("NFD") === HIGHEST + char;
    starters.set(char, known);
  }
  return known;
}

/** Whether the class of mark `a` is lower than that of mark `b`: then "ba" is reordered. */
function precedes(a: string, b: string): boolean {
  return (b + a).normalize("NFD") !== b + a;
}
