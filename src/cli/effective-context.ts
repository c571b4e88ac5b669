// effective-context.ts — `llariat effective-context`: k_max, how far from the end a passkey is still found.

import { type EffectiveSettings, checkEffective, effectiveContext as measure } from "../retrieval/effective.ts";
import type { Arguments, Command, Option } from "./command.ts";
import { inUsage } from "./command.ts";
import { checkScalings, measureOptions, openEngine, promptOptions, readScalings, viaOptions } from "./measure.ts";
import { outputOptions, runMeasurement } from "./measurement.ts";

const options = {
  ...measureOptions,
  ...viaOptions,
  window: { kind: "integer", value: "N", help: "tokens that every prompt fills (default the trained length)" },
  points: { kind: "integer", value: "N", help: "distances of the passkey from the end, evenly spaced (default 32)" },
  tries: { kind: "integer", value: "N", help: "passkeys per distance (default 10)" },
  least: { kind: "number", value: "X", help: "success rate that counts as found (default 0.2)" },
  ...promptOptions,
  ...outputOptions,
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
    const given = readEffective(args);
    inUsage(() => checkEffective(given));
    const opened = await openEngine(args, terminal, (rope) => checkScalings(scalings, rope));
    const { signal } = terminal;
    let answers = 0;
    await runMeasurement(
      opened,
      {
        key: "effectiveContext",
        label: "effective context",
        unit: (amount) => `${amount} answers`,
        measure: (engine, window, update) =>
          measure(
            engine,
            { window, ropeScalings: scalings, ...given },
            { signal, onProgress: ({ of }) => update(++answers, of * scalings.length) },
          ),
      },
      args,
      terminal,
    );
  },
};

/** What the options of `llariat effective-context` ask for; what is not given is left out. */
export function readEffective(args: Arguments): Partial<EffectiveSettings> {
  return {
    ...args.given("window", "points", "tries", "least", "batch"),
    ...(args.has("seed") ? { seed: args.text("seed")! } : {}),
  };
}
