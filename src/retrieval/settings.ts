// settings.ts — what a retrieval run is asked to do, checked and with defaults filled in.

import { LlariatError } from "../error.ts";
import type { RopeScaling } from "../rope/index.ts";
import { nearest } from "../text/wording.ts";
import type { CountTokens, Engine } from "./engine.ts";
import { trainedLength } from "./engine.ts";
import type { Document, FixturePrompt, Needle, TaskName } from "./prompts/index.ts";
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
  /** Where the secret stands, 0 to 1. Default: 0.2, 0.5, 0.8. Titles always stand at the start. */
  readonly positions?: readonly number[];
  /** Prompts per cell, 10 by default; with titles "own" no more than there are documents. */
  readonly tries?: number;
  readonly seed?: number | string;
  /** Tokens the model was trained for. Default: what its config says. */
  readonly trainedLength?: number;
  /** Tokens of a prompt length left for the answer. Default: 256, scaled down where the trained length is below 4096. */
  readonly answerRoom?: number;
  /** Tokens an answer may have. Default per task, at least answerRoom for uuid. */
  readonly maxNewTokens?: number;
  /** Whether passkey's filler may be cut to make the length exact. Default "exact". */
  readonly fit?: "exact" | "whole";
  /** Prompts of a cell that are in flight together. Default 4. */
  readonly batch?: number;
  /** Also run cells that have no chance, to see them fail. */
  readonly runHopeless?: boolean;
  /** Stop a cell when its outcome is settled. true: tells 0.5 from 0.9 with 5 % error. */
  readonly sequential?: boolean | SequentialRule;
  /** Run only every `count`-th of the cells to be run, from `index` (1 to count) on. */
  readonly shard?: { readonly index: number; readonly count: number };
  /** Conditions such as "dynamic:2>=0.9@1.5x" (expect.ts). */
  readonly expect?: readonly string[];
  /** For title: the documents; for needle: filler, if `filler` is not given. */
  readonly documents?: readonly Document[];
  readonly titles?: "own" | "made";
  /** Refuse a whole document whose prompt has not more tokens than this. */
  readonly leastTokens?: number;
  readonly filler?: string;
  readonly needle?: Needle;
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
  readonly maxNewTokens: number | undefined;
  readonly fit: "exact" | "whole";
  readonly batch: number;
  readonly runHopeless: boolean;
  readonly sequential: SequentialRule | null;
  readonly shard: { readonly index: number; readonly count: number };
  readonly expect: readonly string[];
  readonly documents: readonly Document[];
  readonly titles: "own" | "made";
  readonly leastTokens: number;
  readonly filler: string;
  readonly needle: Needle | undefined;
  readonly fixture: readonly FixturePrompt[] | undefined;
  readonly model: string;
}

const TASKS: readonly TaskName[] = ["uuid", "passkey", "title", "needle"];

const KEYS: readonly (keyof RetrievalSettings)[] = [
  ...(["tasks", "ropeScalings", "promptLengths", "positions", "tries", "seed", "trainedLength", "answerRoom"] as const),
  ...([
    "maxNewTokens",
    "fit",
    "batch",
    "runHopeless",
    "sequential",
    "shard",
    "expect",
    "documents",
    "titles",
    "leastTokens",
  ] as const),
  ...(["filler", "needle", "fixture", "countTokens", "model"] as const),
];

const refuse = (problem: string, subject?: string): never => {
  throw new LlariatError("request", problem, { subject });
};

function whole(name: string, value: number, least: number): number {
  return Number.isInteger(value) && value >= least
    ? value
    : refuse(`must be a whole number ≥ ${least}, got ${value}`, name);
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
  const text = String(given).trim();
  const times = /^(\d+(?:\.\d+)?)x$/.exec(text);
  const tokens = times ? Math.floor(Number(times[1]) * trained) : Number(text);
  if (Number.isInteger(tokens) && tokens >= 1 && text !== "") return tokens;
  return refuse(
    `needs tokens, "1.5x" (times the trained length ${trained}) or "whole", got ${JSON.stringify(given)}`,
    "promptLengths",
  );
}

/** h2oGPT leaves 256 of 4096 tokens for the answer. */
const roomFor = (trained: number): number => Math.min(256, Math.floor(trained / 16));

/** Checks settings against an engine. @throws LlariatError("request" or "rope") naming the setting. */
export function resolveSettings(engine: Engine, given: RetrievalSettings): ResolvedSettings {
  for (const key of Object.keys(given)) {
    if ((KEYS as readonly string[]).includes(key)) continue;
    const near = nearest(key, KEYS);
    refuse(`${key} is no setting of retrieve${near ? `; did you mean ${near}?` : `; known are ${KEYS.join(", ")}`}`);
  }
  const trained = trainedLength(engine, given.trainedLength);
  const { fixture, documents = [], positions = [0.2, 0.5, 0.8], sequential = false } = given;
  for (const task of given.tasks ?? []) {
    if (TASKS.includes(task)) continue;
    const near = nearest(task, TASKS);
    refuse(`${JSON.stringify(task)} is none of ${TASKS.join(", ")}${near ? `; did you mean ${near}?` : ""}`, "tasks");
  }
  if (fixture && (given.tasks ?? given.promptLengths ?? given.positions ?? given.tries) !== undefined) {
    refuse("a fixture brings its own tasks, promptLengths, positions and tries; leave these out");
  }
  const tasks = fixture
    ? [...new Set(fixture.map((each) => each.prompt.task))]
    : list<TaskName>("tasks", given.tasks ?? ["uuid"], String);
  const promptLengths = list(
    "promptLengths",
    fixture
      ? [...new Set(fixture.map((each) => each.promptLen))]
      : (given.promptLengths ?? []).map((each) => parseLength(each, trained)),
    String,
  );
  const filler = given.filler ?? documents.map((document) => document.text).join("\n\n");
  if (!fixture) {
    if (tasks.includes("title") && documents.length === 0)
      refuse("title: needs documents; give at least one text file");
    if (tasks.includes("needle") && filler.trim() === "") refuse("needle: needs filler; give at least one text file");
    if (promptLengths.includes("whole") && tasks.some((task) => task !== "title")) {
      refuse('"whole" is a whole document, so only the title task has it', "promptLengths");
    }
  }
  for (const position of list("positions", positions, String)) {
    if (!(position >= 0 && position <= 1)) refuse(`must be between 0 and 1, got ${position}`, "positions");
  }
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
    tries: whole("tries", given.tries ?? 10, 1),
    seed: given.seed ?? 0,
    trained,
    answerRoom: whole("answerRoom", given.answerRoom ?? (fixture ? 0 : roomFor(trained)), 0),
    maxNewTokens: given.maxNewTokens === undefined ? undefined : whole("maxNewTokens", given.maxNewTokens, 1),
    fit: given.fit ?? "exact",
    batch: whole("batch", given.batch ?? 4, 1),
    runHopeless: given.runHopeless ?? false,
    sequential: rule,
    shard,
    expect: given.expect ?? [],
    documents,
    titles: given.titles ?? "own",
    leastTokens: given.leastTokens ?? 0,
    filler,
    needle: given.needle,
    fixture,
    model: given.model ?? "model",
  };
}
