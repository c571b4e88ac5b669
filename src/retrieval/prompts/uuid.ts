// uuid.ts — key/value retrieval, in exactly the format of h2oGPT's tests/test_long_context.py
// (test_gradio_long_context_uuid_key_value_retrieval): the secret is one pair among many of its kind.

import { stream } from "../stream.ts";
import type { BuildOptions, ChatFrame, Exchange, Prompt } from "./prompt.ts";
import { checkPosition, drawUnlike, measured, roundHalfEven } from "./prompt.ts";
import { fitLines } from "./fit.ts";
import { type Task, nothing } from "./task.ts";
import { valueVerdict } from "./verdict.ts";

/** The heading above the pairs. */
export const HEAD = "## UUID key/value pairs to remember:\n\n";
/** One pair. */
export const line = (key: string, value: string): string => `'${key}' = '${value}'\n`;
/** What is asked. */
export const ask = (key: string): string => `What is the value of the key '${key}'?`;
/** The sentence that answers it. */
export const sentence = (key: string, value: string): string => `The value of the key '${key}' is '${value}'.`;

/** A conversation in the marks of Llama 2's chat format, as h2oGPT writes them, or in those of the model's template. */
export const conversation = (chat: ChatFrame | undefined, exchanges: readonly Exchange[]): string =>
  chat
    ? chat(exchanges)
    : exchanges.map(([question, reply]) => `[INST] ${question} [/INST]${reply === "" ? "" : ` ${reply}`}`).join("\n");

/**
 * A key/value prompt: keys are the first 8, values the first 4 hexadecimal digits of random UUIDs, as in the original. The
 * secret is line round(position · lines). Its value and its key occur nowhere else in the prompt, not even inside another
 * key, so that no answer is right by chance. The length is exact where the tokenizer gives lines different lengths;
 * where all lines have the same, the last one that fits ends the prompt.
 * @throws LlariatError("request") if `tokens` is too short for the question alone, or position is outside [0, 1].
 */
export function uuid({ count, tokens, position, key: seed, chat }: BuildOptions): Prompt {
  checkPosition(position);
  const random = stream("uuid", ...seed);
  const key = random.hex(8);
  const value = drawUnlike(
    () => random.hex(4),
    (drawn) => key.includes(drawn),
  );
  const draw = (): string =>
    drawUnlike(
      () => line(random.hex(8), random.hex(4)),
      (other) => other.includes(value) || other.includes(key),
    );
  const place = (lines: readonly string[]): number => roundHalfEven(position * lines.length);
  const around = (lines: readonly string[]): string => {
    const [before, after] = [lines.slice(0, place(lines)), lines.slice(place(lines))];
    const pairs = before.join("") + line(key, value) + after.join("");
    return conversation(chat, [[`${HEAD}${pairs}\n\n ${ask(key)}`, ""]]);
  };
  const lines = fitLines({ target: tokens, count, draw, compose: around });
  const text = around(lines);
  return measured(
    {
      task: "uuid",
      text,
      value,
      answers: [value, sentence(key, value)],
      others: lines.map((other) => other.slice(14, 18)),
    },
    text.indexOf(line(key, value)),
    count,
  );
}

/** Key/value retrieval. */
export const uuidTask: Task = {
  name: "uuid",
  about: "One key/value pair among many of its kind; asked for by its key. The format of h2oGPT's long-context test.",
  ruler: false,
  place: "positions",
  material: null,
  answerTokens: 64,
  missing: nothing,
  build: ({ count, tokens, position, key, materials: { chat } }) =>
    uuid({ count, tokens: Number(tokens), position: position ?? 0, key, chat }),
  judge: valueVerdict,
};
