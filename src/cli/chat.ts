// chat.ts — a model's chat template as the frame of the suite's prompts.

import { LlariatError } from "../error.ts";
import type { Llama } from "../index.ts";
import type { ChatFrame, Engine } from "../retrieval/index.ts";
import { Tokenizer } from "../../tokenizer/index.ts";

/** Prompts in the model's chat format, as its template writes them. */
const template =
  (tokenizer: Tokenizer): ChatFrame =>
  (exchanges) => {
    const messages = exchanges.flatMap(([question, reply], i) => [
      { role: "user", content: question },
      ...(i === exchanges.length - 1 ? [] : [{ role: "assistant", content: reply }]),
    ]);
    return tokenizer.applyChatTemplate(messages, { addGenerationPrompt: true }) + exchanges.at(-1)![1];
  };

function needed(tokenizer: unknown): Tokenizer {
  if (!(tokenizer instanceof Tokenizer)) throw new LlariatError("tokenizer", "--chat needs the model's tokenizer");
  tokenizer.checkChatTemplate();
  return tokenizer;
}

/**
 * The model as an engine that reads prompts as its template writes them, without a token before them, and the frame.
 * @throws LlariatError("template") for a model without a chat template.
 */
export function chatEngine(llama: Llama, speculate: boolean): { engine: Engine; chat: ChatFrame } {
  const tokenizer = needed(llama.tokenizer);
  const encode = (text: string): Uint32Array => tokenizer.encode(text, { addSpecialTokens: false });
  return {
    engine: {
      tokenizer: { encode },
      rope: llama.rope,
      complete: (text, options) => llama.complete(encode(text), { ...options, ...(speculate ? { speculate } : {}) }),
    },
    chat: template(tokenizer),
  };
}

/**
 * The frame for a server that is sent text, which its tokenizer reads as any text: without the token that it puts before
 * every text by itself. @throws LlariatError("template") for a model without a chat template, or one whose template does
 * not begin with that token.
 */
export function chatText(tokenizer: unknown): ChatFrame {
  const model = needed(tokenizer);
  const frame = template(model);
  const { bosId } = model;
  const first = bosId !== undefined && model.encode("")[0] === bosId ? model.specialTokens["bos_token"] : "";
  if (!frame([["x", ""]]).startsWith(first)) {
    throw new LlariatError(
      "template",
      `--chat: the template does not begin with ${first}, which a server puts before a text`,
    );
  }
  return (exchanges) => frame(exchanges).slice(first.length);
}
