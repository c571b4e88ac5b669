// kernels.ts — every kernel at the shapes of real models: first checked against f64, then timed.
//   node --import tsx bench/kernels.ts [--shape smollm2-135m,…] [--only NAME] [--formats f16,…] [--caches f32,…] [--quick]
// The check is of the same record at fewer rows, columns and keys (test/tools/reference.ts is slow): width per row and head, format
// and variants are those of the timed one. A kernel that fails it ends the run.

import {
  type AttentionArguments, CANDIDATE_STRIDE, type CacheFormat, type Dispatch, type Format, 
  type Linear, PAGE, SPLIT, type DeviceFacts,
  angles, append, attentionDecodeTiled, attentionDecodeShuffle, attentionMerge, attentionPrefillTiled, attentionPrefillShuffle,
  caches, embed, formats, gather, headnorm, lanesOf, matmulTiled, isOfBlocks, matmulShuffle, matvec, matvecRows, matvecShuffle, pool, rmsnorm, rope, rowClass, swiglu,
  tileRows, topk,
} from "../kernels/index.ts"; // prettier-ignore
import { frequencies, parseRope, turns } from "../src/rope/index.ts";
import { type StepPlan, plainRows, scrambled } from "../test/tools/harness.ts";
import { type ModelShape, SHAPES } from "../test/tools/checkpoint.ts";
import { type Bench, benchArguments, openBench, runBench } from "./harness.ts";
import { limits, ratesOf } from "./limits.ts";
import { type Make, type Probe, checkProbe, timeProbe } from "./probes.ts";

const MODELS = ["smollm2-135m", "tinyllama-1.1b", "llama-7b"];

const USAGE = `node --import tsx bench/kernels.ts   (npm run bench:kernels -- …)
  --shape ${MODELS.join("|")}   several with commas; default all, with --quick the first
  --only NAME          kernels whose name contains it
  --formats ${Object.keys(formats).join()}   of weights, default all
  --caches ${Object.keys(caches).join()}   of keys and values, default all
  --quick              short trials, one context length
  --adapter NAME  --variants shuffle|tiled  --json FILE  --save  --minutes N`;

interface Size {
  readonly rows: number;
  /** Columns of a matrix, or rows of the embedding. */
  readonly n: number;
  /** Keys before and including those of the rows. */
  readonly context: number;
}

interface Entry {
  readonly kernel: string;
  readonly what: string;
  readonly format?: Format;
  readonly cache?: CacheFormat;
  /** Of kernels that have variants; none for those that have one. */
  readonly device?: DeviceFacts;
  readonly probe: Probe<Size>;
}

/** Rows, keys and columns of the checked record: ragged against every tile. */
const SMALL = { rows: 21, n: 75, context: 150 };

function pages(context: number): number[] {
  const count = Math.ceil(context / PAGE);
  return scrambled(count, count);
}
const lastRows = ({ rows, context }: Size): StepPlan["runs"] => [
  { start: context - rows, rows, pages: pages(context) },
];

interface Context {
  readonly bench: Bench;
  readonly model: ModelShape;
  readonly formats: readonly Format[];
  readonly caches: readonly CacheFormat[];
  readonly contexts: readonly number[];
  /** Rows of a prefill step. */
  readonly rows: number;
}

