// retrieve.ts — `llariat retrieve`: the retrieval grid on a model or a server, with its report.

import { LlariatError } from "../error.ts";
import { isObject } from "../text/json.ts";
import {
  type Document,
  type Engine,
  type QuestionSet,
  type Report,
  type RetrievalSettings,
  type RunOptions,
  parseExpectation,
  parseQuestions,
  preset,
  presets,
  prompts,
  retrieve as run,
  terminalTable,
} from "../retrieval/index.ts";
import { TASK_NAMES } from "../retrieval/prompts/prompt.ts";
import { TASKS } from "../retrieval/prompts/tasks.ts";
import { resolveSettings } from "../retrieval/settings.ts";
import { hasReport, readReport, saveReport, takeFolder, writeReport } from "./reports.ts";
import type { Command, Option, Terminal } from "./command.ts";
import { Arguments, asUndecided, inUsage, table, usageError } from "./command.ts";
import { paintOf, startLive } from "./live.ts";
import { readText } from "./files.ts";
import {
  type Opened,
  checkScalings,
  list,
  measureOptions,
  numbers,
  openEngine,
  promptOptions,
  readScalings,
  viaOptions,
} from "./measure.ts";

const options = {
  ...measureOptions,
  ...viaOptions,
  task: { kind: "text", value: "LIST", multiple: true, help: "what is asked (default uuid); --list-tasks names all" },
  "list-tasks": { help: "print what there is for --task, and end" },
  "prompt-len": {
    kind: "text",
    value: "LIST",
    multiple: true,
    help: "prompt and answer room in tokens; 1.5x is times the trained length, whole a whole document",
  },
  "secret-pos": {
    kind: "text",
    value: "LIST",
    multiple: true,
    help: "where the secret stands, 0 to 1 (default 0.2,0.5,0.8)",
  },
  tries: {
    kind: "integer",
    value: "N",
    help: "prompts per cell (default 10; with --sequential at most 200)",
  },
  ...promptOptions,
  document: {
    kind: "text",
    value: "FILE",
    multiple: true,
    help: "a text for title, and for --haystack if that is not given",
  },
  haystack: { kind: "text", value: "FILE", multiple: true, help: "essays or other text to hide needles in" },
  qa: {
    kind: "text",
    value: "FILE",
    multiple: true,
    help: "questions with documents, a JSON file in the form of SQuAD (for qa_1) or of HotpotQA (for qa_2)",
  },
  chat: { help: "put prompts into the model's chat format" },
  title: {
    kind: "text",
    value: "TEXT",
    multiple: true,
    help: "the title of each --document, in order (default its first line)",
  },
  "made-titles": { help: "put a random title over each prompt's document, so that every try differs" },
  "needle-fact": { kind: "text", value: "TEXT", help: "the fact to hide, with {value} and perhaps {key} in it" },
  "needle-question": { kind: "text", value: "TEXT", help: "the question for it" },
  prompts: {
    kind: "text",
    value: "FILE",
    help: "prompts from a JSON file instead of tasks, lengths, positions and tries",
  },
  preset: {
    kind: "text",
    value: "NAME",
    help: `${Object.keys(presets).join(", ")}: conditions of h2oGPT's tests and of RULER`,
  },
  "trained-length": {
    kind: "integer",
    value: "N",
    help: "tokens the model was trained for (default what its config says)",
  },
  "answer-room": {
    kind: "integer",
    value: "N",
    help: "tokens of --prompt-len left for the answer (default 256, less for small models)",
  },
  "max-new-tokens": { kind: "integer", value: "N", help: "most tokens of an answer" },
  fit: { kind: "text", value: "HOW", help: "exact or whole: whether passkey's filler may be cut (default exact)" },
  "run-hopeless": { help: "also run cells beyond trained length × factor" },
  sequential: { help: "end cells as soon as their outcome is settled, or what --expect says of them is decided" },
  expect: {
    kind: "text",
    value: "COND",
    multiple: true,
    help: "a condition such as dynamic:2>=0.9@1.5x; may be given several times",
  },
  threshold: {
    kind: "number",
    value: "X",
    help: "mean score over tasks above which a length counts as used (default 0.856, RULER's)",
  },
  "effective-tasks": {
    kind: "text",
    value: "LIST",
    multiple: true,
    help: "the tasks of that mean (default RULER's of the run, or all)",
  },
  out: { kind: "text", value: "DIR", help: "write report.json, report.html and junit.xml there" },
  resume: { kind: "text", value: "DIR", help: "go on with the run in this folder" },
  shard: {
    kind: "text",
    value: "I/N",
    help: "run only every N-th cell; put shards together with llariat report --merge",
  },
  json: { help: "print the report as JSON instead of a table" },
} as const satisfies Record<string, Option>;

