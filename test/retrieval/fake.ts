// fake.ts — engines for testing the suite itself: they find the value by reading the prompt, as often and as far as told.

import { readFileSync } from "node:fs";
import { join } from "node:path";
import { Tokenizer } from "../../tokenizer/index.ts";
import type { CompleteOptions, Engine } from "../../src/retrieval/index.ts";
import { fnv1a } from "../../src/retrieval/stream.ts";

const fixtures = join(import.meta.dirname, "../fixtures");

/** A tokenizer of test/fixtures/tokenizers. */
export function tokenizer(name: string): Tokenizer {
  const read = (file: string): string => readFileSync(join(fixtures, "tokenizers", name, file), "utf8");
  return Tokenizer.fromFiles({ tokenizerJson: read("tokenizer.json"), tokenizerConfig: read("tokenizer_config.json") });
}

/** A parsed file of test/fixtures/expected: prompts with transformers' answers. */
export const expected = (name: string): unknown => JSON.parse(readFileSync(join(fixtures, "expected", name), "utf8"));

/** Words and the spaces before them: short to count, and enough like a tokenizer. */
export const words = { encode: (text: string): string[] => text.match(/\s*[\w']+|\s*[^\w\s]+/g) ?? [] };

/** Running text in the public domain. */
export const essay = readFileSync(join(fixtures, "documents/atomic-commit.txt"), "utf8");

/** A file of questions in SQuAD's form: 40 articles of ten paragraphs, each with a question. */
export const squad = (): unknown => ({
  data: Array.from({ length: 40 }, (_, i) => ({
    paragraphs: Array.from({ length: 10 }, (__, j) => {
      const [town, people] = [`Town-${i}-${j}`, String(100_003 + 977 * (10 * i + j))];
      const rest = essay.slice(1000 * j, 1000 * j + 100 * (1 + (i % 4)));
      return {
        context: `${town} has a bridge and a mill. In ${town} live ${people} people. ${rest}`,
        qas: [
          { question: `How many people live in ${town}?`, answers: [{ text: people }, { text: `${people} people` }] },
        ],
      };
    }),
  })),
});

/** The value a prompt asks for, found as a reader would: by its question. */
export function solve(prompt: string): string {
  const key = /value of the key '(\w+)'\?/.exec(prompt)?.[1];
  if (key) return new RegExp(`'${key}' = '(\\w+)'`).exec(prompt)![1];
  const found = /pass key is (\d{5})/.exec(prompt) ?? /number of \w+ is (\d{7})/.exec(prompt);
  return found ? found[1] : /=== BEGIN ===\n\n(?:arXiv:[\d.]+\n\n)?(.*)/.exec(prompt)![1];
}

/** The text before the secret, in tokens, over all tokens. */
export interface Question {
  readonly tokens: number;
  readonly scaling: string;
  readonly prompt: string;
}

/** An engine that answers rightly with the probability told, decided by a hash: the same question, the same answer. */
export function reader(
  chance: (question: Question) => number,
  count: { encode(text: string): ArrayLike<unknown> } = words,
): Engine & { readonly asked: { prompt: string; options: CompleteOptions }[]; most: number } {
  const asked: { prompt: string; options: CompleteOptions }[] = [];
  let open = 0;
  return {
    asked,
    most: 0,
    tokenizer: count as NonNullable<Engine["tokenizer"]>,
    async complete(prompt, options) {
      asked.push({ prompt, options });
      this.most = Math.max(this.most, ++open);
      await new Promise((resolve) => setTimeout(resolve, asked.length % 3)); // answers overtake each other
      open--;
      const { ropeScaling } = options;
      const scaling =
        typeof ropeScaling === "object" && ropeScaling ? `${ropeScaling.rope_type}:${ropeScaling.factor}` : "none";
      const tokens = count.encode(prompt).length;
      const draw = Number(fnv1a(`${scaling}|${prompt}`) % 1_000_003n) / 1_000_003;
      const right = draw < chance({ tokens, scaling, prompt });
      const text = right ? ` It is '${solve(prompt)}'.` : ' I do not know <that> & "this".';
      return { text, finishReason: "stop", usage: { promptTokens: tokens, completionTokens: 7 }, rope: { scaling } };
    },
  };
}
