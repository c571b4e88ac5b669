// cli.ts — the command line: as a process, and one command with a terminal that stands in.
import { type ChildProcess, spawn } from "node:child_process";
import * as assert from "uvu/assert";
import { type Command, type Terminal, isUsageError, readArguments } from "../../src/cli/command.ts";
import { inOptions } from "../../src/cli/words.ts";
import type { LlariatError } from "../../src/error.ts";
import { root } from "./source.ts";

/** How a process ended, and what it wrote. */
export interface Ended {
  readonly code: number | null;
  readonly signal: string | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** What is said to a process: its standard input, and `act`, called once with its output when that matches `until`. */
export interface Talk {
  readonly input?: string;
  readonly until?: RegExp;
  readonly act?: (child: ChildProcess, written: string) => void;
}

/** Runs `llariat` as a process. Dawn's own warnings are left out. */
export function llariat(args: readonly string[], { input = "", until, act }: Talk = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--import", "tsx", "src/cli/index.ts", ...args], {
      cwd: root,
      env: { ...process.env, NO_COLOR: "1" },
    });
    let [stdout, stderr] = ["", ""];
    let waiting = act !== undefined;
    const heard = (): void => {
      if (!waiting || !until!.test(stdout + stderr)) return;
      waiting = false;
      act!(child, stdout + stderr);
    };
    child.stdout.on("data", (data) => ((stdout += data), heard()));
    child.stderr.on("data", (data) => ((stderr += data), heard()));
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    child.on("close", (code, signal) => {
      resolve({ code, signal, stdout, stderr: stderr.replace(/^Warning: max.*\n/gm, "") });
    });
  });
}

/** A terminal that nobody sits at; `written` is what came to stdout and stderr. */
export function standIn(more: Partial<Terminal> = {}): Terminal & { readonly written: () => string } {
  let written = "";
  const stream = { write: (text: string) => (written += text) } as unknown as NodeJS.WriteStream;
  const signal = new AbortController().signal;
  return { stdin: process.stdin, stdout: stream, stderr: stream, signal, ...more, written: () => written };
}

/** The sentence of the usage error that arguments give, before anything is loaded or written. */
export async function usageSentence(command: Command, argv: readonly string[]): Promise<string> {
  const terminal = standIn();
  try {
    await command.run(readArguments(command, argv), terminal);
  } catch (error) {
    assert.ok(isUsageError(error), `${argv.join(" ")}: ${String(error)}`);
    assert.is(terminal.written(), "");
    return inOptions(error as LlariatError, command.options);
  }
  throw new Error(`not refused: ${argv.join(" ")}`);
}
