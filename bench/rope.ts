// rope.ts — what RoPE costs: the table of angles and the rotation for every scaling type, and keys that are cached raw.
//   node --import tsx bench/rope.ts [--lengths 512,2048,8192] [--quick]
// Types differ in numbers only, so their times may differ by noise only. To know the noise, the default type is measured as
// often again, in turns with the others: `between types` and `of default alone` are (slowest − fastest) / median of the
// shortest times of each.

import {
  type AttentionArguments,
  PAGE,
  SPLIT,
  angles,
  attentionDecode,
  attentionPrefill,
  rope as rotate,
  tileRows,
} from "../kernels/index.ts";
import { type Rope, frequencies, parseRope, parseRopeScaling, ropeTypes, turns } from "../src/rope/index.ts";
import { type StepPlan, scrambled } from "../test/tools/harness.ts";
import { type Bench, type Timing, benchArguments, openBench, round, runBench, timing } from "./harness.ts";
import { limits, ratesOf } from "./limits.ts";
import { type Probe, checkProbe, timeProbe } from "./probes.ts";

const USAGE = `node --import tsx bench/rope.ts
  --lengths N,N        tokens, default 512,2048; with --quick 512
  --adapter NAME  --variants shuffle|tiled  --json FILE  --quick`;

/** Heads of the 135M and of Llama 3 8B: three and four query heads read a key that has been rotated once. */
const HEADS = [
  { heads: 9, kvHeads: 3, headDim: 64 },
  { heads: 32, kvHeads: 8, headDim: 128 },
];

interface Size {
  readonly rows: number;
  /** Keys before and including those of the rows. */
  readonly context: number;
  readonly rope: Rope;
  readonly raw: boolean;
}

/** A setting of every type that scales at any length of the benchmark. */
function settings(headDim: number): Map<string, Rope> {
  const model = parseRope({ hidden_size: headDim, num_attention_heads: 1, max_position_embeddings: 256 });
  const divisors = Array.from({ length: headDim / 2 }, (_, i) => 1 + i / 8);
  const extra: Record<string, object> = {
    default: {},
    linear: { factor: 4 },
    ntk: { factor: 4 },
    dynamic: { factor: 4 },
    yarn: { factor: 4 },
    longrope: { short_factor: divisors, long_factor: divisors.map((s) => 2 * s), factor: 4 },
    llama3: { factor: 4, low_freq_factor: 1, high_freq_factor: 4 },
    proportional: { partial_rotary_factor: 0.5 },
  };
  return new Map(ropeTypes.map((type) => [type, parseRopeScaling({ rope_type: type, ...extra[type] }, model)]));
}

function runs({ rows, context, raw }: Size): StepPlan["runs"] {
  const count = Math.ceil(context / PAGE);
  return [{ start: context - rows, rows, pages: scrambled(count, count), raw }];
}

/** The whole table for `context` tokens: what a first step writes, and with current angles every step. */
const fillProbe = (headDim: number, size: Size): Probe<Size> => ({
  headDim,
  size,
  small: { ...size, context: 21 },
  plan: ({ context, rope }) => {
    const { omega, attentionScaling } = frequencies(rope, size.context);
    return {
      settings: [{ turns: turns(omega), scaling: attentionScaling }],
      fills: [{ angle: 0, position: 0, count: context }],
    };
  },
  record: (make, { context }, step) => [angles({ table: make("table", [context, headDim]), step })],
});

/** The same table, and the rotation of a step's queries and keys by it. */
const rotateProbe = (model: (typeof HEADS)[number], size: Size): Probe<Size> => {
  const { heads, kvHeads, headDim } = model;
  return {
    headDim,
    size,
    small: { ...size, rows: 21, context: 50 },
    plan: (of) => ({ ...fillProbe(headDim, size).plan(of), runs: runs(of) }),
    record: (make, { rows, context }, step, device) => {
      const qkv = make("qkv", [rows, (heads + 2 * kvHeads) * headDim]);
      const table = make("table", [context, headDim]);
      return [angles({ table, step }), rotate({ qkv, table, heads, kvHeads, step, device })];
    },
  };
};

/** Attention over rotated keys, or over raw ones that it rotates as it reads them. */
const attentionProbe = (model: (typeof HEADS)[number], size: Size, decode: boolean): Probe<Size> => {
  const { heads, kvHeads, headDim } = model;
  return {
    headDim,
    size,
    small: { ...size, rows: decode ? 1 : 21, context: 150 },
    fromMemory: decode,
    plan: (of) => ({ runs: runs(of), tileRows: tileRows(headDim) }),
    lengths: ({ rows, context }) => Array.from({ length: rows }, (_, i) => context - rows + 1 + i),
    record: (make, { rows, context, raw }, step, device) => {
      const slots = Math.ceil(context / PAGE) * PAGE;
      const args: AttentionArguments = {
        qkv: make("qkv", [rows, (heads + 2 * kvHeads) * headDim]),
        kv: make.kv(slots, kvHeads * headDim),
        table: make("table", [context, headDim]),
        y: make("y", [rows, heads * headDim]),
        heads,
        kvHeads,
        rawKeys: raw,
        step,
        device,
      };
      if (!decode) return attentionPrefill(args);
      const partials = make("partials", [rows * heads * Math.ceil(context / SPLIT), headDim + 2]);
      return attentionDecode({ ...args, partials });
    },
  };
};

