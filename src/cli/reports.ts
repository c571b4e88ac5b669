// reports.ts — a report as a folder: report.json (resumable), report.html, junit.xml.

import { mkdir, rename, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { LlariatError } from "../error.ts";
import { readText } from "./files.ts";
import { REPORT_FORMAT, type Report, html, junit, parseReport } from "../retrieval/index.ts";

/** The file that a run is resumed from. */
const JSON_FILE = "report.json";

/** Writes through a second file, so that an interruption leaves the old content or the new, never half of one. */
async function replace(path: string, content: string): Promise<void> {
  const draft = `${path}.part`;
  try {
    await writeFile(draft, content);
    await rename(draft, path);
  } catch (cause) {
    throw new LlariatError("source", `${path} cannot be written: ${(cause as Error).message}`, { cause });
  }
}

/** Creates the folder of a report if need be. @throws LlariatError("source") where that is impossible. */
export async function reportFolder(folder: string): Promise<void> {
  await mkdir(folder, { recursive: true }).catch((cause: Error) => {
    throw new LlariatError("source", `${folder} cannot be made a folder: ${cause.message}`, { cause });
  });
}

/** Saves what a run has so far, to be resumed. */
export const saveReport = (folder: string, report: Report): Promise<void> =>
  replace(join(folder, JSON_FILE), `${JSON.stringify(report, null, 1)}\n`);

/** Saves a report with everything that is drawn from it; returns the path of the page. */
export async function writeReport(folder: string, report: Report): Promise<string> {
  await reportFolder(folder);
  await saveReport(folder, report);
  await replace(join(folder, "junit.xml"), junit(report));
  const page = join(folder, "report.html");
  await replace(page, html(report));
  return page;
}

/** Is there a report in this folder? */
export const hasReport = (folder: string): Promise<boolean> =>
  stat(join(folder, JSON_FILE)).then(
    () => true,
    () => false,
  );

/** Reads a report from its folder, or from the file itself. @throws LlariatError: "source" or "request". */
export async function readReport(path: string): Promise<Report> {
  const file = path.endsWith(".json") ? path : join(path, JSON_FILE);
  const text = readText(file, "the report of an earlier run");
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new LlariatError("source", `${file} is not JSON: ${(cause as Error).message}; the file is damaged`, {
      cause,
    });
  }
  return parseReport(json, file);
}

/**
 * Adds a measurement to the report in a folder, or begins a report with it; returns the path of the page.
 * @throws LlariatError("request") if the report is of another model.
 */
export async function addToReport(
  folder: string,
  { model, environment }: Pick<Report, "model" | "environment">,
  measurement: Pick<Report, "perplexity" | "effectiveContext">,
): Promise<string> {
  const updated = new Date().toISOString();
  const known = (await hasReport(folder)) ? await readReport(folder) : undefined;
  if (known && known.model.name !== model.name) {
    throw new LlariatError(
      "request",
      `${folder} is a report of ${known.model.name}, not of ${model.name}; choose another folder`,
    );
  }
  const begun: Report = {
    format: REPORT_FORMAT,
    created: updated,
    updated,
    complete: true,
    model,
    environment,
    settings: {},
    fingerprint: "",
    cells: [],
    prompts: {},
    expectations: [],
  };
  return writeReport(folder, { ...(known ?? begun), ...measurement, updated });
}
