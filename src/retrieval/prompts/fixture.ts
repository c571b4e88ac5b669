// fixture.ts — prompts from a file instead of from a seed: for comparing with the answers another implementation gave.

import { LlariatError } from "../../error.ts";
import { checkOptions, isWhole, reading } from "../../text/options.ts";
import { type CountTokens, counting } from "../engine.ts";
import type { Prompt, TaskName } from "./prompt.ts";
import { measured } from "./prompt.ts";

/** A saved prompt and the cell it belongs to. */
export interface FixturePrompt {
  readonly id: string;
  readonly prompt: Prompt;
  /** Tokens asked for, the name of the cell; the prompt may have fewer. */
  readonly promptLen: number;
  /** Relative position of the secret, null where the task has none. */
  readonly position: number | null;
}

const TASKS: Readonly<Record<string, TaskName>> = {
  kv: "uuid",
  uuid: "uuid",
  passkey: "passkey",
  title: "title",
  needle: "needle",
};
const PAIR = /'([0-9a-f]{8})' = '([0-9a-f]{4})'\n/g;

/**
 * Prompts of a parsed JSON file `{ prompts: [{ id, task, prompt, value, answer?, prompt_len, rel_secret_pos }] }`, in its
 * order. The texts are taken as they are.
 * @throws LlariatError("request") naming the entry for a missing field, or a value that does not stand in its prompt.
 */
export function fromFixture(json: unknown, count: CountTokens): FixturePrompt[] {
  checkOptions({ count }, { count: "function" });
  return reading("prompts", () => read(json, counting("count", count)));
}

function read(json: unknown, count: CountTokens): FixturePrompt[] {
  const { prompts } = (json ?? {}) as { prompts?: unknown };
  if (!Array.isArray(prompts) || prompts.length === 0 || !isWhole(prompts)) {
    throw new LlariatError("request", 'a file of prompts must be an object with a list "prompts" that is not empty');
  }
  return prompts.map((entry: unknown, index) => {
    const fields = (typeof entry === "object" && entry !== null ? entry : {}) as Record<string, unknown>;
    const bad = (what: string): never => {
      throw new LlariatError(
        "request",
        `prompts[${index}]${typeof fields.id === "string" ? ` ${fields.id}` : ""}: ${what}`,
      );
    };
    const text = (name: string): string =>
      typeof fields[name] === "string" && fields[name] !== "" ? fields[name] : bad(`${name} must be text`);
    const task =
      TASKS[text("task")] ?? bad(`task must be one of ${Object.keys(TASKS).join(", ")}, got ${String(fields.task)}`);
    const [prompt, value] = [text("prompt"), text("value")];
    const at = prompt.indexOf(value);
    if (at < 0) bad(`its value ${JSON.stringify(value)} does not stand in its prompt`);
    const { prompt_len: promptLen, rel_secret_pos: position = null } = fields;
    if (typeof promptLen !== "number") return bad("prompt_len must be a number");
    if (position !== null && typeof position !== "number") return bad("rel_secret_pos must be a number or null");
    const answer = fields.answer === undefined ? [] : [text("answer").trim()];
    const others = task === "uuid" ? [...prompt.matchAll(PAIR)].map((pair) => pair[2]).filter((v) => v !== value) : [];
    const line = task === "title" ? at : prompt.lastIndexOf("\n", at) + 1;
    const built = measured({ task, text: prompt, value, answers: [value, ...answer], others }, line, count);
    return { id: text("id"), prompt: built, promptLen, position };
  });
}
