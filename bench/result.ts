// result.ts — one line of a results file: what every benchmark writes and `bench/report` reads.

import { execFileSync } from "node:child_process";
import { appendFileSync, mkdirSync, readFileSync } from "node:fs";
import { loadavg } from "node:os";
import { dirname, resolve } from "node:path";
import type { Variants } from "../kernels/index.ts";

/** Milliseconds of several trials. */
export interface Timing {
  /** Median. */
  readonly ms: number;
  /** Shortest: on a machine that others use, the one closest to the truth. */
  readonly best: number;
  /** (longest − shortest) / median. */
  readonly spread: number;
  /** How many there were. */
  readonly trials?: number;
  /**
   * Software adapters only: CPU time of this process, over its cores. On a busy machine `ms` counts the others' work too;
   * this is what it would be on a quiet one, if all cores were busy all the time.
   */
  readonly cpuMs?: number;
}

/** What was measured. Rates follow from `ms`; what does not apply is left out. */
export interface Result extends Partial<Timing> {
  readonly bench: "limits" | "kernels" | "rope" | "engine" | "load" | "peers";
  /** A kernel, a limit of the device, or what of the engine was measured: `matvec`, `copy`, `pp512`, `tg128`, `load`. */
  readonly kernel: string;
  /** Sizes, for people. */
  readonly shape: string;
  /** The model whose shape it has: a name of `test/tools/checkpoint.ts`. */
  readonly model?: string;
  /** Of the weights, and of keys and values. */
  readonly format?: string;
  readonly cache?: string;
  readonly variants?: Variants;
  /** Who computed it, and on what; `peers` only. */
  readonly engine?: string;
  readonly on?: "gpu" | "cpu";
  /** Sequences that are computed together, and tokens in the cache before the first that is timed. */
  readonly batch?: number;
  readonly depth?: number;
  /** Bytes that one run cannot do without (work.ts), or that something holds. */
  readonly bytes?: number;
  /** Additions, multiplications and elementary functions of one run. */
  readonly flops?: number;
  readonly gbs?: number;
  readonly gflops?: number;
  /** `gbs` of the copy, or `gflops` of the most multiply-adds, both of the same run. */
  readonly percent?: number;
  readonly tokensPerSecond?: number;
  /** How many of `kernel` there are, where it is a number of things. */
  readonly count?: number;
  /** Largest error of the kernel's check, in units of what rounding allows. */
  readonly checked?: number;
  /** Ours over theirs, in tokens per second of the same row. */
  readonly ratio?: number;
  /** The first greedy ids. */
  readonly ids?: readonly number[];
  /** What else must be known to judge the figure. */
  readonly note?: string;
}

/** A result, and where it comes from. */
export interface Line extends Result {
  readonly adapter: string;
  readonly driver: string;
  /** Short hash; a plus where the tree differed from it. */
  readonly commit: string;
  /** When the run began, ISO 8601: the same for all lines of a run. */
  readonly date: string;
  /** Load average of the last minute. */
  readonly load: number;
}

/** What all lines of a run share. */
export type About = Pick<Line, "adapter" | "driver" | "commit" | "date">;

/** A number with so many significant digits. */
export const round = (value: number, digits = 4): number => Number(value.toPrecision(digits));

/** Median, best and spread of milliseconds. */
export function timing(trials: readonly number[]): Timing {
  const sorted = trials.toSorted((a, b) => a - b);
  const half = sorted.length >> 1;
  const ms = sorted.length % 2 ? sorted[half] : (sorted[half - 1] + sorted[half]) / 2;
  return { ms, best: sorted[0], spread: ms === 0 ? 0 : (sorted.at(-1)! - sorted[0]) / ms, trials: trials.length };
}

/** What this run's lines say of it. */
export const about = ({ name, driver }: { readonly name: string; readonly driver: string }): About => ({
  adapter: name,
  driver,
  commit: commit(),
  // The parts of one run are processes of their own.
  date: process.env["LLARIAT_BENCH_DATE"] ?? new Date().toISOString(),
});

/** Digits that figures keep in a results file: a median of trials is known to no more than four. */
const DIGITS: Readonly<Record<string, number>> = { spread: 3, cpuMs: 3, percent: 3, checked: 3, ratio: 3 };
const EXACT = new Set(["bytes", "flops", "count", "batch", "depth", "trials"]);

/** Appends a result to a file as one line of JSON; makes its folder if need be. */
export function appendLine(file: string, result: Result, of: About): void {
  const rounded = Object.entries(result).map(([key, value]) =>
    typeof value === "number" && !EXACT.has(key) ? [key, round(value, DIGITS[key] ?? 4)] : [key, value],
  );
  const line = { ...Object.fromEntries(rounded), ...of, load: round(loadavg()[0], 2) };
  mkdirSync(dirname(resolve(file)), { recursive: true });
  appendFileSync(file, `${JSON.stringify(line)}\n`);
}

/** The lines of a results file. Throws naming file and line for one that is none. */
export function readLines(file: string): Line[] {
  return readFileSync(file, "utf8")
    .split("\n")
    .flatMap((text, i) => {
      if (text === "") return [];
      const line = parse(text);
      if (typeof line?.bench === "string" && typeof line.kernel === "string" && typeof line.date === "string")
        return line;
      throw new TypeError(`${file}:${i + 1}: got ${text.slice(0, 60)}, needed a result (bench/result.ts)`);
    });
}

function parse(text: string): Line | undefined {
  try {
    return JSON.parse(text) as Line;
  } catch {
    return undefined;
  }
}

/** Short hash of the commit, with a plus where the tree differs from it; "unknown" outside a clone. */
function commit(): string {
  try {
    const git = (...words: string[]) =>
      execFileSync("git", words, { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] });
    const changed = git("status", "--porcelain", "--untracked-files=no", "--", "src", "kernels", "bench/*.ts").trim();
    return git("rev-parse", "--short", "HEAD").trim() + (changed === "" ? "" : "+");
  } catch {
    return "unknown";
  }
}
