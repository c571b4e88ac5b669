// passkey.ts — five digits in a sea of one sentence: Mohtashami & Jaggi 2023 (Landmark Attention), in the text of figure 3
// of the Position Interpolation paper (arXiv 2306.15595).

import { stream } from "../stream.ts";
import type { BuildOptions, Prompt } from "./prompt.ts";
import { checkPosition, framed, measured, roundHalfEven } from "./prompt.ts";
import { fitText } from "./fit.ts";
import { type Task, nothing } from "./task.ts";
import { valueVerdict } from "./verdict.ts";

const HEAD =
  "There is an important info hidden inside a lot of irrelevant text. Find it and memorize them. " +
  "I will quiz you about the important information there.\n";
const FILLER = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.";
const UNIT = FILLER.length + 1; // with the space after it
const QUESTION = "What is the pass key?";
const REPLY = " The pass key is";

const paragraph = (text: string): string => (text === "" ? "" : `${text}\n`);

/** Length and place of a passkey prompt. */
export interface PasskeyOptions extends BuildOptions {
  /** "exact" cuts the last repetition of the filler, as the authors' code does; "whole" leaves it out. Default "exact". */
  readonly fit?: "exact" | "whole";
}

/**
 * A passkey prompt with five random digits that stand nowhere else; the secret comes after round(position · n) of n
 * repetitions of the filler.
 * @throws LlariatError("request") if `tokens` is too short for the question alone, or position is outside [0, 1].
 */
export function passkey({ count, tokens, position, key, chat, fit = "exact" }: PasskeyOptions): Prompt {
  checkPosition(position);
  const digits = String(stream("passkey", ...key).below(100_000)).padStart(5, "0");
  const secret = `The pass key is ${digits}. Remember it. ${digits} is the pass key.\n`;
  const split = (filler: string): [string, string] => {
    const at = roundHalfEven((position * filler.length) / UNIT) * UNIT;
    // what ends with a whole repetition ends with its full stop; a cut may leave a space, which some lengths need
    const end = fit === "whole" ? filler.trimEnd() : filler;
    return [paragraph(at < end.length ? end.slice(0, at).trimEnd() : end), paragraph(end.slice(at))];
  };
  const compose = (filler: string): string => {
    const [before, after] = split(filler);
    return framed(chat, HEAD + before + secret + after + QUESTION, REPLY);
  };
  // A character is at least a quarter of a token with any tokenizer that has seen English, so this is always enough.
  const text = `${FILLER} `.repeat(Math.ceil((tokens * 16) / UNIT) + 2);
  const whole = fit === "whole" ? { pieces: new RegExp(`.{${UNIT}}`, "g"), neighbour: `${FILLER} `, cut: false } : {};
  const filler = text.slice(0, fitText({ target: tokens, count, text, compose, ...whole }));
  const prompt = compose(filler);
  return measured(
    {
      task: "passkey",
      text: prompt,
      value: digits,
      answers: [digits, `The pass key is ${digits}.`],
      others: [],
    },
    prompt.indexOf(secret),
    count,
  );
}

/** The passkey. */
export const passkeyTask: Task = {
  name: "passkey",
  about: "Five digits between repetitions of one sentence (Mohtashami & Jaggi 2023).",
  ruler: false,
  place: "positions",
  material: null,
  answerTokens: 16,
  missing: nothing,
  build: ({ count, tokens, position, key, materials: { chat, fit } }) =>
    passkey({ count, tokens: Number(tokens), position: position ?? 0, key, chat, fit }),
  judge: valueVerdict,
};
