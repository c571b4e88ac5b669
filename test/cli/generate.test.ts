// `llariat generate` as a process: what goes in and out, figures, refusals that only the model can make, Ctrl-C.
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { PassThrough, Readable } from "node:stream";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import type { Completion } from "../../src/index.ts";
import { readArguments } from "../../src/cli/command.ts";
import { generate } from "../../src/cli/generate.ts";
import { formatBytes } from "../../src/cli/progress.ts";
import { Llama } from "../../src/node/index.ts";
import { type Ended, llariat, standIn } from "../tools/cli.ts";
import { refused } from "../tools/refused.ts";
import { read, root } from "../tools/source.ts";

const test = suite("cli generate");
const MODEL = join(root, "test/fixtures/goldens/models/gqa-bf16");
const KV = join(root, "models/kv-llama");
type Recorded = { readonly prompts: { readonly prompt: string; readonly results: { none: { text: string } } }[] };

test("an abort ends the wait for standard input; what is not UTF-8 is refused", async () => {
  const controller = new AbortController();
  const stdin = new PassThrough();
  const terminal = standIn({ stdin, signal: controller.signal });
  const args = readArguments(generate, ["--model", MODEL, "--prompt", "-"]);
  const waiting = generate.run(args, terminal);
  stdin.write("the beginning of a prompt", () => controller.abort());
  await refused(waiting, "aborted");
  const binary = Readable.from([Buffer.from([0xff, 0xfe, 0x00])]);
  await refused(generate.run(args, standIn({ stdin: binary })), "source", /not UTF-8/);
});

test("ids in, the reference's ids out; figures on stderr", async () => {
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

test("text in, text out: --prompt up to a --stop, --chat and --user as the template writes them, --system before them", async () => {
  const start = ["generate", "-m", KV, "--temperature", "0", "--max-new-tokens", "40"];
  const { prompt, results } = (JSON.parse(read("test/fixtures/expected/kv.json")) as Recorded).prompts[0];
  const { text } = results.none; // by transformers
  const user = prompt.replace(/^\[INST\] /, "").replace(/ \[\/INST\]$/, "");
  const system = "Answer in one word.";
  const [stopped, chat, led] = await Promise.all([
    llariat([...start, "--prompt", prompt, "--stop", "'.", "--stop", " is '"]),
    llariat([...start, "--chat", "--prompt", "-"], { input: user }),
    llariat([...start, "--system", system, "--user", user, "--quiet"]),
  ]);
  assert.is(stopped.code, 0, stopped.stderr);
  assert.is(stopped.stdout, `${text.slice(0, text.indexOf(" is '"))}\n`);
  assert.match(stopped.stderr, / · ended by itself\n$/);
  // An answer to messages is a text of its own: no space before its first word.
  const own = (answer: string): string => `${answer.replace(/^ /, "")}\n`;
  assert.is(chat.stdout, own(text), chat.stderr);
  using llama = await Llama.load(KV);
  const written = `[INST] <<SYS>>\n${system}\n<</SYS>>\n\n${user} [/INST]`;
  assert.is(led.stdout, own((await llama.complete(written, { temperature: 0, maxNewTokens: 40 })).text));
  assert.is(led.stderr, "");
  assert.match(led.stderr, /^$/);
});

test("every effective value of the RoPE setting is echoed, and memory is told before the prompt is computed", async () => {
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

test("a prompt that is too long is refused in the words of the command line", async () => {
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

test("values that only the model can judge are refused with exit 1", async () => {
  const outside = await llariat(["generate", "-m", MODEL, "--ids", "999999", "--quiet"]);
  assert.is(outside.code, 1);
  assert.match(outside.stderr, /^llariat: prompt: id 999999 .*\n$/);
});

test("Ctrl-C ends an answer, keeps what there is, and exits 130; a closed pipe ends it quietly", async () => {
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
    until: /KV cache: .*\n/,
    act: (child) => child.kill("SIGINT"),
  });
  assert.is(json.code, 130);
  assert.is((JSON.parse(json.stdout) as { finishReason: string }).finishReason, "aborted");

  const piped = await llariat(endless, { until: /\d+ \d+ \d+ /, act: (child) => child.stdout!.destroy() });
  assert.is(piped.code, 0, piped.stderr);
});

test("of an answer that ends by Ctrl-C --json keeps every id that came", async () => {
  const stop = new AbortController();
  const pieces = Reflect.get(Llama.prototype, "generate");
  const came: number[] = [];
  Llama.prototype.generate = async function* (...given) {
    const all = pieces.apply(this, given);
    for (let next = await all.next(); ; next = await all.next()) {
      if (next.done) return next.value;
      came.push(next.value.id);
      yield next.value;
      if (came.length === 5) stop.abort();
    }
  };
  let stdout = "";
  const terminal = standIn({
    signal: stop.signal,
    stdout: { write: (text: string) => (stdout += text) } as unknown as NodeJS.WriteStream,
  });
  try {
    const argv = ["--model", MODEL, "--ids", "1,2,3", "--ignore-eos", "--max-new-tokens", "200", "--json"];
    await refused(generate.run(readArguments(generate, argv), terminal), "aborted");
  } finally {
    Llama.prototype.generate = pieces;
  }
  assert.is(came.length, 5);
  assert.equal(JSON.parse(stdout), { text: "", ids: came, finishReason: "aborted" });
});

test("Ctrl-C ends a prefill", async () => {
  // A prompt that takes far longer than the signal does to arrive.
  const ids = Array.from({ length: 30_000 }, (_, i) => (i * 7) % 250).join(",");
  const ended = await llariat(["generate", "-m", MODEL, "--allow-beyond", "--max-new-tokens", "5", "--ids", ids], {
    until: /KV cache: .*\n/,
    act: (child) => child.kill("SIGINT"),
  });
  assert.is(ended.code, 130, ended.stderr);
  assert.is(ended.stdout, "");
});

test.run();
