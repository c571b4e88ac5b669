// The command line as a person meets it: help, arguments, exit codes, what goes where, Ctrl-C, a closed pipe.
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { LlariatError } from "../../src/error.ts";
import type { Completion, EffectiveRope } from "../../src/index.ts";
import { Arguments, type Command, isUsageError, readArguments } from "../../src/cli/command.ts";
import { generate } from "../../src/cli/generate.ts";
import { info } from "../../src/cli/info.ts";
import { Llama } from "../../src/node/index.ts";
import { listedFiles } from "../../src/node/listed.ts";
import { inOptions } from "../../src/cli/words.ts";
import { formatBytes, startProgress } from "../../src/cli/progress.ts";
import { describeRope, frequencies, parseRope, parseRopeOption, parseRopeScaling } from "../../src/rope/index.ts";
import { read, root } from "../tools/source.ts";

const test = suite("cli");
const MODELS = join(root, "test/fixtures/goldens/models");
const MODEL = join(MODELS, "gqa-bf16");

type Ended = { code: number | null; signal: string | null; stdout: string; stderr: string };
type Talk = { input?: string; until?: RegExp; act?: (child: ReturnType<typeof spawn>) => void };

/** Runs `llariat` as a process; `act` is called once its output matches `until`. Dawn's own warnings are left out. */
function llariat(args: readonly string[], { input = "", until, act }: Talk = {}): Promise<Ended> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, ["--import", "tsx", "src/cli/index.ts", ...args], {
      cwd: root,
      env: { ...process.env, NO_COLOR: "1" },
    });
    let [stdout, stderr] = ["", ""];
    let waiting = act !== undefined;
    const heard = (): void => {
      if (!waiting || !until!.test(stdout + stderr)) return;
      waiting = false;
      act!(child);
    };
    child.stdout.on("data", (data) => ((stdout += data), heard()));
    child.stderr.on("data", (data) => ((stderr += data), heard()));
    child.stdin.on("error", () => {});
    child.stdin.end(input);
    child.on("close", (code, signal) => {
      resolve({ code, signal, stdout, stderr: stderr.replace(/^Warning: max.*\n/gm, "") });
    });
  });
}

/** The message of the usage error that arguments give, before anything is loaded. */
async function refused(command: Command, argv: readonly string[]): Promise<string> {
  const terminal = {
    stdin: process.stdin,
    stdout: process.stdout,
    stderr: process.stderr,
    signal: new AbortController().signal,
  };
  try {
    await command.run(readArguments(command, argv), terminal);
  } catch (error) {
    assert.ok(isUsageError(error), String(error));
    return inOptions(error as LlariatError, command.options);
  }
  throw new Error("not refused");
}

test("help and version", async () => {
  const [none, help, version, unknown, ofGenerate, ofInfo] = await Promise.all(
    [[], ["--help"], ["--version"], ["generat"], ["generate", "--model", "x", "--help"], ["info", "-h"]].map((args) =>
      llariat(args),
    ),
  );
  assert.is(none.code, 2);
  assert.match(none.stderr, /^llariat: which command\? generate, info, [a-z, -]+\nsee: llariat --help\n$/);
  assert.is(help.code, 0);
  for (const word of ["generate", "info", "--version"]) assert.ok(help.stdout.includes(word), word);
  assert.is(version.stdout, `${(JSON.parse(read("package.json")) as { version: string }).version}\n`);
  assert.is(unknown.code, 2);
  assert.match(unknown.stderr, /unknown command "generat"/);
  for (const [ended, command] of [
    [ofGenerate, generate],
    [ofInfo, info],
  ] as const) {
    assert.is(ended.code, 0);
    assert.is(ended.stderr, "");
    for (const name of Object.keys(command.options)) assert.ok(ended.stdout.includes(`--${name}`), name);
    assert.is(
      ended.stdout.split("\n").filter((line) => line.length > 120).length,
      0,
      "no line is wider than a terminal",
    );
  }
});

