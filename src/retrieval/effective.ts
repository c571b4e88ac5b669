// effective.ts — the effective context window k_max of section 3.3 of the Position Interpolation paper (arXiv 2306.15595,
// table 4): how far from the end a passkey may stand and still be found.

import { LlariatError, checkAborted } from "../error.ts";
import type { RopeScaling } from "../rope/index.ts";
import { type Kinds, checkOptions, checkWhole, reading } from "../text/options.ts";
import { display } from "../text/wording.ts";
import { ask, inFlight } from "./ask.ts";
import type { CountTokens, Engine } from "./engine.ts";
import { MOST_TOKENS, checkEngine, tokenCounter } from "./engine.ts";
import type { Prompt } from "./prompts/index.ts";
import { prompts } from "./prompts/index.ts";
import { TASKS } from "./prompts/tasks.ts";
import type { Attempt } from "./cell.ts";
import type { Scaling } from "./scaling.ts";
import { parseScaling } from "./scaling.ts";

/** What to measure. */
export interface EffectiveSettings {
  /** L', the targeted context window in tokens: every prompt fills it, less the room for the answer. */
  readonly window: number;
  /** Distances, evenly spaced over the window: 32 in the paper. */
  readonly points?: number;
  /** Random five-digit passkeys per distance: 10 in the paper. */
  readonly tries?: number;
  /** Least success rate at every distance up to k_max: 0.2 in the paper. */
  readonly least?: number;
  readonly ropeScalings?: readonly (string | RopeScaling | Scaling | null)[];
  /** Tokens left for the answer. Default 8: five digits and their stop. */
  readonly answerRoom?: number;
  /** As for `retrieve`; default "whole": only whole repetitions of the filler. */
  readonly fit?: "exact" | "whole";
  readonly seed?: number | string;
  readonly batch?: number;
  readonly countTokens?: CountTokens;
}

/** One distance. */
export interface EffectivePoint {
  /** k: tokens from the passkey's line to the end of the prompt. */
  readonly distance: number;
  readonly found: number;
  readonly tries: number;
  /** What was answered where the passkey was not found. */
  readonly failures: readonly Attempt[];
}

/** k_max under one scaling. */
export interface EffectiveRow {
  readonly scaling: string;
  /** Largest distance such that at every measured distance up to it the rate is at least `least`; 0 if there is none. */
  readonly kMax: number;
  /** Success rate over all distances. */
  readonly rate: number;
  readonly promptTokens: number;
  /** Ascending. */
  readonly points: readonly EffectivePoint[];
  readonly seconds: number;
}

/** The measurement of one engine. */
export interface EffectiveContext {
  readonly window: number;
  readonly tries: number;
  readonly least: number;
  readonly seed: number | string;
  readonly rows: readonly EffectiveRow[];
}

/** How far the measurement is, after each answer. */
export interface EffectiveProgress {
  readonly scaling: string;
  readonly answers: number;
  readonly of: number;
}

const KINDS: Kinds<EffectiveSettings> = {
  window: "any",
  points: "any",
  tries: "any",
  least: "any",
  ropeScalings: "list",
  answerRoom: "any",
  fit: ["exact", "whole"],
  seed: "any",
  batch: "any",
  countTokens: "function",
};

/** All are built before the first is asked: of a thousand characters each, these fill a gigabyte. */
const MOST_PROMPTS = 2 ** 20;

/** How a measurement is followed and ended. */
export interface EffectiveOptions {
  /** Hears how far it is. */
  readonly onProgress?: (progress: EffectiveProgress) => void;
  /** Ends it at once. */
  readonly signal?: AbortSignal;
}

/** Refuses settings that cannot be meant, without an engine; gives back a copy, read once. @throws LlariatError("request") naming the setting. */
export function checkEffective(given: Partial<EffectiveSettings>): Partial<EffectiveSettings> {
  const settings = checkOptions<EffectiveSettings>(given, KINDS);
  for (const [name, smallest] of [
    ["window", 1],
    ["points", 2],
    ["tries", 1],
    ["answerRoom", 0],
    ["batch", 1],
  ] as const) {
    const value = settings[name];
    if (value === undefined) continue;
    checkWhole(name, value, smallest);
    if (value > MOST_TOKENS) {
      throw new LlariatError("request", `must be at most ${MOST_TOKENS}, got ${display(value)}`, { subject: name });
    }
  }
  const {
    least = 1,
    seed = 0,
    points = 32,
    tries = 10,
    window,
    answerRoom = 0,
  } = settings as Partial<EffectiveSettings>;
  if (points * tries > MOST_PROMPTS) {
    const problem = `${points} points with ${tries} tries are more than ${MOST_PROMPTS} prompts`;
    throw new LlariatError("request", problem, { subject: "tries" });
  }
  if (window !== undefined && answerRoom >= window) {
    throw new LlariatError("request", `must be less than the window of ${window}, got ${answerRoom}`, {
      subject: "answerRoom",
    });
  }
  if (!(typeof least === "number" && least > 0 && least <= 1)) {
    throw new LlariatError("request", `must be a rate above 0 and at most 1, got ${display(least)}`, {
      subject: "least",
    });
  }
  if (typeof seed !== "string" && !Number.isFinite(seed)) {
    throw new LlariatError("request", `must be a number or a text, got ${display(seed)}`, { subject: "seed" });
  }
  return settings;
}

