// rows.ts — the rows of the acceptance matrix, h2oGPT's at the scale of the small models, and how one is run.
import { type Cell, type Report, type Scaling, parseScaling, prompts, retrieve } from "../../src/retrieval/index.ts";
import type { Engine } from "../../src/retrieval/index.ts";
import type { Pair } from "./compare.ts";
import { type Model, type Question, TRAINED, everything } from "./bundled.ts";
import { type How, type Reference, reference } from "./recorded.ts";
import { type TaskPrompt, kv, passkey } from "./tasks.ts";

/** Prompt lengths of h2oGPT's matrix (2000 to 8000 tokens of 4096) over the trained length, and two beyond. */
const NEAR = [0.5, 0.9, 1.2, 1.5, 1.9];
const FAR = [2.5, 3.5];
const POSITIONS = [0.1, 0.2, 0.5, 0.8];

/** Prompts of a cell in which transformers found all or nothing, and of one where it depends on the prompt. */
const TRIES = everything ? { sure: 10, between: 10 } : { sure: 2, between: 4 };

/** One RoPE setting on one model, and what transformers' figures for it are called. */
export interface Row {
  readonly model: Model["name"];
  readonly task: "kv" | "passkey";
  readonly scaling: Scaling;
  readonly how: How;
  readonly rope: string;
  readonly lengths: readonly number[];
}

const row = (scaling: Scaling | string, rope: string, lengths: readonly number[], how: How = "cached"): Row => ({
  model: "kv-llama",
  task: "kv",
  scaling: typeof scaling === "string" ? parseScaling(scaling) : scaling,
  how,
  rope,
  lengths,
});

/** Dynamic angles of the prompt's length, kept while generating (Model.complete). */
const frozen = (factor: number): Scaling => ({
  ...parseScaling(`dynamic:${factor}/planned`),
  label: `dynamic:${factor} of the prompt`,
});

/** h2oGPT's matrix, with dynamic in each meaning that transformers was measured with. */
export const ROWS: readonly Row[] = [
  row("none", "none", [...NEAR, ...FAR]),
  row("linear:2", "linear2", NEAR),
  row("dynamic:2/as-inserted", "dynamic2", NEAR),
  row("dynamic:2/current", "dynamic2", [1.2, 1.5, 1.9], "no_cache"),
  row(frozen(2), "frozen2", [1.2, 1.5, 1.9]),
  row("dynamic:4/as-inserted", "dynamic4", [...NEAR, ...FAR]),
  row("dynamic:4/current", "dynamic4", [1.9], "no_cache"),
  row(frozen(4), "frozen4", [1.2, 1.5, 1.9, ...FAR]),
  row("yarn:2", "yarn2", NEAR),
  row("yarn:4", "yarn4", [...NEAR, ...FAR]),
];

/** Pass keys, at the lengths where they were measured. */
export const PASSKEY_ROWS: readonly Row[] = [
  row("none", "none", [0.9, 1.9, 2.5]),
  row("dynamic:2/as-inserted", "dynamic2", [0.9, 1.9, 2.5]),
  row("yarn:2", "yarn2", [0.9, 1.9, 2.5]),
].map((each) => ({ ...each, task: "passkey" }));

/** The fine-tuned model under the scaling of its config. */
export const PI_ROW: Row = { ...row("own", "own", [0.5, 0.9, 1.9, 3.5]), model: "kv-llama-pi" };

/** A cell of a row: its prompts, and what transformers found in it. */
export interface Asked {
  readonly length: number;
  readonly position: number;
  readonly reference: Reference;
  readonly prompts: readonly TaskPrompt[];
}

