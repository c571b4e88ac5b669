// fwe.ts — RULER's frequent words extraction (Hsieh et al. 2024, section 3.3): made-up words whose frequencies follow a Zeta
// distribution, the most frequent of them dots; asked are the three that follow.
//
// The sentences of the prompt are RULER's own (scripts/data/synthetic/freq_words_extraction.py and constants.py of
// NVIDIA/RULER, Copyright 2024 NVIDIA Corporation, Apache License 2.0), for they define the benchmark; the code is not.

import { stream } from "../stream.ts";
import { fitText, largest } from "./fit.ts";
import type { Prompt, SeededOptions } from "./prompt.ts";
import { drawUnlike, exactly, framed, measured } from "./prompt.ts";
import { type Task, nothing } from "./task.ts";
import { stringVerdict } from "./verdict.ts";

/** Words that are asked for. */
const FREQUENT = 3;
const LETTERS = 6;
const ANSWER_TOKENS = 50;
/** What stands most often, and does not count. */
const DOTS = "...";
/** Riemann's ζ(α) for α = 2, RULER's setting: the word of rank k stands ⌊n / (k² ζ)⌋ times. */
const ZETA = (Math.PI * Math.PI) / 6;

const HEAD =
  "Read the following coded text and track the frequency of each coded word. Find the three most frequently appeared coded words. ";
const QUESTION =
  "\nQuestion: Do not provide any explanation. Please ignore the dots '....'. What are the three most frequently appeared words in the above coded text?";
const REPLY = " Answer: According to the coded text above, the three most frequently appeared words are:";

/** How often the words of rank 1, 2, … stand in a text of parameter n: quotients alone, so that every machine agrees. */
export const zetaCounts = (n: number, ranks: number): number[] =>
  Array.from({ length: ranks }, (_, i) => Math.floor(n / ((i + 1) * (i + 1)) / ZETA));

/** The plan of a prompt: its words by rank, the first of them dots, and the text of parameter n with dots after it. */
export interface FwePlan {
  readonly words: readonly string[];
  readonly compose: (n: number, dots: string, attempt: number) => string;
}

/** Plans a prompt of about `tokens` tokens, which say how many words there are: one for 50 tokens, as there. */
export function planFwe({ tokens, key, chat }: Omit<SeededOptions, "count">): FwePlan {
  const random = stream("fwe", ...key);
  const taken = new Set<string>();
  const coded = (): string => {
    const letters = (): string =>
      Array.from({ length: LETTERS }, () => String.fromCharCode(97 + random.below(26))).join("");
    const drawn = drawUnlike(letters, (each) => taken.has(each));
    taken.add(drawn);
    return drawn;
  };
  const ranks = Math.max(FREQUENT + 2, Math.floor((tokens + ANSWER_TOKENS) / 50));
  const words = [DOTS, ...Array.from({ length: ranks - 1 }, coded)];
  return {
    words,
    compose(n, dots, attempt) {
      const counts = zetaCounts(n, ranks);
      const list = words.flatMap((word, i) => Array.from({ length: counts[i] }, () => word));
      const text = stream("fwe", ...key, "order", attempt)
        .shuffle(list)
        .join(" ");
      return framed(chat, `${HEAD}${text}${dots}${QUESTION}`, REPLY);
    },
  };
}

/** The least parameter from which on the third word stands more often than the fourth. */
function leastParameter(): number {
  for (let n = 1; ; n++) {
    const counts = zetaCounts(n, FREQUENT + 2);
    if (counts[FREQUENT] > counts[FREQUENT + 1]) return n;
  }
}

/**
 * A prompt of frequent words with `tokens` tokens: the text of the largest parameter that fits and has no tie behind the
 * third word, then dots to the exact length.
 * @throws LlariatError("request") if `tokens` is too short for a text in which three words are the most frequent.
 */
export function fwe(options: SeededOptions): Prompt {
  const { count, tokens } = options;
  const { words, compose } = planFwe(options);
  const least = leastParameter();
  const filler = ` ${DOTS}`.repeat(Math.max(64, tokens));
  return exactly(tokens, (attempt) => {
    let n = largest(tokens, least, 16 * Math.max(1, tokens), (each) => count(compose(each, "", attempt)));
    while (n > least && zetaCounts(n, FREQUENT + 2)[FREQUENT] === zetaCounts(n, FREQUENT + 2)[FREQUENT + 1]) n--;
    const dotted = (dots: string): string => compose(n, dots, attempt);
    const text = dotted(filler.slice(0, fitText({ target: tokens, count, text: filler, compose: dotted })));
    const values = words.slice(1, 1 + FREQUENT);
    const parts = { value: values.join(", "), values, answers: values, others: words.slice(1 + FREQUENT) };
    return measured({ task: "fwe", text, ...parts }, text.indexOf(HEAD) + HEAD.length, count);
  });
}

/** Frequent words extraction. */
export const fweTask: Task = {
  name: "fwe",
  about: "RULER: made-up words of very different frequency; the three most frequent ones are asked for.",
  ruler: true,
  place: "drawn",
  material: null,
  answerTokens: ANSWER_TOKENS,
  missing: nothing,
  build: ({ count, tokens, key, materials: { chat } }) => fwe({ count, tokens: Number(tokens), key, chat }),
  judge: (prompt, answer) => stringVerdict(prompt, answer, "all"),
};
