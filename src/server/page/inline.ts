// inline.ts — what stands inside a line of Markdown: code, emphasis, links, line breaks. Every character is looked at once; marks
// that open wait on a stack for those that close, and those that nobody closes are text.

import type { Node } from "./tree.ts";

/** What waits for its end: the nodes since its mark. */
interface Open {
  readonly mark: string;
  readonly nodes: Node[];
}

/** Marks that may wait in each other; more are text. */
const MAX_OPEN = 24;

const TAGS: Readonly<Record<string, string>> = { "**": "strong", __: "strong", "*": "em", _: "em", "~~": "del" };

const PLAIN = /[^\\`*_~[\]!<\nhH]+/y;
const ADDRESS = /https?:\/\/[^\s<>"'`]+/iy;
const ANGLE = /<((?:https?:\/\/|mailto:)[^\s<>]+)>/iy;
const TARGET = /\(<?([^\s()<>]*(?:\([^\s()<>]*\)[^\s()<>]*)*)>?(?: +(?:"[^"\n]*"|'[^'\n]*'))?\)/y;

/** Addresses that a link may have; any other stays text. */
const SAFE = /^(?:https?:\/\/|mailto:)/i;

const link = (href: string, children: Node[]): Node => ({ tag: "a", attributes: { href }, children });

/** Adds a node; a text to a text before it. */
function add(nodes: Node[], node: Node): void {
  const last = nodes.at(-1);
  if (typeof node === "string" && typeof last === "string") nodes[nodes.length - 1] = last + node;
  else nodes.push(node);
}

/** The text of nodes. */
const textOf = (nodes: readonly Node[]): string =>
  nodes.map((node) => (typeof node === "string" ? node : textOf(node.children))).join("");

/** The nodes of a text without blocks. */
export function inline(text: string): Node[] {
  const stack: Open[] = [{ mark: "", nodes: [] }];
  const ticks = tickRuns(text);
  const put = (node: Node): void => add(stack.at(-1)!.nodes, node);
  /** Ends what was opened at `at`: what is open above it was none after all. Its nodes. */
  const close = (at: number): Node[] => {
    const { nodes } = stack[at];
    for (const open of stack.slice(at + 1)) for (const node of [open.mark, ...open.nodes]) add(nodes, node);
    stack.length = at;
    return nodes;
  };
  const openAt = (mark: string): number => stack.findLastIndex((open) => open.mark === mark);
  const matched = (pattern: RegExp, at: number): RegExpExecArray | null => {
    pattern.lastIndex = at;
    return pattern.exec(text);
  };

  for (let i = 0; i < text.length;) {
    const char = text[i];
    const plain = matched(PLAIN, i);
    const address = char === "h" || char === "H" ? matched(ADDRESS, i) : null;
    if (plain) {
      put(plain[0]);
      i += plain[0].length;
    } else if (char === "\\" && /[!-/:-@[-`{-~]/.test(text[i + 1] ?? "")) {
      put(text[i + 1]);
      i += 2;
    } else if (char === "`") {
      const length = runLength(text, i);
      const end = ticks(length, i + length);
      if (end === undefined) put(text.slice(i, i + length));
      else put({ tag: "code", children: [codeText(text.slice(i + length, end))] });
      i = end === undefined ? i + length : end + length;
    } else if (char === "\n") {
      put({ tag: "br", children: [] });
      i++;
    } else if (address && !/\w/.test(text[i - 1] ?? "") && openAt("[") < 0) {
      const href = trimmed(address[0]);
      put(link(href, [href]));
      i += href.length;
    } else if (char === "<" && matched(ANGLE, i)) {
      const [all, href] = matched(ANGLE, i)!;
      put(link(href, [href]));
      i += all.length;
    } else if (char === "[" || (char === "!" && text[i + 1] === "[")) {
      if (char === "!") i++; // a picture is shown as the link that it is: the page loads nothing from elsewhere
      if (stack.length < MAX_OPEN) stack.push({ mark: "[", nodes: [] });
      else put("[");
      i++;
    } else if (char === "]") {
      const at = openAt("[");
      const target = at > 0 ? matched(TARGET, i + 1) : null;
      if (target && SAFE.test(target[1])) {
        const children = close(at);
        put(link(target[1], [textOf(children) || target[1]]));
        i += 1 + target[0].length;
      } else {
        if (at > 0) for (const node of ["[", ...close(at)]) put(node);
        put("]");
        i++;
      }
    } else if (char === "*" || char === "_" || (char === "~" && text[i + 1] === "~")) {
      i += emphasis(i);
    } else {
      put(char);
      i++;
    }
  }
  const [{ nodes }] = stack;
  close(0);
  return nodes;

  /** Closes and opens at a run of marks; its length. */
  function emphasis(at: number): number {
    const char = text[at];
    const length = runLength(text, at);
    const [before, after] = [text[at - 1] ?? " ", text[at + length] ?? " "];
    const word = char === "_"; // inside a word it is a character of a name
    const closes = !/\s/.test(before) && !(word && /\w/.test(after));
    const opens = !/\s/.test(after) && !(word && /\w/.test(before));
    let left = length;
    while (left > 0) {
      const marks = [char.repeat(2), char].filter((mark) => mark.length <= left && mark in TAGS);
      if (marks.length === 0) break;
      const found = closes ? Math.max(...marks.map(openAt)) : -1;
      if (found > 0 && (stack[found].nodes.length > 0 || found < stack.length - 1)) {
        const { mark } = stack[found];
        const children = close(found);
        put({ tag: TAGS[mark], children });
        left -= mark.length;
      } else if (opens && stack.length < MAX_OPEN) {
        stack.push({ mark: marks[0], nodes: [] });
        left -= marks[0].length;
      } else break;
    }
    if (left > 0) put(char.repeat(left));
    return length;
  }
}

/** How often the character at `at` follows itself. */
function runLength(text: string, at: number): number {
  let end = at + 1;
  while (text[end] === text[at]) end++;
  return end - at;
}

/** Says where the next run of so many backticks begins, from a place on; places must not decrease. */
function tickRuns(text: string): (length: number, from: number) => number | undefined {
  const runs = new Map<number, { readonly at: number[]; next: number }>();
  for (const { 0: run, index } of text.matchAll(/`+/g)) {
    if (!runs.has(run.length)) runs.set(run.length, { at: [], next: 0 });
    runs.get(run.length)!.at.push(index);
  }
  return (length, from) => {
    const own = runs.get(length);
    while (own && own.at[own.next] < from) own.next++;
    return own?.at[own.next];
  };
}

/** Code without the one space that keeps backticks apart from its marks. */
const codeText = (text: string): string => {
  const line = text.replaceAll("\n", " ");
  return line.startsWith(" ") && line.endsWith(" ") && line.trim() !== "" ? line.slice(1, -1) : line;
};

/** An address without the punctuation of the sentence around it. */
function trimmed(address: string): string {
  let end = address.length;
  for (;;) {
    const last = address[end - 1];
    const unmatched = last === ")" && !address.slice(0, end).includes("(");
    if (!unmatched && !/[.,;:!?*_~\]]/.test(last)) return address.slice(0, end);
    end--;
  }
}
