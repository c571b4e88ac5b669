// soak.ts — random requests at the same time, rounds of them, of every kind: some are cut off, some throw in their callbacks,
// some are refused. After each round nothing is held, nothing failed in another way than asked for, and control texts are
// what they were, alone and in company.
import { readFileSync } from "node:fs";
import * as assert from "uvu/assert";
import type { Llama, Prompt } from "../../src/index.ts";
import { LlariatError } from "../../src/error.ts";
import type { GenerateOptions } from "../../src/generate/options.ts";
import { nothingHeld } from "./steps.ts";
import { whole } from "./random.ts";

/** What a soak has done, and what the process and the GPU held before and after it. */
export interface SoakResult {
  readonly rounds: number;
  readonly requests: number;
  readonly finished: number;
  readonly aborted: number;
  readonly threw: number;
  readonly left: number;
  readonly refused: number;
  readonly controls: number;
  readonly memory: { readonly before: Held; readonly after: Held };
}

interface Held {
  readonly heap: number;
  readonly rss: number;
  readonly gpu: number;
}

type Below = (n: number) => number;
type Outcome = "finished" | "aborted" | "threw" | "left" | "refused";

/** What a callback of the test's own throws: nobody else may. */
class Thrown extends Error {}

const SCALINGS = [
  { rope_type: "default" },
  { rope_type: "linear", factor: 2 },
  { rope_type: "dynamic", factor: 2 },
  { rope_type: "yarn", factor: 4 },
  { rope_type: "ntk", factor: 2 },
] as const;

/** Requests that must be refused, each by its code; nothing of them is computed. */
const REFUSED: readonly (readonly [GenerateOptions, LlariatError["code"]])[] = [
  [{ maxNewTokens: -1 }, "request"],
  [{ temperature: NaN }, "request"],
  [{ ropeScaling: { rope_type: "spiral" } as never }, "rope"],
  [{ maxNewTokens: 1e9, allowBeyond: true }, "context"],
];

const held = (llama: Llama): Held => {
  globalThis.gc?.();
  const { heapUsed, rss } = process.memoryUsage();
  const { weights, kv, activations } = llama.memory;
  return { heap: heapUsed, rss, gpu: weights + kv + activations };
};

function optionsOf(below: Below): GenerateOptions {
  const some = <T>(value: T, of = 3): T | undefined => (below(of) === 0 ? value : undefined);
  const drawn = below(2) === 0;
  const ropeScaling = some(SCALINGS[below(SCALINGS.length)], 2);
  const options: { -readonly [K in keyof GenerateOptions]: GenerateOptions[K] } = {
    maxNewTokens: 1 + below(24),
    ignoreEos: true,
    allowBeyond: true,
    ropeScaling,
    ropeAngles: some((["planned", "current", "as-inserted"] as const)[below(3)]),
    temperature: drawn ? 0.8 : 0,
    seed: some(below(1000)),
    topK: some(1 + below(20)),
    topP: some(0.9),
    minP: some(0.05),
    typicalP: some(0.9, 6),
    repetitionPenalty: some(1.2, 6),
    frequencyPenalty: some(0.5, 6),
    noRepeatNgramSize: some(3, 8),
    minNewTokens: some(2, 6),
    logprobs: some(true),
    topLogprobs: some(2, 6),
    stop: some(" a", 6),
    reusePrefix: some(false),
  };
  for (const [key, value] of Object.entries(options))
    if (value === undefined) delete options[key as keyof GenerateOptions];
  return options;
}

