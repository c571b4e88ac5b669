#!/usr/bin/env node
// index.ts — the command `llariat`. Commands are files beside this one; what they load comes in only when they run.

import { LlariatError, printable } from "../error.ts";
import { type Colors, colorsOf } from "./colors.ts";
import {
  type Command,
  type Terminal,
  commandHelp,
  isUndecided,
  isUsageError,
  readArguments,
  table,
  usageError,
} from "./command.ts";
import { effectiveContext } from "./effective-context.ts";
import { generate } from "./generate.ts";
import { info } from "./info.ts";
import { perplexity } from "./perplexity.ts";
import { report } from "./report.ts";
import { retrieve } from "./retrieve.ts";
import { serve } from "./serve.ts";
import { tune } from "./tune.ts";
import { version } from "./version.ts";
import { inOptions } from "./words.ts";

const commands: readonly Command[] = [generate, info, serve, retrieve, perplexity, effectiveContext, report, tune];

/** As a shell reports a process ended by Ctrl-C: 128 + SIGINT. */
const INTERRUPTED = 130;

function help(colors: Colors): string {
  const rows = commands.map(({ name, summary }) => [name, summary] as const);
  const general = [
    ["llariat COMMAND --help", "options of a command"],
    ["llariat --version", "version"],
  ] as const;
  return `Llama on WebGPU: Hugging Face checkpoints as they are, RoPE scaling per request.\n\n${colors.bold("Commands")}\n${table(rows)}\n${table(general)}`;
}

/** Runs the command line; the result is the exit code. */
async function main(argv: readonly string[], terminal: Terminal): Promise<number> {
  const { stdout, stderr } = terminal;
  const [first, ...others] = argv;
  const command = commands.find(({ name }) => name === first);
  try {
    if (command) {
      const args = readArguments(command, others);
      if (args.has("help")) stdout.write(commandHelp(command, colorsOf(stdout)));
      else await command.run(args, terminal);
      return 0;
    }
    if (first === "--version" || first === "-v") {
      stdout.write(`${version()}\n`);
      return 0;
    }
    if (first === "--help" || first === "-h" || first === "help") {
      stdout.write(help(colorsOf(stdout)));
      return 0;
    }
    const names = commands.map(({ name }) => name).join(", ");
    throw usageError(
      first === undefined ? `which command? ${names}` : `unknown command "${first}"; there are ${names}`,
    );
  } catch (error) {
    const colors = colorsOf(stderr);
    if (error instanceof LlariatError && error.code === "aborted") {
      if (broken) return 0; // what came before the break was all that was wanted, or is said below
      stderr.write("stopped\n");
      return INTERRUPTED;
    }
    stderr.write(`${colors.red("llariat:")} ${sentence(error, command)}\n`);
    if (isUndecided(error)) return 3;
    if (!isUsageError(error)) return 1;
    stderr.write(`see: llariat ${command ? `${command.name} ` : ""}--help\n`);
    return 2;
  }
}

function sentence(error: unknown, command: Command | undefined): string {
  if (error instanceof LlariatError) return inOptions(error, command?.options ?? {});
  const { stack, message } = error instanceof Error ? error : { stack: undefined, message: String(error) };
  const trace = process.env["LLARIAT_DEBUG"] ? `\n${stack}` : " (unexpected; LLARIAT_DEBUG=1 shows where)";
  return printable(message) + trace;
}

const controller = new AbortController();
process.on("SIGINT", () => {
  if (controller.signal.aborted) process.exit(INTERRUPTED);
  controller.abort();
});
/** What standard output failed with. */
let broken: NodeJS.ErrnoException | undefined;
// Whatever is under way ends as it does with Ctrl-C, and the model is closed.
process.stdout.on("error", (error: NodeJS.ErrnoException) => {
  broken ??= error;
  controller.abort();
});
process.stderr.on("error", () => {}); // progress is not worth a run

const { stdin, stdout, stderr } = process;
const code = await main(process.argv.slice(2), { stdin, stdout, stderr, signal: controller.signal });
await new Promise<void>((resolve) => stdout.write("", () => resolve()));
process.exitCode = code;
// A reader that has seen enough, as in `| head`, is no error.
if (broken && broken.code !== "EPIPE") {
  stderr.write(`llariat: standard output: ${broken.message}\n`);
  process.exitCode = 1;
}
// Work still queued on the GPU must not hold up a person who pressed Ctrl-C.
if (code === INTERRUPTED) process.exit(code);