function linearEntries({ bench, model, formats, rows }: Context): Entry[] {
  const { dim, heads, kvHeads, headDim, hidden, vocab } = model;
  const layers: [string, number, number][] = [
    ["qkv", (heads + 2 * kvHeads) * headDim, dim],
    ["out", dim, heads * headDim],
    ["gate+up", 2 * hidden, dim],
    ["down", dim, hidden],
    ["head", vocab, dim],
  ];
  const entry = (
    linear: Linear,
    layer: [string, number, number],
    format: Format,
    device: DeviceFacts,
    count: number,
  ) => {
    const [name, n, k] = layer;
    const probe: Probe<Size> = {
      headDim: 2,
      size: { rows: count, n, context: count },
      small: { ...SMALL, rows: Math.min(count, SMALL.rows) },
      plan: (size) => plainRows(size.rows),
      record: (make, size, step, chosen) =>
        linear({
          x: make("x", [size.rows, k]),
          weight: make.matrix("weight", size.n, k, format),
          y: make("y", [size.rows, size.n]),
          rows: count,
          step,
          device: chosen,
        }),
      fromMemory: rowClass(count) !== undefined,
    };
    return { what: `${name} ${count} × ${n} × ${k}`, format, device, probe };
  };
  const few: [string, Linear][] = [
    ["matvec", matvec],
    ["matvec_rows", matvecRows],
    ...(lanesOf(bench.gpu.facts) ? [["matmul_shuffle", matmulShuffle] as [string, Linear]] : []),
  ];
  return formats.flatMap((format) => [
    ...layers.map((layer) => ({ kernel: "matvec", ...entry(matvec, layer, format, bench.gpu.facts, 1) })),
    ...(lanesOf(bench.gpu.facts) && isOfBlocks(format.name) ? layers : []).map((layer) => ({
      kernel: "matvec_shuffle",
      ...entry(matvecShuffle, layer, format, bench.gpu.facts, 1),
    })),
    // Few rows, through every kernel that may have them: rows of ROW_CLASSES in kernels/choose.ts, and those between.
    ...[1, 2, 4, 8, 16].flatMap((count) =>
      few.map(([kernel, linear]) => ({ kernel, ...entry(linear, layers[2], format, bench.gpu.facts, count) })),
    ),
    ...bench.variants.flatMap((device) => {
      const [kernel, linear] =
        device.variants === "shuffle"
          ? (["matmul_shuffle", matmulShuffle] as const)
          : (["matmul_tiled", matmulTiled] as const);
      // The variant that is not chosen may be ten times slower on a CPU: a tile of rows shows that as well.
      const count = bench.adapter.isSoftware && device.variants !== bench.gpu.facts.variants ? 32 : rows;
      return layers.slice(0, 4).map((layer) => ({ kernel, ...entry(linear, layer, format, device, count) }));
    }),
  ]);
}

const attentionEntries = (context: Context): Entry[] =>
  context.caches.flatMap((cache) => cachedAttention(context, cache));

function cachedAttention({ bench, model, contexts, rows }: Context, cache: CacheFormat): Entry[] {
  const { heads, kvHeads, headDim } = model;
  const shape = `${heads}/${kvHeads} × ${headDim}`;
  const common = (make: Make, size: Size): Omit<AttentionArguments, "step" | "device"> => ({
    qkv: make("qkv", [size.rows, (heads + 2 * kvHeads) * headDim]),
    kv: make.kv(Math.ceil(size.context / PAGE) * PAGE, kvHeads * headDim, cache),
    table: make("table", [1, headDim]),
    y: make("y", [size.rows, heads * headDim]),
    heads,
    kvHeads,
    rawKeys: false,
  });
  const partials = (make: Make, { rows: count, context }: Size) =>
    make("partials", [count * heads * Math.ceil(context / SPLIT), headDim + 2]);
  const lengths = ({ rows: count, context }: Size) => Array.from({ length: count }, (_, i) => context - count + 1 + i);
  const plan = (size: Size): StepPlan => ({ runs: lastRows(size), tileRows: tileRows(headDim) });

  return contexts.flatMap((context) => {
    const one = { rows: 1, n: 0, context };
    const decode = { headDim, plan, lengths, size: one, small: { ...SMALL, rows: 1 } };
    const many = { rows: Math.min(rows, context), n: 0, context };
    const prefill = { headDim, plan, lengths, size: many, small: SMALL };
    const varied = bench.variants.flatMap((device): Entry[] => {
      const [single, tiled] =
        device.variants === "shuffle"
          ? [attentionDecodeShuffle, attentionPrefillShuffle]
          : [attentionDecodeTiled, attentionPrefillTiled];
      return [
        {
          kernel: `attention_decode_${device.variants}`,
          what: `1 × ${context} keys, ${shape}`,
          cache,
          device,
          probe: {
            ...decode,
            fromMemory: true,
            record: (make, size, step, chosen) => [
              single({ ...common(make, size), partials: partials(make, size), step, device: chosen }),
            ],
          },
        },
        {
          kernel: `attention_prefill_${device.variants}`,
          what: `${many.rows} × ${context} keys, ${shape}`,
          cache,
          device,
          probe: {
            ...prefill,
            record: (make, size, step, chosen) => [tiled({ ...common(make, size), step, device: chosen })],
          },
        },
      ];
    });
    const merge: Entry = {
      kernel: "attention_merge",
      what: `1 × ${context} keys, ${shape}`,
      probe: {
        ...decode,
        // Of random parts the sums of weights may cancel, so the check runs on parts that attention_decode_tiled made.
        record: (make, size, step, device) => {
          const args = { ...common(make, size), partials: partials(make, size), step, device };
          const joined = attentionMerge(args);
          const single = device.variants === "shuffle" ? attentionDecodeShuffle : attentionDecodeTiled;
          return size === one ? [joined] : [single(args), joined];
        },
      },
    };
    return cache === caches.f32 ? [...varied, merge] : varied; // what is joined are sums in f32, whatever the keys lie in
  });
}