test("arguments are read by kind, negative numbers and leading dashes included", () => {
  const args = readArguments(generate, [
    ..."-m a --model b c --temperature -0.5 --top-k=40 --seed 7 --stop x --stop=--y --chat -p -".split(" "),
    "--",
    "--d",
  ]);
  assert.instance(args, Arguments);
  assert.equal(args.texts("model"), ["a", "b"]);
  assert.equal(args.rest, ["c", "--d"]);
  assert.is(args.number("temperature"), -0.5);
  assert.is(args.number("top-k"), 40);
  assert.is(args.number("top-p"), undefined);
  assert.equal(args.texts("stop"), ["x", "--y"]);
  assert.ok(args.has("chat"));
  assert.not.ok(args.has("json"));
  assert.is(args.text("prompt"), "-");
});

test("arguments that do not fit are refused in one sentence, before anything is loaded", async () => {
  const model = ["--model", "no/such/folder"];
  const cases: [string[], RegExp][] = [
    [["--modle", "x"], /^unknown option --modle; did you mean --model\?$/],
    [["--temprature", "1"], /did you mean --temperature\?/],
    [["--max", "1"], /did you mean --max-/],
    [["-x"], /^unknown option -x$/],
    [["--model"], /^--model needs a value \(DIR_OR_FILE…\)$/],
    [
      ["--model", "--prompt", "x"],
      /^--model needs a value, got the option --prompt; if that is the value, write --model=--prompt$/,
    ],
    [[...model, "--top-k", "1.5"], /^--top-k needs a whole number, got "1.5"$/],
    [[...model, "--temperature", "hot"], /^--temperature needs a number, got "hot"$/],
    [[...model, "--seed", ""], /^--seed needs a number, got ""$/],
    [[...model, "--seed", "1", "--seed", "2"], /^--seed is given twice$/],
    [[...model, "--json=yes"], /^--json is a switch and takes no value, got "yes"$/],
    [["--prompt", "x"], /^needs --model DIR_OR_FILE$/],
    [["folder", "--prompt", "x"], /^got "folder" without an option before it; needs --model/],
    [model, /^needs --prompt TEXT, --user TEXT or --ids LIST$/],
    [[...model, "--chat"], /^--chat needs --user TEXT$/],
    [[...model, "--prompt", "a", "--user", "b"], /exclude each other/],
    [[...model, "--ids", "1,2", "--chat"], /exclude each other/],
    [[...model, "--ids", "1,x"], /^--ids needs whole numbers, got "x"$/],
    [[...model, "--ids", ","], /^--ids needs whole numbers/],
    [[...model, "--ids", "1", "--temperature", "-1"], /^--temperature: must be a number ≥ 0 \(0 is greedy\), got -1$/],
    [[...model, "--ids", "1", "--top-p", "2"], /^--top-p: must be a number from 0 to 1/],
    [[...model, "--ids", "1", "--max-new-tokens", "0"], /^--max-new-tokens: must be a whole number ≥ 1, got 0$/],
    [[...model, "--ids", "1", "--stop", ""], /^--stop: must be texts of at least one character, got ""$/],
    [
      [...model, "--prompt", "a", "--rope-angles", "later"],
      /^--rope-angles needs planned, current or as-inserted, got "later"$/,
    ],
  ];
  for (const [argv, message] of cases) assert.match(await refused(generate, argv), message, argv.join(" "));
  assert.match(await refused(info, []), /^needs --model/);
  assert.match(await refused(info, ["--model", "x", "--prompt", "y"]), /unknown option --prompt/);
});

