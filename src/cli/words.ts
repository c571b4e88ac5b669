// words.ts — errors in the words of the command line: its options instead of the library's settings.

import type { LlariatError } from "../error.ts";
import { showOption } from "../rope/index.ts";
import { type Option, optionName } from "./command.ts";

/** Settings of the library whose option is not the same words in lower case with dashes. */
const NAMES: Readonly<Record<string, string>> = {
  positions: "secret-pos",
  promptLengths: "prompt-len",
  ropeScalings: "rope-scaling",
  tasks: "task",
  url: "via",
  windows: "window",
};

/**
 * `--top-k` for `topK`, `--rope-scaling.factor` for `ropeScaling.factor`; the same where the command has no such option. A
 * prompt stays "prompt": it comes by --prompt, --user or --ids.
 */
function optionOf(subject: string, options: Readonly<Record<string, Option>>): string {
  if (subject === "prompt") return subject;
  const [setting] = /^\w*/.exec(subject)!;
  const name = NAMES[setting] ?? optionName(setting);
  return Object.hasOwn(options, name) ? `--${name}${subject.slice(setting.length)}` : subject;
}

/** The sentence of an error, with the options of the command that it ends. */
export function inOptions(error: LlariatError, options: Readonly<Record<string, Option>>): string {
  const { subject, problem, hint } = error;
  let { advice } = error;
  if (hint && Object.hasOwn(options, "allow-beyond")) {
    advice = `--rope-scaling ${showOption(hint.ropeScaling)} would reach ${hint.reach}, or give --allow-beyond`;
  }
  const start = subject === undefined ? "" : `${optionOf(subject, options)}: `;
  return `${start}${problem}${advice === undefined ? "" : `; ${advice}`}`;
}
