// html.ts — report.html: the page of a retrieval report.

import { reading } from "../../text/options.ts";
import { parseReport } from "../merge.ts";
import { curves } from "./curves.ts";
import { failures } from "./failures.ts";
import { hasPositions, heatmap, heatmapKey, overview, scalingMap } from "./heatmap.ts";
import { effectivePanels } from "./kmax.ts";
import type { Child, Markup } from "./markup.ts";
import { el } from "./markup.ts";
import { page, section } from "./page.ts";
import type { Report } from "../schema.ts";
import { TASKS } from "../prompts/tasks.ts";
import {
  cellTable,
  costTable,
  expectationTable,
  lengthTable,
  pairTable,
  perplexityTable,
  usedTable,
} from "./tables.ts";
import { GOOD, MANY_TASKS, axes, cellsOf, colourOf, distinct, percent } from "./view.ts";

/**
 * The report as one HTML page. Colours follow the reader's preference for light or dark.
 * @throws LlariatError("request") for what is no report.
 */
export function html(report: Report): string {
  return reading("report", () => document(parseReport(report, "report")));
}

function document(report: Report): string {
  return page(`${report.model.name} · does it use its context?`, [
    hatch(),
    el(
      "main",
      {},
      opening(report),
      lengthSection(report),
      overviewSection(report),
      report.cells.length > 0 && used(report),
      curveSection(report),
      pairSection(report),
      effectiveSection(report),
      taskSections(report),
      report.expectations.length > 0 && section("Expectations", null, expectationTable(report)),
      report.cells.length > 0 && section("Cost", null, costTable(report)),
      failures(report),
      report.cells.length > 0 && settings(report),
      el(
        "footer",
        {},
        `Made by llariat, ${report.updated.slice(0, 16).replace("T", " ")} UTC.${report.fingerprint === "" ? "" : ` Run ${report.fingerprint}.`}`,
      ),
    ),
  ]);
}

/** The pattern of cells without a chance, for every figure of the page. */
function hatch(): Markup {
  const pattern = el(
    "pattern",
    { id: "hatch", width: 6, height: 6, patternUnits: "userSpaceOnUse", patternTransform: "rotate(45)" },
    el("line", { x1: 0, y1: 0, x2: 0, y2: 6, style: "stroke:var(--hatch);stroke-width:2.5" }),
  );
  return el("svg", { width: 0, height: 0, "aria-hidden": "true", style: "position:absolute" }, el("defs", {}, pattern));
}

function opening(report: Report): Child {
  const { model, expectations, cells, complete } = report;
  const held = expectations.filter((each) => each.held).length;
  const undecided = expectations.filter((each) => each.undecided).length;
  const attempts = cells.reduce((sum, cell) => sum + cell.attempts.length, 0);
  const errors = cells.reduce((sum, cell) => sum + cell.errors, 0);
  const good = held === expectations.length && complete && errors === 0;
  const words = [
    expectations.length > 0 && `${held} of ${expectations.length} expectations held`,
    undecided > 0 && `${undecided} undecided`,
    !complete && "the run is not complete",
    errors > 0 && `${errors} prompts got no answer`,
  ].filter((word) => word !== false);
  const environment = Object.values(report.environment).filter((value) => typeof value === "string");
  return [
    el("h1", {}, model.name),
    el(
      "p",
      { class: "lead" },
      `Does it use its context? Trained for ${model.trainedLength} tokens`,
      attempts > 0 && `, asked ${attempts} times in ${cells.length} cells`,
      ".",
      environment.length > 0 && [" ", environment.join(" · ")],
    ),
    words.length > 0 &&
      el(
        "p",
        { class: `verdict${good ? "" : " bad"}`, role: "status" },
        el("strong", {}, good ? "Passed" : "Not passed"),
        words.join(", "),
      ),
  ];
}

const used = (report: Report): Markup =>
  section(
    "Context really used",
    `Longest prompt, in tokens, up to which at least ${percent(GOOD)} % of the values are found at every length tried, over all positions of the secret.`,
    usedTable(report),
  );

/** All tasks at a glance, where there are several. */
function overviewSection(report: Report): Child {
  const { tasks, scalings } = axes(report);
  if (tasks.length < 2) return null;
  return section(
    "Overview",
    "Mean score of every task by prompt length, in percent, over all positions.",
    heatmapKey(false),
    el(
      "div",
      { class: "panels" },
      scalings.map((scaling) => overview(report, scaling)),
    ),
  );
}

