// grid.ts — the cells of a run: task × prompt length × scaling × position, and what is expected of each.

import { LlariatError } from "../error.ts";
import type { Engine } from "./engine.ts";
import { ANSWER_TOKENS } from "./judge.ts";
import type { CountTokens } from "./engine.ts";
import type { Prompt, TaskName } from "./prompts/index.ts";
import { prompts } from "./prompts/index.ts";
import type { Attempt, Cell } from "./cell.ts";
import type { Scaling } from "./scaling.ts";
import { isUnscaled, reachOf } from "./scaling.ts";
import type { ResolvedSettings } from "./settings.ts";
import { wilson } from "./stats.ts";
import { fnv1a } from "./stream.ts";

/** A cell before it is run, and how to make its prompts. */
export interface PlannedCell {
  readonly cell: Cell;
  readonly scaling: Scaling;
  readonly maxNewTokens: number;
  /** The prompt of a try, 0 to cell.tries - 1; the same for every scaling. */
  readonly prompt: (index: number, count: CountTokens) => Prompt;
  readonly promptName: (index: number) => string;
}

/** What a cell's attempts add up to. */
export function tally(cell: Cell, attempts: readonly Attempt[]): Cell {
  const sum = (value: (attempt: Attempt) => number): number => attempts.reduce((total, each) => total + value(each), 0);
  const found = sum((each) => Number(each.found));
  return {
    ...cell,
    attempts,
    found,
    alone: sum((each) => Number(each.alone)),
    exact: sum((each) => Number(each.exact)),
    errors: sum((each) => Number(each.error !== undefined)),
    rate: attempts.length === 0 ? null : found / attempts.length,
    interval: wilson(found, attempts.length),
    promptTokens: sum((each) => each.promptTokens),
    completionTokens: sum((each) => each.completionTokens ?? 0),
  };
}

/** Every cell of a run in its order: tasks, then lengths from short to long, then scalings, then positions. */
export function plan(settings: ResolvedSettings, engine: Engine): PlannedCell[] {
  const { tasks, scalings, promptLengths, trained } = settings;
  const size = (length: number | "whole"): number => (length === "whole" ? Infinity : length);
  const lengths = [...promptLengths].sort((a, b) => size(a) - size(b));
  return tasks.flatMap((task) =>
    lengths.flatMap((promptLen) =>
      scalings.flatMap((scaling) =>
        positionsOf(task, promptLen, settings).map(({ position, tries, prompt }): PlannedCell => {
          const place = position === null ? "-" : String(position);
          const reach = reachOf(scaling, trained, engine.rope);
          // Nobody knows a document's tokens before counting them; h2oGPT's title test runs under every setting, too.
          const beyond = promptLen !== "whole" && promptLen > reach;
          const empty: Cell = {
            id: `${task}/${scaling.label}/${promptLen}/${place}`,
            task,
            scaling: scaling.label,
            promptLen,
            position,
            reach,
            status: beyond && !settings.runHopeless ? "no chance" : "pending",
            expected: promptLen === "whole" ? null : !beyond ? "pass" : isUnscaled(scaling) ? "fail" : null,
            tries,
            attempts: [],
            found: 0,
            alone: 0,
            exact: 0,
            errors: 0,
            rate: null,
            interval: wilson(0, 0),
            promptTokens: 0,
            completionTokens: 0,
            seconds: 0,
          };
          return {
            cell: empty,
            scaling,
            maxNewTokens:
              settings.maxNewTokens ?? Math.max(ANSWER_TOKENS[task], task === "uuid" ? settings.answerRoom : 0),
            prompt,
            promptName: (index) => `${task}/${promptLen}/${place}/${index}`,
          };
        }),
      ),
    ),
  );
}

interface Place {
  readonly position: number | null;
  readonly tries: number;
  readonly prompt: PlannedCell["prompt"];
}

function positionsOf(task: TaskName, promptLen: number | "whole", settings: ResolvedSettings): Place[] {
  const { fixture, positions, tries, documents } = settings;
  if (fixture) {
    const mine = fixture.filter((each) => each.prompt.task === task && each.promptLen === promptLen);
    return [...new Set(mine.map((each) => each.position))].map((position) => {
      const here = mine.filter((each) => each.position === position);
      return { position, tries: here.length, prompt: (index) => here[index].prompt };
    });
  }
  if (task === "title") {
    // The same document gives the same prompt: asking twice would count one answer twice.
    const most = settings.titles === "own" ? Math.min(tries, documents.length) : tries;
    return [
      { position: null, tries: most, prompt: (index, count) => build(task, promptLen, 0, index, count, settings) },
    ];
  }
  return positions.map((position) => ({
    position,
    tries,
    prompt: (index, count) => build(task, promptLen, position, index, count, settings),
  }));
}

function build(
  task: TaskName,
  promptLen: number | "whole",
  position: number,
  index: number,
  count: CountTokens,
  settings: ResolvedSettings,
): Prompt {
  const key = [settings.seed, promptLen, position, index];
  if (task === "title") {
    const { documents, titles, answerRoom } = settings;
    const tokens = promptLen === "whole" ? promptLen : promptLen - answerRoom;
    const document = documents[index % documents.length];
    const built = prompts.title({ count, tokens, key, document, titles });
    if (tokens === "whole" && built.tokens <= settings.leastTokens) {
      throw new LlariatError(
        "request",
        `${document.name}: its prompt has ${built.tokens} tokens, this test needs more than ${settings.leastTokens}; give a longer one`,
      );
    }
    return built;
  }
  const options = { count, tokens: Number(promptLen) - settings.answerRoom, position, key };
  if (task === "uuid") return prompts.uuid(options);
  if (task === "passkey") return prompts.passkey({ ...options, fit: settings.fit });
  return prompts.needle({ ...options, filler: settings.filler, needle: settings.needle });
}

/** What of the settings decides prompts, answers and cells, as plain JSON; texts by name, length and hash. */
export function echo(settings: ResolvedSettings): Record<string, unknown> {
  const { tasks, scalings, promptLengths, positions, tries, seed, trained, answerRoom, maxNewTokens, fit } = settings;
  const text = (value: string): unknown => ({ characters: value.length, fnv1a: fnv1a(value).toString(16) });
  const { fixture, sequential, runHopeless } = settings;
  return {
    tasks,
    ropeScalings: scalings.map(({ label, ropeScaling, ropeAngles }) => ({
      label,
      ropeScaling: ropeScaling === undefined ? "own" : ropeScaling,
      ...(ropeAngles ? { ropeAngles } : {}),
    })),
    promptLengths,
    trainedLength: trained,
    answerRoom,
    maxNewTokens: maxNewTokens ?? "per task",
    runHopeless,
    sequential,
    ...(fixture ? { fixture: fixture.map((each) => each.id) } : { positions, tries, seed }),
    ...(tasks.includes("passkey") ? { fit } : {}),
    ...(tasks.includes("title")
      ? {
          titles: settings.titles,
          documents: settings.documents.map(({ name, title, text: full }) => ({ name, title, text: text(full) })),
        }
      : {}),
    ...(tasks.includes("needle") ? { needle: settings.needle ?? "default", filler: text(settings.filler) } : {}),
  };
}
