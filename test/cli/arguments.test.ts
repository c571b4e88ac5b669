// Arguments of the command line: how they are read, and what is refused in one sentence before anything is loaded.
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { Arguments, type Command, readArguments } from "../../src/cli/command.ts";
import { generate } from "../../src/cli/generate.ts";
import { info } from "../../src/cli/info.ts";
import { root } from "../tools/source.ts";
import { usageSentence } from "../tools/cli.ts";

const test = suite("arguments");
const MODEL = join(root, "test/fixtures/goldens/models/gqa-bf16");

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
    [["--stop-id", "1"], /did you mean --stop-ids\?/],
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
  for (const [argv, message] of cases) assert.match(await usageSentence(generate, argv), message, argv.join(" "));
  assert.match(await usageSentence(info, []), /^needs --model/);
  assert.match(await usageSentence(info, ["--model", "x", "--prompt", "y"]), /unknown option --prompt/);
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
    assert.match(await usageSentence(generate, [...absent, "--ids", "1", "--rope-scaling", text]), message);
    assert.match(await usageSentence(info, [...absent, "--rope-scaling", text]), message);
    assert.match(await usageSentence(info, [...absent, "--rope-scaling", "none", "--rope-scaling", text]), message);
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
    assert.match(await usageSentence(generate, ["--model", MODEL, "--ids", "1", "--rope-scaling", text]), message);
    assert.match(await usageSentence(info, ["--model", MODEL, "--rope-scaling", `none,${text}`]), message);
  }
  const both: [Command, string[]][] = [
    [generate, [...absent, "--ids", "1"]],
    [info, absent],
  ];
  for (const [command, start] of both) {
    assert.match(
      await usageSentence(command, [...start, "--rope-scaling"]),
      /^--rope-scaling needs a value \((HOW|LIST)\)$/,
    );
    assert.match(
      await usageSentence(command, [...start, "--rope-length", "0"]),
      /^--rope-length needs a whole number of tokens/,
    );
    assert.match(
      await usageSentence(command, [...start, "--rope-length", "1.5"]),
      /^--rope-length needs a whole number/,
    );
  }
  assert.match(await usageSentence(generate, [...absent, "--ids", "1", "--rope-scaling", "none", "--rope-scaling", "none"]), /given twice/); // prettier-ignore
  for (const word of ["", "Planned", "as_inserted", "later"])
    assert.is(
      await usageSentence(generate, [...absent, "--ids", "1", "--rope-angles", word]),
      `--rope-angles needs planned, current or as-inserted, got "${word}"`,
    );
  assert.match(await usageSentence(info, [...absent, "--rope-angles", "planned"]), /^unknown option --rope-angles/);
});

test.run();
