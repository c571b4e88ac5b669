// uuid.ts — key/value retrieval, in exactly the format of h2oGPT's tests/test_long_context.py
// (test_gradio_long_context_uuid_key_value_retrieval): the secret is one pair among many of its kind.

import { stream } from "../stream.ts";
import type { BuildOptions, Prompt } from "./prompt.ts";
import { checkPosition, drawUnlike, measured, roundHalfEven } from "./prompt.ts";
import { fitLines } from "./fit.ts";

const HEAD = "[INST] ## UUID key/value pairs to remember:\n\n";
const line = (key: string, value: string): string => `'${key}' = '${value}'\n`;

/** The text h2oGPT builds from the lines before the secret, the secret and the lines after it. */
const compose = (before: readonly string[], key: string, value: string, after: readonly string[]): string =>
  `${HEAD}${before.join("")}${line(key, value)}${after.join("")}\n\n What is the value of the key '${key}'? [/INST]`;

/**
 * A key/value prompt: keys are the first 8, values the first 4 hexadecimal digits of random UUIDs, as in the original. The
 * secret is line round(position · lines). Its value and its key occur nowhere else in the prompt, not even inside another
 * key, so that no answer is right by chance. The length is exact where the tokenizer gives lines different lengths;
 * where all lines have the same, the last one that fits ends the prompt.
 * @throws LlariatError("request") if `tokens` is too short for the question alone, or position is outside [0, 1].
 */
export function uuid({ count, tokens, position, key: seed }: BuildOptions): Prompt {
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
  const around = (lines: readonly string[]): string =>
    compose(lines.slice(0, place(lines)), key, value, lines.slice(place(lines)));
  const lines = fitLines({ target: tokens, count, draw, compose: around });
  const before = lines.slice(0, place(lines)).join("");
  return measured(
    {
      task: "uuid",
      text: around(lines),
      value,
      answers: [value, `The value of the key '${key}' is '${value}'.`],
      others: lines.map((other) => other.slice(14, 18)),
    },
    HEAD.length + before.length,
    count,
  );
}
