// prompt.ts — prompts out of requests: chat messages as templates expect them, and the four forms of a completion's prompt.

import type { Message } from "../../tokenizer/index.ts";
import { z } from "zod";
import type { Prompt } from "../index.ts";
import { isObject } from "../text/json.ts";
import { display } from "../text/wording.ts";
import { HttpError, unsupported } from "./error.ts";

/** Chat messages; what else a message has is the template's to read. */
export const messages = z
  .array(
    z.looseObject(
      {
        role: z.string({ error: "must be a text" }).min(1, { error: "must be a text that is not empty" }),
        content: z.unknown().optional(),
      },
      { error: "must be an object with role and content" },
    ),
    { error: "must be a list of messages" },
  )
  .min(1, { error: "must have at least one message" });

/**
 * Messages for a chat template: parts of text become one text, `developer` is `system` (OpenAI's newer name for it).
 * @throws HttpError 400 for content that is no text.
 */
export const chatMessages = (given: z.output<typeof messages>): Message[] =>
  given.map(({ role, content, ...rest }, i) => {
    const where = `messages[${i}].content`;
    const text = typeof content === "string" ? content : contentText(content, where);
    return { ...rest, role: role === "developer" ? "system" : role, content: text };
  });

function contentText(content: unknown, where: string): string | null {
  if (content === null || content === undefined) return null;
  if (!Array.isArray(content)) {
    throw new HttpError(400, `${where}: must be a text or a list of parts, got ${display(content)}`, { param: where });
  }
  return content
    .map((part: unknown, i) => {
      if (isObject(part) && part["type"] === "text" && typeof part["text"] === "string") return part["text"];
      const kind = isObject(part) ? part["type"] : part;
      throw unsupported(`${where}[${i}]`, `must be a part of type text, got ${display(kind)}; models here read text`);
    })
    .join("");
}

/** Prompts of one request. */
const MOST_PROMPTS = 2048;

/**
 * The prompts of a completions request, or the inputs of an embeddings request: a text, texts, token ids, or lists of token ids. Ids
 * are checked by the library.
 * @throws HttpError 400 for anything else.
 */
export function completionPrompts(prompt: unknown, param = "prompt"): readonly Prompt[] {
  const refuse = (problem: string): never => {
    throw new HttpError(400, `${param}: ${problem}, got ${display(prompt)}`, { param });
  };
  if (typeof prompt === "string") return [prompt];
  if (!Array.isArray(prompt))
    return refuse("must be a text, a list of texts, token ids, or a list of lists of token ids");
  if (prompt.length === 0) return refuse("must not be empty");
  if (prompt.every((each) => typeof each === "number")) return [prompt];
  if (prompt.length > MOST_PROMPTS) return refuse(`must be at most ${MOST_PROMPTS} prompts`);
  const texts = prompt.every((each) => typeof each === "string");
  const lists = prompt.every((each) => Array.isArray(each) && each.every((id) => typeof id === "number"));
  if (!texts && !lists) return refuse("must be a text, a list of texts, token ids, or a list of lists of token ids");
  return prompt;
}
