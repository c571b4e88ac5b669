// jinja/stream.ts — the parser's place in the tokens, and what it says when they are not what it needs.

import { fault } from "./fault.ts";
import type { Token, TokenType } from "./lexer.ts";

/** Parentheses in parentheses: Python's own stack ends at about 70 of them. */
const MAX_DEPTH = 160;

/** Tokens with a place in them. */
export class TokenStream {
  readonly #tokens: readonly Token[];
  #at = 0;
  #depth = 0;

  constructor(tokens: readonly Token[]) {
    this.#tokens = tokens;
  }

  get current(): Token {
    return this.#tokens[this.#at];
  }

  /** The token after the current one. */
  get following(): Token {
    return this.#tokens[Math.min(this.#at + 1, this.#tokens.length - 1)];
  }

  /** Goes one token on and answers the old one; never beyond the end. */
  next(): Token {
    const token = this.current;
    if (token.type !== "eof") this.#at++;
    return token;
  }

  /** Whether the current token is of a type and, if given, one of the texts. */
  is(type: TokenType, ...texts: readonly string[]): boolean {
    const { current } = this;
    return current.type === type && (texts.length === 0 || texts.includes(current.text));
  }

  /** Whether the current token is one of these operators. */
  isOperator(...texts: readonly string[]): boolean {
    return this.is("operator", ...texts);
  }

  /** Takes the current token if it is this one. */
  skip(type: TokenType, text: string): boolean {
    if (!this.is(type, text)) return false;
    this.next();
    return true;
  }

  /** Takes the current token, which must be this one. Throws the Fault "TemplateSyntaxError" otherwise. */
  expect(type: TokenType, text?: string): Token {
    if (text === undefined ? this.is(type) : this.is(type, text)) return this.next();
    const expected = text ?? DESCRIPTIONS[type] ?? type;
    if (this.current.type === "eof") return this.fail(`unexpected end of template, expected '${expected}'.`);
    return this.fail(`expected token '${expected}', got '${describe(this.current)}'`);
  }

  /** Throws the Fault "TemplateSyntaxError" at a line, the current one by default. */
  fail(message: string, line = this.current.line): never {
    return fault("TemplateSyntaxError", message, line);
  }

  /** Parses one level deeper, within bounds. */
  deeper<T>(parse: () => T): T {
    if (++this.#depth > MAX_DEPTH)
      fault("Limit", `the template nests deeper than ${MAX_DEPTH} levels`, this.current.line);
    const result = parse();
    this.#depth--;
    return result;
  }
}

const DESCRIPTIONS: Partial<Record<TokenType, string>> = {
  block_begin: "begin of statement block",
  block_end: "end of statement block",
  variable_begin: "begin of print statement",
  variable_end: "end of print statement",
  data: "template data / text",
  eof: "end of template",
};

/** A token as error sentences name it. */
export function describe(token: Token): string {
  if (token.type === "name" || token.type === "operator") return token.text;
  return DESCRIPTIONS[token.type] ?? token.type;
}
