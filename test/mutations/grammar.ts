// grammar.ts — mutations of what makes an answer JSON of a schema: words, schemas, the automaton, masks.
import { type Mutation, of } from "./mutation.ts";

/** What must not pass in the form of an answer. */
export const grammar: readonly Mutation[] = [
  ...of(
    "src/grammar/number.ts",
    ["grammar/words"],
    [
      [
        "a longer number before the point is not larger",
        "count === int.length ? so : count < int.length ? -1 : 1",
        "so",
      ],
      ["an excluded lower bound is taken", "lower === 0 && low.open", "lower === 0 && false"],
      ["an excluded upper bound is taken", "upper === 0 && !high.open", "upper === 0"],
      ["further digits of a bound do not count", "bound.fraction.length > (whole ? 0 : count) ? -1 : 0", "0"],
      ["a whole number may be -0", "(whole && max >= 0)", "(whole && max > 1e9)"],
      ["exponents beyond what is finite", 'char < "8" ? "e two" : "e all"', '"e two"'],
      ["exponents beside bounds", "return free && digits.part", "return digits.part"],
    ],
  ),
  ...of(
    "src/grammar/chars.ts",
    ["grammar/words"],
    [
      ["a pattern only from the beginning on", "`-${[...new Set([...next, first])]", "`-${[...new Set(next)]"],
      ["^ holds everywhere", '(when === "start" ? atStart : atEnd)', '(when === "start" ? true : atEnd)'],
      [
        "a text ends before its least length",
        "accepts: (state) => state >= min,",
        "accepts: (state) => state + 1 >= min,",
      ],
      ["one character too many", "next: (state) => (state < max ?", "next: (state) => (state <= max ?"],
      [
        "an excluded text is taken",
        "accepts: (state) => state === other || !nodes[state].ends,",
        "accepts: () => true,",
      ],
      ["a look-ahead that must not hold must", "includes(last) !== not };", "includes(last) };"],
    ],
  ),
  ...of(
    "src/grammar/spelling.ts",
    ["grammar/words", "grammar/masks"],
    [
      ["characters longer than they must be", "Math.max(low, LEAST[size])", "low"],
      ["half a character does not count", 'kind === "end" ? chars : chars + 1;', 'kind === "end" ? chars : chars;'],
      ["controls stand for themselves", "if (byte < 0x20) return -1;", ""],
      [
        "digits that lead to no character",
        'return some ? this.#id(chars, "hex", left, bits) : -1;',
        'return this.#id(chars, "hex", left, bits);',
      ],
      ["characters beyond ASCII where they have no tokens", "if (!this.#raw || byte < 0xc2", "if (byte < 0xc2"],
    ],
  ),
  ...of(
    "src/grammar/automaton.ts",
    ["grammar/schema"],
    [
      [
        "an array may end before its least length",
        "if (at >= min) ways.add(CLOSE_ARRAY",
        "if (at + 1 >= min) ways.add(CLOSE_ARRAY",
      ],
      ["an array of one too many", "if (at >= max) return;", "if (at > max) return;"],
      [
        "an object may end before it has what is required",
        "if (rest && count >= least) ways.add(CLOSE_OBJECT",
        "if (count >= least) ways.add(CLOSE_OBJECT",
      ],
      [
        "a property twice",
        "this.#property(shape, outcome + 1, count, false)",
        "this.#property(shape, outcome, count, false)",
      ],
      ["required properties may be passed over", "until < 0 ? Infinity : until", "Infinity"],
      ["of two stacks one is lost", "other ? this.#union(other, frame.below) : frame.below", "frame.below"],
    ],
  ),
  ...of(
    "src/grammar/typed.ts",
    ["grammar/schema"],
    [
      [
        "values of an enum meet no other keyword",
        "types.has(typeOf(value)) && this.#meets(value, parts)",
        "types.has(typeOf(value))",
      ],
      ["the lower of two least values", "const least = Math.max(-Infinity,", "const least = Math.min(Infinity,"],
      [
        "additionalProperties speak of listed properties",
        "if (key !== undefined && Object.hasOwn(listed[p], key)) return",
        "if (key === undefined) return",
      ],
    ],
  ),
  ...of(
    "src/grammar/settle.ts",
    ["grammar/schema"],
    [
      ["what has no value stays", "if (!finite.has(root)) refuse", "if (shapes.length === 0) refuse"],
      ["branches without a value stay", ".filter((branch) => finite.has(branch));", ";"],
      ["items without a value stay", "shape.max = Math.min(shape.max, until)", "shape.max = shape.max"],
    ],
  ),
  ...of(
    "src/grammar/disjoint.ts",
    ["grammar/schema"],
    [["what shares a constant is disjoint", "return !b.some(", "return !b.every("]],
  ),
  ...of(
    "src/grammar/masks.ts",
    ["grammar/masks"],
    [
      ["tokens beyond a word's end are left out", "exits.push(node, outcome);", ""],
      [
        "tokens that end a text too soon",
        "fits = (count: number) => count >= least &&",
        "fits = (count: number) => count + 1 >= least &&",
      ],
      ["tokens with a character too many", "(count) => count <= most)", "(count) => count <= most + 1)"],
    ],
  ),
  ...of(
    "src/generate/mask.ts",
    ["generate/mask"],
    [
      ["the end token may come at any time", "=== Number(complete)) continue;", "=== 1) continue;"],
      ["an answer that is whole goes on", "return this.#mask.over;", "return false;"],
    ],
  ),
  ...of(
    "src/generate/penalties.ts",
    ["generate/mask"],
    [["ids that may not come stay", "if (allowed) keep(scores, allowed);", ""]],
  ),
];
