// niah.ts — RULER's needles in a haystack (Hsieh et al. 2024, section 3.1): one sentence or several among noise, essays, or
// sentences of the needle's own form. Eight tasks that differ in the rows below.
//
// The sentences of the prompts are RULER's own (scripts/data/synthetic/niah.py and constants.py of NVIDIA/RULER, Copyright
// 2024 NVIDIA Corporation, Apache License 2.0), for they define the benchmark; the code is not.

import { LlariatError } from "../../error.ts";
import { type Stream, stream } from "../stream.ts";
import { fitLines, fitText } from "./fit.ts";
import type { Prompt, SeededOptions, TaskName } from "./prompt.ts";
import { drawUnlike, exactly, framed, measured } from "./prompt.ts";
import { interleave, sentences, singleSpaced } from "./sentences.ts";
import { type Task, nothing } from "./task.ts";
import { stringVerdict } from "./verdict.ts";
import { word } from "./words.ts";

/** The name of one of RULER's needle tasks. */
export type NiahName = Extract<TaskName, `niah_${string}`>;

type Kind = "words" | "numbers" | "uuids";

/** What one of the tasks hides and where: RULER's parameters by RULER's names (scripts/synthetic.yaml). */
interface Setting {
  readonly haystack: "repeat" | "essay" | "needle";
  readonly key: Kind;
  readonly value: Kind;
  /** Needles' keys, values of each, and keys asked for. */
  readonly keys: number;
  readonly values: number;
  readonly queries: number;
  readonly about: string;
}

/** One key with one value. */
const ONE = { key: "words", value: "numbers", keys: 1, values: 1, queries: 1 } as const;

/** RULER's eight settings. */
export const NIAH = {
  niah_single_1: { ...ONE, haystack: "repeat", about: "A number for a word, among repetitions of one line." },
  niah_single_2: { ...ONE, haystack: "essay", about: "A number for a word, among essays." },
  niah_single_3: { ...ONE, haystack: "essay", value: "uuids", about: "A UUID for a word, among essays." },
  niah_multikey_1: { ...ONE, haystack: "essay", keys: 4, about: "One of four numbers for four words, among essays." },
  niah_multikey_2: { ...ONE, haystack: "needle", about: "One number among numbers for other words, and nothing else." },
  niah_multikey_3: {
    ...ONE,
    haystack: "needle",
    key: "uuids",
    value: "uuids",
    about: "One UUID among UUIDs for other UUIDs, and nothing else.",
  },
  niah_multivalue: { ...ONE, haystack: "essay", values: 4, about: "Four numbers for the same word, among essays." },
  niah_multiquery: {
    ...ONE,
    haystack: "essay",
    keys: 4,
    queries: 4,
    about: "Four numbers for four words, all asked for.",
  },
} as const satisfies Readonly<Record<NiahName, Setting>>;

/** RULER's noise, that of the passkey task: Mohtashami & Jaggi 2023. */
export const NOISE = "The grass is green. The sky is blue. The sun is yellow. Here we go. There and back again.";

/** RULER's depths of needles in essays, in percent: 40 from 0 to 100. */
const DEPTHS = Array.from({ length: 40 }, (_, i) => Math.round((i * 100) / 39));

const ONE_ASKED = {
  head: (kind: string): string =>
    `A special magic ${kind} is hidden within the following text. Make sure to memorize it. I will quiz you about the ${kind} afterwards.\n`,
  question: (kind: string, key: string): string =>
    `\nWhat is the special magic ${kind} for ${key} mentioned in the provided text?`,
  reply: (kind: string, key: string): string =>
    ` The special magic ${kind} for ${key} mentioned in the provided text is`,
};
const SEVERAL_ASKED = {
  head: (kind: string): string =>
    `Some special magic ${kind} are hidden within the following text. Make sure to memorize it. I will quiz you about the ${kind} afterwards.\n`,
  question: (kind: string, key: string): string =>
    `\nWhat are all the special magic ${kind} for ${key} mentioned in the provided text?`,
  reply: (kind: string, key: string): string =>
    ` The special magic ${kind} for ${key} mentioned in the provided text are`,
};

