// attention.test.ts — attention over the paged cache: tiles of rows in both variants, and single rows in parts.
import { suite } from "uvu";
import * as assert from "uvu/assert";
import {
  type AttentionArguments,
  type CacheFormat,
  type Dispatch,
  PAGE,
  SPLIT,
  type DeviceFacts,
  type Tensor,
  attentionDecode,
  attentionPrefill,
  caches,
  choose,
  tileRows,
} from "../../kernels/index.ts";
import { goldenEntry, goldenTensors, within } from "../tools/goldens.ts";
import { Case, type Run, openLab, scrambled } from "../tools/harness.ts";
import { normal } from "../tools/random.ts";

const test = suite("attention");
const lab = await openLab();
test.after(() => lab.close());

type Record = (args: AttentionArguments & { partials: Tensor }) => Dispatch[];

interface Kernel {
  readonly name: string;
  readonly record: Record;
  readonly device: DeviceFacts;
}

/** Every variant, with a device that it is chosen on. */
const kernels: Kernel[] = [
  ...lab.differing("attention_prefill").map((device) => ({ record: attentionPrefill, device })),
  ...lab.differing("attention_decode").map((device) => ({ record: attentionDecode, device })),
].map(({ record, device }) => {
  const size = { rows: 1, n: 1, k: 1 };
  const kernel = record === attentionPrefill ? "attention_prefill" : "attention_decode";
  return { name: choose(kernel, size, device), record, device };
});

interface Shape {
  readonly headDim: number;
  readonly heads: number;
  readonly kvHeads: number;
  readonly runs: readonly Run[];
  /** Pages in the pool. */
  readonly pool: number;
  readonly rawKeys?: boolean;
  readonly cache?: CacheFormat;
  /** Elements of a head that turn; default all. */
  readonly rotaryDim?: number;
  /** Of the scores, instead of headDim^-1/2. */
  readonly scale?: number;
  /** Keys that a row attends to at most. */
  readonly window?: number;
  /** Factor of the scores' size; 1 makes them standard normal. */
  readonly sharp?: number;
}

/** A case with garbage beyond the step's rows; `fill` makes qkv, keys and values by name and index. */
function makeCase(shape: Shape, device: DeviceFacts, fill: (name: "qkv" | "keys" | "values", i: number) => number) {
  const { headDim, heads, kvHeads, runs, pool, rawKeys = false, scale, window, cache, rotaryDim = headDim } = shape;
  const one = new Case(lab.gpu, headDim, { runs, tileRows: tileRows(headDim), rotaryDim });
  const rows = runs.reduce((sum, run) => sum + run.rows, 0);
  const longest = Math.max(...runs.map((run) => run.start + run.rows));
  const angles = Math.max(...runs.map((run) => (run.raw ? (run.angle ?? 0) + run.start + run.rows : 1)));
  const next = normal(7);
  const args = {
    qkv: one.tensor("qkv", [rows + 2, (heads + 2 * kvHeads) * headDim], (i) => fill("qkv", i)),
    kv: one.kv(
      [pool * PAGE, kvHeads * headDim],
      (i) => fill("keys", i),
      (i) => fill("values", i),
      cache,
    ),
    table: one.tensor("table", [angles, rotaryDim], next),
    partials: one.tensor("partials", [rows * heads * Math.ceil(longest / SPLIT) + 1, headDim + 2]),
    y: one.tensor("y", [rows + 2, heads * headDim]),
  };
  return { one, args: { ...args, heads, kvHeads, rawKeys, scale, window, step: one.layout, device } };
}

async function check({ record, device }: Kernel, shape: Shape, allowed: number): Promise<void> {
  const next = normal(shape.headDim + shape.heads);
  const { sharp = 1 } = shape;
  const { one, args } = makeCase(shape, device, (name) => next() * (name === "keys" ? sharp : 1));
  const found = await one.run(record(args));
  one.close();
  for (const { kernel, nmse } of found) assert.ok(nmse < allowed, `${kernel}: ${nmse}`);
}

/** Sequences in one step, their pages interleaved in scrambled order; every other one caches raw keys. */
function sequences(prefix: readonly number[], rows: readonly number[]): { runs: Run[]; pool: number } {
  const counts = prefix.map((start, i) => Math.ceil((start + rows[i]) / PAGE));
  const pool = counts.reduce((a, b) => a + b, 1);
  const pages = scrambled(pool, pool);
  let [used, angle] = [0, 0];
  const runs = prefix.map((start, i) => {
    const run = { start, rows: rows[i], pages: pages.slice(used, used + counts[i]), angle, raw: i % 2 === 1 };
    used += counts[i];
    angle += start + rows[i];
    return run;
  });
  return { runs, pool };
}

/** [headDim, heads, kvHeads]; the goldens add 8, 12, 14, 32, 64 and 128. */
const PREFILL = [
  [10, 6, 3],
  [48, 6, 2],
  [96, 7, 1],
  [256, 1, 1],
];
const DECODE = [
  [10, 6, 2],
  [16, 12, 1], // more query heads on one key head than attention_decode_tiled takes at a time
  [80, 7, 1],
  [256, 1, 1],
];

