// `llariat report` on files that are no reports, and beside reports that it must not touch.
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readArguments } from "../../src/cli/command.ts";
import { report } from "../../src/cli/report.ts";
import { REPORT_FORMAT, type Report } from "../../src/retrieval/index.ts";
import { standIn, usageSentence } from "../tools/cli.ts";
import { refused } from "../tools/refused.ts";

const test = suite("cli report");
const scratch = mkdtempSync(join(tmpdir(), "llariat-report-"));
test.after(() => rmSync(scratch, { recursive: true, force: true }));

/** A report without cells, of the model with that name, begun on that day. */
const saved = (name: string, day = 1): Report => ({
  format: REPORT_FORMAT,
  created: `2026-01-0${day}T00:00:00.000Z`,
  updated: "2026-01-01T00:00:00.000Z",
  complete: true,
  model: { name, trainedLength: 512 },
  environment: {},
  settings: {},
  fingerprint: "",
  cells: [],
  prompts: {},
  expectations: [],
});

const folder = (name: string): string => {
  const path = join(scratch, name);
  mkdirSync(path, { recursive: true });
  return path;
};

const draw = (...argv: string[]): Promise<void> => report.run(readArguments(report, argv), standIn());

test("bytes that are not UTF-8 are refused, not replaced", async () => {
  const path = join(folder("bytes"), "report.json");
  const [before, after] = JSON.stringify(saved("?")).split("?").map((part) => Buffer.from(part)); // prettier-ignore
  writeFileSync(path, Buffer.concat([before, Buffer.from([0xff]), after]));
  await refused(() => draw(path), "source", /report\.json: .*, needed the report of an earlier run/);
});

test("a report of another name is not written over report.json", async () => {
  const base = folder("names");
  const [own, other] = [join(base, "report.json"), join(base, "other.json")];
  writeFileSync(other, JSON.stringify(saved("other")));
  for (let again = 0; again < 2; again++) await draw(other);
  assert.is(JSON.parse(readFileSync(own, "utf8")).model.name, "other");
  writeFileSync(own, JSON.stringify(saved("own", 2)));
  assert.match(await usageSentence(report, [other]), /holds a report already; choose another --out/);
  assert.is(JSON.parse(readFileSync(own, "utf8")).model.name, "own");
  await draw(own);
  await draw(other, "--out", join(base, "drawn"));
  assert.ok(existsSync(join(base, "drawn", "report.html")));
});

test.run();
