// vt.ts — RULER's variable tracking (Hsieh et al. 2024, section 3.2): X1 = 12345, X2 = X1, … among noise; asked is every
// variable that comes to have the value. A solved example stands before it, as there.
//
// The sentences of the prompt are RULER's own (scripts/data/synthetic/variable_tracking.py and constants.py of NVIDIA/RULER,
// Copyright 2024 NVIDIA Corporation, Apache License 2.0), for they define the benchmark; the code is not.

import { type Stream, stream } from "../stream.ts";
import { fitText } from "./fit.ts";
import { NOISE } from "./niah.ts";
import type { Prompt, SeededOptions } from "./prompt.ts";
import { drawUnlike, exactly, framed, measured } from "./prompt.ts";
import { interleave } from "./sentences.ts";
import { type Task, nothing } from "./task.ts";
import { stringVerdict } from "./verdict.ts";

/** RULER's setting: one chain, four times passed on. */
const VT = { chains: 1, hops: 4 };

/** Letters of a variable, and of one of the example. */
const LETTERS = 5;
const EXAMPLE_LETTERS = 3;

/** Lines of noise in the example: RULER's has about 500 tokens; a short prompt has a shorter one. */
const exampleLines = (tokens: number): number => Math.max(1, Math.min(10, Math.floor(tokens / 400)));

const HEAD = "Memorize and track the chain(s) of variable assignment hidden in the following text.";
const question = (value: string): string =>
  `Question: Find all variables that are assigned the value ${value} in the text above.`;
const reply = (value: string, count: number): string =>
  ` Answer: According to the chain(s) of variable assignment in the text above, ${count} variables are assigned the value ${value}, they are: `;

/** Chains of assignments and what is asked of them. */
interface Chains {
  readonly value: string;
  readonly variables: readonly string[];
  /** Variables of the other chains. */
  readonly others: readonly string[];
  readonly lines: readonly (readonly string[])[];
}

function drawChains(random: Stream, { letters, unlike }: { letters: number; unlike: string }): Chains {
  const taken = new Set([unlike]);
  const fresh = (draw: () => string): string => {
    const drawn = drawUnlike(draw, (each) => taken.has(each));
    taken.add(drawn);
    return drawn;
  };
  const name = (): string => Array.from({ length: letters }, () => String.fromCharCode(65 + random.below(26))).join("");
  const chains = Array.from({ length: VT.chains }, () => Array.from({ length: VT.hops + 1 }, () => fresh(name)));
  const values = chains.map(() => fresh(() => String(10_000 + random.below(89_999)))); // as numpy's randint(10000, 99999)
  return {
    value: values[0],
    variables: chains[0],
    others: chains.slice(1).flat(),
    lines: chains.map((variables, i) =>
      variables.map((each, j) => (j === 0 ? `VAR ${each} = ${values[i]}` : `VAR ${each} = VAR ${variables[j - 1]} `)),
    ),
  };
}

/** RULER's text: lines of noise and assignments; few lines are taken apart into their sentences first. */
function context(hay: string, chains: Chains, random: Stream): string {
  const lines = hay.match(/[^\n]*\n|[^\n]+/g) ?? [];
  let items = lines.length > VT.hops + 1 ? lines : lines.flatMap((line) => line.match(/[^.]*\.|[^.]+/g) ?? []);
  for (const chain of chains.lines) {
    const places = random.sample(Math.max(items.length, chain.length), chain.length).sort((a, b) => a - b);
    items = interleave(items, chain, places);
  }
  return items.join(" ").replaceAll(". \n", ".\n");
}

/** The plan of a prompt: what is asked, and the text around a beginning of the noise. */
export interface VtPlan {
  readonly variables: readonly string[];
  readonly others: readonly string[];
  /** The assignment that begins the chain. */
  readonly first: string;
  readonly compose: (hay: string, attempt: number) => string;
}

/** Plans a prompt of about `tokens` tokens, which say how long the example is. One seed has one example. */
export function planVt({ tokens, key, chat }: Omit<SeededOptions, "count">): VtPlan {
  const example = drawChains(stream("vt", "example", ...key.slice(0, 1)), { letters: EXAMPLE_LETTERS, unlike: "" });
  const chains = drawChains(stream("vt", ...key), { letters: LETTERS, unlike: example.value });
  const noise = `${NOISE}\n`.repeat(exampleLines(tokens));
  const solved = [
    HEAD,
    context(noise, example, stream("vt", "example", "places", ...key.slice(0, 1))),
    question(example.value),
  ]
    .join(" ")
    .concat(reply(example.value, example.variables.length), " ", example.variables.join(" "));
  return {
    variables: chains.variables,
    others: chains.others,
    first: chains.lines[0][0],
    compose: (hay, attempt) =>
      framed(
        chat,
        `${solved}\n\n${HEAD}\n\n${context(hay, chains, stream("vt", ...key, "places", attempt))}\n${question(chains.value)}`,
        reply(chains.value, chains.variables.length),
      ),
  };
}

/**
 * A prompt of variable tracking with `tokens` tokens, its noise cut where the length asks for it.
 * @throws LlariatError("request") if `tokens` is too short for example and question.
 */
export function vt(options: SeededOptions): Prompt {
  const { count, tokens } = options;
  const plan = planVt(options);
  const { variables, others } = plan;
  // A character is at least a quarter of a token with any tokenizer that has seen English.
  const noise = `${NOISE}\n`.repeat(Math.ceil((Math.max(1, tokens) * 16) / NOISE.length));
  return exactly(tokens, (attempt) => {
    const compose = (hay: string): string => plan.compose(hay, attempt);
    const text = compose(noise.slice(0, fitText({ target: tokens, count, text: noise, compose })));
    const parts = { value: variables.join(", "), values: variables, answers: variables, others };
    return measured({ task: "vt", text, ...parts }, text.indexOf(plan.first), count);
  });
}

/** Variable tracking. */
export const vtTask: Task = {
  name: "vt",
  about: "RULER: variables that get the same value from one another, among noise; all of them are asked for.",
  ruler: true,
  place: "drawn",
  material: null,
  answerTokens: 30,
  missing: nothing,
  build: ({ count, tokens, key, materials: { chat } }) => vt({ count, tokens: Number(tokens), key, chat }),
  judge: (prompt, answer) => stringVerdict(prompt, answer, "all"),
};
