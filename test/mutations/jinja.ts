// jinja.ts — mutations of the template engine: its language, Python's values, and what keeps a template within bounds.
import { type Mutation, of } from "./mutation.ts";

const CASES = ["tokenizer/jinja/cases", "tokenizer/chat"];
const HOSTILE = ["tokenizer/jinja/hostile"];
const BUILTINS = ["tokenizer/jinja/builtins"];

/** What a template prints, and what it must not be able to do. */
export const jinja: readonly Mutation[] = [
  ...of("tokenizer/jinja/lexer.ts", CASES, [
    ["lexer: line ends of Windows", String.raw`template.replace(/\r\n?/g, "\n")`, "template"],
    ["lexer: the last line end stays", String.raw`.replace(/\n$/, "")`, ""],
    ["lexer: lstrip_blocks in the middle of a line", "return blank && (from > 0 || lineStarting) ?", "return blank ?"],
    ["lexer: lstrip_blocks before a print", 'if (sign === "+" || variable) return text;', 'if (sign === "+") return text;'],
    ["lexer: trim_blocks in spite of +", 'else if (sign === "" && trim', "else if (trim"],
  ]),
  ...of("tokenizer/jinja/symbols.ts", [...BUILTINS, ...CASES], [
    ["symbols: branches are scopes", "return this.#merge(branches);", "return;"],
    ["symbols: an inner variable begins without the outer's value", '{ from: "outer", variable: outer });\n  }\n\n  /** A variable whose', '{ from: "undefined" });\n  }\n\n  /** A variable whose'],
  ]),
  ...of("tokenizer/jinja/attributes.ts", [...CASES, ...HOSTILE], [
    ["attributes: lists can be changed", "if (type !== undefined && MUTATORS[type].has(name)) return forbidden();", ""],
    ["attributes: the item before the attribute after a dot", "  const own = safeAttribute(value, name);\n  if (own !== undefined) return own;\n  const found = subscript(value, name);", "  const own = subscript(value, name);\n  if (own !== undefined) return own;\n  const found = safeAttribute(value, name);"],
  ]),
  ...of("tokenizer/jinja/values.ts", BUILTINS, [
    ["values: True and 1 are two keys", 'if (typeof value === "boolean") return Number(value);', 'if (typeof value === "boolean") return `b${value}`;'],
    ["values: every range is a key of its own", "if (value instanceof Range) return rangeKey(value);", ""],
    ["values: the last of equal keys is kept", "if (entry) entry.value = value;", "if (entry) { this.#entries.delete(id); this.#entries.set(id, { key, value }); }"],
  ]),
  ...of("tokenizer/jinja/numbers.ts", CASES, [
    ["numbers: halves away from zero", "(twice === denominator && (quotient & 1n) === 1n)", "twice === denominator"],
    ["numbers: 1e16 without an exponent", "Number(power), 16)", "Number(power), 17)"],
    ["numbers: % with the sign of the left side", "rest !== 0n && rest < 0n !== b < 0n ?", "rest !== 0n && b === 0n ?"],
  ]),
  ...of("tokenizer/jinja/numbers.ts", BUILTINS, [
    ["numbers: digits of adjacent rows run on", "String((code - first) % 10)", "String(code - first)"],
    ["numbers: quotients of ints are cut, not rounded", "divideHalfEven(numerator << BigInt(-power), denominator)", "(numerator << BigInt(-power)) / denominator"],
  ]),
  ...of("tokenizer/jinja/slices.ts", CASES, [["slices: half a character", "if (!SURROGATE.test(text)) return text[index", "if (text !== \"\") return text[index"]]),
  ...of("tokenizer/jinja/loops.ts", [...BUILTINS, ...CASES], [
    ["loops: continue counts as a turn for else", "if (signal === 0) finished = true;", "finished = true;"],
  ]),
  ...of("tokenizer/jinja/budget.ts", ["tokenizer/chat", ...HOSTILE], [
    ["budget: texts of any length", "if (length > MAX_TEXT)", "if (length > 2 ** 40)"],
    ["budget: spent for ever", "    [left, depth] = [units, levels];\n", ""],
  ]),
  ...of("tokenizer/effort.ts", ["tokenizer/effort"], [
    ["effort: without a bound", "if (this.#done <= this.#most) return;", "if (this.#done >= 0) return;"],
    ["effort: the text counts for nothing", "this.#most += EACH * length;", "this.#most += 0 * length;"],
  ]),
  ...of("tokenizer/added.ts", ["tokenizer/added", "tokenizer/effort"], [
    ["added: a token that is not taken hides none", "found = this.#next(text, found.end)", "found = this.#next(text, found.start + 1)"],
    ["added: the last of two that read the same", "if (this.#trie.longest(written, 0)?.end !== written.length) this", "this"],
  ]),
  ...of("tokenizer/jinja/convert.ts", [...BUILTINS, ...HOSTILE], [
    ["convert: without copying lists", "if (Array.isArray(value)) return Array.from(value, (each) => fromJs(each, depth + 1));", "if (Array.isArray(value)) return value as Value;"],
  ]),
  ...of("tokenizer/chat.ts", ["tokenizer/chat"], [
    ["chat: tools take the default template", 'tools && sources.has("tool_use")', 'tools && sources.has("")'],
    ["chat: templates of the config beside files", "if (chatTemplate !== undefined || further.length > 0) {", "if (further.length > 0) {"],
    ["chat: a continued message is closed", "return prompt.slice(0, at);", "return prompt.replace(TAG.trim(), \"\");"],
    ["chat: everything refuses the messages", 'if (kind === "TemplateError") return', 'if (kind !== "Limit") return'],
  ]),
]; // prettier-ignore
