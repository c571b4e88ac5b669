// demo.ts — `npm start`: one small model, loaded once, asked the same kind of question inside and beyond its trained
// context, without and with RoPE scaling. Written for a person who has heard of neither.

import pc from "picocolors";
import { LlariatError } from "../error.ts";
import { type Completion, type GenerateOptions, Llama } from "../index.ts";
import { prompts } from "../retrieval/prompts/index.ts";
import "../node/index.ts";
import { formatBytes, startProgress } from "./progress.ts";

const { stdout, stderr } = process;
const FOLDER = new URL("models/kv-llama/", import.meta.resolve("llariat/package.json"));
const MAX_NEW_TOKENS = 40;

/** One question: the prompt's length over the trained context, and the scaling that answers it. */
interface Scene {
  /** What is new about it; the prompt's length in tokens follows. */
  readonly title: string;
  readonly length: number;
  readonly scaling: GenerateOptions["ropeScaling"];
}

const scenes: readonly Scene[] = [
  { title: "1. A list that fits", length: 0.9, scaling: null },
  { title: "2. A list twice as long, beyond what the model was trained on", length: 1.9, scaling: null },
  { title: '3. The same list, with RoPE scaling "yarn"', length: 1.9, scaling: { rope_type: "yarn", factor: 2 } },
  { title: '4. The same list, with RoPE scaling "dynamic"', length: 1.9, scaling: { rope_type: "dynamic", factor: 2 } },
];

async function demo(): Promise<boolean> {
  const progress = startProgress(stderr, "loading", formatBytes);
  const loading = performance.now();
  using llama = await Llama.load(FOLDER, {
    onProgress: ({ loadedBytes, totalBytes }) => progress.update(loadedBytes, totalBytes),
  });
  progress.end();
  const { config, memory, adapter } = llama;
  const seconds = ((performance.now() - loading) / 1000).toFixed(1);
  stdout.write(
    `${pc.bold("kv-llama")} is a tiny Llama. It was trained to remember lists of keys and values, on texts of at most ` +
      `${config.maxPositions} tokens (pieces of words).\n` +
      `It has ${config.layers} layers of ${config.dim} and ${formatBytes(memory.weights)} of weights, loaded in ${seconds} s.\n` +
      `It runs on: ${adapter?.description}\n`,
  );
  for (const note of llama.notes) stdout.write(pc.yellow(`Note: ${note}\n`));

  let right = true;
  for (const { title, length, scaling } of scenes) {
    const { text, value, tokens } = prompts.uuid({
      count: (each) => llama.tokenizer!.encode(each).length,
      tokens: Math.floor(length * config.maxPositions),
      position: 0.1, // early: far from the question
      key: ["demo", String(length)],
    });
    const question = text.slice(text.lastIndexOf("What is"));
    stdout.write(`\n${pc.bold(title)}: ${tokens} tokens\n${pc.dim(`… ${question}`)}\n`);
    const reading = startProgress(stderr, "reading", (amount) => `${amount} tokens`);
    const pieces = llama.generate(text, {
      ropeScaling: scaling,
      maxNewTokens: MAX_NEW_TOKENS,
      allowBeyond: true,
      // Half a minute on the slowest software adapter. Without a terminal nobody waits in front of it.
      onPrefill: stderr.isTTY ? reading.update : undefined,
    });
    let answer = "";
    let step = await pieces.next();
    reading.end();
    for (; !step.done; step = await pieces.next()) {
      answer += step.value.text;
      stdout.write(step.value.text);
    }
    const found = answer.includes(value);
    stdout.write(`  ${found ? pc.green("✓ right") : pc.red(`✗ wrong, it is '${value}'`)}\n${figures(step.value)}\n`);
    // Only what the model can do is a condition: without scaling it may find a far secret by luck.
    if (length <= 1 || scaling) right &&= found;
  }
  stdout.write(
    "\nA model knows where a word stands by turning vectors a little further for each position (RoPE). RoPE scaling slows\n" +
      "the turns, so that a longer text looks like one it was trained on. It is an option of each request:\n" +
      '  llama.complete(text, { ropeScaling: { rope_type: "yarn", factor: 2 } })\n' +
      "README.md goes on from here.\n",
  );
  return right;
}

function figures({ usage, timing, rope }: Completion): string {
  const rate = (value: number) => value.toFixed(0);
  return pc.dim(
    `${usage.promptTokens} tokens read, ${rate(timing.prefillTokensPerSecond)} a second · first token after ` +
      `${rate(timing.firstTokenMs)} ms · then ${rate(timing.decodeTokensPerSecond)} tokens a second · RoPE ${rope.type}` +
      (rope.factor === 1 ? "" : `, factor ${rope.factor}`),
  );
}

try {
  if (!(await demo())) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof LlariatError)) throw error;
  stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
