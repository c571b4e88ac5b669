// effective-context.ts — `llariat effective-context`: k_max, how far from the end a passkey is still found.

import { effectiveContext as measure, terminalTable } from "../retrieval/index.ts";
import { startProgress } from "./progress.ts";
import { addToReport } from "./reports.ts";
import type { Command, Option } from "./command.ts";
import { usageError } from "./command.ts";
import { paintOf } from "./live.ts";
import { checkScalings, measureOptions, openEngine, readScalings, viaOptions } from "./measure.ts";

const options = {
  ...measureOptions,
  ...viaOptions,
  window: { kind: "integer", value: "N", help: "tokens that every prompt fills (default the trained length)" },
  points: { kind: "integer", value: "N", help: "distances of the passkey from the end, evenly spaced (default 32)" },
  tries: { kind: "integer", value: "N", help: "passkeys per distance (default 10)" },
  least: { kind: "number", value: "X", help: "success rate that counts as found (default 0.2)" },
  seed: { kind: "text", value: "TEXT", help: "the same seed gives the same prompts (default 0)" },
  batch: { kind: "integer", value: "N", help: "prompts decoded together (default 4)" },
  out: { kind: "text", value: "DIR", help: "add the curve to the report in this folder, or begin one" },
  json: { help: "print JSON instead of a table" },
} as const satisfies Record<string, Option>;

/** `llariat effective-context`. */
export const effectiveContext: Command = {
  name: "effective-context",
  summary: "measure how far back a model can find a passkey",
  usage: ["--model DIR --window 2048 [--rope-scaling none,linear:4] [--points 32] [--tries 10]"],
  options,
  notes:
    "k_max is the largest distance up to which every distance succeeds often enough (arXiv 2306.15595, section 3.3).",
  async run(args, terminal) {
    const scalings = readScalings(args);
    for (const [name, least] of [
      ["window", 1],
      ["points", 2],
      ["tries", 1],
      ["batch", 1],
    ] as const) {
      const value = args.number(name);
      if (value !== undefined && value < least) throw usageError(`--${name} needs at least ${least}, got ${value}`);
    }
    const { engine, name, environment, close } = await openEngine(args, terminal, (rope) =>
      checkScalings(scalings, rope),
    );
    const bar = startProgress(terminal.stderr, "effective context", (answers) => `${answers} answers`);
    const trainedLength = engine.rope!.originalMaxPositions;
    const given = Object.fromEntries(
      (["points", "tries", "least", "batch"] as const)
        .filter((key) => args.has(key))
        .map((key) => [key, args.number(key)!]),
    );
    let measured = 0;
    try {
      const result = await measure(
        engine,
        {
          window: args.number("window") ?? trainedLength,
          ropeScalings: scalings,
          ...given,
          ...(args.has("seed") ? { seed: args.text("seed")! } : {}),
        },
        {
          signal: terminal.signal,
          ...(args.has("quiet") ? {} : { onProgress: ({ of }) => bar.update(++measured, of * scalings.length) }),
        },
      );
      bar.end();
      const model = { name, trainedLength };
      terminal.stdout.write(
        args.has("json")
          ? `${JSON.stringify(result)}\n`
          : terminalTable({ cells: [], model, effectiveContext: result }, paintOf(terminal.stdout)),
      );
      const out = args.text("out");
      if (out !== undefined)
        terminal.stderr.write(
          `written: ${await addToReport(out, { model, environment }, { effectiveContext: result })}\n`,
        );
    } finally {
      bar.end();
      close();
    }
  },
};
