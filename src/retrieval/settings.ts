// settings.ts — what a retrieval run is asked to do, checked and with defaults filled in.

import { LlariatError } from "../error.ts";
import type { RopeScaling } from "../rope/index.ts";
import { isObject } from "../text/json.ts";
import { type Kinds, checkOptions, checkWhole, reading } from "../text/options.ts";
import { display, nearest } from "../text/wording.ts";
import type { CountTokens, Engine } from "./engine.ts";
import { MOST_TOKENS, trainedLength } from "./engine.ts";
import type { ChatFrame, Document, FixturePrompt, Needle, QuestionSet, TaskName } from "./prompts/index.ts";
import { TASK_NAMES, framing } from "./prompts/prompt.ts";
import type { Materials } from "./prompts/materials.ts";
import { TASKS } from "./prompts/tasks.ts";
import { checkThreshold } from "./length.ts";
import type { Scaling } from "./scaling.ts";
import { parseScaling } from "./scaling.ts";
import type { SequentialRule } from "./stats.ts";
import { DEFAULT_SEQUENTIAL, settled } from "./stats.ts";

/** The options of `retrieve`. Everything has a default except the prompt lengths. */
export interface RetrievalSettings {
  /** Default: uuid. */
  readonly tasks?: readonly TaskName[];
  /** As on the command line ("none", "own", "dynamic:2", "yarn:4,beta_fast=32/planned") or as objects. Default: own. */
  readonly ropeScalings?: readonly (string | RopeScaling | Scaling | null)[];
  /** Tokens of prompt and answer room together; "1.5x" is times the trained length; "whole" a whole document (title). */
  readonly promptLengths?: readonly (number | string)[];
  /**
   * Where the secret stands, 0 to 1. Default: 0.2, 0.5, 0.8. Titles always stand at the start; in RULER's tasks and in
   * conversations the seed says where.
   */
  readonly positions?: readonly number[];
  /**
   * Prompts per cell, 10 by default; with titles "own" no more than there are documents. With `sequential` at most as many,
   * 200 by default.
   */
  readonly tries?: number;
  readonly seed?: number | string;
  /** Tokens the model was trained for. Default: what its config says. */
  readonly trainedLength?: number;
  /**
   * Tokens of a prompt length left for the answer. Default: 256, scaled down where the trained length is below 4096; for
   * RULER's tasks what an answer may have, as there.
   */
  readonly answerRoom?: number;
  /** Tokens an answer may have. Default per task, at least answerRoom for uuid. */
  readonly maxNewTokens?: number;
  /** Whether passkey's filler may be cut to make the length exact. Default "exact". */
  readonly fit?: "exact" | "whole";
  /** Prompts of a cell that are in flight together. Default 4. */
  readonly batch?: number;
  /** Also run cells that have no chance, to see them fail. */
  readonly runHopeless?: boolean;
  /**
   * Stop a cell when its outcome is settled. true: tells 0.5 from 0.9 with 5 % error. Cells that `expect` is about, the
   * positions of one task, scaling and length together, stop when that is decided instead.
   */
  readonly sequential?: boolean | SequentialRule;
  /** Run only every `count`-th of the cells to be run, from `index` (1 to count) on. */
  readonly shard?: { readonly index: number; readonly count: number };
  /** Conditions such as "dynamic:2>=0.9@1.5x" (expect.ts). */
  readonly expect?: readonly string[];
  /** For title: the documents; for what hides something in a text: the text, if `filler` is not given. */
  readonly documents?: readonly Document[];
  readonly titles?: "own" | "made";
  /** Refuse a whole document whose prompt has not more tokens than this. */
  readonly leastTokens?: number;
  /** The haystack of needle and of RULER's tasks with essays: running text, repeated where it is too short. */
  readonly filler?: string;
  readonly needle?: Needle;
  /** For qa_1 a set in SQuAD's form, for qa_2 one in HotpotQA's; `parseQuestions` reads their files. */
  readonly questions?: readonly QuestionSet[];
  /** Puts every prompt into the model's chat format. Default: prompts are plain text, but for uuid's own marks. */
  readonly chat?: ChatFrame;
  /**
   * Mean score over tasks that a length must exceed to count as used, 0 to 1 (RULER's effective length). Default: 0.856,
   * that of Llama 2 7B at 4096 tokens there.
   */
  readonly threshold?: number;
  /** Tasks whose mean that is. Default: RULER's of this run, or all if it has none of them. */
  readonly effectiveTasks?: readonly TaskName[];
  /** Prompts that exist already, instead of tasks, lengths, positions and tries. */
  readonly fixture?: readonly FixturePrompt[];
  /** How the engine counts tokens. Default: by its tokenizer. */
  readonly countTokens?: CountTokens;
  /** Name of the model, for the report; a saved report is resumed only under the same name. */
  readonly model?: string;
}