const sentence = (kind: Kind, key: string, value: string): string =>
  `One of the special magic ${kind} for ${key} is: ${value}.`;

/** 7 digits, or `adjective-noun`, or a random UUID of version 4. */
function draw(kind: Kind, random: Stream): string {
  if (kind === "numbers") return String(1_000_000 + random.below(9_000_000));
  if (kind === "words") return word(random);
  const variant = (): string => (8 + random.below(4)).toString(16);
  return [random.hex(8), random.hex(4), `4${random.hex(3)}`, variant() + random.hex(3), random.hex(12)].join("-");
}

/** Draws keys and values of which each is new. */
const drawer = (random: Stream, taken: Set<string>): ((kind: Kind) => string) => {
  return (kind) => {
    const drawn = drawUnlike(
      () => draw(kind, random),
      (each) => taken.has(each),
    );
    taken.add(drawn);
    return drawn;
  };
};

/** A prompt before its haystack: what is hidden, what is asked, and how much of which haystack makes a text of it. */
export interface NiahPlan {
  readonly needles: readonly string[];
  /** The strings that are asked for, and all others that stand in needles. */
  readonly values: readonly string[];
  readonly others: readonly string[];
  /** Draws one more line of a haystack of needles. */
  readonly line: () => string;
  /** The prompt around a haystack: a beginning of running text, or lines. */
  readonly compose: (hay: string | readonly string[]) => string;
}

/**
 * Plans a prompt of a task; everything is drawn from its name and the key. `attempt` chooses where the needles stand, and
 * the lines of a haystack of needles.
 */
export function planNiah(name: NiahName, { key, chat }: Pick<SeededOptions, "key" | "chat">, attempt = 0): NiahPlan {
  const setting: Setting = NIAH[name];
  const { haystack, values: perKey, queries } = setting;
  const random = stream(name, ...key);
  const taken = new Set<string>();
  const fresh = drawer(random, taken);
  const pairs = Array.from({ length: setting.keys }, () => ({
    key: fresh(setting.key),
    values: Array.from({ length: perKey }, () => fresh(setting.value)),
  }));
  const needles = random.shuffle(
    pairs.flatMap((pair) => pair.values.map((value) => sentence(setting.value, pair.key, value))),
  );
  const asked = random.sample(pairs.length, queries).map((index) => pairs[index]);
  const keys = asked.map((pair) => pair.key);
  const query = keys.length > 1 ? `${keys.slice(0, -1).join(", ")}, and ${keys.at(-1)}` : keys[0];
  const words = queries * perKey === 1 ? ONE_ASKED : SEVERAL_ASKED;
  const kind = queries * perKey === 1 ? setting.value.slice(0, -1) : setting.value;
  const lineDrawer = drawer(stream(name, ...key, "lines", attempt), taken);
  const places = (count: number): number[] =>
    stream(name, ...key, "places", attempt)
      .sample(Math.max(count, needles.length), needles.length)
      .sort((a, b) => a - b);
  const context = (hay: string | readonly string[]): string => {
    if (typeof hay !== "string") return interleave(hay, needles, places(hay.length)).join("\n");
    if (haystack === "repeat") {
      const lines = hay === "" ? [] : hay.replace(/\n$/, "").split("\n");
      return interleave(lines, needles, places(lines.length)).join("\n");
    }
    const parts = sentences(hay.trim());
    const depths = stream(name, ...key, "places", attempt)
      .sample(DEPTHS.length, needles.length)
      .map((index) => Math.floor(parts.length * (DEPTHS[index] / 100)))
      .sort((a, b) => a - b);
    return interleave(parts, needles, depths).join(" ");
  };
  return {
    needles,
    values: asked.flatMap((pair) => pair.values),
    others: pairs.filter((pair) => !asked.includes(pair)).flatMap((pair) => pair.values),
    line: () => sentence(setting.value, lineDrawer(setting.key), lineDrawer(setting.value)),
    compose: (hay) =>
      framed(chat, words.head(kind) + context(hay) + words.question(kind, query), words.reply(kind, query)),
  };
}

