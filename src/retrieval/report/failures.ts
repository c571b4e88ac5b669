// failures.ts — what was asked and what was answered wherever the value was not found, collapsed.

import type { Child, Markup } from "./markup.ts";
import { el } from "./markup.ts";
import type { Report } from "../schema.ts";
import type { Attempt, Cell } from "../cell.ts";
import { distinct, percent } from "./view.ts";

const anchor = (name: string): string => `prompt-${name.replaceAll(/[^\w.-]+/g, "-")}`;

const faint = (text: string): Markup => el("span", { class: "faint" }, text);

/** A section with every failure of the grid and of the effective context, then each prompt once. */
export function failures(report: Report): Child {
  const missed = report.cells.filter((cell) => cell.found < cell.attempts.length);
  const far = (report.effectiveContext?.rows ?? []).filter((row) =>
    row.points.some((point) => point.failures.length > 0),
  );
  if (missed.length === 0 && far.length === 0) return null;
  const total = missed.reduce((sum, cell) => sum + cell.attempts.length - cell.found, 0);
  return el(
    "section",
    {},
    el("h2", {}, "Failures"),
    el(
      "p",
      { class: "about" },
      `${total} answers without their value, cell by cell. Every prompt is below, exactly as it was sent.`,
    ),
    distinct(missed.map((cell) => `${cell.task} · ${cell.scaling}`)).map((name) => {
      const cells = missed.filter((cell) => `${cell.task} · ${cell.scaling}` === name);
      const misses = cells.reduce((sum, cell) => sum + cell.attempts.length - cell.found, 0);
      return el("details", {}, el("summary", {}, name, faint(`${misses} missed`)), cells.map(missedCell));
    }),
    far.map((row) =>
      el(
        "details",
        {},
        el("summary", {}, `effective context · ${row.scaling}`, faint(`k_max ${row.kMax}`)),
        row.points.flatMap((point) => point.failures.map((attempt) => failure(attempt, false))),
      ),
    ),
    Object.keys(report.prompts).length > 0 && prompts(report),
  );
}

function missedCell(cell: Cell): Markup {
  const wrong = cell.attempts.filter((attempt) => !attempt.found);
  const place = cell.position === null ? "" : `, secret at ${percent(cell.position)} %`;
  return el(
    "details",
    {},
    el(
      "summary",
      {},
      `${cell.promptLen} tokens${place}`,
      faint(`${wrong.length} of ${cell.attempts.length} missed`),
      cell.expected === "fail" && faint("as expected: unscaled, beyond the trained length"),
    ),
    wrong.map((attempt) => failure(attempt, true)),
  );
}

function failure(attempt: Attempt, linked: boolean): Markup {
  const { value, text, error, promptTokens, distance } = attempt;
  return el(
    "div",
    { class: "failure" },
    el(
      "p",
      {},
      "Expected ",
      el("code", {}, value),
      attempt.score !== undefined && el("span", { class: "faint" }, ` ${percent(attempt.score)} % of it found, `),
      el("span", { class: "faint" }, ` ${distance} tokens from the end of ${promptTokens} `),
      linked && el("a", { href: `#${anchor(attempt.prompt)}` }, "prompt"),
    ),
    error === undefined
      ? el("pre", {}, text === "" ? el("span", { class: "faint" }, "(empty answer)") : text)
      : el("p", { class: "no" }, `No answer: ${error}`),
  );
}

function prompts(report: Report): Markup {
  const values = new Map(
    report.cells.flatMap((cell) => cell.attempts.map((attempt) => [attempt.prompt, attempt.value])),
  );
  return el(
    "details",
    {},
    el("summary", {}, "Prompts of these failures", faint(String(Object.keys(report.prompts).length))),
    Object.entries(report.prompts).map(([name, text]) =>
      el("details", { id: anchor(name) }, el("summary", {}, name), el("pre", {}, marked(text, values.get(name) ?? ""))),
    ),
  );
}

/** The text with its value marked wherever it stands; of several, each. */
function marked(text: string, value: string): Child {
  if (value === "") return text;
  const values = text.includes(value) ? [value] : value.split(", ");
  const pattern = new RegExp(`(${values.map((each) => each.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&")).join("|")})`);
  return text.split(pattern).map((part, i) => (i % 2 === 1 ? el("mark", {}, part) : part));
}