/** Settings two by two. */
function pairSection(report: Report): Child {
  const pairs = pairTable(report);
  if (!pairs) return null;
  return section(
    "Settings side by side",
    "What one setting finds and another does not, of the prompts that both answered, over all tasks and lengths. p: how likely so uneven a split is if neither is better (McNemar's exact test).",
    pairs,
  );
}

function lengthSection(report: Report): Child {
  const { effectiveLength: effective } = report;
  if (!effective) return null;
  return section(
    "Effective length",
    `As RULER defines it (Hsieh et al. 2024): the longest prompt length whose mean score over ${effective.tasks.length} tasks exceeds ${percent(effective.threshold)} %; means that do are bold. The weighted averages count the i-th of n lengths i times (inc) or n + 1 - i times (dec).`,
    lengthTable(report),
  );
}

/** The tasks one by one; many are folded, for the overview has their scores. */
function taskSections(report: Report): Child {
  const { tasks, scalings } = axes(report);
  const figures = (task: string): Child =>
    hasPositions(report, task)
      ? scalings
          .filter((scaling) => cellsOf(report, task, scaling).length > 0)
          .map((scaling) => heatmap(report, task, scaling))
      : scalingMap(report, task);
  const settled = (task: string): boolean => cellsOf(report, task).some((cell) => cell.settled !== undefined);
  if (tasks.length < MANY_TASKS) {
    return tasks.map((task) =>
      section(
        `${task}: where it is found`,
        TASKS[task].about,
        heatmapKey(settled(task)),
        el("div", { class: "panels" }, figures(task)),
        cellTable(report, task),
      ),
    );
  }
  return section(
    "Task by task",
    null,
    heatmapKey(tasks.some(settled)),
    tasks.map((task) =>
      el(
        "details",
        {},
        el("summary", {}, task, el("span", { class: "faint" }, TASKS[task].about)),
        el("div", { class: "panels" }, figures(task)),
        cellTable(report, task),
      ),
    ),
  );
}

function curveSection(report: Report): Child {
  const panels = curves(report);
  if (panels.length === 0) return null;
  const { tasks } = axes(report);
  const text = report.perplexity?.text;
  const about =
    tasks.length === 0
      ? "Sliding-window perplexity; bands are 95 % intervals."
      : text
        ? "Above: values found, over all positions. Below, on the same axis: perplexity, which sees nothing of what is lost above. Bands are 95 % intervals; faint lines are the other settings."
        : "Values found, over all positions. Bands are 95 % Wilson intervals; faint lines are the other settings.";
  const legend =
    tasks.length < MANY_TASKS
      ? tasks.map((task) => legendItem(`task-${colourOf(task, tasks)}`, task))
      : [legendItem("task-uuid", "mean over tasks")];
  if (text) legend.push(legendItem("perplexity", `perplexity of ${text.name} (${text.tokens} tokens)`));
  return section(
    text && tasks.length > 0 ? "Retrieval and perplexity" : text ? "Perplexity" : "Retrieval by length",
    about,
    el("ul", { class: "legend" }, legend),
    el("div", { class: "panels" }, panels),
    perplexityTable(report),
  );
}

const legendItem = (name: string, label: string): Markup =>
  el(
    "li",
    {},
    el(
      "svg",
      { width: 30, height: 10, "aria-hidden": "true", class: name },
      el("path", { class: "line", d: "M0 5H30" }),
      el("circle", { class: "marker", cx: 15, cy: 5, r: 3.5 }),
    ),
    label,
  );

function effectiveSection(report: Report): Child {
  const { effectiveContext: effective } = report;
  if (!effective) return null;
  return section(
    "Effective context window",
    `How far from the end a passkey may stand and still be found, in prompts that fill ${effective.window} tokens: k_max is the largest distance up to which at least ${percent(effective.least)} % of ${effective.tries} tries succeed everywhere (Chen et al. 2023, section 3.3).`,
    el("div", { class: "panels" }, effectivePanels(report)),
  );
}

function settings(report: Report): Child {
  const effective = distinct(report.cells.filter((cell) => cell.rope !== undefined).map((cell) => cell.scaling)).map(
    (scaling) => [scaling, report.cells.find((cell) => cell.scaling === scaling && cell.rope !== undefined)!.rope],
  );
  const block = (name: string, value: unknown): Markup =>
    el("details", {}, el("summary", {}, name), el("pre", {}, JSON.stringify(value, null, 2)));
  return section(
    "Settings",
    "With these and the same seed every prompt of this report is made again, on any machine.",
    block("As asked", report.settings),
    effective.length > 0 && block("RoPE settings as the engine echoed them", Object.fromEntries(effective)),
    Object.keys(report.environment).length > 0 && block("Environment", report.environment),
  );
}
