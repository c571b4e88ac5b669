// index.ts — the regular expressions of a tokenizer: from the text of one to its matches, in time that grows with the text.

import { isLinear, sourceOf } from "./linear.ts";
import { Matcher } from "./matcher.ts";
import { parseRegex } from "./parse.ts";
import { compile } from "./program.ts";

export { Matcher } from "./matcher.ts";

/**
 * Reads an Oniguruma pattern. Matches are the same, code point for code point, up to the Unicode versions of the two
 * engines. Throws LlariatError "tokenizer" beginning with `where` and naming what is not supported.
 */
export function readRegex(pattern: string, where: string): Matcher {
  const { node, nested } = parseRegex(pattern, where);
  const program = compile(node, where, nested);
  const native = isLinear(node) ? new RegExp(sourceOf(node), nested ? "gv" : "gu") : undefined;
  return new Matcher(program, where, native);
}
