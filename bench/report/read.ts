// read.ts — what the report is drawn from: the lines of bench/results, of each adapter and benchmark those of the newest run.

import { readdirSync } from "node:fs";
import { join } from "node:path";
import { type Line, readLines } from "../result.ts";

/** Everything that is shown of one adapter. */
export interface Device {
  readonly name: string;
  readonly driver: string;
  /** Lines of the newest run of each benchmark, in the order they were written. */
  readonly lines: readonly Line[];
  /** Best of the limits that were measured beside the kernels. */
  readonly copyGbs: number;
  readonly mostGflops: number;
}

/** The lines of every results file in a folder. */
export const readResults = (folder: string): Line[] =>
  readdirSync(folder)
    .filter((name) => name.endsWith(".jsonl"))
    .sort()
    .flatMap((name) => readLines(join(folder, name)));

/** By adapter, the one with the most arithmetic first. */
export function devices(lines: readonly Line[]): Device[] {
  const found = [...new Set(lines.map(({ adapter }) => adapter))].map((name): Device => {
    const own = lines.filter(({ adapter }) => adapter === name);
    const newest = new Map<string, string>();
    for (const { bench, date } of own) if (date > (newest.get(bench) ?? "")) newest.set(bench, date);
    // Limits belong to the kernels that are compared with them, else to whatever was measured last.
    const ofLimits = newest.get("kernels") ?? newest.get("limits");
    const shown = own.filter(({ bench, date }) => date === (bench === "limits" ? ofLimits : newest.get(bench)));
    const most = (rate: "gbs" | "gflops"): number =>
      shown.reduce((top, line) => (line.bench === "limits" ? Math.max(top, line[rate] ?? 0) : top), 0);
    const { driver } = own.at(-1)!;
    return { name, driver, lines: shown, copyGbs: most("gbs"), mostGflops: most("gflops") };
  });
  return found.sort((a, b) => b.mostGflops - a.mostGflops);
}
