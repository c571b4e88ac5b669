// markdown.ts — the Markdown that models write, to a tree of elements: CommonMark's usual forms and tables. No HTML is made or read:
// what a text says stays text, so there is nothing to escape. Time grows with the text alone, whoever wrote it.

import { inline } from "./inline.ts";
import type { Node } from "./tree.ts";

/** Lists and quotations in each other, beyond which marks are text: nobody reads deeper, and a stack has an end. */
const MAX_DEPTH = 12;

const FENCE = /^ {0,3}(`{3,}|~{3,})([^`]*)$/;
const HEADING = /^ {0,3}(#{1,6})(?: +(.*))?$/;
const RULE = /^ {0,3}(?:(?:\* *){3,}|(?:- *){3,}|(?:_ *){3,})$/;
const QUOTE = /^ {0,3}> ?/;
const ITEM = /^( *)([-*+]|(\d{1,9})[.)])( +|$)/;

/** The blocks of a text. */
export const markdown = (text: string): Node[] => blocks(text.replaceAll("\t", "    ").split(/\r?\n/), 0);

/** Lines that follow each other from `first` on for as long as `holds`. */
function run(lines: readonly string[], first: number, holds: (line: string, i: number) => boolean): number {
  let end = first;
  while (end < lines.length && holds(lines[end], end)) end++;
  return end;
}

const blank = (line: string): boolean => line.trim() === "";
const begins = (line: string): boolean =>
  FENCE.test(line) || HEADING.test(line) || RULE.test(line) || QUOTE.test(line) || ITEM.test(line);

function blocks(lines: readonly string[], depth: number): Node[] {
  const found: Node[] = [];
  const deeper = depth < MAX_DEPTH;
  for (let i = 0; i < lines.length;) {
    const line = lines[i];
    if (blank(line)) {
      i++;
      continue;
    }
    const [fence, heading] = [FENCE.exec(line), HEADING.exec(line)];
    if (fence) {
      const [, mark, info] = fence;
      const [language] = info.trim().split(/\s/);
      const indent = line.indexOf(mark);
      const close = new RegExp(`^ {0,3}\\${mark[0]}{${mark.length},} *$`);
      const end = run(lines, i + 1, (each) => !close.test(each));
      const code = lines.slice(i + 1, end).map((each) => each.replace(new RegExp(`^ {0,${indent}}`), ""));
      found.push({ tag: "pre", attributes: { "data-language": language }, children: [code.join("\n")] });
      i = end + 1;
    } else if (heading) {
      const title = (heading[2] ?? "").trimEnd().replace(/(?:^| )#+$/, "");
      found.push({ tag: `h${Math.min(6, heading[1].length + 2)}`, children: inline(title.trim()) });
      i++;
    } else if (RULE.test(line)) {
      found.push({ tag: "hr", children: [] });
      i++;
    } else if (QUOTE.test(line) && deeper) {
      const end = run(lines, i, (each) => QUOTE.test(each));
      const inside = lines.slice(i, end).map((each) => each.replace(QUOTE, ""));
      found.push({ tag: "blockquote", children: blocks(inside, depth + 1) });
      i = end;
    } else if (ITEM.test(line) && deeper) {
      i = list(lines, i, depth, found);
    } else if (line.includes("|") && columnsOf(lines[i + 1]) === cells(line).length) {
      i = table(lines, i, found);
    } else {
      const end = run(lines, i + 1, (each) => !blank(each) && !begins(each));
      found.push({ tag: "p", children: inline(lines.slice(i, end).join("\n").trim()) });
      i = end;
    }
  }
  return found;
}

/** A list from line `first` on; the line after it. Its items are of one kind, and what is indented below one belongs to it. */
function list(lines: readonly string[], first: number, depth: number, found: Node[]): number {
  const kind = (item: RegExpExecArray): string => item[2].at(-1)!;
  const head = ITEM.exec(lines[first])!;
  const children: Node[] = [];
  let i = first;
  for (;;) {
    const item = i < lines.length ? ITEM.exec(lines[i]) : null;
    if (!item || kind(item) !== kind(head) || RULE.test(lines[i])) break;
    const start = item[1].length + item[2].length + Math.min(4, item[4].length || 1);
    // Models indent by two, three or four, whatever the mark's width.
    const belongs = (line: string): boolean => line.length - line.trimStart().length >= item[1].length + 2;
    const end = run(lines, i + 1, (line, at) => {
      if (blank(line)) return at + 1 < lines.length && belongs(lines[at + 1]);
      return belongs(line) || (!begins(line) && !blank(lines[at - 1]));
    });
    const strip = (line: string): string => line.slice(Math.min(start, line.length - line.trimStart().length));
    const own = blocks([lines[i].slice(start), ...lines.slice(i + 1, end).map(strip)], depth + 1);
    // A lone paragraph at the beginning of an item is its text.
    const [text, ...rest] = own;
    const tight = typeof text === "object" && text.tag === "p" && rest.every((each) => typeof each === "object" && each.tag !== "p"); // prettier-ignore
    children.push({ tag: "li", children: tight ? [...text.children, ...rest] : own });
    i = end;
    const next = run(lines, i, blank);
    if (next < lines.length && ITEM.test(lines[next])) i = next;
  }
  const start = head[3];
  const attributes = start === undefined || Number(start) === 1 ? undefined : { start: String(Number(start)) };
  found.push({ tag: start === undefined ? "ul" : "ol", attributes, children });
  return i;
}

/** The cells of a row of a table. */
const cells = (line: string): string[] =>
  line
    .trim()
    .replace(/^\|/, "")
    .replace(/\|$/, "")
    .split("|")
    .map((cell) => cell.trim());

/** How many columns a line of dashes under a table's head has; undefined for another line. */
function columnsOf(line: string | undefined): number | undefined {
  if (line === undefined || !line.includes("-")) return undefined;
  const marks = cells(line);
  return marks.every((mark) => /^:?-+:?$/.test(mark)) ? marks.length : undefined;
}

/** A table from line `first` on; the line after it. */
function table(lines: readonly string[], first: number, found: Node[]): number {
  const end = run(lines, first + 2, (line) => line.includes("|") && !blank(line));
  const width = cells(lines[first]).length;
  const row = (line: string, tag: string): Node => {
    const own = cells(line);
    return {
      tag: "tr",
      children: Array.from({ length: width }, (_, i) => ({ tag, children: inline(own[i] ?? "") })),
    };
  };
  found.push({
    tag: "table",
    children: [
      { tag: "thead", children: [row(lines[first], "th")] },
      { tag: "tbody", children: lines.slice(first + 2, end).map((line) => row(line, "td")) },
    ],
  });
  return end;
}
