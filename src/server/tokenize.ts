// tokenize.ts — POST /tokenize and /detokenize: a text or messages to the ids that a prompt would have, and back.

import { z } from "zod";
import type { Core, Served } from "./core.ts";
import { HttpError } from "./error.ts";
import { flag, text, whole } from "./fields.ts";
import { chatMessages, messages } from "./prompt.ts";

/** The body of /tokenize: `prompt` or `messages`. */
export const tokenizeRequest = z.strictObject({
  model: text().nullish(),
  prompt: text().nullish(),
  messages: messages.nullish(),
  add_special_tokens: flag().nullish(),
  add_generation_prompt: flag().nullish(),
  continue_final_message: flag().nullish(),
});

/** What /tokenize calls options of the library. */
export const TOKENIZE_NAMES = { prompt: "messages" };

/** The body of /detokenize. */
export const detokenizeRequest = z.strictObject({
  model: text().nullish(),
  tokens: z.array(whole(0, 2 ** 32 - 1), { error: "must be a list of token ids" }),
  skip_special_tokens: flag().nullish(),
});

function tokenizerOf({ llama: { tokenizer }, name }: Served) {
  if (tokenizer) return tokenizer;
  throw new HttpError(400, `model: ${name} has no tokenizer; send token ids to /v1/completions`, { param: "model" });
}

/** The ids of a text or of messages, how many there are, and how many the model was trained for. */
export function tokenize(core: Core, body: z.output<typeof tokenizeRequest>): Response {
  const served = core.model(body.model);
  const tokenizer = tokenizerOf(served);
  const { prompt, messages: given } = body;
  if ((typeof prompt === "string") === Array.isArray(given)) {
    throw new HttpError(400, "prompt: needs either prompt or messages", { param: "prompt" });
  }
  const rendered = given
    ? tokenizer.applyChatTemplate(chatMessages(given), {
        addGenerationPrompt: body.add_generation_prompt ?? undefined,
        continueFinalMessage: body.continue_final_message ?? undefined,
      })
    : prompt!;
  // A template writes its own special tokens.
  const ids = tokenizer.encode(rendered, { addSpecialTokens: body.add_special_tokens ?? !given });
  return Response.json({ tokens: [...ids], count: ids.length, max_model_len: served.llama.config.maxPositions });
}

/** The text of ids. */
export function detokenize(core: Core, body: z.output<typeof detokenizeRequest>): Response {
  const tokenizer = tokenizerOf(core.model(body.model));
  return Response.json({
    prompt: tokenizer.decode(body.tokens, { skipSpecialTokens: body.skip_special_tokens ?? false }),
  });
}