/** `llariat retrieve`. */
export const retrieve: Command = {
  name: "retrieve",
  summary: "measure how much of its context a model really uses",
  usage: [
    "--model DIR --prompt-len 0.5x,1.5x --rope-scaling none,dynamic:2 [--task uuid,passkey] --out DIR",
    "--model DIR --preset h2ogpt-uuid",
    "--model DIR --preset ruler --haystack FILE --tries 50 --chat --out DIR",
    "--resume DIR",
  ],
  options,
  notes:
    "Ctrl-C saves what is done; --resume DIR alone goes on with the same arguments. The exit code is 0 only if every prompt\n" +
    "got an answer and every --expect holds, 3 if none fails but tries are too few to decide all.\n" +
    "A key for --via is taken from LLARIAT_API_KEY.",
  async run(given, terminal) {
    if (given.has("list-tasks")) {
      terminal.stdout.write(taskTable());
      return;
    }
    const folder = given.text("resume");
    const saved = folder === undefined ? undefined : await readReport(folder);
    const args = saved ? withSaved(given, saved) : given;
    const settings = readSettings(args);
    const out = folder ?? args.text("out");
    if (folder !== undefined && given.has("out"))
      throw usageError("--resume writes into its own folder; leave out --out");
    if (!saved && out !== undefined && (await hasReport(out))) {
      throw usageError(`${out} holds a report already; --resume ${out} goes on with it, or choose another --out`);
    }
    const opened = await openEngine(args, terminal, (rope) => {
      checkScalings(readScalings(args), rope);
      inUsage(() => {
        // A file of prompts brings lengths of its own, which nobody knows before there is a tokenizer.
        resolveSettings(
          { complete: never, rope },
          args.has("prompts") ? { ...settings, promptLengths: [1] } : settings,
        );
        settings.expect?.forEach(parseExpectation);
      });
    });
    let free: (() => Promise<void>) | undefined;
    try {
      free = out === undefined ? undefined : await takeFolder(out);
      // Another run may have had the folder while this one was loading.
      const now = out !== undefined && (await hasReport(out)) ? await readReport(out) : undefined;
      if (now?.updated !== saved?.updated) {
        throw new LlariatError("request", `another run has written into ${out} meanwhile; begin again`);
      }
      await measure(opened, args, settings, { out, saved, terminal });
    } finally {
      opened.close();
      await free?.();
    }
  },
};

interface Place {
  readonly out: string | undefined;
  readonly saved: Report | undefined;
  readonly terminal: Terminal;
}