test("RoPE options are judged whole, names before a file is opened, values before weights are read", async () => {
  const absent = ["--model", "no/such/folder"];
  const names: [string, RegExp][] = [
    ["spiral:2", /^--rope-scaling: unknown type "spiral"; known types: default, linear, ntk, dynamic, yarn/],
    ["dynamc:2", /^--rope-scaling: unknown type "dynamc"; did you mean "dynamic"\?/],
    ["", /^--rope-scaling: got ""; write none, TYPE or TYPE:FACTOR/],
    ["linear", /^--rope-scaling: type linear needs factor, which is missing$/],
    ["linear:two", /^--rope-scaling: "two" in "linear:two" is neither a factor, nor key=value, nor @FILE$/],
    ["yarn:4,beta_fats=3", /^--rope-scaling: unknown key "beta_fats"; did you mean "beta_fast"\?/],
    ["linear:2,mscale=1", /^--rope-scaling: mscale has no effect on type linear, it belongs to yarn/],
    ["llama3:8", /^--rope-scaling: type llama3 needs low_freq_factor, which is missing$/],
    ["{broken", /^--rope-scaling: got "b" at character \d+, needed a key in quotes/],
    ['{"factor": 2}', /^--rope-scaling: has no type/],
    ["longrope:@no/such/file.json", /no such file/],
  ];
  for (const [text, message] of names) {
    assert.match(await refused(generate, [...absent, "--ids", "1", "--rope-scaling", text]), message);
    assert.match(await refused(info, [...absent, "--rope-scaling", text]), message);
    assert.match(await refused(info, [...absent, "--rope-scaling", "none", "--rope-scaling", text]), message);
  }
  const values: [string, RegExp][] = [
    ["linear:0.5", /^--rope-scaling\.factor: must be a number ≥ 1, got 0\.5/],
    ["dynamic:-2", /^--rope-scaling\.factor: must be a number ≥ 1, got -2/],
    [
      '{"type": "ntk", "factor": "2"}',
      /^--rope-scaling\.factor: must be a number ≥ 1, got "2"; write it without quotes$/,
    ],
    ["yarn:4,beta_fast=1,beta_slow=2", /^--rope-scaling: beta_fast 1 must not be below beta_slow 2$/],
    ["yarn:4,truncate=1", /^--rope-scaling\.truncate: must be true or false, got 1$/],
    [
      "longrope:4,short_factor=[1],long_factor=[1]",
      /^--rope-scaling\.short_factor: must have 4 numbers \(head_dim \/ 2\), got 1/,
    ],
    ["llama3:8,low_freq_factor=4,high_freq_factor=1", /high_freq_factor 1 must be above low_freq_factor 4$/],
    [
      "proportional:1,partial_rotary_factor=2",
      /^--rope-scaling\.partial_rotary_factor: must be a number ≥ 0 and ≤ 1, got 2$/,
    ],
    ["linear:2,rope_theta=0", /^--rope-scaling\.rope_theta: must be a number above 0, got 0$/],
  ];
  for (const [text, message] of values) {
    assert.match(await refused(generate, ["--model", MODEL, "--ids", "1", "--rope-scaling", text]), message);
    assert.match(await refused(info, ["--model", MODEL, "--rope-scaling", `none,${text}`]), message);
  }
  const both: [Command, string[]][] = [
    [generate, [...absent, "--ids", "1"]],
    [info, absent],
  ];
  for (const [command, start] of both) {
    assert.match(await refused(command, [...start, "--rope-scaling"]), /^--rope-scaling needs a value \((HOW|LIST)\)$/);
    assert.match(
      await refused(command, [...start, "--rope-length", "0"]),
      /^--rope-length needs a whole number of tokens/,
    );
    assert.match(await refused(command, [...start, "--rope-length", "1.5"]), /^--rope-length needs a whole number/);
  }
  assert.match(await refused(generate, [...absent, "--ids", "1", "--rope-scaling", "none", "--rope-scaling", "none"]), /given twice/); // prettier-ignore
  for (const word of ["", "Planned", "as_inserted", "later"])
    assert.is(
      await refused(generate, [...absent, "--ids", "1", "--rope-angles", word]),
      `--rope-angles needs planned, current or as-inserted, got "${word}"`,
    );
  assert.match(await refused(info, [...absent, "--rope-angles", "planned"]), /^unknown option --rope-angles/);
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
  assert.match(adapter.stderr, /^llariat: adapter "no such thing": no such adapter; present: .*\n$/);
  assert.match(notText.stderr, /llariat: the checkpoint has no tokenizer\.json.*\n$/);
  for (const { stdout } of [usage, missing, adapter, notText]) assert.is(stdout, "");
});