/**
 * Measures k_max for every scaling with the same prompts.
 * @throws LlariatError: "request" for settings, "tokenizer" without a way to count tokens, "rope" for a scaling,
 * "aborted", or the engine's own error if it cannot go on. An attempt that ends in another error counts as a failure.
 */
export async function effectiveContext(
  engine: Engine,
  given: EffectiveSettings,
  also: EffectiveOptions = {},
): Promise<EffectiveContext> {
  const options = checkOptions<EffectiveOptions>(also, { onProgress: "callback", signal: "signal" });
  checkEngine(engine);
  const settings = { window: 0, ...checkEffective(given) };
  checkEffective({ window: settings.window }); // left out
  const { window, points = 32, tries = 10, least = 0.2, answerRoom = 8, fit = "whole", seed = 0, batch = 4 } = settings;
  const count = tokenCounter(engine, settings.countTokens);
  const scalings = reading("ropeScalings", () => (settings.ropeScalings ?? ["own"]).map((each) => parseScaling(each)));
  const tokens = window - answerRoom;
  const distances = new Map<number, Prompt[]>(); // few repetitions of the filler allow fewer distances than asked for
  for (let i = 0; i < points; i++) {
    const position = 1 - i / (points - 1);
    const built = Array.from({ length: tries }, (_, t) =>
      prompts.passkey({ count, tokens, position, key: [seed, window, i, t], fit }),
    );
    // digits may cost different numbers of tokens; the farthest of the tries names the distance
    const distance = Math.max(...built.map((prompt) => prompt.distance));
    if (!distances.has(distance)) distances.set(distance, built);
  }
  const sorted = [...distances].sort(([a], [b]) => a - b);
  const rows: EffectiveRow[] = [];
  for (const scaling of scalings) rows.push(await measure(engine, { scaling, sorted, least, batch }, options));
  return { window, tries, least, seed, rows };
}

interface Measurement {
  readonly scaling: Scaling;
  readonly sorted: readonly (readonly [number, readonly Prompt[]])[];
  readonly least: number;
  readonly batch: number;
}

async function measure(
  engine: Engine,
  { scaling, sorted, least, batch }: Measurement,
  { onProgress, signal }: EffectiveOptions,
): Promise<EffectiveRow> {
  const started = performance.now();
  const questions = sorted.flatMap(([distance, built]) => built.map((prompt, index) => ({ distance, prompt, index })));
  const attempts = new Map<number, Attempt[]>(sorted.map(([distance]) => [distance, []]));
  let answers = 0;
  await inFlight(batch, questions, async ({ distance, prompt, index }) => {
    checkAborted(signal, "measuring the effective context");
    const asking = {
      index,
      name: `passkey/${distance}/${index}`,
      scaling,
      maxNewTokens: TASKS.passkey.answerTokens,
      signal,
    };
    attempts.get(distance)!.push((await ask(engine, prompt, asking)).attempt);
    onProgress?.({ scaling: scaling.label, answers: ++answers, of: questions.length });
  });
  const points = sorted.map(([distance, built]): EffectivePoint => {
    const here = attempts.get(distance)!.sort((a, b) => a.try - b.try);
    const failures = here.filter((attempt) => !attempt.found);
    return { distance, found: here.length - failures.length, tries: built.length, failures };
  });
  const broken = points.findIndex((point) => point.found / point.tries < least);
  const reached = broken < 0 ? points.length : broken;
  return {
    scaling: scaling.label,
    kMax: reached === 0 ? 0 : points[reached - 1].distance,
    rate: points.reduce((sum, point) => sum + point.found, 0) / questions.length,
    promptTokens: Math.max(...questions.map(({ prompt }) => prompt.tokens)),
    points,
    seconds: (performance.now() - started) / 1000,
  };
}