/** Settings with every default filled in. */
export interface ResolvedSettings {
  readonly tasks: readonly TaskName[];
  readonly scalings: readonly Scaling[];
  readonly promptLengths: readonly (number | "whole")[];
  readonly positions: readonly number[];
  readonly tries: number;
  readonly seed: number | string;
  readonly trained: number;
  readonly answerRoom: number;
  /** The caller said how much room answers have. */
  readonly roomGiven: boolean;
  readonly maxNewTokens: number | undefined;
  readonly batch: number;
  readonly runHopeless: boolean;
  readonly sequential: SequentialRule | null;
  readonly shard: { readonly index: number; readonly count: number };
  readonly expect: readonly string[];
  readonly materials: Materials;
  /** What is to be said of RULER's effective length; undefined where nobody asked and no task is RULER's. */
  readonly effective: { readonly threshold: number; readonly tasks: readonly TaskName[] } | undefined;
  readonly fixture: readonly FixturePrompt[] | undefined;
  readonly model: string;
  readonly countTokens: CountTokens | undefined;
}

/** Of Llama 2 7B at 4096 tokens: the threshold of RULER's table (Hsieh et al. 2024, table 3). */
export const RULER_THRESHOLD = 0.856;

/** Tokens of a prompt length that a task leaves for the answer. */
export const roomOf = (
  task: TaskName,
  { roomGiven, answerRoom }: Pick<ResolvedSettings, "roomGiven" | "answerRoom">,
): number => (TASKS[task].ruler && !roomGiven ? TASKS[task].answerTokens : answerRoom);

const KINDS: Kinds<RetrievalSettings> = {
  tasks: "list",
  ropeScalings: "list",
  promptLengths: "list",
  positions: "list",
  tries: "any",
  seed: "any",
  trainedLength: "any",
  answerRoom: "any",
  maxNewTokens: "any",
  fit: ["exact", "whole"],
  batch: "any",
  runHopeless: "flag",
  sequential: "any",
  shard: "object",
  expect: "list",
  documents: "list",
  titles: ["own", "made"],
  leastTokens: "any",
  filler: "text",
  needle: "object",
  questions: "list",
  chat: "function",
  threshold: "any",
  effectiveTasks: "list",
  fixture: "list",
  countTokens: "function",
  model: "text",
};

const refuse = (problem: string, subject?: string): never => {
  throw new LlariatError("request", problem, { subject });
};

function whole(name: string, value: number, least: number): number {
  checkWhole(name, value, least);
  return value;
}

/** Refuses an empty list and repeated items, which would make cells of the same name. */
function list<T>(name: string, items: readonly T[], label: (item: T) => string): readonly T[] {
  if (items.length === 0) refuse("needs at least one", name);
  const labels = items.map(label);
  const twice = labels.find((each, i) => labels.indexOf(each) !== i);
  return twice === undefined ? items : refuse(`${twice} is given twice`, name);
}

