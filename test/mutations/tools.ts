// tools.ts — mutations of calls of tools: which form, which text is a call.
import { type Mutation, of } from "./mutation.ts";

/** What must not pass in calls of tools. */
export const tools: readonly Mutation[] = [
  ...of(
    "src/server/tools/parser.ts",
    ["server/tools"],
    [
      ["tools that nobody offered are called", "!this.#names.has(called) || ", ""],
      ["several where one is wanted", "if (this.#single && this.#calls > 0) return [];", ""],
      ["the beginning of a tag is given out", "end -= length;", ""],
      [
        "a tag in a string ends a call",
        'if (start < 0 || body[start] !== "{" || endOfValue(body, start) >= 0) return { end };',
        "return { end };",
      ],
      [
        "space before a call is text",
        "...this.#text(before.trimEnd()), ...this.#called",
        "...this.#text(before), ...this.#called",
      ],
      ["arguments in a string stay one", "given.startsWith('\"') ?", 'given.startsWith("\'") ?'],
    ],
  ),
  ...of(
    "src/server/tools/forms.ts",
    ["server/tools"],
    [["every template takes objects", "if (new RegExp(String.raw`^", "if (!new RegExp(String.raw`^zz"]],
  ),
  ...of(
    "src/server/tools/choice.ts",
    ["server/formed"],
    [
      ["references keep their place in a schema that has moved", "`#${place}`", '"#"'],
      ["any tool will do", "chosen = name === undefined ? tools :", 'chosen = name !== "" ? tools :'],
    ],
  ),
];