function otherEntries({ model, formats, caches, rows }: Context): Entry[] {
  const { dim, heads, kvHeads, headDim, hidden, vocab } = model;
  const width = (heads + 2 * kvHeads) * headDim;
  const size = { rows, n: vocab, context: rows };
  const probe = (record: (...args: Parameters<Probe<Size>["record"]>) => Dispatch[], plan?: Probe<Size>["plan"]) => ({
    headDim,
    size,
    small: { ...SMALL, context: SMALL.rows },
    plan: plan ?? ((of: Size) => plainRows(of.rows)),
    record,
  });
  const { omega, attentionScaling } = frequencies(
    parseRope({ hidden_size: headDim, num_attention_heads: 1, rope_theta: model.ropeTheta }),
    1,
  );
  const settings = [{ turns: turns(omega), scaling: attentionScaling }];
  const outputs = (of: Size, k = 1): StepPlan => ({ ...plainRows(of.rows), outputs: [{ row: of.rows - 1, k }] });
  const slots = (of: Size) => Math.ceil(of.rows / PAGE) * PAGE;
  return [
    ...formats.map((format): Entry => ({
      kernel: "embed",
      what: `${rows} × ${dim}`,
      format,
      probe: probe((make, of, step, device) => {
        const weight = make.matrix("weight", of.rows, dim, format); // tokens 0, 1, 2 … of the step
        return embed({ weight, y: make("y", [of.rows, dim]), step, device });
      }),
    })),
    {
      kernel: "rmsnorm",
      what: `${rows} × ${dim}`,
      probe: probe((make, of, _step, device) => [
        rmsnorm({
          x: make("x", [of.rows, dim]),
          weight: make("weight", [dim]),
          y: make("y", [of.rows, dim]),
          eps: 1e-5,
          device,
        }),
      ]),
    },
    {
      kernel: "angles",
      what: `${rows} × ${headDim}`,
      probe: probe(
        (make, of, step) => [angles({ table: make("table", [of.rows, headDim]), step })],
        (of) => ({ settings, fills: [{ angle: 0, position: 0, count: of.rows }] }),
      ),
    },
    {
      kernel: "headnorm",
      what: `${rows}, ${heads}/${kvHeads} × ${headDim}`,
      probe: probe((make, of, step, device) => {
        const [qkv, weight] = [make("qkv", [of.rows, width]), make("weight", [2 * headDim])];
        return [headnorm({ qkv, weight, heads, kvHeads, eps: 1e-5, step, device })];
      }),
    },
    {
      kernel: "rope",
      what: `${rows}, ${heads}/${kvHeads} × ${headDim}`,
      probe: probe((make, of, step, device) => [
        rope({
          qkv: make("qkv", [of.rows, width]),
          table: make("table", [of.rows, headDim]),
          heads,
          kvHeads,
          step,
          device,
        }),
      ]),
    },
    ...caches.map((cache): Entry => ({
      kernel: "append",
      what: `${rows} × ${kvHeads * headDim}`,
      cache,
      probe: probe((make, of, step, device) => [
        append({
          qkv: make("qkv", [of.rows, width]),
          kv: make.kv(slots(of), kvHeads * headDim, cache),
          step,
          device,
        }),
      ]),
    })),
    {
      kernel: "swiglu",
      what: `${rows} × ${hidden}`,
      probe: probe((make, of, _step, device) => [
        swiglu({ x: make("x", [of.rows, 2 * hidden]), y: make("y", [of.rows, hidden]), device }),
      ]),
    },
    {
      kernel: "gather",
      what: `1 of ${rows} × ${dim}`,
      probe: probe(
        (make, of, step, device) => [gather({ x: make("x", [of.rows, dim]), y: make("y", [1, dim]), step, device })],
        (of) => outputs(of),
      ),
    },
    {
      kernel: "pool",
      what: `${rows} × ${dim}`,
      probe: probe(
        (make, of, step, device) => [pool({ x: make("x", [of.rows, dim]), y: make("y", [1, dim]), step, device })],
        (of) => ({ ...plainRows(of.rows), outputs: [{ row: 0, k: of.rows }] }),
      ),
    },
    {
      kernel: "topk",
      what: `50 of ${vocab}`,
      probe: {
        ...probe(
          (make, _size, step, device) => [
            topk({
              logits: make("logits", [1, vocab]),
              candidates: make("candidates", [1, CANDIDATE_STRIDE], "u32"),
              step,
              device,
            }),
          ],
          (of) => outputs(of, 50),
        ),
      },
    },
  ];
}

