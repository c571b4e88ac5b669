// jinja/search.ts — finding a text in a text, in linear time whatever the two are: a template may choose both.

import { spend } from "./budget.ts";

/** Up to this length the engine's own search is used, whose worst case is the product of both lengths. */
const SHORT = 16;

/** For each prefix of `part`, the length of its longest border (Knuth, Morris & Pratt 1977). */
function borders(part: string): Uint32Array {
  const table = new Uint32Array(part.length);
  for (let i = 1, length = 0; i < part.length; i++) {
    while (length > 0 && part.charCodeAt(i) !== part.charCodeAt(length)) length = table[length - 1];
    if (part.charCodeAt(i) === part.charCodeAt(length)) length++;
    table[i] = length;
  }
  return table;
}

/** Where `part` stands in `text`, one after the other without overlaps. */
export function* occurrences(text: string, part: string): Generator<number> {
  spend((text.length >> 3) + 1);
  if (part.length > text.length) return;
  if (part.length <= SHORT) {
    for (let at = text.indexOf(part); at >= 0; at = text.indexOf(part, at + part.length)) yield at;
    return;
  }
  spend((text.length + part.length) >> 2);
  const table = borders(part);
  for (let i = 0, length = 0; i < text.length; i++) {
    while (length > 0 && text.charCodeAt(i) !== part.charCodeAt(length)) length = table[length - 1];
    if (text.charCodeAt(i) === part.charCodeAt(length)) length++;
    if (length === part.length) {
      yield i + 1 - length;
      length = 0;
    }
  }
}

/** Where `part` stands first, or -1. */
export function findFirst(text: string, part: string): number {
  if (part === "") return 0;
  const { value, done } = occurrences(text, part).next();
  return done ? -1 : value;
}

/** Where `part` stands last, or -1. */
export function findLast(text: string, part: string): number {
  if (part.length <= SHORT) {
    spend((text.length >> 3) + 1);
    return text.lastIndexOf(part);
  }
  // Read backwards, the last is the first.
  const [back, turned] = [reversed(text), reversed(part)];
  const at = findFirst(back, turned);
  return at < 0 ? -1 : text.length - at - part.length;
}

function reversed(text: string): string {
  spend(text.length);
  return text.split("").reverse().join("");
}

/** text.split(separator) for a separator that is not empty. */
export function splitAt(text: string, separator: string): string[] {
  const parts: string[] = [];
  let from = 0;
  for (const at of occurrences(text, separator)) {
    spend(8);
    parts.push(text.slice(from, at));
    from = at + separator.length;
  }
  parts.push(text.slice(from));
  return parts;
}
