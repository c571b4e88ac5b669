// jinja/lexer.ts — template text to tokens: line ends, tags and the white space around them, numbers, names, strings.
//
// Options as transformers sets them: trim_blocks (a line end right after a block or comment goes), lstrip_blocks (white
// space between a line's beginning and a block or comment goes), no trailing line end. `-` at a tag takes all white space on its
// side, `+` keeps it.

import { spend } from "./budget.ts";
import { fault } from "./fault.ts";
import { SPACE, escapeCharacter, strip } from "./text.ts";

/** Kinds of tokens: marks of tags, literals, and operators under their own spelling. */
export type TokenType =
  | "data"
  | "block_begin"
  | "block_end"
  | "variable_begin"
  | "variable_end"
  | "name"
  | "string"
  | "integer"
  | "float"
  | "operator"
  | "eof";

/** A token; `text` of a string is its value, of an operator its spelling. */
export interface Token {
  readonly type: TokenType;
  readonly text: string;
  readonly line: number;
}

const CLASS = `[${SPACE}]`;
const SPACES = new RegExp(`${CLASS}*`, "y");
/** A tag begins: raw, comment, block or variable. */
const BEGIN = new RegExp(String.raw`\{%([-+]?)${CLASS}*raw${CLASS}*(-?)%\}|\{(#|%|\{)([-+]?)`, "g");
const RAW_END = new RegExp(String.raw`\{%([-+]?)${CLASS}*endraw${CLASS}*([-+]?)%\}`, "g");
const FLOAT = /(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?[eE][+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/y;
const INTEGER = /0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[\da-fA-F])+|[1-9](?:_?\d)*|0(?:_?0)*/y;
const NAME = /[\p{L}\p{N}\p{M}\p{Pc}_]+/uy;
const IDENTIFIER = /^[\p{XID_Start}_]\p{XID_Continue}*$/u;
const STRING = /'[^'\\]*(?:\\[^][^'\\]*)*'|"[^"\\]*(?:\\[^][^"\\]*)*"/y;
const OPERATOR = /\*\*|\/\/|==|!=|>=|<=|[-+/*%~[\](){}><=.:|,;]/y;
const CLOSES: Readonly<Record<string, string>> = { "(": ")", "[": "]", "{": "}" };

/** Tokens of a template, the last one "eof". Throws the Fault "TemplateSyntaxError" with the line. */
export function lex(template: string): Token[] {
  const source = template.replace(/\r\n?/g, "\n").replace(/\n$/, "");
  const tokens: Token[] = [];
  let at = 0;
  let line = 1;
  // Whether what stands at `at` begins a line, as far as the text before it tells.
  let lineStarting = true;

  let lineEnd = source.indexOf("\n");
  const advance = (to: number): void => {
    for (; lineEnd >= 0 && lineEnd < to; lineEnd = source.indexOf("\n", lineEnd + 1)) line++;
    at = to;
  };
  const push = (type: TokenType, text: string): void => {
    spend(16);
    tokens.push({ type, text, line });
  };
  const match = (pattern: RegExp): string | undefined => {
    pattern.lastIndex = at;
    return pattern.exec(source)?.[0];
  };
  /** The text before a tag, less the white space that its sign or lstrip_blocks takes. */
  const before = (end: number, sign: string, variable: boolean): string => {
    const text = source.slice(at, end);
    if (sign === "-") return strip(text, null, "right");
    if (sign === "+" || variable) return text;
    const from = text.lastIndexOf("\n") + 1;
    const blank = from < text.length && strip(text.slice(from), null, "left") === "";
    return blank && (from > 0 || lineStarting) ? text.slice(0, from) : text;
  };
  /** After a tag that ends at `end`: the white space its sign takes, or the line end that trim_blocks takes. */
  const after = (end: number, sign: string, trim: boolean): void => {
    advance(end);
    if (sign === "-") advance(at + match(SPACES)!.length);
    else if (sign === "" && trim && source[at] === "\n") advance(at + 1);
    lineStarting = source[at - 1] === "\n";
  };
  const data = (text: string, end: number): void => {
    if (text !== "") push("data", text);
    advance(end);
  };

  function comment(): void {
    const end = source.indexOf("#}", at);
    // Nothing after the beginning is no fault, as in Jinja2.
    if (end < 0 && at === source.length) return;
    if (end < 0) fault("TemplateSyntaxError", "Missing end of comment tag", line);
    const sign = /[-+]/.test(source[end - 1]) && end > at ? source[end - 1] : "";
    after(end + 2, sign, true);
  }

  function raw(): void {
    RAW_END.lastIndex = at;
    const found = RAW_END.exec(source);
    if (!found && at === source.length) return;
    if (!found) return fault("TemplateSyntaxError", "Missing end of raw directive", line);
    data(before(found.index, found[1], false), found.index);
    after(found.index + found[0].length, found[2], true);
  }

  function tag(end: "%}" | "}}"): void {
    const type = end === "%}" ? "block_end" : "variable_end";
    const signs = end === "%}" ? /[-+]?%\}/y : /-?\}\}/y;
    const open: string[] = [];
    for (;;) {
      const closing = open.length === 0 ? match(signs) : undefined;
      if (closing !== undefined) {
        push(type, closing);
        after(at + closing.length, closing.length === 3 ? closing[0] : "", end === "%}");
        return;
      }
      const space = match(SPACES)!;
      if (space !== "") {
        advance(at + space.length);
        continue;
      }
      if (at >= source.length) return;
      expression(open);
    }
  }

  function expression(open: string[]): void {
    const take = (type: TokenType, text: string, length: number): void => {
      push(type, text);
      advance(at + length);
    };
    let found = source[at - 1] === "." ? undefined : match(FLOAT);
    if (found !== undefined) return take("float", found.replaceAll("_", ""), found.length);
    if ((found = match(INTEGER)) !== undefined) return take("integer", found.replaceAll("_", ""), found.length);
    if ((found = match(NAME)) !== undefined) {
      if (!IDENTIFIER.test(found)) fault("TemplateSyntaxError", "Invalid character in identifier", line);
      return take("name", found, found.length);
    }
    if ((found = match(STRING)) !== undefined) return take("string", unescape(found.slice(1, -1), line), found.length);
    if ((found = match(OPERATOR)) === undefined) {
      return fault("TemplateSyntaxError", `unexpected char ${JSON.stringify(source[at])} at ${at}`, line);
    }
    if (Object.hasOwn(CLOSES, found)) open.push(CLOSES[found]);
    else if (/[)\]}]/.test(found)) {
      const expected = open.pop();
      if (expected !== found) {
        const needed = expected === undefined ? "" : `, expected '${expected}'`;
        fault("TemplateSyntaxError", `unexpected '${found}'${needed}`, line);
      }
    }
    take("operator", found, found.length);
  }

  while (at < source.length) {
    BEGIN.lastIndex = at;
    const begin = BEGIN.exec(source);
    if (!begin) {
      data(source.slice(at), source.length);
      break;
    }
    const [whole, rawSign, rawEnd, kind, sign] = begin;
    const isRaw = kind === undefined;
    data(before(begin.index, isRaw ? rawSign : sign, kind === "{"), begin.index);
    if (isRaw) {
      advance(at + whole.length);
      if (rawEnd === "-") advance(at + match(SPACES)!.length);
      lineStarting = source[at - 1] === "\n";
      raw();
    } else if (kind === "#") {
      advance(at + whole.length);
      comment();
    } else {
      push(kind === "%" ? "block_begin" : "variable_begin", whole);
      advance(at + whole.length);
      tag(kind === "%" ? "%}" : "}}");
    }
  }
  push("eof", "");
  return tokens;
}

