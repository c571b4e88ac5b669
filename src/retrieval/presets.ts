// presets.ts — the conditions of h2oGPT's tests/test_long_context.py and of RULER as data. What the caller sets besides wins.

import { LlariatError } from "../error.ts";
import { display, nearest } from "../text/wording.ts";
import { TASK_NAMES } from "./prompts/prompt.ts";
import { TASKS } from "./prompts/tasks.ts";
import type { RetrievalSettings } from "./settings.ts";

/** A named set of settings and where it is from. */
export interface Preset {
  readonly about: string;
  readonly settings: RetrievalSettings;
}

const UUID: RetrievalSettings = { tasks: ["uuid"], tries: 1, answerRoom: 256, maxNewTokens: 300 };

/** RULER's lengths (Hsieh et al. 2024, table 3) and its prompts per task and length. */
const RULER: RetrievalSettings = { promptLengths: [4096, 8192, 16_384, 32_768, 65_536, 131_072], tries: 500 };
const RULER_TASKS = TASK_NAMES.filter((task) => TASKS[task].ruler);

/** Presets by name. */
export const presets: Readonly<Record<string, Preset>> = {
  "h2ogpt-uuid": {
    about: "h2oGPT's UUID key/value test as it runs: dynamic factor 2, 5000 and 6000 tokens, the secret at 0.2",
    settings: {
      ...UUID,
      ropeScalings: ["dynamic:2"],
      promptLengths: [5000, 6000],
      positions: [0.2],
      expect: ["dynamic:2>=1"],
    },
  },
  "h2ogpt-uuid-all": {
    about: "the same with every setting, length and position that its source lists, also those commented out there",
    settings: {
      ...UUID,
      ropeScalings: ["none", "linear:2", "dynamic:2", "dynamic:4"],
      promptLengths: [2000, 4000, 5000, 6000, 7000, 8000],
      positions: [0.2, 0.5, 0.8],
      expect: ["dynamic:2>=1"],
    },
  },
  "h2ogpt-title": {
    about:
      "h2oGPT's test with a paper of more than 6200 tokens: unscaled its title must not be found, with dynamic it must",
    settings: {
      tasks: ["title"],
      ropeScalings: ["none", "dynamic:2", "dynamic:4"],
      promptLengths: ["whole"],
      leastTokens: 6200,
      maxNewTokens: 100,
      expect: ["none<=0", "dynamic:2>=1", "dynamic:4>=1"],
    },
  },
  ruler: {
    about:
      "RULER's 11 tasks that need no set of questions, with its lengths and 500 prompts each; essays are yours to give",
    settings: { ...RULER, tasks: RULER_TASKS.filter((task) => TASKS[task].material !== "questions") },
  },
  "ruler-13": {
    about: "all 13 tasks of RULER: also qa_1 and qa_2, with files in the forms of SQuAD and HotpotQA",
    settings: { ...RULER, tasks: RULER_TASKS },
  },
};

/** @throws LlariatError("request") for a name that is no preset's. */
export function preset(name: string): Preset {
  if (typeof name === "string" && Object.hasOwn(presets, name)) return presets[name];
  const near = typeof name === "string" ? nearest(name, Object.keys(presets)) : undefined;
  throw new LlariatError(
    "request",
    `${display(name)} is none of ${Object.keys(presets).join(", ")}${near ? `; did you mean ${near}?` : ""}`,
    { subject: "preset" },
  );
}
