// title.ts — "What's the title of this paper?", the question of h2oGPT's test_huggyllama_transformers_pr about a document
// that is longer than the trained context and has its title at the start.

import { LlariatError } from "../../error.ts";
import { stream } from "../stream.ts";
import { fitText } from "./fit.ts";
import type { Document } from "./materials.ts";
import type { BuildOptions, Prompt } from "./prompt.ts";
import { framed, measured } from "./prompt.ts";
import type { Task } from "./task.ts";
import { titleVerdict } from "./verdict.ts";

const BEGIN = "=== BEGIN ===\n\n";
const HEAD = `You are given this machine learning research paper, please read it carefully and answer the follow up question.\n\n${BEGIN}`;
const TAIL = "\n\n=== END OF FILE ===\n\nQuestion: What's the title of this paper?";

/** Length and document of a title prompt. */
export interface TitleOptions extends Omit<BuildOptions, "position" | "tokens"> {
  /** As for other prompts; "whole" takes the whole document. */
  readonly tokens: number | "whole";
  readonly document: Document;
  /** "own" asks for the document's title; "made" puts a random one over its text, so that every try differs. Default "own". */
  readonly titles?: "own" | "made";
}

/**
 * A title prompt. "own": the document from its start, cut to the length. "made": an identifier and a title of 4 to 9 random
 * words of the document in capitals, then the document from a random word on (and on from its start).
 * @throws LlariatError("request") if the title is not in what is left of the document, or the document is too short.
 */
export function title(options: TitleOptions): Prompt {
  const { count, tokens, document, titles = "own", chat } = options;
  const text = document.text.trim().replaceAll("\r\n", "\n");
  const { name, head, body } = titles === "made" ? made(text, options) : own(text, document);
  const compose = (part: string): string => framed(chat, HEAD + head + part.trimStart() + TAIL, "");
  const end = tokens === "whole" ? body.length : fitText({ target: tokens, count, text: body, compose });
  const whole = compose(body.slice(0, end));
  const at = whole.toLowerCase().indexOf(name.toLowerCase(), whole.indexOf(BEGIN) + BEGIN.length);
  if (at < 0) {
    throw new LlariatError(
      "request",
      `${document.name}: the title ${JSON.stringify(name)} is not in the ${tokens} tokens of the document that are shown`,
    );
  }
  return measured({ task: "title", text: whole, value: name, answers: [name], others: [] }, at, count);
}

function own(text: string, document: Document): { name: string; head: string; body: string } {
  const name = (document.title ?? text.split("\n", 1)[0]).trim();
  if (name === "") throw new LlariatError("request", `${document.name}: the document is empty, or its title is`);
  return { name, head: "", body: text };
}

function made(text: string, { key, document }: TitleOptions): { name: string; head: string; body: string } {
  const random = stream("title", ...key);
  const words = [...new Set(text.match(/(?<![\w.])[a-zA-Z]{3,10}(?![\w.(])/g))].sort();
  if (words.length < 50) {
    throw new LlariatError(
      "request",
      `${document.name}: made titles need a text with at least 50 different words, got ${words.length}`,
    );
  }
  const name = Array.from({ length: 4 + random.below(6) }, () => random.pick(words).toUpperCase()).join(" ");
  const digits = (length: number): string => Array.from({ length }, () => random.below(10)).join("");
  const start = text.indexOf(" ", random.below(text.length)) + 1;
  return {
    name,
    head: `arXiv:${digits(4)}.${digits(5)}\n\n${name}\n\n`,
    body: `${text.slice(start)} ${text.slice(0, start)}`,
  };
}

/** The title of a document. */
export const titleTask: Task = {
  name: "title",
  about: "A document with its title at the start; asked for the title at the end. h2oGPT's question.",
  ruler: false,
  place: "start",
  material: "documents",
  answerTokens: 100,
  missing: ({ documents }) => (documents.length === 0 ? "needs documents; give at least one text file" : undefined),
  most: ({ titles, documents }) => (titles === "own" ? documents.length : Infinity),
  build({ count, tokens, key, index, materials: { documents, titles, leastTokens, chat } }) {
    const document = documents[index % documents.length];
    const built = title({ count, tokens, key, document, titles, chat });
    if (tokens === "whole" && built.tokens <= leastTokens) {
      throw new LlariatError(
        "request",
        `${document.name}: its prompt has ${built.tokens} tokens, this test needs more than ${leastTokens}; give a longer one`,
      );
    }
    return built;
  },
  judge: titleVerdict,
};
