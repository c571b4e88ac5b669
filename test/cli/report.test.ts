// `llariat report` on files that are no reports, and beside reports that it must not touch.
import { execFileSync } from "node:child_process";
import {
  existsSync,
  lstatSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { readArguments } from "../../src/cli/command.ts";
import { readText } from "../../src/cli/files.ts";
import { report } from "../../src/cli/report.ts";
import { takeFolder } from "../../src/cli/reports.ts";
import { REPORT_FORMAT, type Report } from "../../src/retrieval/index.ts";
import { standIn, usageSentence } from "../tools/cli.ts";
import { refused } from "../tools/refused.ts";
import { root } from "../tools/source.ts";

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

test("a threshold that is no mean score is refused before the report is read", async () => {
  for (const threshold of ["-0.1", "1", "1e9"]) {
    const said = await usageSentence(report, [join(scratch, "nowhere"), `--threshold=${threshold}`]);
    assert.is(said, `--threshold: must be a mean score from 0 to below 1, got ${Number(threshold)}`);
  }
});

test("pipes, devices and folders in the place of a report or its lock are refused, and nobody waits for them", async () => {
  if (process.platform === "win32") return console.log("note: no pipes and devices among the files of Windows");
  const pipe = join(folder("pipe"), "report.json");
  execFileSync("mkfifo", [pipe]);
  await refused(() => draw(pipe), "source", /report\.json: got no regular file, needed the report of an earlier run$/);
  const endless = join(folder("endless"), "report.json");
  symlinkSync("/dev/zero", endless);
  await refused(() => draw(endless), "source", /report\.json: got no regular file/);
  assert.throws(() => readText("/dev/zero"), /^\/dev\/zero: got more than \d+ bytes, needed a text file in UTF-8$/);
  // What `<(command)` names is read, as a pipe is.
  const given = `import { readText } from "./src/cli/files.ts"; console.log(readText(process.argv[1]));`;
  const command = `"$0" --import tsx --input-type=module -e '${given}' <(echo a text)`;
  assert.is(execFileSync("bash", ["-c", command, process.execPath], { cwd: root, encoding: "utf8" }), "a text\n\n");
  for (const [name, make] of [
    ["lock-pipe", (lock: string) => execFileSync("mkfifo", [lock])],
    ["lock-folder", (lock: string) => mkdirSync(lock)],
    ["lock-link", (lock: string) => symlinkSync("/dev/zero", lock)],
  ] as const) {
    const lock = join(folder(name), "report.lock");
    make(lock);
    await refused(
      takeFolder(folder(name)),
      "source",
      /report\.lock: got no regular file, needed the lock of a run; remove it/,
    );
    assert.ok(lstatSync(lock));
  }
});

test.run();
