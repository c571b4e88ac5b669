// chat.ts — a model's chat template as the frame of the suite's prompts.

import { LlariatError } from "../error.ts";
import type { ChatFrame } from "../retrieval/index.ts";
import { Tokenizer } from "../../tokenizer/index.ts";

/**
 * Prompts in the model's chat format, as text that the tokenizer reads as the template meant it: without the token that it
 * puts before every text by itself. @throws LlariatError("template") for a model without a chat template.
 */
export function chatFrame(tokenizer: unknown): ChatFrame {
  if (!(tokenizer instanceof Tokenizer)) throw new LlariatError("tokenizer", "--chat needs the model's tokenizer");
  tokenizer.checkChatTemplate();
  const { bosId } = tokenizer;
  const begin =
    bosId !== undefined && tokenizer.encode("")[0] === bosId ? tokenizer.specialTokens["bos_token"] : undefined;
  return (exchanges) => {
    const messages = exchanges.flatMap(([question, reply], i) => [
      { role: "user", content: question },
      ...(i === exchanges.length - 1 ? [] : [{ role: "assistant", content: reply }]),
    ]);
    const text = tokenizer.applyChatTemplate(messages, { addGenerationPrompt: true }) + exchanges.at(-1)![1];
    return begin !== undefined && text.startsWith(begin) ? text.slice(begin.length) : text;
  };
}
