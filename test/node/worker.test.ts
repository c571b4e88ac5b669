// Worker threads: one that closes its model and ends by itself leaves the process alone, at every moment. Another way does
// not (README): Dawn ends the process when a thread goes while a promise of its own is open.
// Opens a device in a child process.
import { spawnSync } from "node:child_process";
import { suite } from "uvu";
import * as assert from "uvu/assert";
import { root } from "../tools/source.ts";

const test = suite("worker");

/** A worker that generates; told to end it closes the model and waits for nothing. */
const WORKER = `
  import { parentPort, workerData } from "node:worker_threads";
  import { register } from "tsx/esm/api";
  register();
  const { Llama } = await import(workerData + "/src/node/index.ts");
  const llama = await Llama.load(workerData + "/models/kv-llama");
  parentPort.once("message", () => { llama.close(); });
  const options = { maxNewTokens: 400, ignoreEos: true, allowBeyond: true };
  parentPort.postMessage("loaded");
  try { for await (const _ of llama.generate("one two three", options)) parentPort.postMessage("piece"); }
  catch (error) { parentPort.postMessage(error.code); }
`;

/** Ends a worker once it has said so many things, and prints what the last was and how it ended. */
const MAIN = `
  import { SHARE_ENV, Worker } from "node:worker_threads";
  const moments = [1, 2, 5, 20];
  for (const moment of moments) {
    const options = { eval: true, workerData: process.cwd(), execArgv: ["--input-type=module"], env: SHARE_ENV };
    const worker = new Worker(process.env.WORKER, options);
    let [heard, last] = [0, ""];
    worker.on("message", (message) => { last = message; if (++heard === moment) worker.postMessage("end"); });
    const code = await new Promise((resolve) => worker.on("exit", resolve));
    console.log(last, code);
  }
`;

test("a worker that closes its model ends by itself, whatever the GPU is doing", () => {
  const { status, signal, stdout, stderr } = spawnSync(process.execPath, ["--input-type=module", "--eval", MAIN], {
    cwd: root,
    encoding: "utf8",
    env: { ...process.env, WORKER },
    timeout: 120_000, // a hang, not a speed limit
  });
  assert.equal([status, signal], [0, null], stderr);
  assert.is(stdout, "closed 0\n".repeat(4), stderr);
});

test.run();
