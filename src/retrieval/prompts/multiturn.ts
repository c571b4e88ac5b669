// multiturn.ts — ten questions about one list of key/value pairs, one after another: every question comes after the ones
// before it and their right answers, so all engines and settings are asked the same, and equal prefixes can be shared.

import { stream } from "../stream.ts";
import { fitLines } from "./fit.ts";
import type { Prompt, SeededOptions } from "./prompt.ts";
import { drawUnlike, measured, roundHalfEven } from "./prompt.ts";
import { interleave } from "./sentences.ts";
import { type Task, nothing } from "./task.ts";
import { HEAD, ask, conversation, line, sentence } from "./uuid.ts";
import { stringVerdict, valueVerdict } from "./verdict.ts";

/** Questions of a conversation. */
const TURNS = 10;

/** The plan of a conversation: what is asked for, in its order, and the text around lines. */
export interface MultiturnPlan {
  readonly asked: readonly (readonly [key: string, value: string])[];
  /** Draws one more line. */
  readonly line: () => string;
  /** What the question of number `turns`, from 1 on, is asked with. */
  readonly compose: (lines: readonly string[], turns: number) => string;
}

/** Plans a conversation; everything is drawn from the key. */
export function planMultiturn({ key: seed, chat }: Pick<SeededOptions, "key" | "chat">): MultiturnPlan {
  const random = stream("multiturn", ...seed);
  const taken: string[] = [];
  const pair = (): readonly [string, string] => {
    const drawn = drawUnlike(
      () => line(random.hex(8), random.hex(4)),
      (other) => other.slice(1, 9).includes(valueOf(other)) || taken.some((each) => other.includes(each)),
    );
    return [drawn.slice(1, 9), valueOf(drawn)];
  };
  const pairs = Array.from({ length: TURNS }, () => {
    const drawn = pair();
    taken.push(...drawn);
    return drawn;
  });
  const asked = random.shuffle(pairs);
  const secrets = pairs.map((each) => line(...each));
  return {
    asked,
    line: () => line(...pair()),
    compose(lines, turns) {
      const places = pairs.map((_, i) => roundHalfEven(((i + 0.5) / TURNS) * lines.length));
      const list = interleave(lines, secrets, places).join("");
      return conversation(
        chat,
        asked
          .slice(0, turns)
          .map(([key, value], i) => [
            i === 0 ? `${HEAD}${list}\n\n ${ask(key)}` : ask(key),
            i === turns - 1 ? "" : sentence(key, value),
          ]),
      );
    },
  };
}

/** The value of a line. */
const valueOf = (pair: string): string => pair.slice(14, 18);

/**
 * A conversation whose last prompt has `tokens` tokens; `turns` has the prompts of all its questions. The pairs that are
 * asked for lie evenly over the list and are asked for in random order. The length is exact where the tokenizer gives lines
 * different lengths.
 * @throws LlariatError("request") if `tokens` is too short for the questions and their answers.
 */
export function multiturn(options: SeededOptions): Prompt {
  const { count, tokens } = options;
  const { asked, line: draw, compose } = planMultiturn(options);
  const lines = fitLines({ target: tokens, count, draw, compose: (all) => compose(all, TURNS) });
  const others = lines.map(valueOf);
  const turns = asked.map(([key, value], i): Prompt => {
    const text = compose(lines, i + 1);
    const rest = asked.filter((_, j) => j !== i).map((each) => each[1]);
    return measured(
      { task: "multiturn", text, value, answers: [value, sentence(key, value)], others: [...others, ...rest] },
      text.indexOf(line(key, value)),
      count,
    );
  });
  const values = asked.map((each) => each[1]);
  return { ...turns[TURNS - 1], value: values.join(", "), values, answers: values, others, turns };
}

/** Ten questions about one list. */
export const multiturnTask: Task = {
  name: "multiturn",
  about: "Ten questions about one list of key/value pairs, one after another in one conversation.",
  ruler: false,
  place: "drawn",
  material: null,
  answerTokens: 64,
  missing: nothing,
  build: ({ count, tokens, key, materials: { chat } }) => multiturn({ count, tokens: Number(tokens), key, chat }),
  judge: (prompt, answer) => (prompt.values ? stringVerdict(prompt, answer, "all") : valueVerdict(prompt, answer)),
};
