// position.ts — what a token costs by its place in the text: it may grow by the keys and values that are read, and by nothing else.
//   node --import tsx bench/position.ts [--shape smollm2-135m] [--depths 64,1024,…] [--tokens 16] [--kv-cache f16]
// A row per depth, and what lies between the least and the greatest: milliseconds, bytes of keys and values, and the rate of them.
// The last row is to be read against `copy`: if it is far below, something besides keys and values grows.

import { type CacheName, caches, PAGE } from "../kernels/index.ts";
import type { FloatKind } from "../kernels/formats/floats.ts";
import { Llama } from "../src/node/index.ts";
import { SHAPES, randomFiles } from "../test/tools/checkpoint.ts";
import { measureAnswer } from "./engine/speed.ts";
import { benchArguments, openBench, runBench } from "./harness.ts";
import { limits } from "./limits.ts";
import type { Result } from "./result.ts";

const USAGE = `node --import tsx bench/position.ts
  --shape ${Object.keys(SHAPES).join("|")}; default smollm2-135m
  --depths N,N           tokens that are in the cache before, default 64,1024,4096,16384,32768; with --quick 64,1024,4096
  --tokens N             tokens per trial, default 16; with --quick 8
  --trials N             default 5; with --quick 3
  --kv-cache ${Object.keys(caches).join("|")}
  --adapter NAME  --variants shuffle|tiled  --json FILE  --save  --minutes N  --quick`;

/** Prompts that the benchmark makes known must stay known between two trials. */
const IDLE_BYTES = 2 ** 40;
/** Of random weights; the same as the engine's benchmark. */
const DTYPE: FloatKind = "f16";

function whole(name: string, text: string): number {
  const value = Number(text);
  if (Number.isInteger(value) && value >= 1) return value;
  throw new TypeError(`--${name}: got ${text}, needed a whole number from 1`);
}

async function main(): Promise<void> {
  const text = { type: "string" } as const;
  const values = benchArguments(USAGE, { shape: text, depths: text, tokens: text, trials: text, "kv-cache": text });
  const { quick = false, shape = "smollm2-135m", "kv-cache": cache } = values;
  if (!(shape in SHAPES)) throw new TypeError(`--shape: got ${shape}, needed ${Object.keys(SHAPES).join(", ")}`);
  if (cache !== undefined && !(cache in caches)) {
    throw new TypeError(`--kv-cache: got ${cache}, needed ${Object.keys(caches).join(", ")}`);
  }
  const usual = quick ? "64,1024,4096" : "64,1024,4096,16384,32768";
  const depths = (values.depths ?? usual).split(",").map((each) => whole("depths", each));
  const tokens = whole("tokens", values.tokens ?? (quick ? "8" : "16"));
  const trials = whole("trials", values.trials ?? (quick ? "3" : "5"));
  const bench = await openBench(values);
  try {
    await limits(bench);
    const files = randomFiles({ shape: SHAPES[shape], dtype: DTYPE });
    const { device } = bench.gpu;
    using llama = await Llama.load(files, { device, idleKvBytes: IDLE_BYTES, kvCache: cache as CacheName | undefined });
    const about = { bench: "engine", model: shape, format: DTYPE, cache, shape } as const;
    const found: Result[] = [];
    const say = (kernel: string, rest: Partial<Result>) => {
      const result: Result = { ...about, kernel, ...rest };
      found.push(result);
      bench.report(result);
    };
    for (const depth of depths) {
      if (bench.isLate(`${shape} at depth ${depth}`)) break;
      await measureAnswer({ bench, llama, trials, say }, tokens, depth);
      await llama.trim();
    }
    const [least, greatest] = [found[0], found.at(-1)];
    if (found.length < 2 || !greatest) return;
    const grown = greatest.depth! - least.depth!;
    const bytes = (llama.engine.memory.kv.pageBytes / PAGE) * grown;
    const time = ({ cpuMs, best }: Result) => cpuMs ?? best!;
    const ms = time(greatest) - time(least);
    bench.report({ ...about, kernel: `${grown} keys and values more`, ms, bytes, gbs: bytes / ms / 1e6 });
  } finally {
    bench.close();
  }
}

await runBench(main);
