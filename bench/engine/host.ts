// host.ts — what a decoded token costs the host: time with JavaScript on the stack, and calls of WebGPU.

import { Session } from "node:inspector/promises";
import type { Llama } from "../../src/index.ts";
import { decoded, tokenIds } from "./requests.ts";

/** Calls of WebGPU by what they are; the methods of each, by the object they are called on. */
const CALLS = {
  dispatches: ["pass", ["dispatchWorkgroups", "dispatchWorkgroupsIndirect"]],
  "binding calls": ["pass", ["setBindGroup", "setPipeline"]],
  submits: ["queue", ["submit"]],
  uploads: ["queue", ["writeBuffer"]],
} as const;

/** A number for each kind of call. */
export type Calls = Record<keyof typeof CALLS, number>;

/** Counts calls of the device, whoever makes them, while `work` goes on. */
export async function countCalls(device: GPUDevice, work: () => Promise<unknown>): Promise<Calls> {
  const pass = device.createCommandEncoder().beginComputePass();
  const on = { pass: Object.getPrototypeOf(pass) as object, queue: Object.getPrototypeOf(device.queue) as object };
  pass.end();
  const calls: Calls = { dispatches: 0, "binding calls": 0, submits: 0, uploads: 0 };
  const undo: (() => void)[] = [];
  for (const [kind, [object, methods]] of Object.entries(CALLS)) {
    const prototype = on[object] as Record<string, (...args: unknown[]) => unknown>;
    for (const method of methods) {
      const original = prototype[method];
      prototype[method] = function counted(this: unknown, ...args: unknown[]) {
        calls[kind as keyof Calls]++;
        return original.apply(this, args);
      };
      undo.push(() => (prototype[method] = original));
    }
  }
  try {
    await work();
  } finally {
    for (const each of undo) each();
  }
  return calls;
}

/** Microseconds between two looks at the stack: a token of 0.3 ms is seen six times. */
const INTERVAL = 50;

/**
 * Nodes of a profile that are not our work: waiting, and Node itself, such as its asking the device whether it is done. `nap` is
 * the sleep between two such questions (src/node/waiting.ts), which lasts as long as the device computes.
 */
const NOT_OURS = new Set(["(root)", "(idle)", "(program)", "nap"]);

/** Milliseconds that JavaScript, or what it called, was on the stack of this thread while `work` went on. */
export async function hostMs(work: () => Promise<unknown>): Promise<number> {
  const session = new Session();
  session.connect();
  try {
    await session.post("Profiler.enable");
    await session.post("Profiler.setSamplingInterval", { interval: INTERVAL });
    await session.post("Profiler.start");
    await work();
    const { profile } = await session.post("Profiler.stop");
    const ours = new Set(
      profile.nodes.filter(({ callFrame }) => !NOT_OURS.has(callFrame.functionName)).map(({ id }) => id),
    );
    const { samples = [], timeDeltas = [] } = profile;
    // A sample stands for the time until the next one.
    return samples.reduce((sum, id, i) => sum + (ours.has(id) ? (timeDeltas[i + 1] ?? 0) : 0), 0) / 1000;
  } finally {
    session.disconnect();
  }
}

/** Tokens that are decoded for one figure. */
const TOKENS = 32;

/** Per decoded token of one sequence: host milliseconds of each trial, and calls. The first token, a prompt's, is not counted. */
export async function perToken(
  llama: Llama,
  device: GPUDevice,
  trials: number,
): Promise<{ readonly ms: number[]; readonly calls: Calls }> {
  const { vocab } = llama.config;
  const prompt = 2;
  // Nothing is kept of a request, so that no pool grows meanwhile.
  const run = (seed: number, tokens: number) =>
    decoded(llama, tokenIds(prompt, vocab, seed), tokens, { reusePrefix: false });
  await run(0, TOKENS + 1); // compiles, and V8 makes fast code of what runs often
  const ms: number[] = [];
  for (let i = 1; i <= trials; i++) {
    // From the first token on: the step of a prompt costs more, and on a busy machine it costs now this and now that.
    const greedy = { maxNewTokens: TOKENS + 1, ignoreEos: true, temperature: 0, reusePrefix: false };
    const pieces = llama.generate(tokenIds(prompt, vocab, 2 * i), greedy);
    await pieces.next();
    const rest = async () => {
      while (!(await pieces.next()).done);
    };
    ms.push((await hostMs(rest)) / TOKENS);
  }
  const short = await countCalls(device, () => run(2 * trials + 2, 1));
  const long = await countCalls(device, () => run(2 * trials + 3, TOKENS + 1));
  const calls = Object.fromEntries(
    Object.entries(long).map(([kind, count]) => [kind, (count - short[kind as keyof Calls]) / TOKENS]),
  ) as Calls;
  return { ms, calls };
}