const spreadOf = (times: readonly Timing[]): number => timing(times.map(({ best }) => best)).spread;

/** Every type in turns with the default one: times of each, checked first. */
async function types(bench: Bench, kernel: "angles" | "angles+rope", length: number, quick: boolean): Promise<void> {
  const [model] = HEADS;
  const rows = Math.min(256, length);
  const all = settings(model.headDim);
  const probeOf = (rope: Rope) => {
    const size = { rows, context: length, rope, raw: false };
    return kernel === "angles" ? fillProbe(model.headDim, size) : rotateProbe(model, size);
  };
  const { facts: device } = bench.gpu;
  const shape = kernel === "angles" ? `${length} × ${model.headDim}` : `${rows} at ${length}, 9/3 × 64`;
  const [own, control] = [new Map<string, number[]>(), new Map<string, number[]>()];
  for (const rope of all.values()) await checkProbe(bench, probeOf(rope), device);
  let bytes = 0;
  const options = { trials: 3, atLeastMs: quick ? 3 : 10 };
  for (let turn = 0; turn < (quick ? 5 : 9); turn++) {
    for (const [type, rope] of all) {
      for (const [times, setting] of [
        [own, rope],
        [control, all.get("default")!],
      ] as const) {
        const found = await timeProbe(bench, probeOf(setting), device, options);
        times.set(type, [...(times.get(type) ?? []), found.timing.best]);
        bytes = found.work.bytes;
      }
    }
  }
  for (const [type, times] of own) {
    const found = timing(times);
    const rates = await ratesOf(bench, { bytes, flops: 0, bound: "bytes" }, found);
    bench.report({ bench: "rope", kernel: `${kernel} ${type}`, shape, ...found, ...rates });
  }
  const [between, alone] = [own, control].map((times) => spreadOf([...times.values()].map(timing)));
  const spreads = { between: round(between, 3), alone: round(alone, 3) };
  const percent = (value: number) => `${(100 * value).toFixed(1)} %`;
  console.log(`${kernel} ${shape}: spread between types ${percent(between)}, of default alone ${percent(alone)}`);
  const ms = timing([...own.values()].map((times) => timing(times).best));
  const result = { bench: "rope", kernel: `${kernel}, all types`, shape, ...ms, ...spreads } as const;
  bench.report(result);
}

/** Raw keys against rotated ones in turns: and the ratio of the shortest times. */
async function rawKeys(bench: Bench, length: number, quick: boolean): Promise<void> {
  for (const model of HEADS) {
    const rope = settings(model.headDim).get("dynamic")!;
    for (const decode of [true, false]) {
      const rows = decode ? 1 : quick ? 64 : 256;
      const name = decode ? "decode" : "prefill";
      const shape = `${rows} × ${length} keys, ${model.heads}/${model.kvHeads} × ${model.headDim}`;
      const times = new Map<boolean, number[]>([[false, []], [true, []]]); // prettier-ignore
      const works = new Map<boolean, Awaited<ReturnType<typeof timeProbe>>["work"]>();
      const { facts: device } = bench.gpu;
      for (let turn = 0; turn < (quick ? 3 : 5); turn++) {
        for (const raw of [false, true]) {
          const probe = attentionProbe(model, { rows, context: length, rope, raw }, decode);
          if (turn === 0) await checkProbe(bench, probe, device);
          const found = await timeProbe(bench, probe, device, { trials: 3, atLeastMs: quick ? 5 : 20 });
          times.get(raw)!.push(found.timing.best);
          works.set(raw, found.work);
        }
      }
      for (const [raw, each] of times) {
        const found = timing(each);
        const rates = await ratesOf(bench, works.get(raw)!, found);
        const { variants } = device;
        bench.report({
          bench: "rope",
          kernel: `${name}, ${raw ? "raw" : "rotated"} keys`,
          shape,
          variants,
          ...found,
          ...rates,
        });
      }
      const cost = timing(times.get(true)!).best / timing(times.get(false)!).best;
      console.log(`${name} ${shape}: raw keys take ${round(cost, 3)} × the time of rotated ones`);
    }
  }
}

async function main(): Promise<void> {
  const values = benchArguments(USAGE, { lengths: { type: "string" } });
  const { quick = false } = values;
  const lengths = (values.lengths ?? (quick ? "512" : "512,2048")).split(",").map(Number);
  if (!lengths.every((n) => Number.isInteger(n) && n >= 256)) {
    throw new TypeError(`--lengths: got ${values.lengths}, needed whole numbers from 256`);
  }
  const bench = await openBench(values);
  try {
    await limits(bench);
    for (const length of lengths) {
      await types(bench, "angles", length, quick);
      await types(bench, "angles+rope", length, quick);
      await rawKeys(bench, length, quick);
    }
  } finally {
    bench.close();
  }
}

await runBench(main);
