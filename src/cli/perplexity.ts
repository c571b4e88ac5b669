// perplexity.ts — `llariat perplexity`: sliding-window perplexity of a text, by scaling and window.

import { perplexity as measure, terminalTable } from "../retrieval/index.ts";
import { startProgress } from "./progress.ts";
import { addToReport } from "./reports.ts";
import type { Command, Option } from "./command.ts";
import { usageError } from "./command.ts";
import { paintOf } from "./live.ts";
import { checkScalings, measureOptions, numbers, openModel, readScalings, readText } from "./measure.ts";

const options = {
  ...measureOptions,
  text: { kind: "text", value: "FILE", help: "the text to predict" },
  window: { kind: "text", value: "LIST", multiple: true, help: "tokens a prediction may see (default 256,512,1024)" },
  stride: { kind: "integer", value: "N", help: "tokens by which the window moves, at most half of it (default 256)" },
  "max-tokens": { kind: "integer", value: "N", help: "only the first tokens of the text" },
  out: { kind: "text", value: "DIR", help: "add the table to the report in this folder, or begin one" },
  json: { help: "print JSON instead of a table" },
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
    const [stride, maxTokens] = [args.number("stride"), args.number("max-tokens")];
    const windows = numbers(args, "window") ?? [256, 512, 1024];
    const bad = [...windows, ...(stride === undefined ? [] : [stride])].find(
      (each) => !Number.isInteger(each) || each < 2,
    );
    if (bad !== undefined) throw usageError(`--window and --stride need whole numbers of tokens ≥ 2, got ${bad}`);
    const { engine, name, environment, close } = await openModel(args, terminal, (rope) =>
      checkScalings(scalings, rope),
    );
    const bar = startProgress(terminal.stderr, "perplexity", (tokens) => `${tokens} tokens`);
    const total = scalings.length * windows.length;
    try {
      const table = await measure(
        engine,
        {
          text,
          name: file.replace(/^.*[/\\]/, ""),
          windows,
          ropeScalings: scalings,
          ...(stride === undefined ? {} : { stride }),
          ...(maxTokens === undefined ? {} : { maxTokens }),
        },
        {
          signal: terminal.signal,
          ...(args.has("quiet")
            ? {}
            : { onProgress: ({ tokens, of, rows }) => bar.update(rows.length * of + tokens, total * of) }),
        },
      );
      bar.end();
      const model = { name, trainedLength: engine.rope.originalMaxPositions };
      terminal.stdout.write(
        args.has("json")
          ? `${JSON.stringify(table)}\n`
          : terminalTable({ cells: [], model, perplexity: table }, paintOf(terminal.stdout)),
      );
      const out = args.text("out");
      if (out !== undefined)
        terminal.stderr.write(`written: ${await addToReport(out, { model, environment }, { perplexity: table })}\n`);
    } finally {
      bar.end();
      close();
    }
  },
};
