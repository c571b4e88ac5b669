// What each option of the command line sets: one row per option, and none without a row.
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { type Arguments, type Command, readArguments } from "../../src/cli/command.ts";
import { effectiveContext, readEffective } from "../../src/cli/effective-context.ts";
import { generate, requestOptions } from "../../src/cli/generate.ts";
import { loadOptions } from "../../src/cli/load.ts";
import { perplexity, readWindows } from "../../src/cli/perplexity.ts";
import { readSettings, retrieve } from "../../src/cli/retrieve.ts";
import { readScaling } from "../../src/cli/rope.ts";
import { parseQuestions, parseScaling } from "../../src/retrieval/index.ts";
import { preset } from "../../src/retrieval/presets.ts";
import { refusedSync } from "../tools/refused.ts";

const test = suite("cli settings");
const scratch = mkdtempSync(join(tmpdir(), "llariat-settings-"));
const [one, two] = ["one.txt", "two.txt"].map((name) => join(scratch, name));
const squad = join(scratch, "squad.json");
writeFileSync(squad, '[{ "question": "Who?", "answer": "Ann", "context": [["Ann", ["She is Ann."]]] }]');
writeFileSync(one, "First\n\nThe first text.");
writeFileSync(two, "Second\n\nThe second text.");

/** Each row's arguments set just what it says, beside what is set without any; every option but these has a row. */
function table(
  command: Command,
  read: (args: Arguments) => object,
  rows: readonly (readonly [string[], object])[],
  others: readonly string[],
): void {
  const plain = read(readArguments(command, []));
  for (const [argv, sets] of rows) {
    assert.equal(read(readArguments(command, argv)), { ...plain, ...sets }, argv.join(" "));
  }
  const tried = new Set(rows.flatMap(([argv]) => argv.map((word) => /^--([\w-]+)/.exec(word)?.[1])));
  for (const name of Object.keys(command.options)) {
    if (others.includes(name) || name in loadOptions) continue;
    assert.ok(tried.has(name), `--${name} has no row`);
  }
}

test("generate: options of the request", () => {
  const read = (args: Arguments): object => requestOptions(args, readScaling(args.text("rope-scaling")));
  const rows: [string[], object][] = [
    [["--max-new-tokens", "7"], { maxNewTokens: 7 }],
    [["--min-new-tokens", "3"], { minNewTokens: 3 }],
    [["--ignore-eos"], { ignoreEos: true }],
    [["--allow-beyond"], { allowBeyond: true }],
    [["--stop", "a,b", "--stop=--"], { stop: ["a,b", "--"] }],
    [["--stop-ids", "2, 5"], { stopIds: [2, 5] }],
    [["--temperature", "0"], { temperature: 0 }],
    [["--top-k", "40"], { topK: 40 }],
    [["--top-p", "0.9"], { topP: 0.9 }],
    [["--min-p", "0.05"], { minP: 0.05 }],
    [["--typical-p", "0.95"], { typicalP: 0.95 }],
    [["--repetition-penalty", "1.1"], { repetitionPenalty: 1.1 }],
    [["--frequency-penalty", "-0.5"], { frequencyPenalty: -0.5 }],
    [["--presence-penalty", "0.25"], { presencePenalty: 0.25 }],
    [["--no-repeat-ngram-size", "3"], { noRepeatNgramSize: 3 }],
    [["--logit-bias", "5:-Infinity", "--logit-bias", "7:+1.5e-1"], { logitBias: { 5: -Infinity, 7: 0.15 } }],
    [["--seed", "0"], { seed: 0 }],
    [["--speculate"], { speculate: true }],
    [["--rope-scaling", "dynamic:2"], { ropeScaling: readScaling("dynamic:2")!.setting }],
    [["--rope-scaling", "none"], { ropeScaling: null }],
    [["--rope-angles", "as-inserted"], { ropeAngles: "as-inserted" }],
    [["--rope-length", "900"], { ropeLength: 900 }],
  ];
  table(generate, read, rows, ["prompt", "chat", "system", "user", "ids", "json"]);
  for (const bad of ["5", "5:", "x:1", "5:hot", "-5:1", "5:1:2"]) {
    const call = (): object => read(readArguments(generate, [`--logit-bias=${bad}`]));
    refusedSync(call, "request", `--logit-bias needs ID:X, for example 5:-Infinity, got "${bad}"`);
  }
});

