// needle.ts — one sentence in a haystack of other text, after Kamradt's "Needle in a Haystack" (2023); the default sentence
// is a random fact like RULER's (Hsieh et al. 2024, task niah), so that no model can have learned it.

import { LlariatError } from "../../error.ts";
import { stream } from "../stream.ts";
import { fitText } from "./fit.ts";
import type { Needle } from "./materials.ts";
import type { BuildOptions, Prompt } from "./prompt.ts";
import { checkPosition, drawUnlike, framed, measured } from "./prompt.ts";
import { SENTENCE_END } from "./sentences.ts";
import type { Task } from "./task.ts";
import { valueVerdict } from "./verdict.ts";

/** What is hidden if nothing else is said. */
export const DEFAULT_NEEDLE: Needle = {
  fact: "The special magic number of {key} is {value}.",
  question: "What is the special magic number of {key}? The special magic number of {key} is",
};

const HEAD = "Read the following text and answer the question at its end.\n\n";
const PLACES = [
  "Lisbon",
  "Oslo",
  "Quito",
  "Cairo",
  "Hanoi",
  "Perth",
  "Lima",
  "Delhi",
  "Turin",
  "Dakar",
  "Osaka",
  "Boston",
];
/** How far from the asked position a break may be, if only there the length comes out exactly. */
const SHIFTS = [0, 0.02, -0.02, 0.05, -0.05];

/** Length, place and haystack of a needle prompt. */
export interface NeedleOptions extends BuildOptions {
  /** The haystack; repeated where it is too short. */
  readonly filler: string;
  readonly needle?: Needle;
}

/**
 * A needle prompt: the fact stands between two sentences of the filler, at the break nearest to position · its length.
 * The value stands nowhere in the filler.
 * @throws LlariatError("request") for an empty filler, a fact without {value}, too few tokens, or a bad position.
 */
export function needle(options: NeedleOptions): Prompt {
  const { count, tokens, position, key: seed, chat, needle: { fact, question, values } = DEFAULT_NEEDLE } = options;
  checkPosition(position);
  const filler = options.filler.trim().replaceAll("\r\n", "\n");
  if (filler === "")
    throw new LlariatError("request", "needle: the filler text is empty; give a text to hide the fact in");
  if (!fact.includes("{value}")) {
    throw new LlariatError("request", `needle: the fact must hold {value}, got ${JSON.stringify(fact)}`);
  }
  const random = stream("needle", ...seed);
  const unmentioned = PLACES.filter((name) => !filler.includes(name));
  const place = random.pick(unmentioned.length > 0 ? unmentioned : PLACES);
  const value = drawUnlike(
    () => (values ? random.pick(values) : String(1_000_000 + random.below(9_000_000))),
    (drawn) => filler.includes(drawn),
  );
  const fill = (text: string): string => text.replaceAll("{key}", place).replaceAll("{value}", value);
  const tail = `\n\n${fill(question)}`;
  const compose = (hay: string, near: number): { text: string; at: number } => {
    const at = sentenceBreak(hay, near * hay.length);
    const before = hay.slice(0, at) + (at > 0 && !/\s$/.test(hay.slice(0, at)) ? " " : "");
    const after = at < hay.length ? ` ${hay.slice(at)}` : "";
    const whole = framed(chat, HEAD + before + fill(fact) + after + tail, "");
    return { text: whole, at: whole.indexOf(HEAD) + HEAD.length + before.length };
  };
  // 16 characters a token are more than any tokenizer reaches on running text.
  const text = `${filler}\n\n`.repeat(Math.ceil((Math.max(0, tokens) * 16) / (filler.length + 2)));
  const rest = { task: "needle", value, answers: [value], others: values?.filter((v) => v !== value) ?? [] } as const;
  let best: Prompt | undefined;
  // Which sentences the fact parts changes the joints; where one break allows no exact length, a neighbour may.
  for (const shift of SHIFTS) {
    const near = Math.min(1, Math.max(0, position + shift));
    const end = fitText({ target: tokens, count, text, compose: (hay) => compose(hay, near).text });
    const { text: whole, at } = compose(text.slice(0, end), near);
    const built = measured({ ...rest, text: whole }, at, count);
    if (!best || built.tokens > best.tokens) best = built;
    if (best.tokens === tokens) break;
  }
  return best!;
}

/** The start of a sentence nearest to `wanted`, or 0, or the end of the text. */
function sentenceBreak(text: string, wanted: number): number {
  const from = Math.max(0, Math.floor(wanted) - 2000); // sentences are shorter; keeps this independent of the length
  const near = text.slice(from, from + 4000);
  const breaks = [...near.matchAll(SENTENCE_END)].map((match) => from + match.index + match[0].length);
  return [0, text.length, ...breaks].reduce((best, each) =>
    Math.abs(each - wanted) < Math.abs(best - wanted) ? each : best,
  );
}

/** A needle in a haystack. */
export const needleTask: Task = {
  name: "needle",
  about: "One fact between two sentences of other text.",
  ruler: false,
  place: "positions",
  material: "filler",
  answerTokens: 64,
  missing: ({ filler }) => (filler.trim() === "" ? "needs filler; give at least one text file" : undefined),
  build: ({ count, tokens, position, key, materials: { chat, filler, needle: hidden } }) =>
    needle({
      count,
      tokens: Number(tokens),
      position: position ?? 0,
      key,
      chat,
      filler,
      ...(hidden ? { needle: hidden } : {}),
    }),
  judge: valueVerdict,
};
