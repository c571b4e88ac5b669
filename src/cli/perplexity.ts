// perplexity.ts — `llariat perplexity`: sliding-window perplexity of a text, by scaling and window.

import { type PerplexitySettings, checkWindows, perplexity as measure } from "../retrieval/perplexity.ts";
import type { Arguments, Command, Option } from "./command.ts";
import { inUsage, usageError } from "./command.ts";
import { readText } from "./files.ts";
import { checkScalings, measureOptions, numbers, openModel, readScalings } from "./measure.ts";
import { outputOptions, runMeasurement } from "./measurement.ts";

const options = {
  ...measureOptions,
  text: { kind: "text", value: "FILE", help: "the text to predict" },
  window: { kind: "text", value: "LIST", multiple: true, help: "tokens a prediction may see (default 256,512,1024)" },
  stride: { kind: "integer", value: "N", help: "tokens by which the window moves, at most half of it (default 256)" },
  "max-tokens": { kind: "integer", value: "N", help: "only the first tokens of the text" },
  ...outputOptions,
} as const satisfies Record<string, Option>;

/** `llariat perplexity`. */
export const perplexity: Command = {
  name: "perplexity",
  summary: "measure how well a model predicts a text, by window and RoPE scaling",
  usage: ["--model DIR --text FILE [--window 256,512,1024] [--rope-scaling none,dynamic:2]"],
  options,
  notes:
    "As in tables 1 and 2 of the Position Interpolation paper (arXiv 2306.15595); ± is one standard error over windows.\n" +
    "With --out the report shows it beside retrieval, which it says little about.",
  async run(args, terminal) {
    const file = args.text("text");
    if (file === undefined) throw usageError("needs --text FILE");
    const text = readText(file);
    const scalings = readScalings(args);
    const lengths = readWindows(args);
    inUsage(() => checkWindows(lengths));
    const opened = await openModel(args, terminal, (rope) => checkScalings(scalings, rope));
    const { signal } = terminal;
    const total = scalings.length * lengths.windows.length;
    await runMeasurement(
      opened,
      {
        key: "perplexity",
        label: "perplexity",
        unit: (amount) => `${amount} tokens`,
        measure: (engine, _, update) =>
          measure(
            engine,
            {
              text,
              name: file.replace(/^.*[/\\]/, ""),
              ...lengths,
              ropeScalings: scalings,
            },
            { signal, onProgress: ({ tokens, of, rows }) => update(rows.length * of + tokens, total * of) },
          ),
      },
      args,
      terminal,
    );
  },
};

/** What the options of `llariat perplexity` say of windows; what is not given is left out. */
export function readWindows(args: Arguments): Pick<PerplexitySettings, "windows" | "stride" | "maxTokens"> {
  return { windows: numbers(args, "window") ?? [256, 512, 1024], ...args.given("stride", "maxTokens") };
}
