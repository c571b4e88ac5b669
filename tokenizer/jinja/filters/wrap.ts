// jinja/filters/wrap.ts — lines of at most so many characters (Python's textwrap, as the filter wordwrap calls it).

import { spend } from "../budget.ts";
import { pointCount, sliceText } from "../slices.ts";
import { strip } from "../text.ts";

const SPACE = String.raw`[\t\n\v\f\r ]`;
const WORD = String.raw`[\p{L}\p{N}_]`;
const PUNCTUATED = String.raw`[\p{L}\p{N}_!"'&.,?]`;
const LETTER = String.raw`[\p{L}_]`;

/** Chunks that stay together: white space, dashes between words, words up to a hyphen or their end (textwrap.wordsep_re). */
const CHUNKS = new RegExp(
  `${SPACE}+|(?<=${PUNCTUATED})-{2,}(?=${WORD})|[^\\t\\n\\v\\f\\r ]+?(?:` +
    `-(?:(?<=${LETTER}{2}-)|(?<=${LETTER}-${PUNCTUATED}-))(?=${LETTER}-?${LETTER})|` +
    `(?=${SPACE}|$)|(?<=${PUNCTUATED})(?=-{2,}${WORD}))`,
  "gu",
);
const SIMPLE_CHUNKS = new RegExp(`${SPACE}+|[^\\t\\n\\v\\f\\r ]+`, "gu");

/** The lines of one paragraph; `width` is at least 1. */
export function wrapText(
  text: string,
  { width, long, hyphens }: { width: number; long: boolean; hyphens: boolean },
): string[] {
  spend(4 * text.length);
  const chunks = (text.match(hyphens ? CHUNKS : SIMPLE_CHUNKS) ?? []).reverse();
  const blank = (chunk: string | undefined): boolean => chunk !== undefined && strip(chunk, null, "left") === "";
  const lines: string[] = [];
  while (chunks.length > 0) {
    spend(4);
    let line: string[] = [];
    let length = 0;
    if (blank(chunks.at(-1)) && lines.length > 0) chunks.pop();
    while (chunks.length > 0) {
      const next = pointCount(chunks.at(-1)!);
      if (length + next > width) break;
      line.push(chunks.pop()!);
      length += next;
    }
    const first = chunks.at(-1);
    if (first !== undefined && pointCount(first) > width) {
      const room = width - length;
      if (long) {
        let end = room;
        if (hyphens && pointCount(first) > room) {
          const hyphen = sliceText(first, null, BigInt(room), null).lastIndexOf("-");
          if (hyphen > 0 && /[^-]/.test(first.slice(0, hyphen))) end = pointCount(first.slice(0, hyphen)) + 1;
        }
        line.push(sliceText(first, null, BigInt(end), null));
        chunks[chunks.length - 1] = sliceText(first, BigInt(end), null, null);
      } else if (line.length === 0) line.push(chunks.pop()!);
      length = width;
    }
    if (blank(line.at(-1))) line = line.slice(0, -1);
    if (line.length > 0) lines.push(line.join(""));
  }
  return lines;
}
