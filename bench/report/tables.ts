// tables.ts — the numbers of the report, as plain tables that a page and a Markdown file both show.

import type { Line } from "../result.ts";
import { round } from "../result.ts";
import type { Device } from "./read.ts";

/** A column; those of numbers stand to the right. */
export interface Column {
  readonly name: string;
  readonly number?: boolean;
}

/** A table under its heading. */
export interface Table {
  readonly title: string;
  readonly about: string;
  readonly columns: readonly Column[];
  readonly rows: readonly (readonly string[])[];
  /** Long ones are folded where that is possible. */
  readonly long?: boolean;
}

const text = (name: string): Column => ({ name });
const figure = (name: string): Column => ({ name, number: true });

const show = (value: number | undefined, digits = 3): string => {
  if (value === undefined) return "";
  return Math.abs(value) >= 1000 ? Math.round(value).toLocaleString("en") : String(round(value, digits));
};
const spread = ({ spread: value }: Line): string => (value === undefined ? "" : `± ${Math.round(50 * value)} %`);
const kept = ({ format, cache }: Line): string => [format, cache && `cache ${cache}`].filter(Boolean).join(", ");

const limits = ({ lines }: Device): Table => ({
  title: "What the device does at best",
  about: "Measured in the run of the kernels below. Percentages are of the copy and of the most arithmetic.",
  columns: [text("limit"), text("shape"), text("format"), figure("ms"), figure("±"), figure("GB/s"), figure("GFLOPS")],
  rows: lines
    .filter(({ bench }) => bench === "limits")
    .map((line) => [
      line.kernel,
      line.shape,
      line.format ?? "",
      show(line.ms),
      spread(line),
      show(line.gbs),
      show(line.gflops),
    ]),
});

const speed = ({ lines }: Device): Table => ({
  title: "Prompts and answers",
  about:
    "pp512: a prompt of 512 tokens to its first token. tg: decoding, greedy. Depth: tokens in the cache before; answers at depth 0 come after 128. Side by side: sequences decoded together, tokens/s of all.",
  columns: [
    text("model"), text("weights"), text("what"), figure("depth"), figure("side by side"), figure("tokens/s"), figure("±"), figure("GB/s"), figure("GFLOPS"), figure("%"),
  ], // prettier-ignore
  rows: lines
    .filter(({ bench, tokensPerSecond }) => bench === "engine" && tokensPerSecond !== undefined)
    .map((line) => [
      line.model ?? line.shape,
      kept(line),
      line.kernel,
      show(line.depth ?? 0, 6),
      show(line.batch ?? 1),
      show(line.tokensPerSecond),
      spread(line),
      show(line.gbs),
      show(line.gflops),
      show(line.percent),
    ]),
});

const rest = ({ lines }: Device): Table => ({
  title: "Loading, memory and the host",
  about: "First tokens are those of a fresh process. Loading in percent of a plain read of the same files.",
  columns: [
    text("model"),
    text("weights"),
    text("what"),
    figure("ms"),
    figure("±"),
    figure("MB"),
    figure("GB/s"),
    figure("%"),
    figure("number"),
  ],
  rows: lines
    .filter(
      ({ bench, kernel, tokensPerSecond }) => bench === "engine" && tokensPerSecond === undefined && !isShare(kernel),
    )
    .map((line) => [
      line.model ?? line.shape,
      kept(line),
      line.kernel,
      show(line.ms),
      spread(line),
      show(line.bytes === undefined ? undefined : line.bytes / 1e6),
      show(line.gbs),
      show(line.percent),
      show(line.count),
    ]),
});

/** Lines of `--profile`: a kernel of the model's step. */
const isShare = (kernel: string): boolean =>
  !/first|second|load|read|memory|host|dispatches|calls|submits|uploads/i.test(kernel);

const kernels = ({ lines }: Device): Table => ({
  title: "Kernels",
  about:
    "Each was checked against f64 before it was timed. GB/s counts each input and output once; % is of the roof it is bound by.",
  columns: [
    text("model"), text("kernel"), text("shape"), text("formats"), text("variant"), figure("ms"), figure("±"), figure("GB/s"), figure("GFLOPS"), figure("%"),
  ], // prettier-ignore
  long: true,
  rows: lines
    .filter(({ bench }) => bench === "kernels")
    .map((line) => [
      line.model ?? "",
      line.kernel,
      line.shape,
      kept(line),
      line.variants ?? "",
      show(line.ms),
      spread(line),
      show(line.gbs),
      show(line.gflops),
      show(line.percent),
    ]),
});

const peers = ({ lines }: Device): Table => ({
  title: "Beside others",
  about:
    "The same random weights and prompt ids, in turns in one run. Ratio: llariat's tokens/s over theirs, of the same bits of weights; above 1 llariat is faster.",
  columns: [
    text("engine"), text("on"), text("weights"), text("what"), figure("tokens/s"), figure("±"), figure("trials"), figure("ratio"), text("note"),
  ], // prettier-ignore
  rows: lines
    .filter(({ bench }) => bench === "peers")
    .map((line) => [
      line.engine ?? "",
      line.on ?? "",
      line.format ?? "",
      line.kernel,
      show(line.tokensPerSecond),
      spread(line),
      show(line.trials),
      show(line.ratio),
      line.note ?? "",
    ]),
});

/** The tables of a device that have a row. */
export const tables = (device: Device): Table[] =>
  [peers, speed, rest, limits, kernels].map((make) => make(device)).filter(({ rows }) => rows.length > 0);