const SIMPLE: Readonly<Record<string, string>> = {
  "\n": "",
  "\\": "\\",
  "'": "'",
  '"': '"',
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

/** Python's escapes of a string literal; an unknown one stays as it is. */
function unescape(body: string, line: number): string {
  if (!body.includes("\\")) return body;
  return body.replace(
    /\\(?:([0-7]{1,3})|x([^]{0,2})|u([^]{0,4})|U([^]{0,8})|N([^]?)|([^]))/gu,
    (all, octal, x, u, U, N, one) => {
      if (octal !== undefined) return String.fromCharCode(Number.parseInt(octal as string, 8));
      if (N !== undefined) {
        return fault(
          "TemplateSyntaxError",
          "a character by its name (\\N{…}) is not supported; write it as \\uXXXX",
          line,
        );
      }
      // Python escapes what is not ASCII first, and then reads two backslashes as one.
      if (one !== undefined) return SIMPLE[one as string] ?? (one > "\x7f" ? escapeCharacter(one as string) : all);
      const [hex, length] = x !== undefined ? [x, 2] : u !== undefined ? [u, 4] : [U, 8];
      const digits = hex as string;
      const code = /^[\da-fA-F]+$/.test(digits) && digits.length === length ? Number.parseInt(digits, 16) : NaN;
      if (!(code <= 0x10ffff)) {
        fault("TemplateSyntaxError", `truncated \\${all[1]}${"X".repeat(length)} escape in a string`, line);
      }
      return String.fromCodePoint(code);
    },
  );
}