/** The cells of a row. Throws for a cell about which nothing is known. */
export function cellsOf(row: Row): Asked[] {
  return row.lengths.flatMap((length) =>
    POSITIONS.map((position) => {
      const known = reference({ ...row, length, position });
      if (!known) throw new Error(`${row.rope} at ${length}, ${position}: no figures of transformers`);
      const { found, tries: n } = known.value;
      const count = Math.min(n, found === 0 || found === n ? TRIES.sure : TRIES.between);
      const make = row.task === "kv" ? kv : passkey;
      const cell = { set: known.set, length, position };
      return {
        length,
        position,
        reference: known,
        prompts: Array.from({ length: count }, (_, seed) => make({ ...cell, seed })),
      };
    }),
  );
}

/** What a row gave. */
export interface Outcome {
  readonly report: Report;
  /** Values found, and whole answers that were right. */
  readonly value: Pair[];
  readonly exact: Pair[];
}

/**
 * Runs a row through `retrieve`. The questions are known beforehand, so the model is asked all of them at once and
 * answers one cell while it reads the next.
 */
export async function run(row: Row, model: Model, engine: Engine = model, cells = cellsOf(row)): Promise<Outcome> {
  const asked = cells.flatMap((cell) => cell.prompts);
  const settings = {
    fixture: prompts.fromFixture({ prompts: asked }, model.count),
    ropeScalings: [row.scaling],
    maxNewTokens: row.task === "kv" ? 40 : 12, // as transformers
    trainedLength: TRAINED,
    runHopeless: true,
    batch: 16,
    model: model.name,
  };
  const questions: Question[] = [];
  const listen: Engine = {
    rope: model.rope,
    tokenizer: model.tokenizer,
    complete: async (prompt, options) => {
      questions.push({ prompt, options });
      return { text: "" };
    },
  };
  if (engine === model) await retrieve(listen, settings);
  const environment = {
    device: model.llama.adapter?.description,
    compared: "with transformers 5.12.1 on the same prompts (models/RESULTS.md)",
  };
  const [report] = await Promise.all([retrieve(engine, settings, { environment }), model.ask(questions)]);
  const pairs = (right: (cell: Cell, asked: Asked) => number, of: "value" | "exact"): Pair[] =>
    cells.flatMap((cell, i) => {
      const theirs = cell.reference[of];
      if (!theirs) return [];
      const { length, position } = cell;
      const ours = { found: right(report.cells[i], cell), tries: cell.prompts.length };
      return [{ row: `${row.task} ${row.scaling.label}`, length, position, ours, theirs }];
    });
  const whole = ({ attempts }: Cell, { prompts: mine }: Asked): number =>
    attempts.filter((attempt) => attempt.text.endsWith(mine[attempt.try].answer)).length;
  return {
    report: named(report, cells),
    value: pairs((cell) => cell.found, "value"),
    exact: pairs(whole, "exact"),
  };
}

/** Prompts by the names of their seeds: rows have different ones for the same length and position. */
function named(report: Report, cells: readonly Asked[]): Report {
  const texts: Record<string, string> = {};
  const renamed = report.cells.map((cell, i) => ({
    ...cell,
    attempts: cell.attempts.map((attempt) => {
      const { id, prompt } = cells[i].prompts[attempt.try];
      if (!attempt.found) texts[id] = prompt;
      return { ...attempt, prompt: id };
    }),
  }));
  return { ...report, cells: renamed, prompts: texts };
}

/** Reports of several rows of one model as one. */
export function joined(reports: readonly Report[]): Report {
  const [first] = reports;
  const scalings = new Map(
    reports.flatMap((report) =>
      (report.settings["ropeScalings"] as Scaling[]).map((scaling): [string, Scaling] => [scaling.label, scaling]),
    ),
  );
  const { fixture: _, ...settings } = first.settings;
  return {
    ...first,
    updated: reports.at(-1)!.updated,
    complete: reports.every((report) => report.complete),
    settings: {
      ...settings,
      ropeScalings: [...scalings.values()],
      prompts: "models/train/tasks.py, sets rates and public",
    },
    cells: reports.flatMap((report) => report.cells),
    prompts: Object.assign({}, ...reports.map((report) => report.prompts)) as Report["prompts"],
  };
}