/** Runs the grid, saving as it goes, and hands the report over. */
async function measure(
  opened: Opened<Engine>,
  args: Arguments,
  settings: RetrievalSettings,
  { out, saved, terminal }: Place,
): Promise<void> {
  const live = startLive(terminal, settings.trainedLength ?? opened.engine.rope?.originalMaxPositions ?? 1);
  const latest: { report?: Report } = {};
  const environment = { ...opened.environment, arguments: Object.fromEntries(values(args)) };
  const { tokenizer } = opened.engine;
  const complete: RetrievalSettings = {
    ...settings,
    model: opened.name,
    ...fixture(args, tokenizer),
    ...(opened.chat ? { chat: opened.chat } : {}),
  };
  const runOptions: RunOptions = {
    signal: terminal.signal,
    environment,
    ...(saved ? { resume: saved } : {}),
    ...(args.has("quiet") ? {} : { onProgress: live.update }),
    async onSave(report) {
      latest.report = report;
      if (out !== undefined) await saveReport(out, report);
    },
  };
  try {
    latest.report = await run(opened.engine, complete, runOptions);
  } catch (error) {
    live.end();
    if (latest.report && out !== undefined) {
      await writeReport(out, latest.report);
      terminal.stderr.write(`saved; go on with: llariat retrieve --resume ${out}\n`);
    }
    throw error;
  }
  opened.close();
  live.end();
  await finish(latest.report, { out, json: args.has("json"), shard: settings.shard !== undefined, terminal });
}

const never = (): Promise<never> => Promise.reject(new LlariatError("request", "asked before it was loaded"));

/** Every option's values, for the report and for --resume. */
const values = (args: Arguments): [string, readonly string[]][] => [
  ...Object.keys(options)
    .filter((name) => args.has(name) && !["out", "resume", "json", "quiet"].includes(name))
    .map((name): [string, readonly string[]] => [name, args.texts(name)]),
  ...(args.rest.length > 0 ? [["", args.rest] as [string, readonly string[]]] : []),
];

/** The arguments of a saved run; what is given now, such as --batch or --adapter, wins. */
function withSaved(given: Arguments, saved: Report): Arguments {
  const { arguments: stored = {} } = saved.environment;
  const before = Object.entries(stored as Record<string, string[]>);
  if (!isObject(stored) || !before.every(([, texts]) => Array.isArray(texts)))
    throw new LlariatError("request", "the saved report has no arguments that can be read; the file is damaged");
  const names = new Set([...before.map(([name]) => name), ...Object.keys(options).filter((name) => given.has(name))]);
  const entry = (name: string): readonly string[] =>
    given.has(name) ? given.texts(name) : (before.find(([each]) => each === name)?.[1] ?? []);
  const rest = given.rest.length > 0 || given.has("model") ? given.rest : entry("");
  return new Arguments(new Map([...names].filter((name) => name !== "").map((name) => [name, entry(name)])), rest);
}

/** What the options of `llariat retrieve` ask of the suite; what is not given is left out. Throws a usage error. */
export function readSettings(args: Arguments): RetrievalSettings {
  const base = args.has("preset") ? inUsage(() => preset(args.text("preset")!)).settings : {};
  const documents = readDocuments(args);
  const [tasks, lengths, positions] = [list(args, "task"), list(args, "prompt-len"), numbers(args, "secret-pos")];
  const [effective, fit] = [list(args, "effective-tasks"), args.text("fit")];
  if (fit !== undefined && fit !== "exact" && fit !== "whole")
    throw usageError(`--fit needs exact or whole, got "${fit}"`);
  const [fact, question] = [args.text("needle-fact"), args.text("needle-question")];
  if ((fact === undefined) !== (question === undefined))
    throw usageError("--needle-fact and --needle-question go together");
  return {
    ...base,
    ...args.given("tries", "trainedLength", "answerRoom", "maxNewTokens", "batch", "threshold"),
    ...(tasks && { tasks: tasks as NonNullable<RetrievalSettings["tasks"]> }),
    ...(lengths && { promptLengths: lengths }),
    ...(positions && { positions }),
    ...((args.has("rope-scaling") || !base.ropeScalings) && { ropeScalings: readScalings(args) }),
    ...(args.has("seed") && { seed: args.text("seed")! }),
    ...(documents.length > 0 && { documents }),
    ...(args.has("haystack") && {
      filler: args
        .texts("haystack")
        .map((file) => readText(file))
        .join("\n\n"),
    }),
    ...(args.has("qa") && { questions: args.texts("qa").map(readQuestions) }),
    ...(effective && { effectiveTasks: effective as NonNullable<RetrievalSettings["effectiveTasks"]> }),
    ...(args.has("made-titles") && { titles: "made" as const }),
    ...(fact !== undefined && question !== undefined && { needle: { fact, question } }),
    ...(fit !== undefined && { fit }),
    ...(args.has("run-hopeless") && { runHopeless: true }),
    ...(args.has("sequential") && { sequential: true }),
    ...(args.has("expect") && { expect: args.texts("expect") }),
    ...(args.has("shard") && { shard: readShard(args.text("shard")!) }),
  };
}

