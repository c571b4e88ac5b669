// The measuring commands as processes, on the small real model: exit codes, folders, Ctrl-C and resume, shards, a server.
// Left out of samples: the command over retrieval/run.test.ts.
import { spawnSync } from "node:child_process";
import { existsSync, mkdirSync, mkdtempSync, readFileSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stripVTControlCharacters } from "node:util";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Terminal } from "../../src/cli/command.ts";
import { effectiveContext } from "../../src/cli/effective-context.ts";
import { startLive } from "../../src/cli/live.ts";
import { perplexity } from "../../src/cli/perplexity.ts";
import { report } from "../../src/cli/report.ts";
import { readReport, takeFolder, writeReport } from "../../src/cli/reports.ts";
import { retrieve } from "../../src/cli/retrieve.ts";
import { LlariatError } from "../../src/error.ts";
import { type Report, html, junit, mergeReports, retrieve as measure } from "../../src/retrieval/index.ts";
import { llariat, usageSentence } from "../tools/cli.ts";
import { refused } from "../tools/refused.ts";
import { listen } from "../tools/server.ts";
import { read, root } from "../tools/source.ts";
import { reader, solve, tokenizer } from "../retrieval/fake.ts";

const test = suite("retrieval cli");
const MODEL = join(root, "models/kv-llama");
const scratch = mkdtempSync(join(tmpdir(), "llariat-retrieval-"));
const folder = (name: string): string => join(scratch, name);
const saved = (name: string): Report => JSON.parse(readFileSync(join(folder(name), "report.json"), "utf8")) as Report;

/** Verdicts without what depends on clocks. */
const verdicts = (report: Report): unknown =>
  report.cells.map(({ id, status, attempts }) => [
    id,
    status,
    attempts.map(({ value, text, found }) => [value, text, found]),
  ]);

const GRID = [
  `--model=${MODEL}`,
  "--prompt-len=0.3x,1.2x",
  "--secret-pos=0.5",
  "--rope-scaling=none,yarn:2",
  "--tries=2",
  "--answer-room=0",
  "--batch=2",
];

test("a run: table, folder, exit code by expectation", async () => {
  const good = await llariat([
    "retrieve",
    ...GRID,
    "--expect",
    "yarn:2>=1@1.2x",
    "--expect",
    "none>=1@0.3x",
    "--out",
    folder("a"),
  ]);
  assert.is(good.code, 0, good.stderr);
  assert.match(good.stdout, /uuid: value found, all positions/);
  assert.match(good.stdout, /none +100 % +no chance/);
  assert.match(good.stdout, /held {2}yarn:2>=1@1\.2x/);
  assert.match(good.stderr, /uuid\/yarn:2\/614\/0\.5 {2}2 of 2/);
  for (const file of ["report.json", "report.html", "junit.xml"]) assert.ok(existsSync(join(folder("a"), file)), file);
  const report = saved("a");
  assert.ok(report.complete);
  assert.is(report.model.name, "kv-llama");
  assert.is((report.cells[1].rope as { type: string }).type, "yarn", "the setting echoed by the engine");

  const again = await llariat(["retrieve", ...GRID, "--out", folder("a")]);
  assert.is(again.code, 2);
  assert.match(again.stderr, /holds a report already; --resume .* goes on with it/);
  const other = await llariat(["report", folder("a"), "--expect", "none<=0.3@0.3x"]);
  assert.is(other.code, 1);
  assert.match(other.stderr, /1 of 1 expectations do not hold/);
  assert.match(readFileSync(join(folder("a"), "junit.xml"), "utf8"), /<failure message="uuid at 153: 2 of 2 found">/);
  // Two of two show a rate from 34.2 % on: too few to tell whether it is more than a half.
  const few = await llariat(["report", folder("a"), "--expect", "none>=0.5@0.3x", "--expect", "none>=0.3@0.3x"]);
  assert.is(few.code, 3);
  assert.match(few.stderr, /1 of 2 expectations are undecided at this number of tries/);
  assert.match(few.stdout, /undecided {2}none>=0\.5@0\.3x: uuid at 153: 2 of 2 found, .* 4 tries would decide/);
  assert.is((await llariat(["report", folder("a"), "--expect", "none>=0.5", "--expect", "none<=0.3@0.3x"])).code, 1);
});