for (const kernel of kernels) {
  const prefill = kernel.name.includes("prefill");
  // A full tile with a ragged one, a ragged one alone, a single row, most with cached keys before them; for decoding,
  // rows on both sides of the border between parts of SPLIT keys. Every other sequence caches raw keys.
  const mixed = prefill
    ? sequences([0, 33, 130, 0], [19, 16, 1, 5])
    : sequences([0, 126, 127, 128, 300], [1, 1, 1, 1, 3]);

  // Weights are off by a score's error, about 2^-24 · √headDim of its size: squared 1e-12 at most.
  for (const [headDim, heads, kvHeads] of prefill ? PREFILL : DECODE) {
    test(`${kernel.name}: ${heads} heads of ${headDim} on ${kvHeads}`, () =>
      check(kernel, { headDim, heads, kvHeads, rawKeys: true, ...mixed }, 2e-12));
  }

  const shape = { headDim: 16, heads: 4, kvHeads: 4, rawKeys: true, ...mixed }; // as in the golden mha

  test(`${kernel.name}: scores with a factor of their own`, () =>
    check(kernel, { ...shape, headDim: 10, scale: 0.9 }, 9e-12)); // scores three times as large

  // Shorter than a tile, than a part, on its border, over several of them, longer than every sequence but one.
  for (const window of [1, 7, 63, 64, 65, 130]) {
    test(`${kernel.name}: a window of ${window}`, () => check(kernel, { ...shape, headDim: 10, window }, 2e-12));
  }

  test(`${kernel.name}: raw keys of which a part turns`, () =>
    check(kernel, { ...shape, headDim: 14, rotaryDim: 10 }, 2e-12));

  // A layer without RoPE rotates no keys, although the same sequences cache them raw.
  test(`${kernel.name}: raw keys that are not to be rotated`, () =>
    check(kernel, { ...shape, rawKeys: false, headDim: 10 }, 2e-12));

  // All others here have a cache in f32.
  for (const cache of Object.values(caches).filter((each) => each !== caches.f32)) {
    // Heads that are read element by element, and some that are read four at a time.
    for (const headDim of [10, 48]) {
      test(`${kernel.name}: heads of ${headDim}, cache in ${cache.name}`, () =>
        check(kernel, { ...shape, headDim, cache }, 2e-12));
    }
  }

  // Scores of about 1,000 are off by 1,000 · 2^-24 = 6e-5, and so are the weights of two keys that nearly tie.
  test(`${kernel.name}: scores that are huge`, () => check(kernel, { ...shape, sharp: 300 }, 4e-9));

  test(`${kernel.name}: scores that are equal, and all far below zero`, async () => {
    for (const size of [0, -1e15]) {
      // With one score for all keys, the result is the mean of the values, here of 0 and 1 in turns.
      const { one, args } = makeCase(shape, kernel.device, (name, i) => {
        if (name === "qkv") return i % 16 === 0 ? 4 : 0;
        return name === "keys" ? (i % 16 === 0 ? size : 0) : Math.floor(i / 64) % 2;
      });
      await one.run(kernel.record(args));
      if (prefill) assert.ok(Math.abs(one.values(args.y)[2 * 64] - 1 / 3) < 1e-6); // the third row: 0, 1 and 0
      one.close();
    }
  });

  test(`${kernel.name}: positions beyond 60,000`, async () => {
    // Page tables that use the same pages again and again: the pool need not be as large as the position.
    const runs = [
      { start: 60_000, rows: 1, pages: scrambled(1876, 5) },
      { start: 70, rows: prefill ? 2 : 1, pages: scrambled(3, 5) },
    ];
    // The mean of 60,000 values of either sign is hundreds of times smaller than they are, and so is what errors are
    // measured by; their squares grow by 60,000.
    await check(kernel, { ...shape, pool: 5, runs }, 5e-9);
  });
}

for (const kernel of kernels) {
  test(`goldens through ${kernel.name}`, async () => {
    const names = kernel.name.includes("prefill")
      ? ["first", "mha", "gqa", "mqa", "chunk", "head128", "sharp", "long"]
      : ["first", "decode", "head128", "long"];
    for (const name of names) {
      const path = `ops/attention-${name}.safetensors`;
      const tensors = await goldenTensors(path);
      const { tensors: shapes, tolerance } = goldenEntry(path) as ReturnType<typeof goldenEntry> & {
        tensors: globalThis.Record<string, { shape: number[] }>;
      };
      const [rows, heads, headDim] = shapes.q.shape;
      const [length, kvHeads] = shapes.k.shape;
      const start = length - rows;
      const pages = scrambled(Math.ceil(length / PAGE), Math.ceil(length / PAGE) + 1);
      const width = (heads + 2 * kvHeads) * headDim;
      const kvDim = kvHeads * headDim;
      const slots = Array.from({ length }, (_, i) => pages[Math.floor(i / PAGE)] * PAGE + (i % PAGE));
      const position = new Map(slots.map((slot, i) => [slot, i]));
      // Raw keys are compiled in wherever that saves compiling once more; `first` and `head128` go without.
      const rawKeys = headDim < 64;
      const shape = { headDim, heads, kvHeads, rawKeys, pool: pages.length + 1, runs: [{ start, rows, pages }] };
      const { one, args } = makeCase(shape, kernel.device, (name, i) => {
        if (name === "qkv") {
          const [row, column] = [Math.floor(i / width), i % width];
          return row < rows && column < heads * headDim ? tensors.get("q")![row * heads * headDim + column] : 1e6;
        }
        const at = position.get(Math.floor(i / kvDim));
        return at === undefined ? 1e6 : tensors.get(name[0])![at * kvDim + (i % kvDim)];
      });
      await one.run(kernel.record(args));
      const needed = tensors.get("out_f64")!;
      within(one.values(args.y).subarray(0, needed.length), needed, tolerance!.f32, name); // more rows than are asked for
      one.close();
    }
  });
}

test.run();