/** A length in tokens: a number, "6000", "1.5x" (times the trained length), or "whole". */
export function parseLength(given: number | string, trained: number): number | "whole" {
  if (given === "whole") return given;
  const text = typeof given === "string" || typeof given === "number" ? String(given).trim() : "";
  const times = /^(\d+(?:\.\d+)?)x$/.exec(text);
  const tokens = times ? Math.floor(Number(times[1]) * trained) : Number(text);
  if (tokens > MOST_TOKENS) refuse(`at most ${MOST_TOKENS} tokens, got ${display(given)}`, "promptLengths");
  if (Number.isInteger(tokens) && tokens >= 1 && text !== "") return tokens;
  return refuse(
    `needs tokens, "1.5x" (times the trained length ${trained}) or "whole", got ${display(given)}`,
    "promptLengths",
  );
}

/** Refuses lists and objects whose parts are of another kind. */
function checkParts({
  documents = [],
  expect = [],
  fixture = [],
  questions = [],
  needle,
  seed = 0,
}: RetrievalSettings): void {
  for (const document of documents) {
    const { name, text, title } = checkOptions<Document>(
      document,
      { name: "text", text: "text", title: "text" },
      "documents",
    );
    if (name === undefined || text === undefined)
      refuse(`needs name and text, got ${display({ name, text, title })}`, "documents");
  }
  for (const each of expect) if (typeof each !== "string") refuse(`holds texts, got ${display(each)} in it`, "expect");
  for (const each of fixture) {
    if (!isObject(each) || !isObject(each.prompt) || typeof each.prompt.text !== "string")
      refuse(`holds prompts as prompts.fromFixture gives them, got ${display(each)} in it`, "fixture");
  }
  for (const each of questions) {
    if (
      !isObject(each) ||
      !Array.isArray(each.documents) ||
      !Array.isArray(each.questions) ||
      each.questions.length === 0
    )
      refuse(`holds sets as parseQuestions gives them, got ${display(each)} in it`, "questions");
  }
  if (needle) {
    const kinds = { fact: "text", question: "text", values: "list" } as const;
    const { fact, question } = checkOptions<Needle>(needle, kinds, "needle");
    if (fact === undefined || question === undefined) refuse("needs fact and question", "needle");
  }
  if (typeof seed !== "string" && !Number.isFinite(seed))
    refuse(`must be a number or a text, got ${display(seed)}`, "seed");
}

/** Refuses two sets of the same form: a task has one. */
function oneOfEach(sets: readonly QuestionSet[]): readonly QuestionSet[] {
  const forms = sets.map((set) => set.form);
  const twice = forms.find((form, i) => forms.indexOf(form) !== i);
  return twice === undefined ? sets : refuse(`holds two sets in the form of ${twice}; give one of each`, "questions");
}

/** Refuses names that are no task's. */
function checkTasks(name: string, tasks: readonly TaskName[]): void {
  for (const task of tasks) {
    if (TASK_NAMES.includes(task)) continue;
    const near = typeof task === "string" ? nearest(task, TASK_NAMES) : undefined;
    refuse(`${display(task)} is none of ${TASK_NAMES.join(", ")}${near ? `; did you mean ${near}?` : ""}`, name);
  }
}

/** What is to be said of the effective length. */
function effectiveOf(
  tasks: readonly TaskName[],
  { threshold, effectiveTasks }: RetrievalSettings,
): ResolvedSettings["effective"] {
  checkTasks("effectiveTasks", effectiveTasks ?? []);
  const stranger = effectiveTasks?.find((task) => !tasks.includes(task));
  if (stranger !== undefined) refuse(`${stranger} is none of this run's tasks`, "effectiveTasks");
  if (threshold !== undefined) checkThreshold(threshold);
  const ruler = tasks.filter((task) => TASKS[task].ruler);
  if ((threshold ?? effectiveTasks) === undefined && ruler.length === 0) return undefined;
  const chosen = effectiveTasks ?? (ruler.length > 0 ? ruler : tasks);
  return { threshold: threshold ?? RULER_THRESHOLD, tasks: list("effectiveTasks", chosen, display) };
}

/** 10 of 10 show 72 %, by the 95 % interval. */
const TRIES = 10;

/**
 * 180 of 200 show 81 %, by the interval that holds at every look. The same whatever is expected: a report may be resumed with other
 * expectations, but not with other tries.
 */
