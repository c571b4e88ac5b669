// qa.ts — RULER's question answering (Hsieh et al. 2024, section 3.4): a question of a set that exists, its documents among
// others of the set; as many of these as the length asks for, the last one cut.
//
// The sentences of the prompt are RULER's own (scripts/data/synthetic/qa.py and constants.py of NVIDIA/RULER, Copyright 2024
// NVIDIA Corporation, Apache License 2.0), for they define the benchmark; the code is not.

import { stream } from "../stream.ts";
import { fitText } from "./fit.ts";
import type { Prompt, SeededOptions } from "./prompt.ts";
import { exactly, framed, measured } from "./prompt.ts";
import type { QuestionSet } from "./questions.ts";
import type { Task } from "./task.ts";
import { stringVerdict } from "./verdict.ts";

const ASK =
  "Answer the question based on the given documents. Only give me the answer and do not output any other words.";
const REPLY = " Answer:";

/** The plan of a prompt: the other documents in their order, and the text with some of them. */
export interface QaPlan {
  readonly answers: readonly string[];
  /** The first document that the answer needs. */
  readonly needed: string;
  readonly others: readonly string[];
  /** The prompt with the first `size` other documents whole and, unless it is empty, a beginning of one more. */
  readonly compose: (size: number, beginning: string) => string;
}

/** What a question's prompt needs beside its length. */
export interface QaOptions extends SeededOptions {
  readonly questions: QuestionSet;
  /** Which question of the set: the order of the questions is drawn from the first part of the key, the seed. */
  readonly index: number;
}

const NAMES = { squad: "qa_1", hotpotqa: "qa_2" } as const;

/** Plans a prompt that takes up to `tokens` of the other documents; `attempt` chooses which, and the order of all. */
export function planQa({ tokens, key, chat, questions: set, index }: Omit<QaOptions, "count">, attempt = 0): QaPlan {
  const { documents, questions } = set;
  const name = NAMES[set.form];
  const order = stream(name, "questions", ...key.slice(0, 1)).shuffle(questions.map((_, i) => i));
  const { question, answers, documents: own, near } = questions[order[index % order.length]];
  const random = stream(name, ...key, "others", attempt);
  const known = new Set([...own, ...near]);
  const far = documents.map((_, i) => i).filter((i) => !known.has(i));
  // A document has a token at least.
  const others = [
    ...random.shuffle(near),
    ...random.sample(far.length, Math.min(far.length, Math.max(0, tokens))).map((i) => far[i]),
  ];
  const needed = own.map((i) => documents[i]);
  return {
    answers,
    needed: needed[0],
    others: others.map((i) => documents[i]),
    compose(size, beginning) {
      const all = [
        ...needed,
        ...others.slice(0, size).map((i) => documents[i]),
        ...(beginning === "" ? [] : [beginning]),
      ];
      const shown = stream(name, ...key, "order", attempt)
        .shuffle(all)
        .map((document, i) => `Document ${i + 1}:\n${document}`);
      return framed(
        chat,
        `${ASK}\n\nThe following are given documents.\n\n${shown.join("\n\n")}\n\n${ASK}\n\nQuestion: ${question}`,
        REPLY,
      );
    },
  };
}

/** Stands in the measured text for the line above a document and the space below it. */
const HEADER = "Document 1:\n";

/**
 * A prompt of a question with `tokens` tokens.
 * @throws LlariatError("request") if `tokens` is too short for the documents that the answer needs, or the set has too
 * little text.
 */
export function qa(options: QaOptions): Prompt {
  const { count, tokens, questions } = options;
  const task = NAMES[questions.form];
  return exactly(tokens, (attempt) => {
    const { answers, needed, others, compose } = planQa(options, attempt);
    const { text, around } = stretch(others, tokens, compose);
    const built = around(text.slice(0, fitText({ target: tokens, count, text, compose: around })));
    const judged = { task, value: answers[0], values: answers, answers, others: [] };
    return measured({ ...judged, text: built }, Math.max(0, built.indexOf(needed)), count);
  });
}

/** Documents as one text to be cut, as long as `tokens` tokens can be, and the prompt with a beginning of it. */
function stretch(
  documents: readonly string[],
  tokens: number,
  compose: QaPlan["compose"],
): { text: string; around: (beginning: string) => string } {
  const ends: number[] = [];
  const parts: string[] = [];
  for (let i = 0, end = 0; i < documents.length && end <= Math.max(0, tokens) * 16; i++) {
    parts.push(`${HEADER}${documents[i]}\n\n`);
    ends.push((end += parts[i].length));
  }
  const around = (hay: string): string => {
    let [whole, high] = [0, ends.length];
    while (whole < high) {
      const middle = (whole + high) >>> 1;
      if (ends[middle] <= hay.length) whole = middle + 1;
      else high = middle;
    }
    return compose(whole, hay.slice((whole > 0 ? ends[whole - 1] : 0) + HEADER.length).trimEnd());
  };
  return { text: parts.join(""), around };
}

const task = (form: QuestionSet["form"], about: string): Task => ({
  name: NAMES[form],
  about: `RULER: ${about}`,
  ruler: true,
  place: "drawn",
  material: "questions",
  answerTokens: 32,
  missing: ({ questions }) =>
    questions.some((set) => set.form === form) ? undefined : `needs questions in ${FORMS[form]} form; give their file`,
  most: ({ questions }) => questions.find((set) => set.form === form)!.questions.length,
  build: ({ count, tokens, key, index, materials: { questions, chat } }) =>
    qa({ count, tokens: Number(tokens), key, index, chat, questions: questions.find((set) => set.form === form)! }),
  judge: (prompt, answer) => stringVerdict(prompt, answer, "part"),
});

const FORMS = { squad: "SQuAD's", hotpotqa: "HotpotQA's" } as const;

/** RULER's two question tasks by name. */
export const qaTasks = {
  qa_1: task("squad", "a question whose answer stands in one of many documents (a file in SQuAD's form)."),
  qa_2: task("hotpotqa", "a question whose answer needs several of many documents (a file in HotpotQA's form)."),
} as const;
