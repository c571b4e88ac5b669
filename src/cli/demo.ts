// demo.ts — `npm start`: one small model, loaded once, asked the same kind of question inside and beyond its trained
// context, without and with RoPE scaling.

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
  readonly title: string;
  readonly length: number;
  readonly scaling: GenerateOptions["ropeScaling"];
}

const scenes: readonly Scene[] = [
  { title: "inside the trained context", length: 0.9, scaling: null },
  { title: "1.9 × the trained context, no scaling", length: 1.9, scaling: null },
  { title: "the same prompt, yarn 2", length: 1.9, scaling: { rope_type: "yarn", factor: 2 } },
  { title: "the same prompt, dynamic 2", length: 1.9, scaling: { rope_type: "dynamic", factor: 2 } },
];

async function demo(): Promise<boolean> {
  const progress = startProgress(stderr, "loading", formatBytes);
  const loading = performance.now();
  using llama = await Llama.load(FOLDER, {
    onProgress: ({ loadedBytes, totalBytes }) => progress.update(loadedBytes, totalBytes),
  });
  progress.end();
  const { config, memory, adapter } = llama;
  stdout.write(
    `kv-llama: ${config.layers} layers of ${config.dim}, trained on ${config.maxPositions} tokens of context; ` +
      `${formatBytes(memory.weights)} loaded in ${((performance.now() - loading) / 1000).toFixed(1)} s\n` +
      `adapter:  ${adapter?.description}\n`,
  );
  for (const note of llama.notes) stdout.write(pc.yellow(`note:     ${note}\n`));

  let right = true;
  for (const { title, length, scaling } of scenes) {
    const { text, value, tokens } = prompts.uuid({
      count: (each) => llama.tokenizer!.encode(each).length,
      tokens: Math.floor(length * config.maxPositions),
      position: 0.1, // early: far from the question
      key: ["demo", String(length)],
    });
    const question = text.slice(text.lastIndexOf("What is"));
    stdout.write(`\n${pc.bold(title)} — ${tokens} tokens, secret at 10 %\n${pc.dim(`… ${question}`)}\n`);
    const pieces = llama.generate(text, { ropeScaling: scaling, maxNewTokens: MAX_NEW_TOKENS, allowBeyond: true });
    let answer = "";
    let step = await pieces.next();
    for (; !step.done; step = await pieces.next()) {
      answer += step.value.text;
      stdout.write(step.value.text);
    }
    const found = answer.includes(value);
    stdout.write(`  ${found ? pc.green("✓ right") : pc.red(`✗ wrong, it is '${value}'`)}\n${figures(step.value)}\n`);
    // Only what the model can do is a condition: without scaling it may find a far secret by luck.
    if (length <= 1 || scaling) right &&= found;
  }
  return right;
}

function figures({ usage, timing, rope }: Completion): string {
  const rate = (value: number) => value.toFixed(0);
  return pc.dim(
    `${usage.promptTokens} prompt tokens, first token after ${rate(timing.firstTokenMs)} ms · ` +
      `prefill ${rate(timing.prefillTokensPerSecond)} tokens/s · decode ${rate(timing.decodeTokensPerSecond)} tokens/s · ` +
      `rope ${rope.type}${rope.factor === 1 ? "" : ` ${rope.factor}`}, n ${rope.n}`,
  );
}

try {
  if (!(await demo())) process.exitCode = 1;
} catch (error) {
  if (!(error instanceof LlariatError)) throw error;
  stderr.write(`${error.message}\n`);
  process.exitCode = 1;
}
