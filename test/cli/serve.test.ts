// `llariat serve` as a process: what it prints, what it refuses, and how it ends.
// Opens a device in a child process.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { serve } from "../../src/cli/serve.ts";
import { llariat, usageSentence } from "../tools/cli.ts";
import { folder } from "../tools/models.ts";
import { readEvents } from "../tools/serving.ts";

const test = suite("serve");
const MODEL = folder("/models/kv-llama");

test("arguments that cannot be are refused before anything is loaded", async () => {
  for (const [argv, sentence] of [
    [[], /^needs --model DIR$/],
    [["--model", MODEL, "--model", MODEL], /^--model: two are called kv-llama; write --model NAME=/],
    [["--model", MODEL, "--port", "70000"], /^--port: must be a whole number from 0 to 65535, got 70000$/],
    [["--model", MODEL, "--queue", "-1"], /^--queue: must be a whole number ≥ 0, got -1$/],
    [["--model", MODEL, "--max-concurrent", "0"], /^--max-concurrent: must be a whole number ≥ 1, got 0$/],
    [["--model", MODEL, "--context", "0"], /^--context: must be a whole number of tokens ≥ 1, got 0$/],
    [["--model", MODEL, "--cors="], /^--cors: must be a text/],
  ] as const)
    assert.match(await usageSentence(serve, argv), sentence);
});

test("it says where it listens and what it serves; Ctrl-C lets a stream end, and then the process does", async () => {
  let answered: Promise<string> | undefined;
  const { code, stdout, stderr } = await llariat(["serve", "--model", `small=${MODEL}`, "--port", "0"], {
    until: /small: 512 tokens, .*\n/,
    act(child, written) {
      const origin = /llariat serve: (\S+)\n/.exec(written)![1];
      const body = JSON.stringify({ prompt: "a", max_tokens: 300, ignore_eos: true, stream: true });
      const init = { method: "POST", headers: { "content-type": "application/json" }, body };
      answered = fetch(`${origin}/v1/completions`, init).then((response) => {
        child.kill("SIGINT");
        return response.text();
      });
    },
  });
  assert.is(code, 0, stderr);
  const events = readEvents(await answered!);
  assert.is(events.at(-1).choices[0].finish_reason, "length");
  assert.match(stdout, /^llariat serve: http:\/\/127\.0\.0\.1:\d+\n {2}small: 512 tokens, .*\n$/);
  assert.match(stderr, /finishing what runs; Ctrl-C again stops\n$/);
});

test.run();
