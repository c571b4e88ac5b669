// grid.ts — the cells of a run: task × prompt length × scaling × position, and what is expected of each.

import type { CountTokens, Engine } from "./engine.ts";
import type { Prompt, TaskName } from "./prompts/index.ts";
import { TASKS } from "./prompts/tasks.ts";
import { type Attempt, type Cell, scoreOf } from "./cell.ts";
import type { Scaling } from "./scaling.ts";
import { isUnscaled, reachOf } from "./scaling.ts";
import { type ResolvedSettings, roomOf } from "./settings.ts";
import { scoreInterval } from "./stats.ts";
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
  const score = sum(scoreOf);
  const computed = attempts.flatMap(({ turns = [] }) => turns.flatMap(({ computedTokens }) => computedTokens ?? []));
  return {
    ...cell,
    attempts,
    found,
    alone: sum((each) => Number(each.alone)),
    exact: sum((each) => Number(each.exact)),
    errors: sum((each) => Number(each.error !== undefined)),
    rate: attempts.length === 0 ? null : found / attempts.length,
    score: attempts.length === 0 ? null : score / attempts.length,
    interval: scoreInterval(score, attempts.length),
    promptTokens: sum((each) => each.promptTokens),
    completionTokens: sum((each) => each.completionTokens ?? 0),
    ...(computed.length === 0 ? {} : { computedTokens: computed.reduce((total, each) => total + each, 0) }),
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
            score: null,
            interval: scoreInterval(0, 0),
            promptTokens: 0,
            completionTokens: 0,
            seconds: 0,
          };
          return {
            cell: empty,
            scaling,
            maxNewTokens:
              settings.maxNewTokens ?? Math.max(TASKS[task].answerTokens, task === "uuid" ? roomOf(task, settings) : 0),
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
  const { fixture, positions, tries, materials } = settings;
  if (fixture) {
    const mine = fixture.filter((each) => each.prompt.task === task && each.promptLen === promptLen);
    return [...new Set(mine.map((each) => each.position))].map((position) => {
      const here = mine.filter((each) => each.position === position);
      return { position, tries: here.length, prompt: (index) => here[index].prompt };
    });
  }
  const rule = TASKS[task];
  const tokens = promptLen === "whole" ? promptLen : promptLen - roomOf(task, settings);
  const places = rule.place === "positions" ? positions : [null];
  return places.map((position) => ({
    position,
    tries: Math.min(tries, rule.most?.(materials) ?? Infinity),
    prompt: (index, count) =>
      rule.build({ count, tokens, position, index, key: [settings.seed, promptLen, position ?? 0, index], materials }),
  }));
}

/** What of the settings decides prompts, answers and cells, as plain JSON; texts by name, length and hash. */
export function echo(settings: ResolvedSettings): Record<string, unknown> {
  const { tasks, scalings, promptLengths, positions, tries, seed, trained, answerRoom, maxNewTokens } = settings;
  const { fit, titles, documents, needle, filler, questions, chat } = settings.materials;
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
          titles,
          documents: documents.map(({ name, title, text: full }) => ({ name, title, text: text(full) })),
        }
      : {}),
    ...(tasks.includes("needle") ? { needle: needle ?? "default" } : {}),
    ...(tasks.some((task) => TASKS[task].material === "filler") ? { filler: text(filler) } : {}),
    ...(tasks.some((task) => TASKS[task].ruler) ? { rulerRoom: settings.roomGiven ? answerRoom : "per task" } : {}),
    ...(tasks.some((task) => TASKS[task].material === "questions")
      ? {
          questions: questions.map((set) => ({
            name: set.name,
            form: set.form,
            documents: set.documents.length,
            questions: text(set.questions.map((each) => each.question).join("\n")),
          })),
        }
      : {}),
    ...(chat ? { chat: text(chat([["question", "reply"]])) } : {}),
  };
}