async function main(): Promise<void> {
  const text = { type: "string" } as const;
  const values = benchArguments(USAGE, { shape: text, only: text, formats: text, caches: text });
  const { quick = false, only = "" } = values;
  const oneOf = <T>(
    name: "shape" | "formats" | "caches",
    known: Readonly<Record<string, T>>,
    otherwise: string[],
  ): T[] =>
    (values[name]?.split(",") ?? otherwise).map((word) => {
      if (word in known) return known[word];
      throw new TypeError(`--${name}: got ${word}, needed ${Object.keys(known).join(", ")}`);
    });
  const models = Object.fromEntries(MODELS.map((name) => [name, name]));
  const shapes = oneOf("shape", models, quick ? MODELS.slice(0, 1) : MODELS);
  const chosen = {
    formats: oneOf<Format>("formats", formats, Object.keys(formats)),
    caches: oneOf<CacheFormat>("caches", caches, Object.keys(caches)),
  };
  const bench = await openBench(values);
  let count = 0;
  try {
    await limits(bench);
    for (const name of shapes) {
      const rows = !bench.adapter.isSoftware ? 512 : quick ? 128 : 256;
      const context: Context = { bench, model: SHAPES[name], ...chosen, contexts: quick ? [512] : [512, 2048], rows };
      const entries = [...linearEntries(context), ...attentionEntries(context), ...otherEntries(context)];
      for (const { kernel, what, format, cache, device, probe } of entries) {
        if (!kernel.includes(only)) continue;
        if (bench.isLate(`what follows ${kernel} ${name}`)) break;
        const chosen = device ?? bench.gpu.facts;
        // Errors in units of what rounding allows; checkProbe throws above 1.
        const checked = await checkProbe(bench, probe, chosen);
        const found = await timeProbe(bench, probe, chosen, quick ? { trials: 5, atLeastMs: 5 } : {});
        const rates = await ratesOf(bench, found.work, found.timing);
        const variants = device?.variants;
        const ways = { format: format?.name, cache: cache?.name, variants };
        const about = { bench: "kernels", kernel, shape: what, model: name, ...ways } as const;
        bench.report({ ...about, ...found.timing, ...rates, checked });
        count++;
      }
    }
  } finally {
    bench.close();
  }
  if (count === 0) throw new TypeError(`--only: no kernel's name contains ${only}`);
}

await runBench(main);
