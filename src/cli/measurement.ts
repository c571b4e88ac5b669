// measurement.ts — what `perplexity` and `effective-context` have in common: one table of a model, shown and put into a report.

import { type Report, terminalTable } from "../retrieval/index.ts";
import type { Rope } from "../rope/index.ts";
import type { Arguments, Option, Terminal } from "./command.ts";
import { paintOf } from "./live.ts";
import type { Opened } from "./measure.ts";
import { type Progress, startProgress } from "./progress.ts";
import { addToReport } from "./reports.ts";

/** Where a measurement goes. */
export const outputOptions = {
  out: { kind: "text", value: "DIR", help: "add the result to the report in this folder, or begin one" },
  json: { help: "print JSON instead of a table" },
} as const satisfies Record<string, Option>;

/** One measurement. */
export interface Measurement<E, K extends "perplexity" | "effectiveContext"> {
  /** Its name in a report. */
  readonly key: K;
  readonly label: string;
  /** An amount of what is counted while it goes on. */
  readonly unit: (amount: number) => string;
  readonly measure: (engine: E, trainedLength: number, update: Progress["update"]) => Promise<Report[K]>;
}

/** Measures, shows the table or JSON, adds it to the report of --out, and closes what was opened. */
export async function runMeasurement<
  E extends { readonly rope?: Rope | undefined },
  K extends "perplexity" | "effectiveContext",
>(opened: Opened<E>, { key, label, unit, measure }: Measurement<E, K>, args: Arguments, terminal: Terminal) {
  const { engine, name, environment, close } = opened;
  const bar = startProgress(terminal.stderr, label, unit);
  const model = { name, trainedLength: engine.rope!.originalMaxPositions };
  try {
    const found = await measure(engine, model.trainedLength, args.has("quiet") ? () => {} : bar.update);
    bar.end();
    const result = { [key]: found };
    terminal.stdout.write(
      args.has("json")
        ? `${JSON.stringify(found)}\n`
        : terminalTable({ cells: [], model, ...result }, paintOf(terminal.stdout)),
    );
    const out = args.text("out");
    if (out !== undefined)
      terminal.stderr.write(`written: ${await addToReport(out, { model, environment }, result)}\n`);
  } finally {
    bar.end();
    close();
  }
}
