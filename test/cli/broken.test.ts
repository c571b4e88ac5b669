// A reader that leaves, a full disk: the command line ends as it should, and never by a crash. As processes, with real pipes.
// Opens a device in child processes.
import { spawn } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../tools/source.ts";

const test = suite("broken");
const MODEL = join(root, "models/kv-llama");
const folder = mkdtempSync(join(tmpdir(), "llariat-broken-"));

interface Piped {
  /** Exit code of llariat itself, whatever is behind the pipe. */
  readonly code: number;
  readonly output: string;
}

let runs = 0;

/** Runs `llariat ARGS REST` in a shell; REST is redirections and a pipe. */
function shell(args: string, rest: string): Promise<Piped> {
  const told = join(folder, `code-${runs++}`);
  const command = `"${process.execPath}" --import tsx src/cli/index.ts ${args}`;
  const [redirect, ...pipe] = rest.split("|");
  const line = `{ ${command} ${redirect}; echo $? > "${told}"; } ${pipe.length > 0 ? `|${pipe.join("|")}` : ""}`;
  return new Promise((resolve) => {
    const child = spawn("sh", ["-c", line], { cwd: root, stdio: ["ignore", "pipe", "pipe"] });
    let output = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (data) => (output += data));
    child.on("close", () => resolve({ code: Number(readFileSync(told, "utf8")), output }));
  });
}

const answer = `generate --model "${MODEL}" --prompt "one two three" --max-new-tokens 200 --ignore-eos`;
const isUnix = process.platform !== "win32";
if (!isUnix) console.log("note: no pipes of a shell on Windows, so nothing is tested here");
const onUnix = (name: string, body: () => Promise<void>): void => (isUnix ? test(name, body) : test.skip(name, body));

onUnix("a reader of standard output that leaves early is no error", async () => {
  const [early, first, help] = await Promise.all([
    shell(`${answer} --quiet`, "| head -c 5"),
    shell(`${answer} --quiet`, "| true"),
    shell("--help", "| true"),
  ]);
  assert.equal([early.code, first.code, help.code], [0, 0, 0]);
  for (const { output } of [early, first, help]) assert.not.match(output, /stopped|llariat:|unexpected|at .*:\d+:\d+/);
});

onUnix("a reader of both that leaves early, too", async () => {
  const { code, output } = await shell(answer, "2>&1 | head -1");
  assert.is(code, 0);
  assert.is(output.split("\n").length, 2);
});

onUnix("standard error that cannot be written costs nothing but itself", async () => {
  const file = join(folder, "answer");
  const left = await shell(answer.replace("200", "5"), `2>&1 > "${file}" | true`);
  assert.is(left.code, 0);
  const text = readFileSync(file, "utf8");
  assert.ok(text.length > 5, "the answer is there");
  if (!existsSync("/dev/full")) return console.log("note: no /dev/full here");
  const full = await shell(answer.replace("200", "5"), "2> /dev/full");
  assert.is(full.code, 0);
  assert.ok(full.output.includes(text.trim()));
});

onUnix("a full disk under standard output is said, with exit code 1", async () => {
  if (!existsSync("/dev/full")) return console.log("note: no /dev/full here");
  const all = await Promise.all([
    shell(`${answer} --quiet`, "> /dev/full"),
    shell("--version", "> /dev/full"),
    shell(`${answer.replace("200", "3")} --quiet --json`, "> /dev/full"),
  ]);
  for (const { code, output } of all) {
    assert.is(code, 1, output);
    assert.match(output, /llariat: standard output: .*ENOSPC/);
  }
});

test.after(() => rmSync(folder, { recursive: true, force: true }));
test.run();
