// report.ts — `npm run bench:report`: draws bench/results: tables as Markdown, the roofline that README shows, and a page.
//   node --import tsx bench/report/report.ts [RESULTS FOLDER [OUT FOLDER]]     default: bench/results docs

import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type Child, el, join as text } from "../../src/retrieval/report/markup.ts";
import { page, section } from "../../src/retrieval/report/page.ts";
import { table } from "../../src/retrieval/report/tables.ts";
import type { Line } from "../result.ts";
import { type Device, devices, readResults } from "./read.ts";
import { modelsOf, roofline } from "./roofline.ts";
import { type Table, tables } from "./tables.ts";

/** On a phone a figure keeps its size, and its frame scrolls. */
const STYLE = `.figure{overflow-x:auto}.figure svg{min-width:760px}td,th{white-space:nowrap}.roofline .cell:hover circle{stroke-width:3}`;

const WHERE = ({ lines, driver }: Device): string => {
  const commits = [...new Set(lines.map(({ commit }) => commit))].join(", ");
  const dates = [...new Set(lines.map(({ date }) => date.slice(0, 10)))].join(", ");
  const loads = lines.map(({ load }) => load);
  return `${driver} · commit ${commits} · ${dates} · load average ${Math.min(...loads)} to ${Math.max(...loads)}`;
};

/** The files of a report, by name. */
export function draw(lines: readonly Line[]): Record<"speed.md" | "speed.html" | "roofline.svg", string> {
  const all = devices(lines);
  const first = all.find((device) => modelsOf(device).length > 0);
  const picture = first ? text(roofline(first, modelsOf(first).at(-1)!)) : text(el("svg", EMPTY));
  return { "speed.md": markdown(all), "speed.html": html(all), "roofline.svg": `${picture}\n` };
}

const EMPTY = { xmlns: "http://www.w3.org/2000/svg", viewBox: "0 0 1 1" };

function html(all: readonly Device[]): string {
  const figures = (device: Device): Child =>
    modelsOf(device).map((model) =>
      section(
        `Roofline, kernels at the shapes of ${model}`,
        "How far a kernel is below its roof is what is lost. Formats are those of weights; grey has none. Point at a dot for its numbers.",
        el("figure", { class: "panel figure" }, roofline(device, model)),
      ),
    );
  const shown = ({ title, about, columns, rows, long }: Table): Child => {
    const numbers = table(columns, rows);
    return section(title, about, long ? el("details", {}, el("summary", {}, `${rows.length} rows`), numbers) : numbers);
  };
  const body = all.map((device) => [
    el("h1", {}, `llariat on ${device.name}`),
    el("p", { class: "lead" }, WHERE(device)),
    figures(device),
    tables(device).map(shown),
  ]);
  return page("llariat · speed", el("main", {}, body, el("footer", {}, "Made by npm run bench:report.")), STYLE);
}

function markdown(all: readonly Device[]): string {
  const cells = (values: readonly string[]): string =>
    `| ${values.map((each) => each.replaceAll("|", "\\|")).join(" | ")} |`;
  const shown = ({ title, about, columns, rows }: Table): string[] => [
    `### ${title}`,
    "",
    about,
    "",
    cells(columns.map(({ name }) => name)),
    `|${columns.map(({ number }) => (number ? "---:" : "---")).join("|")}|`,
    ...rows.map(cells),
    "",
  ];
  const head = [
    "# Speed",
    "",
    "Made by `npm run bench:report` from `bench/results`. bench/README.md says how it is measured.",
    "",
  ];
  const parts = all.flatMap((device) => [`## ${device.name}`, "", WHERE(device), "", ...tables(device).flatMap(shown)]);
  return [...head, ...parts].join("\n");
}

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  const root = join(import.meta.dirname, "../..");
  const [, , results = join(root, "bench/results"), out = join(root, "docs")] = process.argv;
  mkdirSync(out, { recursive: true });
  for (const [name, content] of Object.entries(draw(readResults(results)))) {
    writeFileSync(join(out, name), content);
    console.log(`written: ${join(out, name)}`);
  }
}
