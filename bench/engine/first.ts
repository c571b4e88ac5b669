// first.ts — what a fresh process needs to its first and second token, with the driver's shader cache off and then filled.
// The prompt of 16 tokens leaves little to compute but much to compile.
//   node --import tsx bench/engine/first.ts MODEL [LOAD OPTIONS AS JSON]      is the process; prints one line of JSON

import { execFileSync } from "node:child_process";
import { fileURLToPath } from "node:url";
import type { LoadOptions } from "../../src/index.ts";
import { Llama } from "../../src/node/index.ts";
import type { Result } from "../result.ts";
import { timing } from "../result.ts";
import { tokenIds } from "./requests.ts";

const here = fileURLToPath(import.meta.url);

/** Milliseconds of a fresh process. */
interface First {
  readonly load: number;
  readonly first: number;
  readonly second: number;
}

/** Options of `Llama.load` that can be said in JSON. */
export type PlainOptions = Omit<LoadOptions, "device" | "signal" | "onConfig" | "onReload" | "onProgress">;

function inFreshProcess(model: string, options: PlainOptions, cached: boolean): First {
  // Mesa's switch and NVIDIA's; other drivers keep their cache, and what is printed for an empty one is then not true.
  const off = { MESA_SHADER_CACHE_DISABLE: "true", __GL_SHADER_DISK_CACHE: "0" };
  const output = execFileSync(process.execPath, ["--import", "tsx", here, model, JSON.stringify(options)], {
    encoding: "utf8",
    env: { ...process.env, ...(cached ? {} : off) },
    stdio: ["ignore", "pipe", "ignore"],
  });
  return JSON.parse(output.trim().split("\n").at(-1)!) as First;
}

/** Measures both; the second fills the cache first. */
export function measureFirst(
  model: string,
  options: PlainOptions,
  say: (kernel: string, rest: Partial<Result>) => void,
): void {
  for (const cached of [false, true]) {
    if (cached) inFreshProcess(model, options, true);
    const { load, first, second } = inFreshProcess(model, options, cached);
    const state = cached ? "filled" : "empty";
    say(`load, ${state} shader cache`, timing([load]));
    say(`first token, ${state} cache`, timing([first]));
    say(`second token, ${state} cache`, timing([second]));
  }
}

/** Tokens of the prompt. */
const PROMPT = 16;

if (process.argv[1] === here) {
  const [, , model, options = "{}"] = process.argv;
  const started = performance.now();
  const llama = await Llama.load(model, JSON.parse(options) as PlainOptions);
  const loaded = performance.now();
  const at: number[] = [];
  const request = { maxNewTokens: 2, ignoreEos: true, temperature: 0 };
  for await (const _ of llama.generate(tokenIds(PROMPT, llama.config.vocab), request)) at.push(performance.now());
  console.log(JSON.stringify({ load: loaded - started, first: at[0] - loaded, second: at[1] - at[0] } satisfies First));
  llama.close();
}
