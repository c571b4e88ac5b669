// questions.ts — questions with documents from a file, in the forms of SQuAD 2.0 (Rajpurkar et al. 2018) and of HotpotQA (Yang
// et al. 2018): the two question sets of RULER.

import { LlariatError } from "../../error.ts";
import { isObject } from "../../text/json.ts";
import { checkOptions, isWhole, reading } from "../../text/options.ts";
import { display } from "../../text/wording.ts";

/** One question. Documents are named by their index in the set. */
export interface Question {
  readonly question: string;
  /** Any of these is right. */
  readonly answers: readonly string[];
  /** Documents that an answer needs. */
  readonly documents: readonly number[];
  /** Documents near to them, of the same article: the first to stand beside them. */
  readonly near: readonly number[];
}

/** A file of questions, read. Plain data. */
export interface QuestionSet {
  /** For reports: a file name, for example. */
  readonly name: string;
  readonly form: "squad" | "hotpotqa";
  /** Different ones, in the order of their code units. */
  readonly documents: readonly string[];
  readonly questions: readonly Question[];
}

type Fields = Readonly<Record<string, unknown>>;

/** Reads lists and texts of parsed JSON, and says where something else stands. */
class Reader {
  readonly #name: string;
  constructor(name: string) {
    this.#name = name;
  }

  refuse(where: string, needed: string, got: unknown): never {
    throw new LlariatError("request", `${where} must be ${needed}, got ${display(got)}`, { subject: this.#name });
  }

  list(where: string, value: unknown): readonly unknown[] {
    return Array.isArray(value) && isWhole(value) ? value : this.refuse(where, "a list without holes", value);
  }

  fields(where: string, value: unknown): Fields {
    return isObject(value) ? value : this.refuse(where, "an object", value);
  }

  text(where: string, value: unknown): string {
    return typeof value === "string" && value.trim() !== "" ? value : this.refuse(where, "a text", value);
  }
}

/** Documents without doubles, sorted, and where each came to stand. */
function collect(texts: readonly string[]): { documents: string[]; at: (text: string) => number } {
  const documents = [...new Set(texts)].sort();
  const places = new Map(documents.map((text, index) => [text, index]));
  return { documents, at: (text) => places.get(text)! };
}

/**
 * Reads a parsed file in SQuAD's form, `{ data: [{ paragraphs: [{ context, qas: [{ question, answers: [{ text }] }] }] }] }`,
 * without the questions that have no answer; or in HotpotQA's, `[{ question, answer, context: [[title, [sentence, …]], …] }]`.
 * @throws LlariatError("request") naming the entry that is of neither form, or for a file without a question.
 */
export function parseQuestions(json: unknown, name = "questions.json"): QuestionSet {
  checkOptions({ name }, { name: "text" });
  return reading(name, () => {
    const reader = new Reader(name);
    const set = Array.isArray(json) ? hotpotqa(reader.list("it", json), name, reader) : squad(json, name, reader);
    if (set.questions.length === 0)
      throw new LlariatError("request", "holds no question with an answer", { subject: name });
    return set;
  });
}

function squad(json: unknown, name: string, reader: Reader): QuestionSet {
  const needed = "a list, as HotpotQA's files are, or an object with a list data, as SQuAD's are";
  const data =
    isObject(json) && Array.isArray(json["data"])
      ? reader.list("data", json["data"])
      : reader.refuse("it", needed, json);
  const articles = data.map((article, i) => {
    const where = `data[${i}].paragraphs`;
    return reader.list(where, reader.fields(`data[${i}]`, article)["paragraphs"]).map((each, j) => {
      const fields = reader.fields(`${where}[${j}]`, each);
      return { where: `${where}[${j}]`, fields, context: reader.text(`${where}[${j}].context`, fields["context"]) };
    });
  });
  const { documents, at } = collect(articles.flatMap((article) => article.map(({ context }) => context)));
  const questions = articles.flatMap((article) => {
    const all = [...new Set(article.map(({ context }) => at(context)))];
    return article.flatMap(({ where, fields, context }) =>
      reader.list(`${where}.qas`, fields["qas"]).flatMap((each, k): Question[] => {
        const here = `${where}.qas[${k}]`;
        const entry = reader.fields(here, each);
        if (entry["is_impossible"] === true) return [];
        const answers = reader
          .list(`${here}.answers`, entry["answers"])
          .map((answer, l) =>
            reader.text(`${here}.answers[${l}].text`, reader.fields(`${here}.answers[${l}]`, answer)["text"]),
          );
        if (answers.length === 0) return [];
        const own = at(context);
        return [
          {
            question: reader.text(`${here}.question`, entry["question"]),
            answers: [...new Set(answers)],
            documents: [own],
            near: all.filter((index) => index !== own),
          },
        ];
      }),
    );
  });
  return { name, form: "squad", documents, questions };
}

function hotpotqa(json: readonly unknown[], name: string, reader: Reader): QuestionSet {
  const entries = json.map((each, i) => {
    const fields = reader.fields(`[${i}]`, each);
    const contexts = reader.list(`[${i}].context`, fields["context"]).map((pair, j) => {
      const where = `[${i}].context[${j}]`;
      const [title, parts] = reader.list(where, pair);
      const whole = reader
        .list(`${where}[1]`, parts)
        .map((part, k) => (typeof part === "string" ? part : reader.refuse(`${where}[1][${k}]`, "a text", part)));
      return `${reader.text(`${where}[0]`, title)}\n${whole.join("")}`;
    });
    const question = reader.text(`[${i}].question`, fields["question"]);
    return { question, answers: [reader.text(`[${i}].answer`, fields["answer"])], contexts };
  });
  const { documents, at } = collect(entries.flatMap(({ contexts }) => contexts));
  const questions = entries.map(({ question, answers, contexts }): Question => {
    return { question, answers, documents: [...new Set(contexts.map(at))], near: [] };
  });
  return { name, form: "hotpotqa", documents, questions };
}