/** One request of a random kind; what came of it. Throws what it must not come to. */
async function one(llama: Llama, below: Below, vocab: number): Promise<Outcome> {
  const length = below(5) === 0 ? 100 + below(200) : 1 + below(60);
  const base = below(4);
  const prompt: Prompt = Array.from({ length }, (_, i) => (i * 31 + (i < 40 ? base : below(vocab))) % vocab);
  const options = optionsOf(below);
  const kind = below(16);
  if (kind === 0) {
    const [bad, code] = REFUSED[below(REFUSED.length)];
    try {
      await llama.complete(prompt, { ...options, ...bad });
    } catch (error) {
      assert.instance(error, LlariatError);
      assert.is((error as LlariatError).code, code);
      return "refused";
    }
    return assert.unreachable("it was taken") as never;
  }
  const ends = below(4);
  const after = below(30);
  const controller = new AbortController();
  const reason = new Error("enough");
  if (ends === 0 && after === 0) controller.abort(reason);
  const signal = ends === 0 ? controller.signal : undefined;
  const thrown = new Thrown();
  let calls = 0;
  const called = () => {
    if (ends === 0 && ++calls === after) controller.abort(reason);
    if (ends === 1 && after < 12 && ++calls === after + 1) throw thrown;
  };
  const own: GenerateOptions = { ...options, signal, onPrefill: called, onAllocate: called };
  try {
    if (kind === 1) await llama.logits(prompt as number[], { signal });
    else if (kind === 2) await llama.score(prompt as number[], { signal });
    else if (kind === 3) await llama.completions(prompt, { ...own, n: 1 + below(3) });
    else if (kind < 10) {
      let pieces = 0;
      for await (const _ of llama.generate(prompt, own)) {
        called();
        if (below(4) === 0) await new Promise((resolve) => setImmediate(resolve));
        if (ends === 2 && ++pieces > after) return "left";
      }
    } else await llama.complete(prompt, own);
    return "finished";
  } catch (error) {
    if (error === thrown) return "threw";
    assert.instance(error, LlariatError, String((error as Error)?.stack ?? error));
    const { code, cause } = error as LlariatError;
    assert.is(code, "aborted", (error as Error).message);
    assert.is(cause, reason);
    return "aborted";
  }
}

/** Prompts of the bundled model whose answers no rounding changes: every token is ahead of the next by more than 7. */
export function controlPrompts(): string[] {
  const lines = readFileSync(new URL("../fixtures/expected/kv.json", import.meta.url), "utf8")
    .split("\n")
    .slice(1, 5);
  return lines.map((line) => (JSON.parse(line.replace(/,$/, "")) as { prompt: string }).prompt);
}

/**
 * Runs rounds of 1 to 24 requests at once until `done` says so, which is asked before each. `controls` are prompts whose
 * greedy texts are clear: no two logits of theirs are closer than rounding.
 */
export async function soak(
  llama: Llama,
  { seed, controls, done }: { seed: number; controls: readonly Prompt[]; done: (requests: number) => boolean },
): Promise<SoakResult> {
  const below = whole(seed);
  const { memory, config } = llama.engine;
  const control = async (i: number) => (await llama.complete(controls[i], { maxNewTokens: 22, ignoreEos: true })).ids;
  const want: number[][] = [];
  for (const [i] of controls.entries()) want.push(await control(i));
  const before = held(llama);
  const sum = { finished: 0, aborted: 0, threw: 0, left: 0, refused: 0 };
  let [rounds, requests, compared] = [0, 0, 0];
  while (!done(requests)) {
    const [alone, beside] = [below(controls.length), below(controls.length)];
    const company = control(beside);
    const outcomes = await Promise.all(
      Array.from({ length: 1 + below(24) }, () => one(llama, whole(below(2 ** 30)), config.vocab)),
    );
    for (const outcome of outcomes) sum[outcome]++;
    requests += outcomes.length;
    const what = `seed ${seed}, round ${++rounds}`;
    assert.equal(await company, want[beside], `${what}: in company`);
    assert.equal(await control(alone), want[alone], `${what}: alone`);
    compared += 2;
    nothingHeld(memory, what);
  }
  return { rounds, requests, ...sum, controls: compared, memory: { before, after: held(llama) } };
}