test("an abort ends the wait for standard input; what is not UTF-8 is refused", async () => {
  const controller = new AbortController();
  const stdin = new PassThrough();
  const terminal = { stdin, stdout: process.stdout, stderr: process.stderr, signal: controller.signal };
  const args = readArguments(generate, ["--model", MODEL, "--prompt", "-"]);
  const code = (run: Promise<void>): Promise<string> =>
    run.then(
      () => "none",
      (error: LlariatError) => error.code,
    );
  const waiting = code(generate.run(args, terminal));
  stdin.write("the beginning of a prompt");
  setTimeout(() => controller.abort(), 20);
  assert.is(await waiting, "aborted");
  const binary = Readable.from([Buffer.from([0xff, 0xfe, 0x00])]);
  assert.is(
    await code(generate.run(args, { ...terminal, stdin: binary, signal: new AbortController().signal })),
    "source",
  );
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

test("a checkpoint may be given as files", async () => {
  const files = await listedFiles([join(MODEL, "config.json"), join(MODEL, "model.safetensors")]);
  assert.equal(await files.list(), ["config.json", "model.safetensors"]);
  assert.ok((await files.open("config.json"))!.size > 0);
  assert.is(await files.open("generation_config.json"), undefined, "it lies beside them, but was not named");
  await files.close();
  const refusedFor = (paths: string[], name: string): Promise<string> =>
    listedFiles(paths)
      .then((set) => set.open(name))
      .then(
        () => "",
        (error: Error) => error.message,
      );
  assert.match(
    await refusedFor(
      ["a/config.json", "b/config.json"].map((path) => join(MODELS, path)),
      "x",
    ),
    /no such file|second file/,
  );
  assert.match(
    await refusedFor([join(MODEL, "config.json"), join(MODELS, "mqa-f16/config.json")], "x"),
    /second file named config\.json/,
  );
  assert.match(await refusedFor([join(MODEL, "absent.json")], "absent.json"), /there is no such file/);
});

test("generate: ids in, the reference's ids out; figures on stderr", async () => {
  const golden = JSON.parse(readFileSync(join(MODEL, "expected.json"), "utf8")) as {
    input_ids: number[];
    greedy_ids: number[];
  };
  const wanted = golden.greedy_ids.join(" ");
  const common = [
    "--ids",
    golden.input_ids.join(","),
    "--max-new-tokens",
    String(golden.greedy_ids.length),
    "--ignore-eos",
  ];
  const ended = await llariat(["generate", "--model", MODEL, ...common, "--temperature", "0"]);
  assert.is(ended.code, 0, ended.stderr);
  assert.is(ended.stdout, `${wanted}\n`);
  assert.match(ended.stderr, /^loading +\d+ % of /);
  assert.match(ended.stderr, /\nadapter: .+\n/);
  assert.match(
    ended.stderr,
    /prompt 48 tokens, [\d.]+ tokens\/s · first token after [\d.]+ s · answer 16 tokens, [\d.]+ tokens\/s · cut at --max-new-tokens\n$/,
  );

  const files = ["config.json", "model.safetensors"].map((name) => join(MODEL, name));
  const quiet = await llariat(["generate", "--model", ...files, ...common, "--quiet", "--json"]);
  assert.is(quiet.code, 0, quiet.stderr);
  assert.is(quiet.stderr, "");
  const done = JSON.parse(quiet.stdout) as Completion & { adapter: string; notes: string[] };
  assert.equal(done.ids, golden.greedy_ids);
  assert.is(done.finishReason, "length");
  assert.equal(done.usage, { promptTokens: 48, cachedTokens: 0, completionTokens: 16 });
  assert.ok(done.timing.firstTokenMs > 0);
  assert.is(done.rope.type, "default");
  assert.type(done.adapter, "string");
});

test("generate: every effective value of the RoPE setting is echoed, and memory is told before the prompt is computed", async () => {
  const ids = Array.from({ length: 40 }, (_, i) => (i * 7) % 250).join(",");
  const start = ["generate", "-m", MODEL, "--ids", ids, "--max-new-tokens", "9", "--ignore-eos"];
  const [linear, yarn, dynamic] = await Promise.all([
    llariat([...start, "--json", "--rope-scaling", "linear:4"]),
    llariat([
      ...start,
      "--quiet",
      "--json",
      "--rope-scaling",
      "yarn:4,beta_fast=16,mscale=1",
      "--rope-angles",
      "current",
    ]),
    llariat([...start, "--quiet", "--json", "--rope-scaling", "dynamic:2", "--rope-length", "999"]),
  ]);
  const rope = (ended: Ended) => (JSON.parse(ended.stdout) as Completion).rope;
  const common = { theta: 10000, headDim: 8, originalMaxPositions: 256, ignored: [] };
  const none = { ...common, attentionFactor: 1, maxPositions: 256, angles: "planned" };
  assert.equal(rope(linear), { type: "linear", factor: 4, ...none, maxContext: 1024, n: 49 });
  assert.equal(rope(dynamic), { type: "dynamic", factor: 2, ...none, maxContext: 512, n: 999 });
  assert.equal(rope(yarn), {
    ...common,
    type: "yarn",
    factor: 4,
    maxPositions: 1024,
    attentionFactor: 0.1 * Math.log(4) + 1,
    betaFast: 16,
    betaSlow: 1,
    truncate: true,
    maxContext: 1024,
    n: 49,
    angles: "current",
  });
  // 49 tokens are two pages of 32; 3 layers of keys and values, 2 heads of 8 in f32.
  assert.match(linear.stderr, new RegExp(`\nKV cache: ${formatBytes(64 * 3 * 2 * 2 * 8 * 4)} for 49 tokens\n`));
  assert.is(yarn.stderr, "");
});

test("generate: a prompt that is too long is refused in the words of the command line", async () => {
  const ids = Array.from({ length: 600 }, (_, i) => (i * 7) % 250).join(",");
  const start = ["generate", "-m", MODEL, "--ids", ids, "--quiet"];
  const [own, scaled, capped] = await Promise.all([
    llariat(start),
    llariat([...start, "--rope-scaling", "llama3:2,low_freq_factor=1,high_freq_factor=4"]),
    llariat([...start, "--max-context", "100"]),
  ]);
  const sentence = (type: string, reach: number, fit: string) =>
    `llariat: the prompt has 600 tokens, ${type} RoPE reaches ${reach} on this model; ` +
    `--rope-scaling ${fit} would reach 768, or give --allow-beyond\n`;
  assert.is(own.stderr, sentence("default", 256, "yarn:3"));
  assert.is(scaled.stderr, sentence("llama3", 512, "llama3:3,low_freq_factor=1,high_freq_factor=4"));
  assert.is(
    capped.stderr,
    "llariat: --max-context: the prompt has 600 tokens, the model was loaded for 100; load it with more\n",
  );
  assert.equal([own.code, scaled.code, capped.code], [1, 1, 1]);
});

test("generate: values that only the model can judge are refused with exit 1", async () => {
  const outside = await llariat(["generate", "-m", MODEL, "--ids", "999999", "--quiet"]);
  assert.is(outside.code, 1);
  assert.match(outside.stderr, /^llariat: prompt: id 999999 .*\n$/);
});

test("generate: Ctrl-C ends an answer, keeps what there is, and exits 130; a closed pipe ends it quietly", async () => {
  const endless = [
    "generate",
    "-m",
    MODEL,
    "--ids",
    "1,2,3",
    "--ignore-eos",
    "--allow-beyond",
    "--max-new-tokens",
    "20000",
  ];
  const interrupted = await llariat(endless, { until: /\d+ \d+ \d+ /, act: (child) => child.kill("SIGINT") });
  assert.is(interrupted.code, 130, interrupted.stderr);
  assert.match(interrupted.stdout, /^\d+( \d+)+\n$/);
  assert.match(interrupted.stderr, /stopped\n$/);

  const json = await llariat([...endless, "--json"], {
    until: /adapter: .*\n/,
    act: (child) => setTimeout(() => child.kill("SIGINT"), 300),
  });
  assert.is(json.code, 130);
  const kept = JSON.parse(json.stdout) as { ids: number[]; finishReason: string };
  assert.is(kept.finishReason, "aborted");

  const piped = await llariat(endless, { until: /\d+ \d+ \d+ /, act: (child) => child.stdout!.destroy() });
  assert.is(piped.code, 0, piped.stderr);
});

test("generate: Ctrl-C ends a prefill", async () => {
  // A prompt that takes far longer than the signal does to arrive.
  const ids = Array.from({ length: 30_000 }, (_, i) => (i * 7) % 250).join(",");
  const ended = await llariat(["generate", "-m", MODEL, "--allow-beyond", "--max-new-tokens", "5", "--ids", ids], {
    until: /adapter: .*\n/,
    act: (child) => setTimeout(() => child.kill("SIGINT"), 200),
  });
  assert.is(ended.code, 130, ended.stderr);
  assert.is(ended.stdout, "");
});

test("info: config, tensors, needs, adapter and limits; as JSON the same", async () => {
  const [text, json, noDevice] = await Promise.all([
    llariat(["info", "--model", MODEL]),
    llariat(["info", "--model", MODEL, "--json"]),
    llariat(["info", "--model", MODEL, "--adapter", "no such thing"]),
  ]);
  assert.is(text.code, 0, text.stderr);
  for (const word of [
    "kvHeads",
    "maxContext",
    "model.embed_tokens.weight",
    "BF16",
    "parameters",
    "bytes per token",
    "maxStorageBufferBindingSize",
  ]) {
    assert.ok(text.stdout.includes(word), word);
  }
  const facts = JSON.parse(json.stdout) as Record<string, unknown> & {
    tensors: { bytes: number }[];
    fileBytes: number;
  };
  assert.is(
    facts.tensors.reduce((sum, { bytes }) => sum + bytes, 0),
    facts.fileBytes,
  );
  assert.is(noDevice.code, 1);
  assert.ok(noDevice.stdout.includes("model.embed_tokens.weight"), "the checkpoint is described all the same");
  assert.match(noDevice.stderr, /no such adapter/);
});

test("info: what ends a text is what ends it while generating, whichever file says so", async () => {
  const folder = mkdtempSync(join(tmpdir(), "llariat-"));
  try {
    const own = (name: string) => join(root, "models/kv-llama", name);
    const config = { ...(JSON.parse(readFileSync(own("config.json"), "utf8")) as object), eos_token_id: 5 };
    writeFileSync(join(folder, "config.json"), JSON.stringify(config));
    writeFileSync(join(folder, "generation_config.json"), JSON.stringify({ eos_token_id: -1 }));
    const files = [join(folder, "config.json"), join(folder, "generation_config.json"), own("model.safetensors")];
    const ends = async (...more: string[]): Promise<unknown> => {
      const { stdout, stderr } = await llariat(["info", "--adapter", "null", "--json", "--model", ...files, ...more]);
      assert.ok(stdout, stderr);
      return (JSON.parse(stdout) as { eosIds: number[] }).eosIds;
    };
    assert.equal(await ends(), [5]);
    assert.equal(await ends(own("tokenizer.json"), own("tokenizer_config.json")), [5, 2], "and the tokenizer's own");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("info: what each RoPE scaling would give", async () => {
  const run = async (...more: string[]) => {
    const start = ["info", "--model", join(root, "models/kv-llama"), "--adapter", "null"];
    const [text, json] = await Promise.all([llariat([...start, ...more]), llariat([...start, "--json", ...more])]);
    assert.equal([text.code, json.code], [0, 0], text.stderr);
    const { ropeScalings: rows, rope, gpuBytes } = JSON.parse(json.stdout) as Facts;
    const part = /^rope scalings: .*\n([\s\S]*?)\n\n/m.exec(text.stdout)![1];
    return { rows, rope, gpuBytes, lines: part.split("\n") };
  };
  type Row = EffectiveRope & { scaling: string; kvBytes: number; wavelengths: (number | null)[] };
  type Facts = { ropeScalings: Row[]; rope: object; gpuBytes: { kvPerToken: number } };

  const usual = await run();
  assert.equal(
    usual.rows.map(({ scaling, maxContext, n }) => [scaling, maxContext, n]),
    [
      ["own", 512, 512],
      ["none", 512, 512],
      ...["linear:4", "ntk:4", "dynamic:4", "yarn:4", "llama3:4,low_freq_factor=1,high_freq_factor=4"].map((name) => [name, 2048, 2048]), // prettier-ignore
    ],
  );
  for (const { wavelengths, scaling, n, kvBytes, maxContext, ...rope } of usual.rows) {
    const own = parseRope({ head_dim: 64, max_position_embeddings: 512 });
    const asked = scaling === "own" ? own : parseRopeScaling(parseRopeOption(scaling), own);
    assert.equal({ ...rope, maxContext }, describeRope(asked));
    assert.is(kvBytes, maxContext * usual.gpuBytes.kvPerToken);
    assert.is(wavelengths.length, 32);
    frequencies(asked, n).omega.forEach((omega, i) => assert.is(wavelengths[i], (2 * Math.PI) / omega));
  }
  assert.equal(describeRope(parseRope({ head_dim: 64, max_position_embeddings: 512 })), usual.rope);
  // The table shows the same, to four digits, of some pairs.
  assert.is(usual.lines.length, 1 + usual.rows.length);
  const shown = [...usual.lines[0].matchAll(/λ(\d+)/g)].map(([, pair]) => Number(pair));
  assert.equal([shown[0], shown.at(-1)], [0, 31]);
  assert.ok(usual.lines.every((line) => line.length <= 120));
  usual.rows.forEach(({ wavelengths, maxContext, kvBytes }, i) => {
    const cells = usual.lines[i + 1].trim().split(/ {2,}/);
    assert.equal(cells.slice(1, 3), [maxContext.toLocaleString("en-US"), formatBytes(kvBytes)]);
    shown.forEach((pair, column) => {
      const value = Number(cells[4 + column].replaceAll(",", ""));
      assert.ok(Math.abs(value / wavelengths[pair]! - 1) <= 5e-4, `${cells[0]} λ${pair}: ${value}`); // half a fourth digit
    });
  });

  const asked = await run(
    "--rope-scaling",
    'yarn:4,beta_fast=16,none,{"type": "longrope", "factor": 2, "short_factor": [1], "long_factor": [1]}'.replaceAll(
      "[1]",
      JSON.stringify(Array.from({ length: 32 }, (_, i) => 1 + i)),
    ),
    "--rope-scaling",
    "proportional:partial_rotary_factor=0.5",
    "--rope-length",
    "700",
  );
  assert.equal(
    asked.rows.map(({ type, n }) => [type, n]),
    ["default", "yarn", "default", "longrope", "proportional"].map((type) => [type, 700]),
  );
  assert.is(asked.rows[4].wavelengths[16], null, "a pair that does not turn");
  assert.match(asked.lines[5], /∞$/);
});

test("info: what it says of the GPU is what loading takes", async () => {
  for (const name of ["odd-everything-bf16", "attn-bias-bf16", "mlp-bias-f16", "tied-f32", "legacy-dynamic-f16"]) {
    const folder = join(MODELS, name);
    const { stdout } = await llariat(["info", "--model", folder, "--json", "--adapter", "null"]);
    const { gpuBytes } = JSON.parse(stdout) as { gpuBytes: { weights: number; kvPerToken: number } };
    const llama = await Llama.load(folder);
    assert.is(gpuBytes.weights, llama.memory.weights, name);
    assert.is(gpuBytes.kvPerToken, llama.kvBytes(1024) / 1024, name);
    llama.close();
  }
});

test.run();
