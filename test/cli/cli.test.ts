// The command line as a person meets it: help, exit codes, progress.
import { join } from "node:path";
import { createColors } from "picocolors";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { commandHelp } from "../../src/cli/command.ts";
import { effectiveContext } from "../../src/cli/effective-context.ts";
import { generate } from "../../src/cli/generate.ts";
import { info } from "../../src/cli/info.ts";
import { perplexity } from "../../src/cli/perplexity.ts";
import { formatBytes, startProgress } from "../../src/cli/progress.ts";
import { report } from "../../src/cli/report.ts";
import { retrieve } from "../../src/cli/retrieve.ts";
import { serve } from "../../src/cli/serve.ts";
import { tune } from "../../src/cli/tune.ts";
import { read, root } from "../tools/source.ts";
import { llariat } from "../tools/cli.ts";

const test = suite("cli");
const MODEL = join(root, "test/fixtures/goldens/models/gqa-bf16");

test("help and version", async () => {
  const [none, help, version, unknown, ofGenerate, ofInfo] = await Promise.all(
    [[], ["--help"], ["--version"], ["generat"], ["generate", "--model", "x", "--help"], ["info", "-h"]].map((args) =>
      llariat(args),
    ),
  );
  const commands = [generate, info, serve, retrieve, perplexity, effectiveContext, report, tune];
  assert.is(none.code, 2);
  assert.match(none.stderr, /^llariat: which command\? generate, info, [a-z, -]+\nsee: llariat --help\n$/);
  assert.is(help.code, 0);
  const named = [...help.stdout.matchAll(/^ {2}([\w-]+) {2,}(.*)$/gm)].map(([, ...row]) => row);
  assert.equal(named, commands.map(({ name, summary }) => [name, summary])); // prettier-ignore
  assert.match(help.stdout, /--version/);
  assert.is(version.stdout, `${(JSON.parse(read("package.json")) as { version: string }).version}\n`);
  assert.is(unknown.code, 2);
  assert.match(unknown.stderr, /unknown command "generat"/);
  const texts = commands.map((command) => commandHelp(command, createColors(false)));
  for (const [ended, text] of [
    [ofGenerate, texts[0]],
    [ofInfo, texts[1]],
  ] as const) {
    assert.is(ended.code, 0);
    assert.is(ended.stderr, "");
    assert.is(ended.stdout, text);
  }
  commands.forEach(({ name, options }, i) => {
    for (const option of [...Object.keys(options), "help"]) {
      assert.match(texts[i], new RegExp(`^ {2}(-\\w, | {4})--${option}[ \n]`, "m"), `${name} --${option}`);
    }
    const wide = texts[i].split("\n").filter((line) => line.length > 120);
    assert.equal(wide, [], `${name}: no line is wider than a terminal`);
  });
});

test("usage errors exit 2 and point to the help, other errors exit 1; both are one line, and nothing is on stdout", async () => {
  const [usage, missing, adapter, notText] = await Promise.all([
    llariat(["generate", "--model", "x", "--top-k", "many", "--prompt", "a"]),
    llariat(["generate", "--model", "no/such/folder", "--prompt", "a"]),
    llariat(["generate", "--model", MODEL, "--ids", "1", "--adapter", "no such thing"]),
    llariat(["generate", "--model", MODEL, "--prompt", "text"]),
  ]);
  assert.equal([usage.code, missing.code, adapter.code, notText.code], [2, 1, 1, 1]);
  assert.is(usage.stderr, 'llariat: --top-k needs a number, got "many"\nsee: llariat generate --help\n');
  assert.match(missing.stderr, /^llariat: no\/such\/folder: there is no such file or folder, .*\n$/);
  // Above it Dawn itself may say that the Vulkan loader finds no driver.
  assert.match(adapter.stderr, /(^|\n)llariat: adapter "no such thing": no such adapter; present: .*\n$/);
  assert.match(notText.stderr, /llariat: the checkpoint has no tokenizer\.json.*\n$/);
  for (const { stdout } of [usage, missing, adapter, notText]) assert.is(stdout, "");
});

test("progress: a bar on a terminal, a line a quarter elsewhere", () => {
  const lines: string[] = [];
  const plain = startProgress({ write: (text) => lines.push(text) }, "loading", formatBytes);
  for (let done = 0; done <= 1000; done++) plain.update(done * 1024, 1000 * 1024);
  plain.end();
  assert.equal(
    lines,
    [25, 50, 75, 100].map((share) => `loading ${`${share}`.padStart(3)} % of 1000 KiB\n`),
  );
  for (const columns of [undefined, 20, 80, 200]) {
    const drawn: string[] = [];
    const bar = startProgress({ write: (text) => drawn.push(text), isTTY: true, columns }, "loading", formatBytes);
    bar.update(0, 2048);
    bar.update(2048, 2048);
    bar.end();
    assert.is(drawn.length, 3);
    const wipe = "\r\u001b[K";
    assert.ok(drawn.every((text) => text.startsWith(wipe)));
    assert.match(drawn[0].slice(wipe.length), /^loading \[-*\]   0 %  0 B of 2\.0 KiB/);
    assert.match(drawn[1].slice(wipe.length), /^loading \[#*\] 100 %  2\.0 KiB of 2\.0 KiB/);
    assert.is(drawn[2], wipe, "it is wiped");
    if (columns && columns > 60) assert.ok(drawn[1].length - 4 < columns, "it fits its line");
  }
  assert.equal([0, 1023, 1024, 1536, 2 ** 30, 134_515_008].map(formatBytes), [
    "0 B",
    "1023 B",
    "1.0 KiB",
    "1.5 KiB",
    "1.0 GiB",
    "128 MiB",
  ]);
});

test.run();