function readShard(text: string): { index: number; count: number } {
  const match = /^(\d+)\/(\d+)$/.exec(text);
  if (!match) throw usageError(`--shard needs I/N, for example 2/8, got "${text}"`);
  return { index: Number(match[1]), count: Number(match[2]) };
}

function readDocuments(args: Arguments): Document[] {
  const [files, titles] = [args.texts("document"), args.texts("title")];
  if (titles.length > files.length) throw usageError(`${titles.length} --title for ${files.length} --document`);
  return files.map((name, i) => ({
    name,
    text: readText(name),
    ...(titles[i] === undefined ? {} : { title: titles[i] }),
  }));
}

/** A question set from its file. */
function readQuestions(file: string): QuestionSet {
  return parseQuestions(readJson(file), file);
}

function readJson(file: string): unknown {
  try {
    return JSON.parse(readText(file));
  } catch (cause) {
    if (cause instanceof LlariatError) throw cause;
    throw new LlariatError("source", `${file} is not JSON: ${(cause as Error).message}`, { cause });
  }
}

/** Every task with what it asks. */
const taskTable = (): string => table(TASK_NAMES.map((name) => [name, TASKS[name].about] as const));

/** --prompts, once there is a tokenizer to count with. */
function fixture(
  args: Arguments,
  tokenizer: { encode(text: string): ArrayLike<number> } | undefined,
): RetrievalSettings {
  const file = args.text("prompts");
  if (file === undefined) return {};
  if (!tokenizer) throw new LlariatError("tokenizer", "--prompts needs the model's tokenizer");
  return { fixture: prompts.fromFixture(readJson(file), (text) => tokenizer.encode(text).length) };
}

/** How a finished report is handed over. */
export interface Finish {
  readonly out: string | undefined;
  readonly json: boolean;
  /** One shard alone cannot hold what is expected of all. */
  readonly shard: boolean;
  readonly terminal: Terminal;
}

/** Writes a finished report where it is wanted; throws if an expectation does not hold or an answer is missing. */
export async function finish(report: Report, { out, json, shard, terminal }: Finish): Promise<void> {
  const { stdout, stderr } = terminal;
  const shown = shard ? { ...report, expectations: [] } : report;
  stdout.write(json ? `${JSON.stringify(report)}\n` : terminalTable(shown, paintOf(stdout)));
  if (out !== undefined) stderr.write(`written: ${await writeReport(out, report)}\n`);
  const errors = report.cells.reduce((sum, cell) => sum + cell.errors, 0);
  if (errors > 0) {
    const first = report.cells.flatMap((cell) => cell.attempts).find((attempt) => attempt.error !== undefined)!;
    throw new LlariatError("request", `${errors} prompts got no answer, the first: ${first.error}`);
  }
  if (shard) return;
  const { expectations } = report;
  const missed = expectations.filter((each) => !each.held && !each.undecided).length;
  if (missed > 0) throw new LlariatError("request", `${missed} of ${expectations.length} expectations do not hold`);
  const open = expectations.filter((each) => each.undecided).length;
  if (open > 0) {
    throw asUndecided(
      new LlariatError(
        "request",
        `${open} of ${expectations.length} expectations are undecided at this number of tries`,
      ),
    );
  }
}