const SEQUENTIAL_TRIES = 200;

/** h2oGPT leaves 256 of 4096 tokens for the answer. */
const roomFor = (trained: number): number => Math.min(256, Math.floor(trained / 16));

/** Checks settings against an engine. @throws LlariatError("request" or "rope") naming the setting. */
export function resolveSettings(engine: Engine, given: RetrievalSettings): ResolvedSettings {
  const settings = checkOptions<RetrievalSettings>(given, KINDS);
  return reading("settings", () => resolve(engine, settings));
}

function resolve(engine: Engine, given: RetrievalSettings): ResolvedSettings {
  checkParts(given);
  const trained = trainedLength(engine, given.trainedLength);
  const { fixture, documents = [], positions = [0.2, 0.5, 0.8], sequential = false } = given;
  checkTasks("tasks", given.tasks ?? []);
  if (fixture && (given.tasks ?? given.promptLengths ?? given.positions ?? given.tries) !== undefined) {
    refuse("a fixture brings its own tasks, promptLengths, positions and tries; leave these out");
  }
  const tasks = fixture
    ? [...new Set(fixture.map((each) => each.prompt.task))]
    : list<TaskName>("tasks", given.tasks ?? ["uuid"], display);
  const promptLengths = list(
    "promptLengths",
    fixture
      ? [...new Set(fixture.map((each) => each.promptLen))]
      : (given.promptLengths ?? []).map((each) => parseLength(each, trained)),
    String,
  );
  const filler = given.filler ?? documents.map((document) => document.text).join("\n\n");
  const materials: Materials = {
    documents,
    titles: given.titles ?? "own",
    leastTokens: whole("leastTokens", given.leastTokens ?? 0, 0),
    fit: given.fit ?? "exact",
    filler,
    needle: given.needle,
    questions: oneOfEach(given.questions ?? []),
    chat: given.chat && framing(given.chat),
  };
  if (!fixture) {
    for (const task of tasks) {
      const missing = TASKS[task].missing(materials);
      if (missing !== undefined) refuse(`${task}: ${missing}`);
    }
    if (promptLengths.includes("whole") && tasks.some((task) => task !== "title")) {
      refuse('"whole" is a whole document, so only the title task has it', "promptLengths");
    }
  }
  for (const position of list("positions", positions, display)) {
    if (!(typeof position === "number" && position >= 0 && position <= 1))
      refuse(`must be between 0 and 1, got ${display(position)}`, "positions");
  }
  if (typeof sequential !== "boolean" && !isObject(sequential))
    refuse(`must be true, false or a rule, got ${display(sequential)}`, "sequential");
  const rule = sequential === true ? DEFAULT_SEQUENTIAL : sequential || null;
  if (rule) settled(0, 0, rule);
  const shard = given.shard ?? { index: 1, count: 1 };
  whole("shard.count", shard.count, 1);
  if (whole("shard.index", shard.index, 1) > shard.count)
    refuse(`${shard.index} of ${shard.count} does not exist`, "shard");
  return {
    tasks,
    scalings: list(
      "ropeScalings",
      (given.ropeScalings ?? ["own"]).map((each) => parseScaling(each)),
      (each) => each.label,
    ),
    promptLengths,
    positions,
    tries: whole("tries", given.tries ?? (rule ? SEQUENTIAL_TRIES : TRIES), 1),
    seed: given.seed ?? 0,
    trained,
    roomGiven: given.answerRoom !== undefined,
    answerRoom: whole("answerRoom", given.answerRoom ?? (fixture ? 0 : roomFor(trained)), 0),
    maxNewTokens: given.maxNewTokens === undefined ? undefined : whole("maxNewTokens", given.maxNewTokens, 1),
    batch: whole("batch", given.batch ?? 4, 1),
    runHopeless: given.runHopeless ?? false,
    sequential: rule,
    shard,
    expect: given.expect ?? [],
    materials,
    effective: effectiveOf(tasks, given),
    fixture,
    model: given.model ?? "model",
    countTokens: given.countTokens,
  };
}