test("retrieve: settings of the suite", () => {
  const document = (path: string, text: string, title?: string): object => ({
    name: path,
    text,
    ...(title && { title }),
  });
  const [first, second] = [
    [one, "First\n\nThe first text."],
    [two, "Second\n\nThe second text."],
  ] as const;
  const rows: [string[], object][] = [
    [["--task", "uuid,passkey", "--task", "needle"], { tasks: ["uuid", "passkey", "needle"] }],
    [["--prompt-len", "0.5x, 300", "--prompt-len", "whole"], { promptLengths: ["0.5x", "300", "whole"] }],
    [["--secret-pos", "0,0.5"], { positions: [0, 0.5] }],
    [["--tries", "3"], { tries: 3 }],
    [["--seed", "7"], { seed: "7" }],
    [["--batch", "2"], { batch: 2 }],
    [["--document", one], { documents: [document(...first)] }],
    [
      ["--document", one, "--title", "T", "--document", two],
      { documents: [document(...first, "T"), document(...second)] },
    ],
    [["--made-titles"], { titles: "made" }],
    [["--haystack", one, "--haystack", two], { filler: "First\n\nThe first text.\n\nSecond\n\nThe second text." }],
    [["--qa", squad], { questions: [parseQuestions(JSON.parse(readFileSync(squad, "utf8")), squad)] }],
    [["--threshold", "0.7"], { threshold: 0.7 }],
    [["--effective-tasks", "vt,cwe"], { effectiveTasks: ["vt", "cwe"] }],
    [["--needle-fact", "It is {value}.", "--needle-question", "What?"], { needle: { fact: "It is {value}.", question: "What?" } }], // prettier-ignore
    [["--trained-length", "4096"], { trainedLength: 4096 }],
    [["--answer-room", "0"], { answerRoom: 0 }],
    [["--max-new-tokens", "9"], { maxNewTokens: 9 }],
    [["--fit", "whole"], { fit: "whole" }],
    [["--run-hopeless"], { runHopeless: true }],
    [["--sequential"], { sequential: true }],
    [["--expect", "dynamic:2>=0.9@1.5x"], { expect: ["dynamic:2>=0.9@1.5x"] }],
    [["--shard", "2/8"], { shard: { index: 2, count: 8 } }],
    [["--rope-scaling", "none,yarn:2"], { ropeScalings: [parseScaling("none"), parseScaling("yarn:2")] }],
  ];
  // A preset brings scalings of its own; what is given wins.
  const { settings } = preset("h2ogpt-uuid");
  const presets: typeof rows = [
    [["--preset", "h2ogpt-uuid"], settings],
    [["--preset", "h2ogpt-uuid", "--tries", "1"], { ...settings, tries: 1 }],
  ];
  table(
    retrieve,
    readSettings,
    [...rows, ...presets],
    ["via", "server-model", "speculate", "prompts", "chat", "list-tasks", "out", "resume", "json"],
  );
  const refusals: [string[], string | RegExp][] = [
    [["--qa", one], /one\.txt is not JSON/],
    [["--fit", "half"], '--fit needs exact or whole, got "half"'],
    [["--needle-fact", "{value}"], "--needle-fact and --needle-question go together"],
    [["--needle-question", "What?"], "--needle-fact and --needle-question go together"],
    [["--document", one, "--title", "A", "--title", "B"], "2 --title for 1 --document"],
  ];
  for (const [argv, sentence] of refusals) {
    const code = argv[0] === "--qa" ? "source" : "request";
    refusedSync(() => readSettings(readArguments(retrieve, argv)), code, sentence);
  }
});

test("perplexity and effective-context: settings of the measurement", () => {
  const windows: [string[], object][] = [
    [["--window", "64,128", "--window", "9"], { windows: [64, 128, 9] }],
    [["--stride", "16"], { stride: 16 }],
    [["--max-tokens", "100"], { maxTokens: 100 }],
  ];
  table(perplexity, readWindows, windows, ["text", "rope-scaling", "out", "json"]);
  const asked: [string[], object][] = [
    [["--window", "2048"], { window: 2048 }],
    [["--points", "8"], { points: 8 }],
    [["--tries", "3"], { tries: 3 }],
    [["--least", "0.5"], { least: 0.5 }],
    [["--batch", "2"], { batch: 2 }],
    [["--seed", "7"], { seed: "7" }],
  ];
  table(effectiveContext, readEffective, asked, ["via", "server-model", "speculate", "rope-scaling", "out", "json"]);
});

test.after(() => rmSync(scratch, { recursive: true, force: true }));
test.run();
