// report.ts — `llariat report`: a saved report drawn again, checked again, or put together from shards.

import { LlariatError } from "../error.ts";
import { type Report, checkExpectation, effectiveLength, mergeReports, parseExpectation } from "../retrieval/index.ts";
import { checkThreshold } from "../retrieval/length.ts";
import { isSequential } from "../retrieval/merge.ts";
import { hasReport, readReport } from "./reports.ts";
import type { Command, Option } from "./command.ts";
import { inUsage, usageError } from "./command.ts";
import { finish } from "./retrieve.ts";

const options = {
  merge: { help: "put the reports together: shards of one run" },
  out: { kind: "text", value: "DIR", help: "where to write (default the report's own folder; needed with --merge)" },
  expect: { kind: "text", value: "COND", multiple: true, help: "conditions to check instead of the saved ones" },
  threshold: {
    kind: "number",
    value: "X",
    help: "mean score above which a length counts as used, instead of the saved one",
  },
  json: { help: "print the report as JSON instead of a table" },
} as const satisfies Record<string, Option>;

/** `llariat report`. */
export const report: Command = {
  name: "report",
  summary: "draw a saved report again, check other conditions, or merge shards",
  usage: ["DIR [--expect dynamic:2>=0.9@1.5x]", "--merge DIR DIR… --out DIR"],
  options,
  notes:
    "The exit code is 0 only if every cell is finished, every prompt got an answer and every expectation holds;\n3 if none fails but tries are too few to decide all.",
  async run(args, terminal) {
    const paths = args.rest;
    if (paths.length === 0) throw usageError("needs the folder of a report");
    if (!args.has("merge") && paths.length > 1)
      throw usageError(`got ${paths.length} reports; --merge puts them together`);
    const out = args.text("out") ?? (args.has("merge") ? undefined : paths[0]);
    if (out === undefined) throw usageError("--merge needs --out DIR");
    const conditions = inUsage(() => args.texts("expect").map(parseExpectation));
    const threshold = args.number("threshold");
    if (threshold !== undefined) inUsage(() => checkThreshold(threshold));
    const read: Report[] = [];
    for (const path of paths) read.push(await readReport(path));
    const folder = out.endsWith(".json") ? out.replace(/[^/\\]*$/, ".") : out;
    // A file of another name is drawn into its folder too, where the report of another run must stay.
    if (!args.has("out") && (await hasReport(folder)) && (await readReport(folder)).created !== read[0].created)
      throw usageError(`${folder} holds a report already; choose another --out`);
    const merged = args.has("merge") ? mergeReports(read) : read[0];
    const whole = threshold === undefined ? merged : withThreshold(merged, threshold);
    const checked: Report =
      conditions.length === 0
        ? whole
        : {
            ...whole,
            expectations: conditions.map((each) =>
              checkExpectation(each, whole.cells, whole.model.trainedLength, isSequential(whole)),
            ),
          };
    await finish(checked, { out: folder, json: args.has("json"), shard: false, terminal });
    const open = checked.cells.filter((cell) => cell.status === "pending" || cell.status === "partial");
    if (open.length > 0)
      throw new LlariatError("request", `${open.length} cells are not finished, the first: ${open[0].id}`);
  },
};

/** The effective lengths of a report by another threshold; of a report without any, by all its tasks. */
function withThreshold(saved: Report, threshold: number): Report {
  const tasks = saved.effectiveLength?.tasks ?? [...new Set(saved.cells.map((cell) => cell.task))];
  return { ...saved, effectiveLength: effectiveLength(saved.cells, { threshold, tasks }) };
}