test("Ctrl-C saves, --resume alone goes on; shards make the same whole", async () => {
  const stopped = await llariat(["retrieve", ...GRID, "--out", folder("b")], {
    until: /\(1 of 3 cells/,
    act: (child) => child.kill("SIGINT"),
  });
  assert.is(stopped.code, 130, stopped.stderr);
  assert.match(stopped.stderr, /saved; go on with: llariat retrieve --resume/);
  assert.not.ok(saved("b").complete);
  const [resumed, one, two] = await Promise.all([
    llariat(["retrieve", "--resume", folder("b"), "--batch", "1"]),
    llariat(["retrieve", ...GRID, "--shard", "1/2", "--out", folder("s1")]),
    llariat(["retrieve", ...GRID, "--shard", "2/2", "--out", folder("s2")]),
  ]);
  assert.equal([resumed.code, one.code, two.code], [0, 0, 0], resumed.stderr + one.stderr + two.stderr);
  assert.equal(verdicts(saved("b")), verdicts(saved("a")));
  const lacking = await llariat(["report", "--merge", folder("s1"), "--out", folder("m1")]);
  assert.is(lacking.code, 1);
  assert.match(lacking.stderr, /1 cells are not finished/);
  const merged = await llariat(["report", "--merge", folder("s2"), folder("s1"), "--out", folder("m")]);
  assert.is(merged.code, 0, merged.stderr);
  assert.equal(verdicts(saved("m")), verdicts(saved("a")));
});

test("--prompts: those of a file, judged as recorded", async () => {
  type Recorded = { prompts: { id: string; task: string; value: string; results: { none: { text: string } } }[] };
  const { prompts } = JSON.parse(read("test/fixtures/expected/kv.json")) as Recorded;
  const file = folder("prompts.json");
  writeFileSync(file, JSON.stringify({ prompts: prompts.slice(0, 2) }));
  const ended = await llariat(["retrieve", "--model", MODEL, "--prompts", file, "--rope-scaling", "none", "--json"]);
  assert.is(ended.code, 0, ended.stderr);
  const attempts = (JSON.parse(ended.stdout) as Report).cells.flatMap((cell) => cell.attempts);
  const answered = attempts.map(({ value, text }) => [value, text]);
  assert.equal(answered, prompts.slice(0, 2).map(({ value, results }) => [value, results.none.text])); // prettier-ignore
  const both = await llariat(["retrieve", "--model", MODEL, "--prompts", file, "--task", "uuid"]);
  assert.match(both.stderr, /a fixture brings its own tasks/);
});

test("perplexity and effective context print their tables and join the report", async () => {
  const text = join(scratch, "text.txt");
  writeFileSync(text, readFileSync(join(root, "LICENSE"), "utf8"));
  const [predicted, effective] = [
    await llariat([
      "perplexity",
      "--model",
      MODEL,
      "--text",
      text,
      "--window",
      "64,128",
      "--max-tokens",
      "200",
      "--rope-scaling",
      "none,yarn:2",
      "--out",
      folder("a"),
    ]),
    await llariat([
      "effective-context",
      "--model",
      MODEL,
      "--window",
      "256",
      "--points",
      "3",
      "--tries",
      "1",
      "--batch",
      "3",
      "--json",
      "--out",
      folder("a"),
    ]),
  ];
  assert.is(predicted.code, 0, predicted.stderr);
  assert.match(predicted.stdout, /^perplexity of text\.txt, 200 tokens\nwindow +64 +128\nnone +\d+\.\d{3} ± \d+\.\d\d/);
  assert.is(effective.code, 0, effective.stderr);
  assert.is((JSON.parse(effective.stdout) as { rows: { kMax: number }[] }).rows[0].kMax > 100, true);
  const { cells, perplexity: table, effectiveContext } = saved("a");
  assert.is(cells.length, 4);
  assert.is(table!.rows.length, 4);
  assert.is(effectiveContext!.rows.length, 1);
  assert.match(
    readFileSync(join(folder("a"), "report.html"), "utf8"),
    /Retrieval and perplexity[^]*Effective context window/,
  );
});

test("--via measures a server, with the tokenizer of --model", async () => {
  const kv = tokenizer("kv-llama");
  const requests: Record<string, unknown>[] = [];
  const server = await listen((message, response) => {
    let body = "";
    message.on("data", (data) => (body += data));
    message.on("end", () => {
      const request = JSON.parse(body) as { prompt: string };
      requests.push(request);
      const usage = { prompt_tokens: kv.encode(request.prompt).length, completion_tokens: 2 };
      response.end(JSON.stringify({ choices: [{ text: solve(request.prompt), finish_reason: "stop" }], usage }));
    });
  });
  const url = server.origin;
  try {
    const ended = await llariat([
      "retrieve",
      "--via",
      url,
      "--server-model",
      "m",
      "--model",
      MODEL,
      "--task",
      "passkey",
      "--prompt-len",
      "300",
      "--tries",
      "2",
      "--json",
    ]);
    assert.is(ended.code, 0, ended.stderr);
    const report = JSON.parse(ended.stdout) as Report;
    assert.ok(report.cells.every((cell) => cell.rate === 1));
    assert.is(requests.length, 6);
    assert.is(requests[0].model, "m");
    const deaf = await llariat([
      "retrieve",
      "--via",
      url,
      "--model",
      MODEL,
      "--prompt-len",
      "300",
      "--tries",
      "1",
      "--secret-pos",
      "0.5",
      "--rope-scaling",
      "yarn:2",
    ]);
    assert.is(deaf.code, 1);
    assert.match(deaf.stderr, /1 prompts got no answer, the first: .* does not say that it used the RoPE setting/);
  } finally {
    server.close();
  }
});

/** n lines up, wipe to the end. */
const WIPE = new RegExp(`${String.fromCharCode(27)}\\[(\\d+)A${String.fromCharCode(27)}\\[J`);

test("on a terminal the table fills up in place", async () => {
  let screen: string[] = [""];
  let widest = 0;
  const stderr = {
    isTTY: true,
    columns: 60,
    /** A terminal's reading of what comes: text, line breaks, and WIPE. */
    write(text: string) {
      for (const part of text.split(WIPE)) {
        if (/^\d+$/.test(part)) screen = [...screen.slice(0, screen.length - 1 - Number(part)), ""];
        else {
          const [first, ...others] = part.split("\n");
          screen = [...screen.slice(0, -1), screen.at(-1)! + first, ...others];
        }
      }
      widest = Math.max(widest, ...screen.map((line) => stripVTControlCharacters(line).length));
    },
  };
  const live = startLive({ stderr } as unknown as Terminal, 512);
  const drawn: string[] = [];
  await measure(
    reader(() => 1),
    {
      trainedLength: 512,
      answerRoom: 0,
      promptLengths: [100, 200, 300, 400, 500],
      tries: 1,
      ropeScalings: ["none", "yarn:4"],
    },
    {
      onProgress: (progress) => {
        live.update(progress);
        drawn.push(screen.join("\n"));
      },
    },
  );
  assert.is(
    screen.filter((line) => line.includes("uuid: value found")).length,
    1,
    "one table, however often it was drawn",
  );
  assert.match(screen.join("\n"), /\[#{30}\] 30 of 30 cells/);
  assert.match(drawn[0], /\[-{30}\] 0 of 30 cells/);
  assert.ok(widest < 60, `${widest} columns`);
  live.end();
  assert.is(screen.join(""), "");
});

test("wrong arguments are told before anything is loaded", async () => {
  const cases: [readonly string[], RegExp][] = [
    [["retrieve", "--model", MODEL], /^--prompt-len: needs at least one/],
    [["retrieve", ...GRID, "--rope-scaling", "dynamic:1"], /a factor of 1 scales nothing/],
    [["retrieve", ...GRID, "--expect", "good"], /expectation "good": is not understood/],
    [["retrieve", ...GRID, "--task", "title"], /title: needs documents/],
    [["retrieve", ...GRID, "--shard", "3"], /--shard needs I\/N, for example 2\/8, got "3"/],
    [["retrieve", "--model", MODEL, "--preset", "h2ogpt"], /^--preset: "h2ogpt" is none of/],
    [["retrieve", ...GRID, "--task", "uid"], /^--task: "uid" is none of .* did you mean uuid\?/],
    [["retrieve", ...GRID, "--max-new-tokens", "0"], /^--max-new-tokens: must be a whole number ≥ 1, got 0$/],
    [
      ["retrieve", ...GRID, "--rope-scaling", "yarn:0.5"],
      /^--rope-scaling\.factor of yarn:0\.5: must be a number ≥ 1, got 0\.5/,
    ],
    [["retrieve", "--resume", folder("a"), "--out", "x"], /leave out --out/],
    [["perplexity", "--model", MODEL], /needs --text FILE/],
    [
      ["perplexity", "--model", MODEL, "--text", join(MODEL, "config.json"), "--window", "1"],
      /^--window: must be a whole number of tokens ≥ 2, got 1$/,
    ],
    [["effective-context", "--model", MODEL, "--points", "1"], /^--points: must be a whole number ≥ 2, got 1$/],
    [
      ["effective-context", "--model", MODEL, "--via", "nonsense"],
      /^--via: "nonsense" is no address; write http:\/\/HOST:PORT$/,
    ],
    [["retrieve", ...GRID, "--via", "http://127.0.0.1:9", "--speculate"], /--speculate and --via exclude each other/],
    [["report"], /needs the folder of a report/],
  ];
  for (const [[name, ...args], message] of cases) {
    const command = { retrieve, perplexity, "effective-context": effectiveContext, report }[name]!;
    assert.match(await usageSentence(command, args), message);
  }
  const gone = await llariat(["report", folder("nowhere")]);
  assert.is(gone.code, 1);
  assert.match(gone.stderr, /report\.json: there is no such file/);
});

test("two runs into one folder notice each other; the lock of a run that is gone is taken over", async () => {
  mkdirSync(folder("busy"));
  const lock = join(folder("busy"), "report.lock");
  writeFileSync(lock, `${process.pid}\n`); // of a process that lives: this one
  const second = await llariat(["retrieve", ...GRID, "--out", folder("busy")]);
  assert.is(second.code, 1);
  assert.match(second.stderr, new RegExp(`process ${process.pid} writes into .*busy; choose another folder`));
  assert.not.ok(existsSync(join(folder("busy"), "report.json")));
  const gone = spawnSync(process.execPath, ["--eval", ""]).pid;
  for (const text of [`${gone}\n`, "", "no number"]) {
    writeFileSync(lock, text);
    const freed = await takeFolder(folder("busy"));
    assert.is(readFileSync(lock, "utf8"), `${process.pid}\n`);
    await freed();
    assert.not.ok(existsSync(lock));
  }
});

test("a report that cannot be written leaves no draft, and the old one", async () => {
  const out = folder("full");
  mkdirSync(join(out, "report.html"), { recursive: true }); // a folder of that name: the last file cannot be put in place
  await refused(writeReport(out, saved("a")), "source", /report\.html cannot be written/);
  assert.equal(readdirSync(out).sort(), ["junit.xml", "report.html", "report.json"]);
});

test("a damaged report.json is named as such, whatever is wrong in it", async () => {
  const whole = saved("a");
  const out = folder("damaged");
  mkdirSync(out);
  let damaged = 0;
  const damage = async (value: unknown, put: (other: unknown) => void): Promise<void> => {
    for (const other of [undefined, null, 7, "x", [], {}, true]) {
      if (typeof other === typeof value && Array.isArray(other) === Array.isArray(value)) continue;
      put(other);
      writeFileSync(join(out, "report.json"), JSON.stringify(whole));
      try {
        const read = await readReport(out);
        html(read);
        junit(read);
        mergeReports([read]);
      } catch (error) {
        assert.ok(error instanceof LlariatError, String((error as Error).stack));
        damaged++;
      }
    }
    put(value);
  };
  const walk = async (node: unknown, depth: number): Promise<void> => {
    if (typeof node !== "object" || node === null || depth > 5) return;
    const inner = node as Record<string, unknown>;
    for (const key of Object.keys(inner).slice(0, depth === 0 ? 99 : 30)) {
      if (Array.isArray(node) && Number(key) > 0) break; // the others are alike
      await damage(inner[key], (other) => (inner[key] = other));
      await walk(inner[key], depth + 1);
    }
  };
  await walk(whole, 0);
  assert.ok(damaged > 100, `${damaged}`);
});

test.after(() => rmSync(scratch, { recursive: true, force: true }));
test.run();