/** Length and haystack of a needle prompt. */
export interface NiahOptions extends SeededOptions {
  /** Essays, or other running text; repeated where it is too short. Needed where the haystack is essays. */
  readonly filler?: string;
}

/**
 * A prompt of one of RULER's needle tasks with `tokens` tokens. Where no sum of lines of a haystack of needles makes that
 * length, the prompt is shorter, by less than a line.
 * @throws LlariatError("request") if `tokens` is too short for needles and question, or essays are needed and missing.
 */
export function niah(name: NiahName, options: NiahOptions): Prompt {
  const { count, tokens, filler = "" } = options;
  const { haystack } = NIAH[name];
  const build = (attempt: number): Prompt => {
    const plan = planNiah(name, options, attempt);
    const { compose } = plan;
    let text: string;
    let { others } = plan;
    if (haystack === "needle") {
      const lines = fitLines({
        target: tokens,
        count,
        draw: () => `${plan.line()}\n`,
        compose: (all) => compose(all.map(bare)),
      });
      text = compose(lines.map(bare));
      others = lines.map((line) => bare(line).slice(line.lastIndexOf(": ") + 2, -1));
    } else {
      const unit = haystack === "repeat" ? `${NOISE}\n` : `${singleSpaced(filler)} `;
      if (unit === " ") throw new LlariatError("request", `${name}: ${NO_ESSAYS}`);
      // 16 characters a token are more than any tokenizer reaches on running text.
      const whole = unit.repeat(Math.ceil((Math.max(1, tokens) * 16) / unit.length));
      // A character that costs several tokens may stand at the cut; from another word on it stands elsewhere.
      const all = haystack === "essay" ? whole.slice(startOf(whole, attempt)) : whole;
      text = compose(all.slice(0, fitText({ target: tokens, count, text: all, compose })));
    }
    const at = Math.min(
      ...plan.needles
        .filter((each) => plan.values.some((value) => each.includes(value)))
        .map((each) => text.indexOf(each)),
    );
    const { values } = plan;
    return measured({ task: name, text, value: values.join(", "), values, answers: values, others }, at, count);
  };
  // Among hundreds of lines every sum is found that there is; other lines rarely make another one.
  return exactly(tokens, build, haystack === "needle" ? 2 : undefined);
}

const bare = (line: string): string => line.slice(0, -1);

/** Where the n-th word of a text begins. */
function startOf(text: string, n: number): number {
  let at = 0;
  for (let i = 0; i < n; i++) at = text.indexOf(" ", at) + 1;
  return at;
}

const NO_ESSAYS = "needs essays or other running text to hide needles in; give at least one text file";

const task = (name: NiahName): Task => ({
  name,
  about: `RULER: ${NIAH[name].about}`,
  ruler: true,
  place: "drawn",
  material: NIAH[name].haystack === "essay" ? "filler" : null,
  answerTokens: 128,
  missing: NIAH[name].haystack === "essay" ? ({ filler }) => (filler.trim() === "" ? NO_ESSAYS : undefined) : nothing,
  build: ({ count, tokens, key, materials: { filler, chat } }) =>
    niah(name, { count, tokens: Number(tokens), key, filler, chat }),
  judge: (prompt, answer) => stringVerdict(prompt, answer, "all"),
});

/** RULER's needle tasks by name. */
export const niahTasks = Object.fromEntries(
  (Object.keys(NIAH) as NiahName[]).map((name) => [name, task(name)]),
) as Readonly<Record<NiahName, Task>>;
