// reports.ts — a report as a folder: report.json (resumable), report.html, junit.xml.

import { lstat, mkdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
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
    await rm(draft, { force: true }).catch(() => {}); // what is left of it is of no use, and the disk may be full
    throw new LlariatError("source", `${path} cannot be written: ${(cause as Error).message}`, { cause });
  }
}

/** The file that says who writes into a folder: a process id. */
const LOCK_FILE = "report.lock";

/**
 * Makes a report's folder, if need be, and takes it for one run; the function that comes back gives it free. A lock whose
 * process is gone is taken over. @throws LlariatError("request") naming the process that has it.
 */
export async function takeFolder(folder: string): Promise<() => Promise<void>> {
  await reportFolder(folder);
  const lock = join(folder, LOCK_FILE);
  for (let tries = 0; ; tries++) {
    try {
      await writeFile(lock, `${process.pid}\n`, { flag: "wx" });
      return () => rm(lock, { force: true }).catch(() => {});
    } catch (cause) {
      if ((cause as NodeJS.ErrnoException).code !== "EEXIST") {
        throw new LlariatError("source", `${lock} cannot be written: ${(cause as Error).message}`, { cause });
      }
      const isFile = (await lstat(lock).catch(() => undefined))?.isFile();
      if (isFile === false) {
        const advice = "remove it, or choose another folder";
        throw new LlariatError("source", `${lock}: got no regular file, needed the lock of a run`, { advice });
      }
      const holder = Number(await readFile(lock, "utf8").catch(() => ""));
      // One that is there again after it was taken away belongs to a run that begins just now.
      if (tries > 0 || isAlive(holder)) {
        const advice = `choose another folder, or wait; if no run is left, remove ${lock}`;
        throw new LlariatError("request", `process ${holder || "unknown"} writes into ${folder}`, { advice });
      }
      await rm(lock, { force: true });
    }
  }
}

function isAlive(pid: number): boolean {
  if (!(Number.isSafeInteger(pid) && pid > 0) || pid === process.pid) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "EPERM"; // another user's
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
  const text = readText(file, "the report of an earlier run", { regular: true });
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
  const free = await takeFolder(folder);
  try {
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
    return await writeReport(folder, { ...(known ?? begun), ...measurement, updated });
  } finally {
    await free();
  }
}
